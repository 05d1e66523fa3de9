"""Sends one random post at a time to Kafka; the same command as ``python -m emulation batches``."""

import sys
from pathlib import Path

_ROOT = Path(__file__).resolve().parent.parent
sys.path[:1] = [str(_ROOT), str(_ROOT / "src")]

from emulation.cli.emulation_cli import main  # noqa: E402 - importable only now

sys.exit(main(["batches", *(sys.argv[1:] or ["--as-users"])]))
