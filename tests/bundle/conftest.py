"""A copy of the bundle's files, for tests that plant mistakes in them."""

import shutil
from pathlib import Path

import pytest

from tests.bundle.loading import ROOT


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """Folder with the bundle's files, which the test may change."""
    shutil.copy(ROOT / "databricks.yml", tmp_path)
    for folder in ("resources", "notebooks"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path
