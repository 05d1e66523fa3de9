"""Runs a deployed job, waits until it ends, and reports failed tasks."""

import time
from datetime import timedelta

from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import OperationFailed
from databricks.sdk.service.jobs import BaseJob, Run, RunLifeCycleState, RunResultState, RunState, RunTask

from pinterest_transforms.error_format import shorten
from workspace.redacted_output import RedactedOutput
from workspace.step_reporter import convert_errors
from workspace.workspace_errors import SDK_ERRORS, WorkspaceError, describe_error

# A task has not run where its result is another one, such as UPSTREAM_FAILED.
_FAILED = (
    RunResultState.FAILED,
    RunResultState.TIMEDOUT,
    RunResultState.CANCELED,
    RunResultState.MAXIMUM_CONCURRENT_RUNS_REACHED,
    RunResultState.SUCCESS_WITH_FAILURES,
)


def find_job(client: WorkspaceClient, name: str) -> int:
    """Id of the job with this name, or with the prefix of a dev target before it, such as ``[dev ann] …``.

    Raises:
        WorkspaceError: there is no such job, or more than one.
    """
    with convert_errors("jobs"):
        found = list(client.jobs.list(name=name)) or [
            job
            for job in client.jobs.list(limit=100)
            if _get_name(job).startswith("[") and _get_name(job).endswith(f"] {name}")
        ]
    if not found:
        raise WorkspaceError(f"job must be deployed (databricks bundle deploy) and visible, got none named {name!r}")
    if len(found) > 1:
        listed = ", ".join(f"{shorten(_get_name(job))} ({job.job_id})" for job in found)
        raise WorkspaceError(f"job must be one, got {len(found)} (give the full name with --job): {listed}")
    return found[0].job_id or 0


def run_job(client: WorkspaceClient, output: RedactedOutput, job_id: int, *, timeout: float) -> Run:
    """Runs a job and waits until it ends, logging each change of a task's state. A timeout and Ctrl-C cancel the run.

    Args:
        client: the workspace.
        output: receives the log.
        job_id: the job.
        timeout: maximum seconds to wait.

    Returns:
        The successful run.

    Raises:
        WorkspaceError: it failed, exceeded the timeout, or its state cannot be read.
    """
    started = time.monotonic()
    with convert_errors(f"job {job_id}"):
        waiter = client.jobs.run_now(job_id)
    run_id = int(waiter.bind()["run_id"])
    output.log(f"run {run_id} started")
    log = _TaskLog(output, f"run {run_id}")
    try:
        try:
            run = waiter.result(timedelta(seconds=timeout), log.write)
        except OperationFailed:
            run = client.jobs.get_run(run_id)
    except KeyboardInterrupt:
        output.log(str(_cancel(client, run_id, "interrupted", log.page)))
        raise
    except SDK_ERRORS as error:
        # A call that timed out has a cause; the wait for the run has none.
        if isinstance(error, TimeoutError) and error.__cause__ is None:
            raise _cancel(client, run_id, f"run must end within {timeout / 60:g} minutes", log.page) from None
        raise WorkspaceError(
            f"the state of the run cannot be read; it continues: {describe_error(error)} ({log.page})"
        ) from None
    log.write(run)
    state = run.state or RunState()
    output.log(f"run {run_id}: {_get_word(state)}, {time.monotonic() - started:.0f} s")
    if state.result_state is not RunResultState.SUCCESS:
        failed = _log_failed_tasks(client, output, run)
        reason = f" in {', '.join(failed)}" if failed else f": {shorten(state.state_message or 'no reason given')}"
        raise WorkspaceError(f"run must end with success, got {_get_word(state)}{reason} ({log.page})")
    return run


def _cancel(client: WorkspaceClient, run_id: int, reason: str, page: str) -> WorkspaceError:
    try:
        client.jobs.cancel_run(run_id)
    except SDK_ERRORS as error:
        return WorkspaceError(f"{reason}; it could not be cancelled and continues: {describe_error(error)} ({page})")
    return WorkspaceError(f"{reason}; it was cancelled without loss: the next run resumes ({page})")


class _TaskLog:
    """Logs the page of a run, and each task whose state has changed."""

    def __init__(self, output: RedactedOutput, page: str) -> None:
        self.page, self._output = page, output
        self._logged: dict[str, str] = {}

    def write(self, run: Run) -> None:
        if run.run_page_url and self.page != run.run_page_url:
            self.page = run.run_page_url
            self._output.log(self.page)
        for task in _select_last_attempts(run):
            word = _get_word(task.state)
            if self._logged.get(task.task_key) != word:
                self._logged[task.task_key] = word
                took = (task.setup_duration or 0) + (task.execution_duration or 0)
                seconds = f", {took / 1000:.0f} s" if took else ""
                self._output.log(f"  {task.task_key}: {word}{seconds}")


def _log_failed_tasks(client: WorkspaceClient, output: RedactedOutput, run: Run) -> list[str]:
    """Logs each failed task with its error and page; returns their names. Tasks after them did not run."""
    failed = []
    for task in _select_last_attempts(run):
        state = task.state or RunState()
        broken = state.result_state is None and state.life_cycle_state is RunLifeCycleState.INTERNAL_ERROR
        if state.result_state in _FAILED or broken:
            failed.append(task.task_key)
            try:
                error = client.jobs.get_run_output(task.run_id or 0).error
            except SDK_ERRORS:
                error = None
            reason = shorten(error or state.state_message or "no reason given")
            page = f" ({task.run_page_url})" if task.run_page_url else ""
            output.log(f"error: task {task.task_key} {_get_word(state)}: {reason}{page}")
    return failed


def _get_word(state: RunState | None) -> str:
    """The platform's word for a state, in lower case."""
    found = state and (state.result_state or state.life_cycle_state)
    return found.value.lower() if found else "pending"


def _select_last_attempts(run: Run) -> list[RunTask]:
    latest: dict[str, RunTask] = {}
    for task in sorted(run.tasks or [], key=lambda task: task.attempt_number or 0):
        latest[task.task_key] = task
    return list(latest.values())


def _get_name(job: BaseJob) -> str:
    return (job.settings.name if job.settings else None) or ""
