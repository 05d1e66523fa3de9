"""A copy of the bundle's files, for tests that plant mistakes in them."""

from pathlib import Path

import pytest

from tests.bundle.snapshots import copy_bundle


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """Folder with the bundle's files, which the test may change."""
    copy_bundle(tmp_path)
    return tmp_path
