"""Runs the notebooks of ``notebooks/`` on one machine, on a local Spark instead of a workspace."""

import sys
from importlib.util import find_spec
from pathlib import Path

# A clone needs no install: where the library is no installed package, it is taken from this project's own sources.
PROJECT = Path(__file__).resolve().parent.parent
if find_spec("pinterest_transforms") is None:
    sys.path.insert(0, str(PROJECT / "src"))
