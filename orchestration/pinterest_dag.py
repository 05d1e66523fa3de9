"""Cleans what has landed and answers the analysts' questions, once a day, on Databricks.

Each day's run starts the batch work and waits for it without holding a worker. A run that fails there fails here.
A task that is tried again goes on waiting for the run that an earlier try left behind; it starts another one only when
that one has ended. What is done twice does no harm: tables come out equal.

**Trigger by hand** with `rebuild` to clean everything again after a rule changed; `most_rejected` (the share of
rejected records, 0 to 1, over which the run fails) and `stale_hours` (how old the newest record may be; 0: any age)
replace the job's own limits for that one run. **Failed?** The task's log names what failed, and links the run.
"""

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime, timedelta
from typing import NoReturn

from airflow.providers.databricks.exceptions import DatabricksApiError
from airflow.providers.databricks.hooks.databricks import DatabricksHook
from airflow.providers.databricks.operators.databricks import DatabricksRunNowOperator, DatabricksSubmitRunOperator
from airflow.sdk import DAG, BaseOperator, Context, Param, Variable, chain
from airflow.triggers.base import BaseTrigger

# This file stands alone: Airflow has nothing of the project but it. `python -m orchestration publish` sets these.
USER_ID = ""
FORM = "job"
JOB_NAME = "pinterest_batch"
RETRIES = 2
RETRY_SECONDS = 300
POLL_SECONDS = 30

# As in the batch job: a task's notebook, the tasks before it, the notebook's widgets. A test compares them.
PLACE = ("catalog", "schema", "user_id", "warehouse")
CLEAN = (*PLACE, "landing", "entity", "run_id", "rebuild")
TASKS = {
    "check_landing": ("check_landing", (), (*PLACE, "landing")),
    "set_up_tables": ("set_up_tables", ("check_landing",), ("leg", *PLACE)),
    "clean_pin": ("clean_batch", ("set_up_tables",), CLEAN),
    "clean_geo": ("clean_batch", ("set_up_tables",), CLEAN),
    "clean_user": ("clean_batch", ("set_up_tables",), CLEAN),
    "analyse": ("analyse", ("clean_pin", "clean_geo", "clean_user"), ("leg", *PLACE)),
    "check_quality": ("check_quality", ("analyse",), ("leg", *PLACE, "run_id", "most_rejected", "stale_hours")),
}

# What whoever triggers the DAG may ask for; what is not asked for is left to the job, or the notebook.
ASKED = {
    "rebuild": "{{ 'true' if params.rebuild else '' }}",
    "most_rejected": "{{ '' if params.most_rejected is none else params.most_rejected }}",
    "stale_hours": "{{ '' if params.stale_hours is none else params.stale_hours }}",
}


def given(parameters: dict[str, str]) -> dict[str, str]:
    """The parameters that have a value."""
    return {name: value for name, value in parameters.items() if value != ""}


class OneLivingRun(BaseOperator):
    """Stands before a Databricks operator: of a task's tries, no two have a run alive at the same time.

    Databricks gives the run that a token has already started instead of another one. Each try has a token, which can be
    computed again; so a try finds what the tries before it have left, even if a worker died before it noted a run's
    id. Clearing a finished DAG run begins it anew, and so the tokens.
    """

    databricks_conn_id: str
    idempotency_token: str | None

    def starter(self, hook: DatabricksHook) -> Callable[[str], int]:
        """What starts the run of a token, or finds it, and returns the run's id."""
        raise NotImplementedError

    def execute(self, context: Context) -> None:
        """Starts the run, or finds the one that is still alive, and waits for its end."""
        self.idempotency_token = self._token_of_the_living(context)
        super().execute(context)

    def defer(
        self,
        *,
        trigger: BaseTrigger,
        method_name: str,
        kwargs: dict[str, object] | None = None,
        timeout: timedelta | float | None = None,
    ) -> NoReturn:
        """Waits no longer than the task's time-out, which Airflow itself forgets while a task is deferred."""
        super().defer(
            trigger=trigger, method_name=method_name, kwargs=kwargs, timeout=timeout or self.execution_timeout
        )

    def _token_of_the_living(self, context: Context) -> str:
        this_try = context["ti"].try_number
        hook = DatabricksHook(self.databricks_conn_id, caller=type(self).__name__)
        for earlier in range(1, this_try):
            token = token_of(context, earlier)
            try:
                run_id = self.starter(hook)(token)
                if not hook.get_run_state(run_id).is_terminal:
                    self.log.info("try %s goes on with run %s, which is still alive", this_try, run_id)
                    return token
            except DatabricksApiError as error:
                # Its run was deleted, or the workspace is away: the last token will tell which.
                self.log.warning("the run of try %s cannot be asked for: %s", earlier, error)
        return token_of(context, this_try)


def token_of(context: Context, number: int) -> str:
    """Name of one try's run, 64 characters: another one for each DAG run, task, clearing and try."""
    run = context["dag_run"]
    parts = (run.dag_id, run.run_id, run.start_date, run.clear_number, context["ti"].task_id, number)
    return hashlib.sha256("/".join(map(str, parts)).encode()).hexdigest()


