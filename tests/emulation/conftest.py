"""A source and a server for the tests of the commands."""

import os
from pathlib import Path

import pytest

from emulation.cli import progress_display
from emulation.source.database import connect, write_source
from emulation.synthetic.generator import generate_rows
from pinterest_transforms.entities import ENTITIES
from tests.emulation.fake_api_server import Server, serve_api


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch):
    for name in [name for name in os.environ if name.startswith(("PINTEREST_", "AWS_"))]:
        monkeypatch.delenv(name)
    # No progress lines on a slow machine.
    monkeypatch.setattr(progress_display, "INTERVAL_SECONDS", 3600.0)
    with serve_api() as server:
        yield server


@pytest.fixture
def aws(server: Server, monkeypatch: pytest.MonkeyPatch) -> Server:
    """Kinesis at the server's address; no credentials of this machine."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", server.url.removesuffix("/s"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
        monkeypatch.setenv(name, "/nowhere")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "id")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    return server


@pytest.fixture(scope="session")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A thousand posts, some of them without a geolocation or a user."""
    file = tmp_path_factory.mktemp("source") / "source.db"
    write_source(connect(str(file)), ((entity, generate_rows(entity, 1000, 1)) for entity in ENTITIES))
    return file
