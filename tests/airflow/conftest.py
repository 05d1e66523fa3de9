"""Airflow in an environment of its own, and a workspace for it to speak to."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from airflow_home import Airflow, WarmAirflow
from emulated import Emulated, emulated, small_emulator


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Airflow]:
    """A home whose database is made: it takes seconds, so it is made once and copied."""
    folder = tmp_path_factory.mktemp("airflow")
    airflow = Airflow(folder / "home", WarmAirflow(folder / "warm"))
    airflow.dags.mkdir(parents=True)
    done = airflow.call("db", "migrate")
    assert done.returncode == 0, done.stdout
    yield airflow
    airflow.warm.end()


@pytest.fixture
def airflow(migrated: Airflow, tmp_path: Path) -> Airflow:
    """An Airflow of the test's own."""
    return migrated.copy_to(tmp_path / "airflow")


@pytest.fixture(scope="session")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Port of a workspace emulator without jobs."""
    with small_emulator(tmp_path_factory.mktemp("workspace")) as port:
        yield port


@pytest.fixture
def workspace(emulator: int, tmp_path: Path, airflow: Airflow) -> Iterator[Emulated]:
    """A workspace with the jobs of this test alone, to which Airflow's connection leads."""
    with emulated(emulator, tmp_path) as there:
        airflow.connect(there.gate.port)
        yield there
