"""The batch job from its resolved definition, on a workspace emulator, with the real notebooks and Spark."""

import io
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import polars
import pytest
from databricks.sdk.service.jobs import Run, RunResultState
from pyspark.sql import SparkSession

from local.cli.batch_command import check_batch, run_batch
from local.cli.command_options import build_parser
from local.notebooks.display import Screen
from local.notebooks.notebook_runner import Runner
from pinterest_transforms.analysis.answers import ANSWERS
from pinterest_transforms.settings import DEFAULT_USER_ID, Settings
from tests.bundle.emulator import Workspace, states, workspace
from tests.bundle.loading import ROOT
from tests.bundle.resolving import resolved
from tests.support.catalog import forget_tables

# A run of the job may take the hour that it is waited for; the suite's limit is less.
pytestmark = pytest.mark.timeout(3900)
ANSWER_TABLES = [answer.name for answer in ANSWERS]
BATCH = "pinterest_batch"


@dataclass
class Deployed:
    """The bundle in a workspace, with a landing of dirty posts and a warehouse of its own."""

    workspace: Workspace
    landing: Path
    warehouse: Path

    def run(self, **parameters: str) -> Run:
        return self.workspace.run(
            BATCH, **{"landing": str(self.landing), "warehouse": str(self.warehouse), **parameters}
        )


@pytest.fixture(scope="module")
def landing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the sink would have written of 300 posts, with all that is dirty in real ones."""
    folder = tmp_path_factory.mktemp("source")
    made = ["--posts", "300", "--delivery", "dirty", "--database", str(folder / "source.db"), "--landing"]
    command = [sys.executable, "-m", "emulation", "generate", *made, str(folder / "landing")]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=120)
    return folder / "landing"


@pytest.fixture(scope="module")
def deployed(interpreted: SparkSession, landing: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    folder = tmp_path_factory.mktemp("workspace")
    with workspace(interpreted, folder / "emulator") as there:
        # Dev's compute and landing, with the contract's names.
        there.deploy(resolved("prod", catalog="spark_catalog", compute="serverless", landing_access="managed_volume"))
        yield Deployed(there, landing, folder / "warehouse")


@pytest.fixture(scope="module")
def first(deployed: Deployed) -> Run:
    """The first run of the batch job."""
    return deployed.run()


@pytest.fixture(scope="module")
def local(interpreted: SparkSession, landing: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tables that the batch notebooks make of the same landing where no job runs them."""
    made = tmp_path_factory.mktemp("local") / "made"
    forget_tables(interpreted, "pinterest*")
    command = ["batch", "--landing", str(landing), "--warehouse", str(made), "--user-id", DEFAULT_USER_ID]
    batch = build_parser().parse_args(command)
    run_batch(Runner(interpreted, Screen(io.StringIO())), check_batch(batch), batch)
    return made


def test_every_task_succeeds(first: Run) -> None:
    assert first.state.result_state == RunResultState.SUCCESS
    assert states(first) == dict.fromkeys(
        ["check_landing", "set_up_tables", "clean_pin", "clean_geo", "clean_user", "analyse", "check_quality"],
        "SUCCESS",
    )


@pytest.mark.parametrize("table", ["pins", "geolocations", "users", "quarantine", *ANSWER_TABLES])
@pytest.mark.usefixtures("first")
def test_the_tables_are_those_of_one_machine(deployed: Deployed, local: Path, table: str) -> None:
    made, expected = rows(deployed.warehouse, table), rows(local, table)
    assert made == expected
    assert made


def test_the_runs_bear_the_id_that_the_workspace_gave(deployed: Deployed, first: Run) -> None:
    runs = stored(deployed.warehouse, "runs")
    assert set(runs["run_id"]) == {str(first.run_id)}
    assert runs.height == 3


def test_a_broken_quality_bar_fails_the_run_and_leaves_the_tables(deployed: Deployed, first: Run) -> None:
    before = {table: rows(deployed.warehouse, table) for table in ("pins", "runs", *ANSWER_TABLES)}
    run = deployed.run(max_age_hours="0.000001")
    assert run.state.result_state == RunResultState.FAILED
    assert states(run) == {**states(first), "check_quality": "FAILED"}
    assert "must be at most 1e-06 hours old" in deployed.workspace.told(run, "check_quality")
    assert {table: rows(deployed.warehouse, table) for table in before} == before


def test_a_missing_landing_fails_the_run_before_anything_works(deployed: Deployed, tmp_path: Path) -> None:
    run = deployed.run(landing=str(tmp_path / "nowhere"), warehouse=str(tmp_path / "warehouse"))
    assert run.state.result_state == RunResultState.FAILED
    after = [key for key in states(run) if key != "check_landing"]
    assert states(run) == {"check_landing": "FAILED", **dict.fromkeys(after, "SKIPPED")}
    assert len(after) == 6
    assert "landing" in deployed.workspace.told(run, "check_landing")
    assert not (tmp_path / "warehouse" / "pinterest").exists()


def stored(warehouse: Path, table: str) -> polars.DataFrame:
    return polars.read_delta(str(warehouse / Settings().schema / table))


def rows(warehouse: Path, table: str) -> list[str]:
    """The rows of a table, sorted, without where and when they were read."""
    frame = stored(warehouse, table)
    frame = frame.drop([name for name in ("_source", "seen_at") if name in frame.columns])
    return sorted(map(repr, frame.rows()))
