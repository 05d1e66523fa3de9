"""The answers, read from the workspace and shown short."""

from collections.abc import Sequence

from pinterest_transforms.settings import Settings
from workspace.errors import one_line
from workspace.names import ANSWERS
from workspace.screen import Screen
from workspace.statements import Rows, Warehouse

_COUNT = "_rows"
_WIDEST = 40


def show_answers(warehouse: Warehouse, settings: Settings, screen: Screen, rows: int) -> list[str]:
    """Shows the first rows of each answer, and how many there are; the names of those that have none."""
    empty = []
    for answer in ANSWERS:
        table = settings.qualified(answer)
        found = warehouse.rows(f"SELECT *, count(*) OVER () AS {_COUNT} FROM {table} ORDER BY ALL LIMIT {rows}")
        total = found.rows[0][-1] if found.rows else "0"
        screen.say(f"\n{answer}: {total} row{'' if total == '1' else 's'}")
        if found.rows:
            for line in table_lines(Rows(found.columns[:-1], [row[:-1] for row in found.rows])):
                screen.say(f"  {line}")
        else:
            empty.append(answer)
    return empty


def table_lines(found: Rows) -> list[str]:
    """Rows below their columns' names, in line."""
    cells = [found.columns, *([_cell(value) for value in row] for row in found.rows)]
    widths = [max(len(row[at]) for row in cells) for at in range(len(found.columns))]
    return [_line(row, widths) for row in cells]


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def _cell(value: str | None) -> str:
    text = "" if value is None else one_line(value)
    return text if len(text) <= _WIDEST else f"{text[: _WIDEST - 1]}…"
