"""Airflow in an environment of its own, and a workspace for it to speak to."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from airflow_home import Airflow
from emulated import Emulated, emulated


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Airflow:
    """A home whose database is made: it takes seconds, so it is made once and copied."""
    airflow = Airflow(tmp_path_factory.mktemp("airflow") / "home")
    airflow.dags.mkdir(parents=True)
    done = airflow.run("db", "migrate")
    assert done.returncode == 0, done.stdout
    return airflow


@pytest.fixture
def airflow(migrated: Airflow, tmp_path: Path) -> Airflow:
    """An Airflow of the test's own."""
    return migrated.copy_to(tmp_path / "airflow")


@pytest.fixture
def workspace(tmp_path: Path, airflow: Airflow) -> Iterator[Emulated]:
    """A workspace of the test's own, to which Airflow's connection leads."""
    with emulated(tmp_path) as there:
        airflow.connect(there.gate.port)
        yield there
