"""Shows one post of the source, one row per table."""

import sys
from pathlib import Path

_ROOT = Path(__file__).resolve().parent.parent
sys.path[:1] = [str(_ROOT), str(_ROOT / "src")]

from emulation.cli.emulation_cli import main  # noqa: E402 - importable only now

sys.exit(main(["show", *sys.argv[1:]]))
