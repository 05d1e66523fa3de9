"""``display`` for a terminal: frames as tables, figures by their titles, everything else as text."""

import re
import sys
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime
from decimal import Decimal
from typing import TextIO

import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql.types import DataType, TimestampType
from rich.console import Console

from local.notebooks.json_values import to_json_value, to_utc
from local.notebooks.terminal_table import WIDEST_CELL, TableRows, render_table
from pinterest_transforms.error_format import clean_text

ROWS_SHOWN = 20
_UNBOUNDED = 10_000
_TAG = re.compile(r"<[^>]*>")


class Screen:
    """Where answers go. Threads may write at once: what each writes stays together.

    Attributes:
        answers: every answer that was displayed, by its name: the report need not read them again.
        redact: removes secrets from a text.
        pause: silences a live status line while something is written.
    """

    def __init__(self, out: TextIO | None = None, *, rows_shown: int = ROWS_SHOWN) -> None:
        self._out = out or sys.stdout
        self._rows_shown = rows_shown
        self._lock = threading.RLock()
        self.answers: dict[str, pd.DataFrame] = {}
        self.redact: Callable[[str], str] = str
        self.pause: Callable[[], AbstractContextManager[object]] = nullcontext

    def display(self, value: object, *_: object, **__: object) -> None:
        """Shows a frame of Spark or pandas, a plotly figure, or anything else as text."""
        sys.stdout.flush()  # what was printed before stands before it
        if isinstance(value, DataFrame):
            self.show_rows(collect_rows(value, self._rows_shown))
        elif isinstance(value, pd.DataFrame):
            if name := value.attrs.get("answer"):
                self.answers[name] = value
            self.show_rows(_convert_frame(value, self._rows_shown))
        elif hasattr(value, "to_plotly_json"):
            self.write(f"chart: {_find_title(value)}\n\n")
        else:
            self.write(f"{value}\n")

    def show_rows(self, rows: TableRows, widest: int | None = WIDEST_CELL) -> None:
        """Shows rows as a table; texts longer than ``widest`` are cut."""
        console = Console(file=self._out, highlight=False, markup=False, emoji=False)
        if not console.is_terminal:
            # A file has no edge to wrap at.
            console.width = _UNBOUNDED
        with console.capture() as captured:
            console.print(render_table(rows, console, self.redact, widest))
        # A blank line after it, no padding at the ends of lines.
        self.write("\n".join(line.rstrip(" ") for line in captured.get().splitlines()) + "\n\n")

    def write(self, text: str) -> None:
        """Writes text as it is, but for secrets."""
        with self._lock, self.pause():
            self._out.write(self.redact(text))
            self._out.flush()


def collect_rows(frame: DataFrame, limit: int) -> TableRows:
    """The first rows of a frame; counted only where there are more."""
    first = frame.limit(limit + 1).collect()
    total = len(first) if len(first) <= limit else frame.count()
    fields = frame.schema.fields
    rows = [
        [_convert_spark_value(value, field.dataType) for value, field in zip(row, fields, strict=True)]
        for row in first[:limit]
    ]
    return TableRows([field.name for field in fields], rows, total)


def _convert_spark_value(value: object, kind: DataType) -> object:
    if isinstance(value, datetime):
        return to_utc(value).replace(tzinfo=None) if isinstance(kind, TimestampType) else value
    return value if isinstance(value, Decimal | bytes | bytearray | float) else to_json_value(value, kind)


def _convert_frame(frame: pd.DataFrame, limit: int) -> TableRows:
    # Of Python's own values, not numpy's; missing ones are None.
    shown = frame.head(limit).astype(object)
    rows = list(shown.where(shown.notna(), None).itertuples(index=False, name=None))
    return TableRows([str(name) for name in frame.columns], rows, len(frame))


def _find_title(figure: object) -> str:
    text = figure.layout.title.text or "without a title"  # type: ignore[attr-defined]
    return " ".join(clean_text(_TAG.sub(" ", text)).split())
