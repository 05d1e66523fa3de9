"""The smoke test: a run that ends well shows the answers, and every other end is told as what it is."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from fake_workspace import Fake, error

from pinterest_transforms.analysis.answers import ANSWERS as LIBRARY_ANSWERS
from pinterest_transforms.entities import ENTITIES
from pinterest_transforms.settings import Settings
from pinterest_transforms.tables.definitions import QUARANTINE_TABLE, RUNS_TABLE, raw_table
from pinterest_transforms.tables.views import IDENTIFIED_VIEW, POSTS_VIEW, SOURCES_VIEW
from workspace.workspace_cli import main
from workspace.workspace_names import ANSWERS, list_analyst_tables, list_steward_tables

ROOT = Path(__file__).parents[2]
SMOKE = ["smoke"]
PARAMETERS = [{"name": "catalog", "default": "lake"}, {"name": "schema", "default": "main", "value": "posts_of_ann"}]


def task(key: str, state: str, result: str = "", **more: object) -> dict[str, object]:
    page = f"https://workspace.example/runs/{key}"
    return {"task_key": key, "run_page_url": page, "state": _state(state, result), **more}


def run(state: str, *tasks: dict[str, object], result: str = "", **more: object) -> dict[str, object]:
    return {"state": _state(state, result), "tasks": list(tasks), "job_parameters": PARAMETERS, **more}


def _state(state: str, result: str) -> dict[str, object]:
    return {"life_cycle_state": state, **({"result_state": result} if result else {})}


@pytest.fixture
def job(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> Fake:
    """A deployed job that will end well, and its answers; the SDK waits no time between two looks at it."""
    monkeypatch.setattr("databricks.sdk.service.jobs.time", SimpleNamespace(time=time.time, sleep=lambda _: None))
    fake.jobs[5] = "pinterest_batch"
    fake.run.append(run("RUNNING", task("clean_pin", "RUNNING"), task("analyse", "BLOCKED")))
    done = task("clean_pin", "TERMINATED", "SUCCESS", execution_duration=41_000, setup_duration=1_000)
    fake.run.append(run("RUNNING", done, task("analyse", "RUNNING")))
    fake.run.append(run("TERMINATED", done, task("analyse", "TERMINATED", "SUCCESS"), result="SUCCESS"))
    for answer in ANSWERS:
        rows = [[f"place {n}", None if n else "travel"] for n in range(5)]
        fake.tables[f"lake.posts_of_ann.{answer}"] = (["country", "category"], rows)
    return fake


def test_table_names_are_those_of_the_library() -> None:
    stream = Settings(leg="stream", user_id="abc")
    assert tuple(answer.name for answer in LIBRARY_ANSWERS) == ANSWERS
    assert list_analyst_tables() == (*ANSWERS, POSTS_VIEW, SOURCES_VIEW, RUNS_TABLE)
    for settings, raw in (Settings(), ()), (stream, (raw_table(stream),)):
        clean = map(settings.clean_table, ENTITIES)
        assert list_steward_tables(settings) == (*clean, IDENTIFIED_VIEW, SOURCES_VIEW, QUARANTINE_TABLE, *raw)


def test_a_successful_run_prints_every_answer(job: Fake, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(SMOKE) == 0
    out, err = capsys.readouterr()
    assert [line.partition(":")[0] for line in out.splitlines() if line.endswith(": 5 rows")] == list(ANSWERS)
    assert "  country | category\n  place 0 | travel\n  place 1 |\n  place 2 |\n" in out
    assert "  clean_pin: running\n" in err
    assert "  clean_pin: success, 42 s\n" in err
    assert err.count("analyse: running") == 1
    assert job.cancelled == []


def test_a_failed_task_is_logged_with_error_and_page(job: Fake, capsys: pytest.CaptureFixture[str]) -> None:
    job.run.clear()
    tried = task("clean_geo", "TERMINATED", "FAILED", run_id=8, attempt_number=0)
    failed = task("clean_geo", "TERMINATED", "FAILED", run_id=9, attempt_number=1)
    after = task("analyse", "TERMINATED", "UPSTREAM_FAILED", run_id=10)
    job.run.append(run("TERMINATED", tried, failed, after, result="FAILED"))
    job.outputs = {8: "first try", 9: "LandingError: landing must be a folder,\n got nothing\x1b[31m"}
    assert main(SMOKE) == 1
    errors = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert errors == [
        "error: task clean_geo failed: LandingError: landing must be a folder, got nothing[31m "
        "(https://workspace.example/runs/clean_geo)",
        f"error: run must end with success, got failed in clean_geo ({job.host}/jobs/1/runs/77)",
    ]
    assert job.statements == []


def test_failed_tasks_are_those_that_have_run(job: Fake, capsys: pytest.CaptureFixture[str]) -> None:
    job.run.clear()
    tasks = [
        task("broken", "INTERNAL_ERROR", run_page_url=None),
        task("full", "TERMINATED", "MAXIMUM_CONCURRENT_RUNS_REACHED"),
        task("partly", "TERMINATED", "SUCCESS_WITH_FAILURES"),
        task("after", "INTERNAL_ERROR", "UPSTREAM_FAILED"),
    ]
    job.run.append(run("TERMINATED", *tasks, result="FAILED"))
    assert main(SMOKE) == 1
    errors = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert errors[0] == "error: task broken internal_error: no reason given"
    assert errors[-1].startswith("error: run must end with success, got failed in broken, full, partly (")


@pytest.mark.parametrize("state", ["SKIPPED", "INTERNAL_ERROR"])
def test_a_run_without_failed_tasks_has_its_message(job: Fake, state: str, capsys: pytest.CaptureFixture[str]) -> None:
    job.run.clear()
    job.run.append(run(state) | {"state": {"life_cycle_state": state, "state_message": "queue full"}})
    assert main(SMOKE) == 1
    assert f"error: run must end with success, got {state.lower()}: queue full" in capsys.readouterr().err


def test_a_run_over_its_timeout_is_cancelled(job: Fake, capsys: pytest.CaptureFixture[str]) -> None:
    job.run.clear()
    job.run.append(run("RUNNING", task("analyse", "RUNNING")))
    assert main([*SMOKE, "--timeout", "0.005"]) == 1
    assert job.cancelled == [77]
    assert "error: run must end within 0.005 minutes; it was cancelled" in capsys.readouterr().err


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_cancels_the_run(job: Fake, how: signal.Signals) -> None:
    job.run.clear()
    job.run.append(run("RUNNING", task("analyse", "RUNNING")))
    with subprocess.Popen(
        [sys.executable, "-m", "workspace", *SMOKE],
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'src'}"},
    ) as process:
        late = threading.Timer(120, process.kill)
        late.start()
        said = []
        for line in process.stderr or ():
            said.append(line)
            if "analyse: running" in line:
                process.send_signal(how)
        late.cancel()
        assert process.wait(30) == 130
    assert job.cancelled == [77]
    assert "interrupted; it was cancelled without loss" in said[-2]
    assert said[-1] == "interrupted\n"


def test_a_run_that_cannot_be_cancelled_continues(job: Fake, capsys: pytest.CaptureFixture[str]) -> None:
    job.run.clear()
    job.run.append(run("RUNNING"))
    job.fail("POST", "runs/cancel", 403, error("PERMISSION_DENIED", "no CAN MANAGE RUN"))
    assert main([*SMOKE, "--timeout", "0.001"]) == 1
    assert "could not be cancelled and continues: permission denied: no CAN MANAGE RUN" in capsys.readouterr().err


def test_a_run_whose_state_cannot_be_read_continues(job: Fake, capsys: pytest.CaptureFixture[str]) -> None:
    job.fail("GET", "runs/get", 403, error("PERMISSION_DENIED", "token was revoked"))
    assert main(SMOKE) == 1
    assert "error: the state of the run cannot be read; it continues: permission denied: token was revoked" in (
        capsys.readouterr().err
    )
    assert job.cancelled == []


def test_an_empty_answer_is_an_error(job: Fake, capsys: pytest.CaptureFixture[str]) -> None:
    job.tables["lake.posts_of_ann.top_user_country"] = (["country"], [])
    assert main(SMOKE) == 1
    out, err = capsys.readouterr()
    assert "top_user_country: 0 rows" in out
    assert err.splitlines()[-1] == "error: answers must not be empty, got none in top_user_country"


def test_a_missing_answer_is_named(job: Fake, capsys: pytest.CaptureFixture[str]) -> None:
    del job.tables["lake.posts_of_ann.top_user_country"]
    assert main(SMOKE) == 1
    assert "statement failed: [TABLE_OR_VIEW_NOT_FOUND]" in capsys.readouterr().err


def test_a_starting_warehouse_is_waited_for(job: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []
    clock = SimpleNamespace(monotonic=time.monotonic, sleep=waited.append)
    monkeypatch.setattr("workspace.unity_catalog.sql_warehouse.time", clock)
    job.slow_statements = 2
    assert main(SMOKE) == 0
    assert waited == [1.0, 1.0]


def test_the_job_of_a_dev_target_is_found_by_its_prefix(job: Fake) -> None:
    job.jobs = {3: "other", 4: "not pinterest_batch", 5: "[dev ann] pinterest_batch"}
    assert main(SMOKE) == 0
    assert next(call.body for call in job.calls if call.path.endswith("run-now")) == {"job_id": 5}


@pytest.mark.parametrize(
    ("jobs", "said"),
    [
        ({1: "other"}, "job must be deployed (databricks bundle deploy) and visible, got none named 'pinterest_batch'"),
        (
            {1: "[dev ann] pinterest_batch", 2: "[dev bob] pinterest_batch"},
            "job must be one, got 2 (give the full name with --job): "
            "[dev ann] pinterest_batch (1), [dev bob] pinterest_batch (2)",
        ),
    ],
)
def test_a_job_must_be_one(job: Fake, jobs: dict[int, str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    job.jobs = jobs
    assert main([*SMOKE, "--job", "pinterest_batch"]) == 1
    assert capsys.readouterr().err.splitlines()[-1] == f"error: {said}"
    assert not any(call.path.endswith("run-now") for call in job.calls)


@pytest.mark.parametrize(
    ("warehouses", "options", "said"),
    [
        ([], [], "a SQL warehouse that you may use must exist, got none"),
        (
            [{"id": "w1", "name": "small"}, {"id": "w2", "name": "big"}],
            [],
            "warehouse must be named with --warehouse or DATABRICKS_WAREHOUSE_ID, one of: small (w1), big (w2)",
        ),
        (
            [{"id": "w1", "name": "small"}],
            ["--warehouse", "big"],
            "warehouse must be the id or name of one that you may use (small (w1)), got 'big'",
        ),
    ],
)
def test_a_missing_warehouse_is_reported_before_the_job_is_run(
    job: Fake, warehouses: list[dict[str, object]], options: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    job.warehouses = warehouses
    assert main([*SMOKE, *options]) == 1
    assert capsys.readouterr().err.splitlines()[-1] == f"error: {said}"
    assert not any(call.path.endswith("run-now") for call in job.calls)


def test_a_warehouse_is_chosen_by_name_or_by_the_environment(job: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    job.warehouses = [{"id": "w1", "name": "small"}, {"id": "w2", "name": "big"}]
    assert main([*SMOKE, "--warehouse", "big"]) == 0
    monkeypatch.setenv("DATABRICKS_WAREHOUSE_ID", "w1")
    assert main(SMOKE) == 0
    used = [call.body["warehouse_id"] for call in job.calls if "warehouse_id" in call.body]
    assert used == ["w2"] * 10 + ["w1"] * 10


@pytest.mark.parametrize("value", ["-1", "inf", "nan"])
def test_an_invalid_timeout_is_refused(fake: Fake, value: str) -> None:
    assert main(["smoke", "--timeout", value]) == 2
    assert fake.calls == []
