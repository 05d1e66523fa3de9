"""The original's way to Kinesis: one random post at a time; ``python -m emulation streaming`` has the rest."""

import sys
from pathlib import Path

_ROOT = Path(__file__).resolve().parent.parent
sys.path[:1] = [str(_ROOT), str(_ROOT / "src")]

from emulation.cli.emulation_cli import main  # noqa: E402 - found only now

sys.exit(main(["streaming", *(sys.argv[1:] or ["--as-users"])]))
