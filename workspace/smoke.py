"""The smoke test: runs the deployed batch job, and prints the answers."""

from collections.abc import Sequence

from databricks.sdk.service.jobs import Run

from pinterest_transforms.settings import DEFAULT_USER_ID, Settings
from workspace.jobs import find_job, run_job
from workspace.redacted_output import RedactedOutput
from workspace.request import SmokeRequest
from workspace.unity_catalog.sql_warehouse import QueryResult, Warehouse, choose_warehouse
from workspace.workspace_client import connect
from workspace.workspace_errors import WorkspaceError, shorten
from workspace.workspace_names import ANSWERS

_COUNT = "_rows"
_MAX_WIDTH = 40


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
    run = run_job(client, output, find_job(client, request.job), timeout=request.timeout)
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


def show_answers(warehouse: Warehouse, settings: Settings, output: RedactedOutput, rows: int) -> list[str]:
    """Prints row count and first rows of each answer; returns the names of empty ones."""
    empty = []
    for answer in ANSWERS:
        table = settings.qualified(answer)
        found = warehouse.query(f"SELECT *, count(*) OVER () AS {_COUNT} FROM {table} ORDER BY ALL LIMIT {rows}")
        total = found.rows[0][-1] if found.rows else "0"
        output.write(f"\n{answer}: {total} row{'' if total == '1' else 's'}")
        if found.rows:
            for line in format_table(QueryResult(found.columns[:-1], [row[:-1] for row in found.rows])):
                output.write(f"  {line}")
        else:
            empty.append(answer)
    return empty


def format_table(found: QueryResult) -> list[str]:
    """Lines of an aligned table with a header."""
    cells = [found.columns, *([_format_cell(value) for value in row] for row in found.rows)]
    widths = [max(len(row[at]) for row in cells) for at in range(len(found.columns))]
    return [_format_row(row, widths) for row in cells]


def _format_row(row: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def _format_cell(value: str | None) -> str:
    text = "" if value is None else shorten(value)
    return text if len(text) <= _MAX_WIDTH else f"{text[: _MAX_WIDTH - 1]}…"
