"""A source and a server for the tests of the commands."""

import os
from pathlib import Path

import pytest

from emulation.cli import progress_display
from emulation.source.database import connect, write_source
from emulation.synthetic.generator import generate_rows
from pinterest_transforms.entities import ENTITIES
from tests.emulation.fake_api_server import serve_api


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch):
    for name in [name for name in os.environ if name.startswith(("PINTEREST_", "AWS_"))]:
        monkeypatch.delenv(name)
    # No progress lines on a slow machine.
    monkeypatch.setattr(progress_display, "INTERVAL_SECONDS", 3600.0)
    with serve_api() as server:
        yield server


@pytest.fixture(scope="session")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two thousand posts, some of them without a geolocation or a user."""
    file = tmp_path_factory.mktemp("source") / "source.db"
    write_source(connect(str(file)), ((entity, generate_rows(entity, 2000, 1)) for entity in ENTITIES))
    return file
