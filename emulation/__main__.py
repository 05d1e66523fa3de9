"""``python -m emulation``."""

import sys

try:
    from emulation.cli.emulation_cli import main

    code = main()
except KeyboardInterrupt:  # before the command line can catch it
    code = 130
sys.exit(code)
