"""``python -m workspace``."""

import sys

try:
    from workspace.cli import main

    code = main()
except ModuleNotFoundError as error:
    if (error.name or "").partition(".")[0] != "databricks":
        raise
    print(
        "error: databricks-sdk must be installed, got none: pip install --require-hashes -r requirements/deploy.txt",
        file=sys.stderr,
    )
    code = 2
except KeyboardInterrupt:  # before the command line is there to catch it
    code = 130
sys.exit(code)