class RunBatchJob(OneLivingRun, DatabricksRunNowOperator):
    """Runs the deployed job, found by its name."""

    def execute(self, context: Context) -> None:
        """Passes the parameters that were asked for; the job's own stand for the others."""
        self.job_parameters = given(self.job_parameters or {})
        super().execute(context)

    def starter(self, hook: DatabricksHook) -> Callable[[str], int]:
        """Runs the job now."""
        job = {"job_id": hook.find_job_id_by_name(self.job_name or ""), "job_parameters": self.job_parameters}
        return lambda token: hook.run_now({**job, "idempotency_token": token})


class RunNotebook(OneLivingRun, DatabricksSubmitRunOperator):
    """Runs one notebook, where no job is deployed. The Airflow variable of the DAG's name says where and on what."""

    def execute(self, context: Context) -> None:
        """Completes the task with what the variable says."""
        where = notebook_setting(Variable.get(self.dag_id, deserialize_json=True, default={}))
        payload = dict(self.json or {})
        (task,) = payload["tasks"]
        name, own = task["notebook_task"]["notebook_path"], given(task["notebook_task"]["base_parameters"])
        everywhere = {key: value for key, value in where.parameters.items() if key in TASKS[self.task_id][2]}
        notebook = {"notebook_path": f"{where.notebooks}/{name}", "base_parameters": {**everywhere, **own}}
        self.json = {**payload, "tasks": [{**task, **where.compute, "notebook_task": notebook}]}
        super().execute(context)

    def starter(self, hook: DatabricksHook) -> Callable[[str], int]:
        """Submits the notebook as a run of its own."""
        payload = dict(self.json or {})
        return lambda token: hook.submit_run({**payload, "idempotency_token": token})


@dataclass(frozen=True)
class Where:
    """Where notebooks run, as the Airflow variable of the DAG's name says.

    Attributes:
        notebooks: their folder.
        compute: what the Jobs API takes at a task; empty for serverless.
        parameters: values of widgets, for each notebook that has them.
    """

    notebooks: str = ""
    compute: dict[str, object] = field(default_factory=dict)
    parameters: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Checks every value; an error is one line that says what it must be."""
        if not isinstance(self.notebooks, str) or not re.match(r"\A/.*[^/]\Z", self.notebooks):
            raise ValueError(f"notebooks of variable {DAG_ID} must be the notebooks' folder, got {self.notebooks!r}")
        for name in ("compute", "parameters"):
            if not isinstance(getattr(self, name), dict):
                raise ValueError(f"{name} of variable {DAG_ID} must be an object, got {getattr(self, name)!r}")


def notebook_setting(variable: object) -> Where:
    """What the Airflow variable says; ``compute`` and ``parameters`` may be left out.

    Raises:
        ValueError: if it is something else; one line that says what it must be.
    """
    if not isinstance(variable, dict) or not set(variable) <= {each.name for each in fields(Where)}:
        example = '{"notebooks": "/Workspace/...", "compute": {}, "parameters": {}}'
        raise ValueError(f"variable {DAG_ID} must be like {example}, got {variable!r}")
    return Where(**variable)


def job_task() -> None:
    """The one task of the form ``job``."""
    RunBatchJob(task_id="run_batch_job", job_name=JOB_NAME, job_parameters={"user_id": USER_ID, **ASKED})


def notebook_tasks() -> None:
    """The tasks of the form ``notebooks``, in the batch job's order."""
    tasks = {}
    for task_id, (notebook, before, widgets) in TASKS.items():
        values = {"leg": "batch", "user_id": USER_ID, "run_id": "{{ run_id }}", **ASKED}
        values["entity"] = task_id.removeprefix("clean_")
        parameters = {widget: values[widget] for widget in widgets if widget in values}
        work = {"task_key": task_id, "notebook_task": {"notebook_path": notebook, "base_parameters": parameters}}
        seconds = int(TIME_OUT.total_seconds())
        payload = {"run_name": f"{DAG_ID} {task_id}", "tasks": [work], "timeout_seconds": seconds}
        tasks[task_id] = RunNotebook(task_id=task_id, json=payload)
        chain([tasks[name] for name in before], tasks[task_id])


if not USER_ID:
    raise ValueError("USER_ID must be set: publish this file with python -m orchestration publish")

DAG_ID = f"{USER_ID}_dag"
TIME_OUT = timedelta(hours=3)
FORMS = {"job": job_task, "notebooks": notebook_tasks}

with DAG(
    DAG_ID,
    description="Cleans the posts that have landed and answers the analysts' questions, on Databricks.",
    doc_md=__doc__,
    schedule="@daily",
    start_date=datetime(2025, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    # Less than a day, so that a run that hangs is a failure before the next one is due.
    dagrun_timeout=timedelta(hours=12),
    tags=["pinterest", "batch", "databricks"],
    params={
        "rebuild": Param(False, type="boolean", description="Clean everything again, quarantine included"),
        "most_rejected": Param(None, type=["null", "number"], minimum=0, maximum=1, description="Empty: the job's own"),
        "stale_hours": Param(None, type=["null", "integer"], minimum=0, description="Empty: the job's own"),
    },
    default_args={
        "owner": "pinterest",
        "retries": RETRIES,
        "retry_delay": timedelta(seconds=RETRY_SECONDS),
        "execution_timeout": TIME_OUT,
        "deferrable": True,
        "polling_period_seconds": POLL_SECONDS,
    },
):
    FORMS[FORM]()
