"""Prints the first rows of each answer table."""

from collections.abc import Sequence

from pinterest_transforms.settings import Settings
from workspace.redacted_output import RedactedOutput
from workspace.sql_warehouse import QueryResult, Warehouse
from workspace.workspace_errors import shorten
from workspace.workspace_names import ANSWERS

_COUNT = "_rows"
_MAX_WIDTH = 40


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
