"""Runs a deployed job, watches it to its end, and says what failed and where."""

import time
from dataclasses import dataclass

from databricks.sdk import WorkspaceClient
from databricks.sdk.service.jobs import (
    BaseJob,
    Run,
    RunLifeCycleState,
    RunLifecycleStateV2State,
    RunResultState,
    RunState,
    RunStatus,
    RunTask,
    TerminationCodeCode,
)

from workspace.errors import REFUSALS, WorkspaceError, explained, one_line
from workspace.screen import Screen
from workspace.steps import named

_ENDED = (RunLifeCycleState.TERMINATED, RunLifeCycleState.SKIPPED, RunLifeCycleState.INTERNAL_ERROR)
# A task that never ran because of another one explains nothing.
_AFTER_ANOTHER = ("upstream_failed", "upstream_canceled", "excluded", "skipped", "disabled")


@dataclass(frozen=True)
class Standing:
    """How a run or a task stands.

    Attributes:
        word: in the platform's word, in small letters: ``running``, ``success``, ``failed`` …
        ended: whether it has ended.
        succeeded: whether it has ended well.
        message: what the platform says about it.
    """

    word: str
    ended: bool = False
    succeeded: bool = False
    message: str = ""


def standing(state: RunState | None, status: RunStatus | None) -> Standing:
    """How it stands, by the newer field, or the older one that every version answers with."""
    if status and status.state:
        details = status.termination_details
        if status.state is not RunLifecycleStateV2State.TERMINATED or not details or not details.code:
            return Standing(status.state.value.lower(), status.state is RunLifecycleStateV2State.TERMINATED)
        good = details.code is TerminationCodeCode.SUCCESS
        return Standing(details.code.value.lower(), True, good, details.message or "")
    life = state.life_cycle_state if state else None
    if state is None or life is None:
        return Standing("pending")
    if life not in _ENDED:
        return Standing(life.value.lower())
    result = state.result_state
    word = (result.value if result else life.value).lower()
    return Standing(word, True, result is RunResultState.SUCCESS, state.state_message or "")


def find_job(client: WorkspaceClient, name: str) -> int:
    """Id of the job of that name, or of that name behind the prefix of a dev target, such as ``[dev ann] …``.

    Raises:
        WorkspaceError: there is none, or more than one.
    """
    with named("jobs"):
        found = list(client.jobs.list(name=name)) or [
            job
            for job in client.jobs.list(limit=100)
            if _name(job).startswith("[") and _name(job).endswith(f"] {name}")
        ]
    if not found:
        raise WorkspaceError(f"job must be deployed (databricks bundle deploy) and visible, got none named {name!r}")
    if len(found) > 1:
        listed = ", ".join(f"{one_line(_name(job))} ({job.job_id})" for job in found)
        raise WorkspaceError(f"job must be one, got {len(found)} (give the whole name with --job): {listed}")
    return found[0].job_id or 0


def run_job(client: WorkspaceClient, screen: Screen, job_id: int, *, timeout: float, every: float) -> Run:
    """Runs a job and waits for it, telling each task's steps. A time-out and Ctrl-C cancel the run.

    Args:
        client: the workspace.
        screen: is told what is going on.
        job_id: the job.
        timeout: the longest time to wait, seconds.
        every: time between two looks, seconds.

    Returns:
        The run, ended well.

    Raises:
        WorkspaceError: it failed, took too long, or cannot be watched any more.
    """
    began = time.monotonic()
    with named(f"job {job_id}"):
        run_id = int(client.jobs.run_now(job_id).bind()["run_id"])
    screen.note(f"run {run_id} began")
    where = f"run {run_id}"
    told: dict[str, str] = {}
    try:
        while True:
            run = client.jobs.get_run(run_id)
            if run.run_page_url and where != run.run_page_url:
                where = run.run_page_url
                screen.note(where)
            _tell_tasks(screen, run, told)
            stands = standing(run.state, run.status)
            if stands.ended:
                screen.note(f"run {run_id}: {stands.word}, {time.monotonic() - began:.0f} s")
                break
            if time.monotonic() - began > timeout:
                raise _cancelled(client, run_id, f"run must end within {timeout / 60:g} minutes", where)
            time.sleep(every)
    except KeyboardInterrupt:
        screen.note(str(_cancelled(client, run_id, "interrupted", where)))
        raise
    except REFUSALS as error:
        raise WorkspaceError(f"run cannot be watched any more, and goes on: {explained(error)} ({where})") from None
    if not stands.succeeded:
        raise WorkspaceError(_failure(client, screen, run, stands))
    return run


def _cancelled(client: WorkspaceClient, run_id: int, why: str, where: str) -> WorkspaceError:
    try:
        client.jobs.cancel_run(run_id)
    except REFUSALS as error:
        return WorkspaceError(f"{why}; it could not be cancelled and goes on: {explained(error)} ({where})")
    return WorkspaceError(f"{why}; it was cancelled, which loses nothing: the next run goes on ({where})")


def _tell_tasks(screen: Screen, run: Run, told: dict[str, str]) -> None:
    """Tells what has changed since the last time."""
    for task in _latest(run):
        word = standing(task.state, task.status).word
        if told.get(task.task_key) != word:
            told[task.task_key] = word
            took = (task.setup_duration or 0) + (task.execution_duration or 0)
            seconds = f", {took / 1000:.0f} s" if took else ""
            screen.note(f"  {task.task_key}: {word}{seconds}")


def _failure(client: WorkspaceClient, screen: Screen, run: Run, stands: Standing) -> str:
    """Tells each task that failed, with its error and page; the line for the whole run."""
    failed = []
    for task in _latest(run):
        how = standing(task.state, task.status)
        if how.ended and not how.succeeded and how.word not in _AFTER_ANOTHER:
            failed.append(task.task_key)
            page = f" ({task.run_page_url})" if task.run_page_url else ""
            screen.note(f"error: task {task.task_key} {how.word}: {_reason(client, task, how)}{page}")
    named_tasks = f" in {', '.join(failed)}" if failed else ""
    said = f": {one_line(stands.message)}" if stands.message and not failed else ""
    page = f" ({run.run_page_url})" if run.run_page_url else ""
    return f"run must end with success, got {stands.word}{named_tasks}{said}{page}"


def _reason(client: WorkspaceClient, task: RunTask, how: Standing) -> str:
    try:
        error = client.jobs.get_run_output(task.run_id or 0).error
    except REFUSALS:
        error = None
    return one_line(error or how.message or "no reason given")


def _latest(run: Run) -> list[RunTask]:
    """Each task once, its last attempt."""
    latest: dict[str, RunTask] = {}
    for task in run.tasks or []:
        before = latest.get(task.task_key)
        if before is None or (task.attempt_number or 0) >= (before.attempt_number or 0):
            latest[task.task_key] = task
    return list(latest.values())


def _name(job: BaseJob) -> str:
    return (job.settings.name if job.settings else None) or ""
