"""``python -m emulation``."""

import sys

try:
    from emulation.cli.emulation_cli import main

    code = main()
except KeyboardInterrupt:  # before the command line is there to catch it
    code = 130
sys.exit(code)
