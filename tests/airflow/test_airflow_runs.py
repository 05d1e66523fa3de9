"""End to end: ``airflow dags test`` triggers work in a workspace emulator, and shows what becomes of it."""

import pytest
from airflow_home import Airflow
from emulated import Emulated
from gate import GET_RUN

WHY = "check_quality: at most 20% of the records may be rejected, got 31%"
FAIL = f"sys.exit({WHY!r})"
FAIL_ONCE = f"if notes.read_text().count('check_quality') == 1: {FAIL}"


@pytest.fixture
def dag_id(airflow: Airflow) -> str:
    """The published DAG; a failed task is tried again at once, and once."""
    airflow.publish("--user-id", "9abc", "--poll-seconds", "1", "--retries", "1", "--retry-seconds", "0")
    return "9abc_dag"


def test_the_job_is_found_by_name_and_waited_for(airflow: Airflow, workspace: Emulated, dag_id: str) -> None:
    workspace.add_notebook("check_landing")
    workspace.add_notebook("check_quality", "time.sleep(1)")
    workspace.add_job("[dev somebody] pinterest_batch", "check_landing")
    workspace.add_job("pinterest_batch", "check_landing", "check_quality")
    done = airflow.test(dag_id)
    assert done.returncode == 0, done.stdout
    # Nothing was asked for, so the job's own parameters stand.
    assert workspace.ran == [("check_landing", {"user_id": "9abc"}), ("check_quality", {"user_id": "9abc"})]
    assert len(workspace.gate.runs) == 1
    assert "running trigger in line" in done.stdout, "the task must wait deferred"


def test_what_is_asked_for_reaches_the_job(airflow: Airflow, workspace: Emulated, dag_id: str) -> None:
    workspace.add_notebook("check_quality")
    workspace.add_job("pinterest_batch", "check_quality")
    done = airflow.test(dag_id, {"rebuild": True, "max_rejected_ratio": 0.05, "max_age_hours": 0})
    assert done.returncode == 0, done.stdout
    asked = {"user_id": "9abc", "rebuild": "true", "max_rejected_ratio": "0.05", "max_age_hours": "0"}
    assert workspace.ran == [("check_quality", asked)]


def test_a_failed_job_is_a_failed_dag_run(airflow: Airflow, workspace: Emulated, dag_id: str) -> None:
    workspace.add_notebook("check_landing")
    workspace.add_notebook("check_quality", FAIL)
    workspace.add_job("pinterest_batch", "check_landing", "check_quality")
    done = airflow.test(dag_id)
    assert done.returncode == 1, done.stdout
    assert done.stdout.rstrip().endswith("DagRun failed")
    assert WHY in done.stdout, "the log must say which task failed, and why"
    assert len(workspace.gate.runs) == 2, "one try and one retry"


def test_a_retry_after_a_failed_run_starts_another_one(airflow: Airflow, workspace: Emulated, dag_id: str) -> None:
    workspace.add_notebook("check_quality", FAIL_ONCE)
    workspace.add_job("pinterest_batch", "check_quality")
    done = airflow.test(dag_id)
    assert done.returncode == 0, done.stdout
    assert len(workspace.ran) == len(workspace.gate.runs) == 2


def test_a_retry_goes_on_with_the_run_that_is_still_alive(airflow: Airflow, workspace: Emulated, dag_id: str) -> None:
    # It ends when it was asked for a third time: by the first try, to see whether it is alive, and to go on with it.
    again = workspace.notes.with_name("again")
    workspace.gate.on_start = lambda count: again.touch() if count == 3 else None
    wait = f"for _ in range(600):\n    if pathlib.Path({str(again)!r}).exists(): break\n    time.sleep(0.1)"
    workspace.add_notebook("check_quality", wait)
    workspace.add_job("pinterest_batch", "check_quality")
    # The workspace starts the run, and then cannot be asked about it: the first try fails, the run does not.
    workspace.gate.away[GET_RUN] = 3
    done = airflow.test(dag_id)
    assert done.returncode == 0, done.stdout
    assert f"try 2 goes on with run {workspace.gate.runs[0]}, which is still active" in done.stdout
    assert len(workspace.ran) == len(workspace.gate.runs) == 1
    first, again, *_ = [start["idempotency_token"] for start in workspace.gate.starts]
    assert first == again
    assert len(first) <= 64, "Databricks takes no longer token"


def test_a_job_that_is_not_there_is_told_by_name(airflow: Airflow, workspace: Emulated) -> None:
    airflow.publish("--user-id", "9abc", "--retries", "0")
    workspace.add_job("[dev somebody] pinterest_batch")
    done = airflow.test("9abc_dag")
    assert done.returncode == 1, done.stdout
    assert "Job ID for job name pinterest_batch can not be found" in done.stdout
    assert workspace.gate.starts == []


def test_a_refused_token_fails_and_is_not_printed(airflow: Airflow, workspace: Emulated) -> None:
    airflow.publish("--user-id", "9abc", "--retries", "0")
    airflow.connect(workspace.gate.port, token="another-token")
    done = airflow.test("9abc_dag")
    assert done.returncode == 1, done.stdout
    assert "Status Code: 401" in done.stdout
    assert "another-token" not in done.stdout
