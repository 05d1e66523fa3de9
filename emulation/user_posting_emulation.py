"""The original's first script: shows one post of the source, a row of each table."""

import sys
from pathlib import Path

_ROOT = Path(__file__).resolve().parent.parent
sys.path[:1] = [str(_ROOT), str(_ROOT / "src")]

from emulation.cli.emulation_cli import main  # noqa: E402 - found only now

sys.exit(main(["show", *sys.argv[1:]]))
