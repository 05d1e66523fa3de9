"""``python -m workspace``."""

import sys

try:
    from workspace.workspace_cli import main
except ModuleNotFoundError as error:
    if (error.name or "").partition(".")[0] != "databricks":
        raise
    sys.exit("error: databricks-sdk must be installed: pip install --require-hashes -r requirements/deploy.txt")
sys.exit(main())
