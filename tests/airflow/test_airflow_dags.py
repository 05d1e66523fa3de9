"""What Airflow makes of the published files: they load, and they are scheduled and retried as the contract says."""

import json
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from airflow_home import BIN, ROOT, SECONDS, Airflow, Inspection

from tests.bundle.resolving import resolved

# One that begins with a digit (the default), one with a letter, the shortest, the longest.
USER_IDS = ("12f6caff3559", "abc123", "0a1", "z" * 32)
HOUR = 3600


@pytest.fixture(scope="module")
def published(migrated: Airflow, tmp_path_factory: pytest.TempPathFactory) -> Airflow:
    """A folder of DAGs: one of each user id, and one of each form."""
    airflow = migrated.copy_to(tmp_path_factory.mktemp("published") / "airflow")
    airflow.publish()
    for user_id in USER_IDS[1:]:
        airflow.publish("--user-id", user_id)
    airflow.publish("--user-id", "books1", "--form", "notebooks")
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
    expected = {f"{user_id}_dag": f"{user_id}_dag.py" for user_id in (*USER_IDS, "books1")}
    assert {dag_id: facts["file"] for dag_id, facts in inspection.dags.items()} == expected


def test_a_file_that_was_not_published_says_so(airflow: Airflow) -> None:
    source = ROOT / "orchestration" / "pinterest_dag.py"
    (airflow.dags / source.name).write_text(source.read_text())
    inspection = airflow.inspect()
    assert inspection.dags == {}
    message = "USER_ID must be set: publish this file with python -m orchestration publish"
    assert inspection.errors == {source.name: f"ValueError: {message}"}


@pytest.mark.parametrize("dag_id", ["12f6caff3559_dag", "books1_dag"])
def test_a_dag_runs_daily_one_at_a_time(inspection: Inspection, dag_id: str) -> None:
    facts = inspection.dags[dag_id]
    assert facts["schedule"] == "@daily"
    assert facts["catchup"] is False
    assert facts["max_active_runs"] == 1
    assert facts["dagrun_timeout"] == 12 * HOUR
    assert facts["tags"] == ["batch", "databricks", "pinterest"]
    assert facts["params"] == {"rebuild": False, "most_rejected": None, "stale_hours": None}
    assert "**Failed?**" in facts["page"]


@pytest.mark.parametrize("dag_id", ["12f6caff3559_dag", "books1_dag"])
def test_every_task_waits_deferred_and_has_limits(inspection: Inspection, dag_id: str) -> None:
    for task_id, task in inspection.dags[dag_id]["tasks"].items():
        assert task["deferrable"] is True, task_id
        assert task["execution_timeout"] == 3 * HOUR, task_id
        assert task["deferred_for"] == 3 * HOUR, f"{task_id}: Airflow 3 forgets the time-out of a deferred task"
        assert (task["retries"], task["retry_delay"], task["poll"]) == (2, 300, 30), task_id
        all_tries = 3 * task["execution_timeout"] + 2 * task["retry_delay"]
        assert all_tries < inspection.dags[dag_id]["dagrun_timeout"] < 24 * HOUR or dag_id == "books1_dag"


def test_the_job_form_is_one_task_that_names_the_production_job(inspection: Inspection) -> None:
    (task,) = inspection.dags["12f6caff3559_dag"]["tasks"].values()
    job = resolved("prod")["resources"]["jobs"]["pinterest_batch"]
    assert "DatabricksRunNowOperator" in task["kind"]
    assert task["job_name"] == job["name"]
    assert set(task["job_parameters"]) <= {parameter["name"] for parameter in job["parameters"]}
    assert task["job_parameters"]["user_id"] == "12f6caff3559"
    assert task["execution_timeout"] > job["timeout_seconds"], "the job ends by itself before Airflow gives it up"


def test_the_notebooks_form_is_the_batch_job_in_airflow(inspection: Inspection) -> None:
    job = resolved("prod")["resources"]["jobs"]["pinterest_batch"]
    order = {
        task["task_key"]: sorted(before["task_key"] for before in task.get("depends_on", [])) for task in job["tasks"]
    }
    tasks = inspection.dags["books1_dag"]["tasks"]
    assert {task_id: task["after"] for task_id, task in tasks.items()} == order
    notebooks = _notebooks(inspection)
    for task in job["tasks"]:
        notebook, given = notebooks[task["task_key"]]
        assert f"notebooks/{notebook}.py" == task["notebook_task"]["notebook_path"]
        assert given.items() >= task["notebook_task"].get("base_parameters", {}).items()


def test_a_notebook_is_given_its_own_widgets_and_no_others(inspection: Inspection) -> None:
    for task_id, (notebook, given) in _notebooks(inspection).items():
        source = (ROOT / "notebooks" / f"{notebook}.py").read_text()
        widgets = set(re.findall(r"\bdbutils\.widgets\.\w+\(\s*\"(\w+)\", ", source))
        assert set(inspection.dags["books1_dag"]["tasks"][task_id]["widgets"]) == widgets, notebook
        assert set(given) <= widgets, f"{task_id} gives what {notebook} does not take"


WRONG = [
    ([], """must be like {"notebooks": "/Workspace/...", "compute": {}, "parameters": {}}, got []"""),
    ({"notebooks": "relative"}, "notebooks of variable books1_dag must be the notebooks' folder, got 'relative'"),
    ({"notebooks": "/n", "cluster": "x"}, """"parameters": {}}, got {'notebooks': '/n', 'cluster': 'x'}"""),
    ({"notebooks": "/n", "compute": "x"}, "compute of variable books1_dag must be an object, got 'x'"),
    ({"notebooks": "/n", "parameters": None}, "parameters of variable books1_dag must be an object, got None"),
]


def test_a_variable_that_is_wrong_is_told_in_one_line(published: Airflow) -> None:
    values = json.dumps([value for value, _ in WRONG])
    done = published.call(
        str(Path(__file__).with_name("ask_setting.py")), str(published.dags / "books1_dag.py"), values
    )
    assert done.returncode == 0, done.stdout
    said = [line for line in done.stdout.splitlines() if line.startswith("setting ")]
    assert len(said) == len(WRONG)
    for line, (_, message) in zip(said, WRONG, strict=True):
        assert line.endswith(message)


def _notebooks(inspection: Inspection) -> dict[str, tuple[str, Mapping[str, Any]]]:
    """Notebook and parameters of each task of the form ``notebooks``."""
    found = {}
    for task_id, facts in inspection.dags["books1_dag"]["tasks"].items():
        (work,) = facts["json"]["tasks"]
        found[task_id] = work["notebook_task"]["notebook_path"], work["notebook_task"]["base_parameters"]
    return found
