"""The whole way: the DAG in Airflow, the batch job of the resolved bundle, the real notebooks with Spark, tables."""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import polars
import pytest
from airflow_home import ROOT, SECONDS, TOKEN, Airflow
from gate import Gate
from pyspark.sql import SparkSession

from pinterest_transforms.settings import DEFAULT_USER_ID
from tests.bundle.emulator import workspace
from tests.bundle.resolving import resolved

DAG_ID = f"{DEFAULT_USER_ID}_dag"
POSTS = 200


@dataclass
class Deployed:
    """The bundle in a workspace behind a gate, and where its batch job reads and writes."""

    gate: Gate
    landing: Path
    warehouse: Path

    def arrive(self) -> None:
        """Lets posts land, as the sink writes them."""
        made = ["--posts", str(POSTS), "--delivery", "dirty", "--database", str(self.landing.with_name("source.db"))]
        command = [sys.executable, "-m", "emulation", "generate", *made, "--landing", str(self.landing)]
        subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=120)


@pytest.fixture
def deployed(interpreted: SparkSession, tmp_path: Path, airflow: Airflow) -> Iterator[Deployed]:
    """Production's bundle, whose job has a landing and a warehouse on this machine as its parameters."""
    landing, warehouse = tmp_path / "landing", tmp_path / "warehouse"
    bundle = resolved("prod", catalog="spark_catalog", orchestrator="airflow")
    job = bundle["resources"]["jobs"]["pinterest_batch"]
    assert job["schedule"]["pause_status"] == "PAUSED", "what Airflow starts must not start itself"
    for parameter in job["parameters"]:
        parameter["default"] = {"landing": str(landing), "warehouse": str(warehouse)}.get(
            parameter["name"], parameter["default"]
        )
    with workspace(interpreted, tmp_path / "emulator") as there:
        there.deploy(bundle)
        gate = Gate(urlsplit(there.host).port or 0, TOKEN)
        airflow.connect(gate.port)
        airflow.publish("--poll-seconds", "1", "--retries", "0")
        yield Deployed(gate, landing, warehouse)
        gate.close()


# Two runs, each with Airflow's own limit; the suite's would cut off what that allows.
@pytest.mark.timeout(2 * SECONDS)
def test_the_dag_runs_the_job_and_shows_what_becomes_of_it(airflow: Airflow, deployed: Deployed) -> None:
    nothing_landed = airflow.test(DAG_ID)
    assert nothing_landed.returncode == 1, nothing_landed.stdout
    assert nothing_landed.stdout.rstrip().endswith("DagRun failed")
    (line,) = [
        line for line in nothing_landed.stdout.splitlines() if line.startswith("airflow.") and "check_landing" in line
    ]
    assert "error: check_landing.py" in line

    deployed.arrive()
    done = airflow.test(DAG_ID)
    assert done.returncode == 0, done.stdout
    tables = deployed.warehouse / "pinterest"
    pins = polars.read_delta(str(tables / "pins"))
    assert 0.9 * POSTS < len(pins) <= POSTS
    assert polars.read_delta(str(tables / "posts_by_category_and_year")).height > 0
    runs = polars.read_delta(str(tables / "runs"))
    assert set(runs["run_id"]) == {str(deployed.gate.runs[-1])}, (
        "a row of runs names the job's run, which Airflow shows"
    )
    assert str(deployed.gate.runs[-1]) in done.stdout
