"""Runs SQL on a warehouse with the Statement Execution API."""

import time
from dataclasses import dataclass

from databricks.sdk import WorkspaceClient
from databricks.sdk.service.sql import (
    Disposition,
    EndpointInfo,
    ExecuteStatementRequestOnWaitTimeout,
    Format,
    State,
    StatementResponse,
    StatementState,
)

from workspace.step_reporter import convert_errors
from workspace.workspace_errors import WorkspaceError, shorten

_UNFINISHED = (StatementState.PENDING, StatementState.RUNNING)
# A classic warehouse that was stopped takes minutes to start.
_TIMEOUT_SECONDS, _POLL_SECONDS = 900.0, 1.0
_MISSING = ("TABLE_OR_VIEW_NOT_FOUND", "SCHEMA_NOT_FOUND", "NO_SUCH_CATALOG")


class StatementError(WorkspaceError):
    """A statement failed.

    Attributes:
        missing: a table or schema does not exist.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.missing = any(f"[{code}" in message for code in _MISSING)


@dataclass(frozen=True)
class QueryResult:
    """Result of a query: column names, and values as text; None is null."""

    columns: list[str]
    rows: list[list[str | None]]


class Warehouse:
    """Runs statements on one warehouse."""

    def __init__(self, client: WorkspaceClient, warehouse_id: str) -> None:
        self._client = client
        self._id = warehouse_id

    def query(self, statement: str) -> QueryResult:
        """Runs a statement with a small result.

        Raises:
            StatementError: the statement failed.
            WorkspaceError: the warehouse reports an error, or the timeout is exceeded.
        """
        with convert_errors("statement"):
            response = self._execute(statement)
        state = response.status.state if response.status else None
        if state is not StatementState.SUCCEEDED:
            error = response.status.error if response.status else None
            raise StatementError(f"statement failed: {shorten(error.message if error else state)}")
        schema = response.manifest.schema if response.manifest else None
        columns = [column.name or "" for column in (schema.columns if schema else None) or []]
        found = (response.result.data_array if response.result else None) or []
        return QueryResult(columns, [list(row) for row in found])

    def _execute(self, statement: str) -> StatementResponse:
        statements = self._client.statement_execution
        response = statements.execute_statement(
            statement,
            self._id,
            wait_timeout="30s",
            on_wait_timeout=ExecuteStatementRequestOnWaitTimeout.CONTINUE,
            format=Format.JSON_ARRAY,
            disposition=Disposition.INLINE,
        )
        last = time.monotonic() + _TIMEOUT_SECONDS
        while response.status and response.status.state in _UNFINISHED:
            if time.monotonic() > last:
                statements.cancel_execution(response.statement_id or "")
                raise WorkspaceError(f"statement must end within {_TIMEOUT_SECONDS / 60:g} minutes, and was cancelled")
            time.sleep(_POLL_SECONDS)
            response = statements.get_statement(response.statement_id or "")
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
    listed = ", ".join(map(_describe, usable)) or "none that you may use"
    if not usable:
        raise WorkspaceError("a SQL warehouse that you may use must exist, got none")
    if wanted:
        raise WorkspaceError(f"warehouse must be the id or name of one that you may use ({listed}), got {wanted!r}")
    raise WorkspaceError(f"warehouse must be named with --warehouse or DATABRICKS_WAREHOUSE_ID, one of: {listed}")


def _describe(warehouse: EndpointInfo) -> str:
    return f"{shorten(warehouse.name)} ({warehouse.id})"
