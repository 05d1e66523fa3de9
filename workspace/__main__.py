"""``python -m workspace``."""

import sys

try:
    from workspace.workspace_cli import main

    code = main()
except ModuleNotFoundError as error:
    if (error.name or "").partition(".")[0] != "databricks":
        raise
    print(
        "error: databricks-sdk must be installed: pip install --require-hashes -r requirements/deploy.txt",
        file=sys.stderr,
    )
    code = 2
except KeyboardInterrupt:  # before the command line can catch it
    print("interrupted", file=sys.stderr)
    code = 130
sys.exit(code)
