"""``python -m local``."""

import os
import signal
import sys

# Ctrl-C while Python still imports: the end, and no traceback. The command line sets its own way of ending.
signal.signal(signal.SIGINT, signal.SIG_DFL)
if sys.getfilesystemencoding() != "utf-8" and os.environ.get("PYTHONUTF8") != "1":
    # In a locale of another encoding, Python and Java would write one folder's name in two ways.
    os.environ["PYTHONUTF8"] = "1"
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606 - this very program

from local.runtime.spark_environment import remove_other_sparks  # noqa: E402

remove_other_sparks()

from local.cli.local_cli import main  # noqa: E402

if __name__ == "__main__":
    sys.exit(main())
