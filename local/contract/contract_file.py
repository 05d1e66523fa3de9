"""Writes ``docs/contract.odcs.yaml``, and refuses a breaking change without a new major version of the contract."""

from pathlib import Path

import yaml

from local.contract.contract_changes import breaking_changes
from local.contract.data_contract import Fields, build_contract
from pinterest_transforms.errors import SettingsError

CONTRACT_FILE = Path(__file__).parents[2] / "docs" / "contract.odcs.yaml"
_HEAD = "# Written by `make contract` from src/pinterest_transforms/schemas.py. Do not edit.\n"


def read_contract(file: Path = CONTRACT_FILE) -> Fields:
    """The contract as the file has it."""
    found: Fields = yaml.safe_load(file.read_text(encoding="utf-8"))
    return found


def format_contract(contract: Fields) -> str:
    """The contract as the text of its file."""
    return _HEAD + yaml.safe_dump(contract, sort_keys=False, allow_unicode=True, width=120)


def check_changes(before: Fields, after: Fields) -> None:
    """Refuses breaking changes, unless the contract's major version is a new one.

    Raises:
        SettingsError: naming each column and its change.
    """
    changes = breaking_changes(before, after)
    versions = [str(contract["version"]).split(".")[0] for contract in (before, after)]
    if changes and versions[0] == versions[1]:
        raise SettingsError(
            "a breaking change of the contract needs a new major version (CONTRACT_VERSION in data_contract.py), "
            f"got {after['version']}: {'; '.join(changes)}"
        )


def write_contract(file: Path = CONTRACT_FILE) -> None:
    """Writes the contract of the tables as they are defined now.

    Raises:
        SettingsError: a breaking change without a new major version.
    """
    contract = build_contract()
    if file.exists():
        check_changes(read_contract(file), contract)
    file.write_text(format_contract(contract), encoding="utf-8")
