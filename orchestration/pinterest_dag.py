"""Cleans what has landed and answers the analysts' questions, once a day, on Databricks.

Each run starts the batch job and waits for it without holding a worker; if the job fails, the run fails. A retry waits
for the run of an earlier try, and starts another one only if that one has ended. A second run changes nothing.

**Trigger by hand** with `rebuild` to clean everything again after a rule changed; `max_rejected_ratio` (the share of
rejected records, 0 to 1, over which the run fails) and `max_age_hours` (how old the newest record may be; 0: any age)
replace the job's own limits for that one run. **Failed?** The task's log names what failed, and links the run.
"""

import hashlib
from datetime import UTC, datetime, timedelta
from typing import NoReturn

from airflow.providers.databricks.exceptions import DatabricksApiError
from airflow.providers.databricks.hooks.databricks import DatabricksHook
from airflow.providers.databricks.operators.databricks import DatabricksRunNowOperator
from airflow.sdk import DAG, Context, Param
from airflow.triggers.base import BaseTrigger

# This file stands alone: Airflow has nothing of the project but it. `python -m orchestration publish` sets these.
USER_ID = ""
JOB_NAME = "pinterest_batch"
RETRIES = 2
RETRY_SECONDS = 300
POLL_SECONDS = 30

# Parameters of the DAG; those not given are left to the job.
ASKED = {
    "rebuild": "{{ 'true' if params.rebuild else '' }}",
    "max_rejected_ratio": "{{ '' if params.max_rejected_ratio is none else params.max_rejected_ratio }}",
    "max_age_hours": "{{ '' if params.max_age_hours is none else params.max_age_hours }}",
}


class RunBatchJob(DatabricksRunNowOperator):
    """Runs the deployed job, found by its name; of a task's tries, no two have an active run at the same time.

    Databricks gives the run that a token has already started instead of another one. Each try has a token, which can be
    computed again; so a try finds what the tries before it have left, even if a worker died before it noted a run's
    id. Clearing a finished DAG run starts it again, with new tokens.
    """

    def execute(self, context: Context) -> None:
        """Starts the run, or finds the one that is still active, and waits for its end."""
        # A parameter that was not given has the job's default.
        self.job_parameters = {name: value for name, value in (self.job_parameters or {}).items() if value != ""}
        self.idempotency_token = self._find_active_token(context)
        super().execute(context)

    def defer(
        self,
        *,
        trigger: BaseTrigger,
        method_name: str,
        kwargs: dict[str, object] | None = None,
        timeout: timedelta | float | None = None,
    ) -> NoReturn:
        """Waits no longer than the task's time-out, which Airflow does not apply while a task is deferred."""
        super().defer(
            trigger=trigger, method_name=method_name, kwargs=kwargs, timeout=timeout or self.execution_timeout
        )

    def _find_active_token(self, context: Context) -> str:
        this_try = context["ti"].try_number
        hook = DatabricksHook(self.databricks_conn_id, caller=type(self).__name__)
        for earlier in range(1, this_try):
            token = token_of(context, earlier)
            try:
                job_id = hook.find_job_id_by_name(self.job_name or "")
                job = {"job_id": job_id, "job_parameters": self.job_parameters, "idempotency_token": token}
                run_id = hook.run_now(job)
                if not hook.get_run_state(run_id).is_terminal:
                    self.log.info("try %s goes on with run %s, which is still active", this_try, run_id)
                    return token
            except DatabricksApiError as error:
                # Its run was deleted, or the workspace is away: the last token will show which.
                self.log.warning("the run of try %s cannot be read: %s", earlier, error)
        return token_of(context, this_try)


def token_of(context: Context, number: int) -> str:
    """Name of one try's run, 64 characters: another one for each DAG run, task, clearing and try."""
    run = context["dag_run"]
    parts = (run.dag_id, run.run_id, run.start_date, run.clear_number, context["ti"].task_id, number)
    return hashlib.sha256("/".join(map(str, parts)).encode()).hexdigest()


if not USER_ID:
    raise ValueError("USER_ID must be set: publish this file with python -m orchestration publish")

DAG_ID = f"{USER_ID}_dag"
TIME_OUT = timedelta(hours=3)

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
        "max_rejected_ratio": Param(
            None, type=["null", "number"], minimum=0, maximum=1, description="Empty: the job's own"
        ),
        "max_age_hours": Param(None, type=["null", "integer"], minimum=0, description="Empty: the job's own"),
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
    RunBatchJob(task_id="run_batch_job", job_name=JOB_NAME, job_parameters={"user_id": USER_ID, **ASKED})
