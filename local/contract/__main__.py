"""``python -m local.contract``, which `make contract` runs."""

import sys

from local.contract.contract_file import CONTRACT_FILE, write_contract
from pinterest_transforms.errors import SettingsError

if __name__ == "__main__":
    try:
        write_contract()
    except SettingsError as error:
        sys.exit(f"error: {error}")
    print(f"written: {CONTRACT_FILE}")
