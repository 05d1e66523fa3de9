"""Sends one random post at a time to Kinesis; the same command as ``python -m emulation streaming``."""

import sys
from pathlib import Path

_ROOT = Path(__file__).resolve().parent.parent
sys.path[:1] = [str(_ROOT), str(_ROOT / "src")]

from emulation.cli.emulation_cli import main  # noqa: E402 - importable only now

sys.exit(main(["streaming", *(sys.argv[1:] or ["--as-users"])]))
