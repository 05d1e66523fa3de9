"""SQL on a warehouse, over the statement execution API."""

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

from workspace.errors import WorkspaceError, one_line
from workspace.steps import named

_UNFINISHED = (StatementState.PENDING, StatementState.RUNNING)
# A classic warehouse that was stopped takes minutes to start.
_LONGEST_S = 900.0
_MISSING = ("TABLE_OR_VIEW_NOT_FOUND", "SCHEMA_NOT_FOUND", "NO_SUCH_CATALOG")


class StatementError(WorkspaceError):
    """A statement failed.

    Attributes:
        missing: whether a table or schema it names is not there.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.missing = any(f"[{what}" in message for what in _MISSING)


@dataclass(frozen=True)
class Rows:
    """What a query gave: names of columns, and values as text; None is null."""

    columns: list[str]
    rows: list[list[str | None]]


class Warehouse:
    """Runs statements on one warehouse."""

    def __init__(self, client: WorkspaceClient, warehouse_id: str, *, every: float = 1.0) -> None:
        self._client = client
        self._id = warehouse_id
        self._every = every

    def rows(self, statement: str) -> Rows:
        """Runs a statement of a small result; its rows.

        Raises:
            StatementError: the statement failed.
            WorkspaceError: the warehouse refused it, or did not end it in time.
        """
        with named("statement"):
            answer = self._ended(statement)
        state = answer.status.state if answer.status else None
        if state is not StatementState.SUCCEEDED:
            error = answer.status.error if answer.status else None
            raise StatementError(f"statement failed: {one_line(error.message if error else state)}")
        schema = answer.manifest.schema if answer.manifest else None
        columns = [column.name or "" for column in (schema.columns if schema else None) or []]
        found = (answer.result.data_array if answer.result else None) or []
        return Rows(columns, [list(row) for row in found])

    def _ended(self, statement: str) -> StatementResponse:
        statements = self._client.statement_execution
        answer = statements.execute_statement(
            statement,
            self._id,
            wait_timeout="30s",
            on_wait_timeout=ExecuteStatementRequestOnWaitTimeout.CONTINUE,
            format=Format.JSON_ARRAY,
            disposition=Disposition.INLINE,
        )
        last = time.monotonic() + _LONGEST_S
        while answer.status and answer.status.state in _UNFINISHED:
            if time.monotonic() > last:
                statements.cancel_execution(answer.statement_id or "")
                raise WorkspaceError(f"statement must end within {_LONGEST_S / 60:g} minutes, and was cancelled")
            time.sleep(self._every)
            answer = statements.get_statement(answer.statement_id or "")
        return answer


def choose_warehouse(client: WorkspaceClient, given: str = "") -> Warehouse:
    """The warehouse of that id or name, or of ``DATABRICKS_WAREHOUSE_ID``, or the only one there is.

    Raises:
        WorkspaceError: there is none, several and none was named, or none of that id or name.
    """
    with named("SQL warehouses"):
        usable = [one for one in client.warehouses.list() if one.state not in (State.DELETED, State.DELETING)]
    wanted = given or client.config.warehouse_id or ""
    chosen = [one for one in usable if wanted in (one.id, one.name)] if wanted else usable
    if len(chosen) == 1:
        return Warehouse(client, chosen[0].id or "")
    listed = ", ".join(map(_described, usable)) or "none that you may use"
    if not usable:
        raise WorkspaceError("a SQL warehouse must be there that you may use, got none")
    if wanted:
        raise WorkspaceError(f"warehouse must be the id or name of one that you may use ({listed}), got {wanted!r}")
    raise WorkspaceError(f"warehouse must be named with --warehouse or DATABRICKS_WAREHOUSE_ID, one of: {listed}")


def _described(warehouse: EndpointInfo) -> str:
    return f"{one_line(warehouse.name)} ({warehouse.id})"
