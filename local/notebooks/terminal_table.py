"""Rows as a table that a person reads in a terminal, or in a file."""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from itertools import chain

from pyspark.sql.types import DataType, NumericType, TimestampType
from rich import box
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from local.notebooks.json_values import to_json_value, to_utc
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
        kinds: their types.
        rows: the rows to show.
        total: how many there are in all.
    """

    names: Sequence[str]
    kinds: Sequence[DataType]
    rows: Sequence[Sequence[object]]
    total: int


def render_table(
    rows: TableRows, console: Console, redact: Callable[[str], str] = str, widest: int | None = WIDEST_CELL
) -> RenderableType:
    """The rows as a table; where the terminal is too narrow for so many columns, row by row, a line for each value.

    A text longer than ``widest`` is cut, unless that is None.
    """
    cells = [
        [_build_cell(value, kind, name, redact) for value, kind, name in zip(row, rows.kinds, rows.names, strict=True)]
        for row in rows.rows
    ]
    headers = [Text(clean_text(redact(name)), style="bold") for name in rows.names]
    fits = not console.is_terminal or len(headers) * (_NARROWEST_COLUMN + 2) <= console.width
    if fits and widest is not None:
        for cell in chain.from_iterable(cells):
            cell.truncate(widest, overflow="ellipsis")
    parts: list[RenderableType] = [_build_table(headers, cells, rows.kinds)] if fits else _build_records(headers, cells)
    if not rows.total:
        parts.append(Text("(no rows)", style="dim"))
    elif rows.total > len(cells):
        parts.append(Text(f"… {len(cells):,} of {rows.total:,} rows", style="dim"))
    return Group(*parts)


def _build_table(headers: list[Text], cells: list[list[Text]], kinds: Sequence[DataType]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    for header, kind in zip(headers, kinds, strict=True):
        numeric = isinstance(kind, NumericType)
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


def _build_cell(value: object, kind: DataType, name: str, redact: Callable[[str], str]) -> Text:
    if value is None:
        return Text("NULL", style="dim")
    return Text(clean_text(redact(_format_value(value, kind, name))))


def _format_value(value: object, kind: DataType, name: str) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float | Decimal):
        return _format_number(value, "" if _NAMES.search(name) else ",")
    if isinstance(value, datetime):
        moment = to_utc(value).replace(tzinfo=None) if isinstance(kind, TimestampType) else value
        return moment.isoformat(sep=" ")
    if isinstance(value, bytes | bytearray):
        return f"{len(value):,} bytes"
    shown = to_json_value(value, kind)
    return shown if isinstance(shown, str) else json.dumps(shown, ensure_ascii=False)


def _format_number(value: int | float | Decimal, separator: str) -> str:
    if isinstance(value, float) and value.is_integer() and abs(value) < _LARGEST_WHOLE:
        return f"{value:{separator}.0f}"
    return f"{value:{separator}}"
