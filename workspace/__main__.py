"""``python -m workspace``."""

import sys

try:
    from workspace.workspace_cli import main

    code = main()
except ModuleNotFoundError as error:
    if (error.name or "").partition(".")[0] != "databricks":
        raise
    print(
        "error: databricks-sdk must be installed, got none: pip install --require-hashes -r requirements/deploy.txt",
        file=sys.stderr,
    )
    code = 2
except KeyboardInterrupt:  # before the command line can catch it
    code = 130
sys.exit(code)
