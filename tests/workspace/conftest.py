"""A workspace of its own for each test, and an environment in which nothing else is configured."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from fake_workspace import TOKEN, Fake, fake_workspace


@pytest.fixture(autouse=True)
def nothing_configured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No profile, no variable, no tool of this machine is found."""
    for name in [name for name in os.environ if name.startswith(("DATABRICKS_", "ARM_", "GOOGLE_", "PINTEREST_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PATH", "")


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Iterator[Fake]:
    with fake_workspace() as fake:
        monkeypatch.setenv("DATABRICKS_HOST", fake.host)
        monkeypatch.setenv("DATABRICKS_TOKEN", TOKEN)
        yield fake
