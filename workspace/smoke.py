"""The smoke test: runs the deployed batch job, and prints the answers."""

from databricks.sdk.service.jobs import Run

from pinterest_transforms.settings import DEFAULT_USER_ID, Settings
from workspace.answer_output import show_answers
from workspace.jobs import find_job, run_job
from workspace.redacted_output import RedactedOutput
from workspace.request import SmokeRequest
from workspace.sql_warehouse import choose_warehouse
from workspace.workspace_client import connect
from workspace.workspace_errors import WorkspaceError


def smoke(request: SmokeRequest, output: RedactedOutput, *, profile: str = "", warehouse: str = "") -> None:
    """Runs the job, waits until it ends, and prints the answers.

    Args:
        request: the job, and how to wait.
        output: receives log and answers.
        profile: profile of the SDK's configuration file.
        warehouse: id or name of the SQL warehouse; empty for the only one.

    Raises:
        WorkspaceError: a task failed, the timeout was exceeded, or an answer is empty.
    """
    client = connect(output, profile)
    # Checked before the job is run, whose answers could not be read otherwise.
    chosen = choose_warehouse(client, warehouse)
    run = run_job(client, output, find_job(client, request.job), timeout=request.timeout, every=request.every)
    settings = read_settings(run)
    empty = show_answers(chosen, settings, output, request.rows)
    if empty:
        raise WorkspaceError(f"answers must not be empty, got none in {', '.join(empty)}")


def read_settings(run: Run) -> Settings:
    """Settings of a run by its parameters."""
    given = {one.name: one.default if one.value is None else one.value for one in run.job_parameters or []}
    return Settings(
        user_id=given.get("user_id") or DEFAULT_USER_ID,
        catalog=given.get("catalog") or "main",
        schema=given.get("schema") or "",
    )
