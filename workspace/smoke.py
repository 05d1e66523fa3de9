"""The smoke test: run the deployed batch job, and read from the workspace what it made."""

from databricks.sdk.service.jobs import Run

from pinterest_transforms.settings import DEFAULT_USER_ID, Settings
from workspace.answers import show_answers
from workspace.asked import Smoke
from workspace.client import connect
from workspace.errors import WorkspaceError
from workspace.jobs import find_job, run_job
from workspace.screen import Screen
from workspace.statements import choose_warehouse


def smoke(asked: Smoke, screen: Screen, *, profile: str = "", warehouse: str = "") -> None:
    """Runs the job, waits for its end, and shows the answers.

    Args:
        asked: which job, and how it is watched.
        screen: is told what is going on, and gets the answers.
        profile: profile of the SDK's configuration file.
        warehouse: id or name of the SQL warehouse; empty for the only one.

    Raises:
        WorkspaceError: a task failed, the time was over, or an answer is empty.
    """
    client = connect(screen, profile)
    # First what is needed last: nobody waits for a job whose answers cannot be read.
    chosen = choose_warehouse(client, warehouse)
    run = run_job(client, screen, find_job(client, asked.job), timeout=asked.timeout, every=asked.every)
    settings = settings_of(run)
    empty = show_answers(chosen, settings, screen, asked.rows)
    if empty:
        raise WorkspaceError(f"answers must not be empty, got none in {', '.join(empty)}")


def settings_of(run: Run) -> Settings:
    """Where a run wrote to, by its own parameters."""
    given = {one.name: one.default if one.value is None else one.value for one in run.job_parameters or []}
    return Settings(
        user_id=given.get("user_id") or DEFAULT_USER_ID,
        catalog=given.get("catalog") or "main",
        schema=given.get("schema") or "",
    )
