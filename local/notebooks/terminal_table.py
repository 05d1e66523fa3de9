"""Rows as a table that a person reads in a terminal, or in a file."""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from itertools import chain
from typing import TypeGuard

from rich import box
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from pinterest_transforms.error_format import clean_text

# Numbers that are names: a year, a key. Nobody reads the year 2,018.
_NAMES = re.compile(r"(?:\A|_)(?:year|ind|index|id)\Z", re.IGNORECASE)
WIDEST_CELL = 60
_NARROWEST_COLUMN = 7
_LARGEST_WHOLE = 1e15


@dataclass(frozen=True)
class TableRows:
    """Some rows of an answer.

    Attributes:
        names: names of the columns.
        rows: the rows to show, of Python's own values; moments are UTC.
        total: how many there are in all.
    """

    names: Sequence[str]
    rows: Sequence[Sequence[object]]
    total: int


def render_table(
    rows: TableRows, console: Console, redact: Callable[[str], str] = str, widest: int | None = WIDEST_CELL
) -> RenderableType:
    """The rows as a table; where the terminal is too narrow for so many columns, row by row, a line for each value.

    A text longer than ``widest`` is cut, unless that is None.
    """
    cells = [
        [_build_cell(value, name, redact) for value, name in zip(row, rows.names, strict=True)] for row in rows.rows
    ]
    headers = [Text(clean_text(redact(name)), style="bold") for name in rows.names]
    fits = not console.is_terminal or len(headers) * (_NARROWEST_COLUMN + 2) <= console.width
    if fits and widest is not None:
        for cell in chain.from_iterable(cells):
            cell.truncate(widest, overflow="ellipsis")
    parts: list[RenderableType] = [_build_table(headers, cells, rows.rows)] if fits else _build_records(headers, cells)
    if not rows.total:
        parts.append(Text("(no rows)", style="dim"))
    elif rows.total > len(cells):
        parts.append(Text(f"… {len(cells):,} of {rows.total:,} rows", style="dim"))
    return Group(*parts)


def _build_table(headers: list[Text], cells: list[list[Text]], rows: Sequence[Sequence[object]]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    for header, *values in zip(headers, *rows, strict=True):
        numeric = any(_is_number(value) for value in values)
        table.add_column(header, justify="right" if numeric else "left", no_wrap=numeric, overflow="fold")
    for row in cells:
        table.add_row(*row)
    return table


def _build_records(headers: list[Text], cells: list[list[Text]]) -> list[RenderableType]:
    records: list[RenderableType] = []
    for number, row in enumerate(cells, start=1):
        table = Table(box=None, show_header=False, pad_edge=False)
        table.add_column(no_wrap=True)
        table.add_column(overflow="fold")
        for header, cell in zip(headers, row, strict=True):
            table.add_row(header, cell)
        records += [Text(f"row {number}", style="dim"), table]
    return records


def _build_cell(value: object, name: str, redact: Callable[[str], str]) -> Text:
    if value is None:
        return Text("NULL", style="dim")
    return Text(clean_text(redact(_format_value(value, name))))


def _is_number(value: object) -> TypeGuard[int | float | Decimal]:
    return isinstance(value, int | float | Decimal) and not isinstance(value, bool)


def _format_value(value: object, name: str) -> str:
    if _is_number(value):
        separator = "" if _NAMES.search(name) else ","
        is_whole = isinstance(value, float) and value.is_integer() and abs(value) < _LARGEST_WHOLE
        return f"{value:{separator}.0f}" if is_whole else f"{value:{separator}}"
    if isinstance(value, datetime):
        return value.isoformat(sep=" ")
    if isinstance(value, bytes | bytearray):
        return f"{len(value):,} bytes"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
