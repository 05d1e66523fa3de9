"""The smoke test: runs the deployed batch job, and prints the answers."""

import argparse
from collections.abc import Sequence

from databricks.sdk.service.jobs import Run

from pinterest_transforms.error_format import shorten
from pinterest_transforms.errors import SettingsError
from pinterest_transforms.settings import DEFAULT_USER_ID, Settings
from workspace.jobs import find_job, run_job
from workspace.redacted_output import RedactedOutput
from workspace.unity_catalog.sql_warehouse import Warehouse, choose_warehouse
from workspace.workspace_client import connect
from workspace.workspace_errors import WorkspaceError
from workspace.workspace_names import ANSWERS

_ROWS, _MAX_WIDTH = 3, 40


def smoke(options: argparse.Namespace, output: RedactedOutput) -> None:
    """Runs the job, waits until it ends, and prints the answers.

    Raises:
        SettingsError: an option is invalid.
        WorkspaceError: a task failed, the timeout was exceeded, or an answer is empty.
    """
    if not 0 < options.timeout < float("inf"):
        raise SettingsError(f"timeout must be over 0, got {options.timeout:g}")
    client = connect(output, options.profile)
    # Checked before the job is run, whose answers could not be read otherwise.
    warehouse = choose_warehouse(client, options.warehouse)
    run = run_job(client, output, find_job(client, options.job), timeout=60 * options.timeout)
    empty = _show_answers(warehouse, _read_settings(run), output)
    if empty:
        raise WorkspaceError(f"answers must not be empty, got none in {', '.join(empty)}")


def _read_settings(run: Run) -> Settings:
    """Settings of a run by its parameters."""
    given = {one.name: one.default if one.value is None else one.value for one in run.job_parameters or []}
    return Settings(
        user_id=given.get("user_id") or DEFAULT_USER_ID,
        catalog=given.get("catalog") or "main",
        schema=given.get("schema") or "",
    )


def _show_answers(warehouse: Warehouse, settings: Settings, output: RedactedOutput) -> list[str]:
    """Prints row count and first rows of each answer; returns the names of empty ones."""
    empty = []
    for answer in ANSWERS:
        query = f"SELECT *, count(*) OVER () FROM {settings.qualified(answer)} ORDER BY ALL LIMIT {_ROWS}"
        found = warehouse.query(query)
        total = found.rows[0][-1] if found.rows else "0"
        output.write(f"\n{answer}: {total} row{'' if total == '1' else 's'}")
        if not found.rows:
            empty.append(answer)
            continue
        table: list[Sequence[str | None]] = [found.columns, *found.rows]
        for row in table:
            cells = ("" if value is None else shorten(value, _MAX_WIDTH) for value in row[:-1])
            output.write(f"  {' | '.join(cells)}".rstrip())
    return empty
