"""What Airflow makes of the published files: they load, and they are scheduled and retried as the contract says."""

import subprocess
import sys

import pytest
from airflow_home import BIN, ROOT, SECONDS, Airflow, Inspection

from tests.bundle.resolving import resolved

# One that begins with a digit (the default), one with a letter, the shortest, the longest.
USER_IDS = ("12f6caff3559", "abc123", "0a1", "z" * 32)
HOUR = 3600


@pytest.fixture(scope="module")
def published(migrated: Airflow, tmp_path_factory: pytest.TempPathFactory) -> Airflow:
    """A folder of DAGs: one of each user id."""
    airflow = migrated.copy_to(tmp_path_factory.mktemp("published") / "airflow")
    airflow.publish()
    for user_id in USER_IDS[1:]:
        airflow.publish("--user-id", user_id)
    return airflow


@pytest.fixture(scope="module")
def inspection(published: Airflow) -> Inspection:
    """What Airflow makes of that folder."""
    return published.inspect()


def test_the_types_of_the_dag_are_those_of_airflow() -> None:
    # `make check` has no Airflow to hold it against.
    command = [sys.executable, "-m", "mypy", "--python-executable", BIN / "python", "orchestration/pinterest_dag.py"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=SECONDS, check=False)
    assert done.returncode == 0, done.stdout


def test_every_user_id_makes_a_dag_without_import_errors(published: Airflow) -> None:
    done = published.run("dags", "list-import-errors", "--local", "--output", "plain")
    assert done.returncode == 0, done.stdout
    assert "No data found" in done.stdout


def test_a_file_is_named_as_its_dag(inspection: Inspection) -> None:
    assert inspection.errors == {}
    expected = {f"{user_id}_dag": f"{user_id}_dag.py" for user_id in USER_IDS}
    assert {dag_id: facts["file"] for dag_id, facts in inspection.dags.items()} == expected


def test_a_file_that_was_not_published_says_so(airflow: Airflow) -> None:
    source = ROOT / "orchestration" / "pinterest_dag.py"
    (airflow.dags / source.name).write_text(source.read_text())
    inspection = airflow.inspect()
    assert inspection.dags == {}
    message = "USER_ID must be set: publish this file with python -m orchestration publish"
    assert inspection.errors == {source.name: f"ValueError: {message}"}


def test_a_dag_runs_daily_one_at_a_time(inspection: Inspection) -> None:
    facts = inspection.dags["12f6caff3559_dag"]
    assert facts["schedule"] == "@daily"
    assert facts["catchup"] is False
    assert facts["max_active_runs"] == 1
    assert facts["dagrun_timeout"] == 12 * HOUR
    assert facts["tags"] == ["batch", "databricks", "pinterest"]
    assert facts["params"] == {"rebuild": False, "max_rejected_ratio": None, "max_age_hours": None}
    assert "**Failed?**" in facts["page"]


def test_the_task_waits_deferred_and_has_limits(inspection: Inspection) -> None:
    facts = inspection.dags["12f6caff3559_dag"]
    (task,) = facts["tasks"].values()
    assert task["deferrable"] is True
    assert task["execution_timeout"] == 3 * HOUR
    assert task["deferred_for"] == 3 * HOUR, "Airflow 3 forgets the time-out of a deferred task"
    assert (task["retries"], task["retry_delay"], task["poll"]) == (2, 300, 30)
    all_tries = 3 * task["execution_timeout"] + 2 * task["retry_delay"]
    assert all_tries < facts["dagrun_timeout"] < 24 * HOUR


def test_the_dag_is_one_task_that_names_the_production_job(inspection: Inspection) -> None:
    (task,) = inspection.dags["12f6caff3559_dag"]["tasks"].values()
    job = resolved("prod")["resources"]["jobs"]["pinterest_batch"]
    assert "DatabricksRunNowOperator" in task["kind"]
    assert task["job_name"] == job["name"]
    assert set(task["job_parameters"]) <= {parameter["name"] for parameter in job["parameters"]}
    assert task["job_parameters"]["user_id"] == "12f6caff3559"
    assert task["execution_timeout"] > job["timeout_seconds"], "the job ends by itself before Airflow gives it up"
