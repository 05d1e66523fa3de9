"""``python -m local``."""

import signal
import sys

# Ctrl-C while Python still imports: the end, and no traceback. The command line sets its own way of ending.
signal.signal(signal.SIGINT, signal.SIG_DFL)

from local.cli import main  # noqa: E402

if __name__ == "__main__":
    sys.exit(main())
