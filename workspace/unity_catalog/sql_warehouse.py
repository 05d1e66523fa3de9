"""Runs SQL on a warehouse with the Statement Execution API."""

import time
from dataclasses import dataclass

from databricks.sdk import WorkspaceClient
from databricks.sdk.service.sql import State, StatementResponse, StatementState

from pinterest_transforms.error_format import shorten
from workspace.step_reporter import convert_errors
from workspace.workspace_errors import WorkspaceError

_UNFINISHED = (StatementState.PENDING, StatementState.RUNNING)
# A classic warehouse that was stopped takes minutes to start.
_TIMEOUT_SECONDS, _POLL_SECONDS = 900.0, 1.0


@dataclass(frozen=True)
class QueryResult:
    """Result of a query: column names, and values as text; None is null."""

    columns: list[str]
    rows: list[list[str | None]]


class Warehouse:
    """Runs statements on one warehouse."""

    def __init__(self, client: WorkspaceClient, warehouse_id: str) -> None:
        self._statements = client.statement_execution
        self._id = warehouse_id

    def query(self, statement: str) -> QueryResult:
        """Runs a statement with a small result.

        Raises:
            WorkspaceError: the statement failed, the warehouse reports an error, or the timeout is exceeded.
        """
        with convert_errors("statement"):
            response = self._execute(statement)
        status = response.status
        if not status or status.state is not StatementState.SUCCEEDED:
            reason = status.error.message if status and status.error else status and status.state
            raise WorkspaceError(f"statement failed: {shorten(reason)}")
        schema = response.manifest.schema if response.manifest else None
        columns = [column.name or "" for column in (schema.columns if schema else None) or []]
        found = (response.result.data_array if response.result else None) or []
        return QueryResult(columns, [list(row) for row in found])

    def _execute(self, statement: str) -> StatementResponse:
        # Waits 10 seconds for the result, which is inline and JSON, then continues asynchronously: the API's defaults.
        response = self._statements.execute_statement(statement, self._id)
        last = time.monotonic() + _TIMEOUT_SECONDS
        while response.status and response.status.state in _UNFINISHED:
            if time.monotonic() > last:
                self._statements.cancel_execution(response.statement_id or "")
                raise WorkspaceError(f"statement must end within {_TIMEOUT_SECONDS / 60:g} minutes, and was cancelled")
            time.sleep(_POLL_SECONDS)
            response = self._statements.get_statement(response.statement_id or "")
        return response


def choose_warehouse(client: WorkspaceClient, given: str = "") -> Warehouse:
    """The warehouse with this id or name, or of ``DATABRICKS_WAREHOUSE_ID``, or the only one.

    Raises:
        WorkspaceError: there is none, or several without a choice, or none with this id or name.
    """
    with convert_errors("SQL warehouses"):
        usable = [one for one in client.warehouses.list() if one.state not in (State.DELETED, State.DELETING)]
    wanted = given or client.config.warehouse_id or ""
    chosen = [one for one in usable if wanted in (one.id, one.name)] if wanted else usable
    if len(chosen) == 1:
        return Warehouse(client, chosen[0].id or "")
    listed = ", ".join(f"{shorten(one.name)} ({one.id})" for one in usable)
    if not usable:
        raise WorkspaceError("a SQL warehouse that you may use must exist, got none")
    if wanted:
        raise WorkspaceError(f"warehouse must be the id or name of one that you may use ({listed}), got {wanted!r}")
    raise WorkspaceError(f"warehouse must be named with --warehouse or DATABRICKS_WAREHOUSE_ID, one of: {listed}")
