"""``display`` for a terminal: frames as tables, figures by their titles, everything else as text."""

import re
import sys
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import TextIO

import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql.types import DataType, DoubleType, StringType
from rich.console import Console

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
        paused: silences a live status line while something is written.
    """

    def __init__(self, out: TextIO | None = None, *, rows_shown: int = ROWS_SHOWN) -> None:
        self._out = out or sys.stdout
        self._rows_shown = rows_shown
        self._lock = threading.RLock()
        self.answers: dict[str, pd.DataFrame] = {}
        self.redact: Callable[[str], str] = str
        self.paused: Callable[[], AbstractContextManager[object]] = nullcontext

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
        with self._lock, self.paused():
            self._out.write(self.redact(text))
            self._out.flush()


def collect_rows(frame: DataFrame, limit: int) -> TableRows:
    """The first rows of a frame; counted only where there are more."""
    first = frame.limit(limit + 1).collect()
    total = len(first) if len(first) <= limit else frame.count()
    fields = frame.schema.fields
    return TableRows([field.name for field in fields], [field.dataType for field in fields], first[:limit], total)


def _convert_frame(frame: "pd.DataFrame", limit: int) -> TableRows:
    kinds: list[DataType] = [
        DoubleType() if pd.api.types.is_numeric_dtype(kind) and not pd.api.types.is_bool_dtype(kind) else StringType()
        for kind in frame.dtypes
    ]
    rows = [[_convert_value(value) for value in row] for row in frame.head(limit).itertuples(index=False, name=None)]
    return TableRows([str(name) for name in frame.columns], kinds, rows, len(frame))


def _convert_value(value: object) -> object:
    """The value as Python has it, missing ones as None."""
    if pd.api.types.is_scalar(value) and pd.isna(value):
        return None
    if isinstance(value, pd.Timestamp):
        return value.to_pydatetime()
    if hasattr(value, "item"):
        return value.item()
    return value if isinstance(value, bool | int | float | str) else str(value)


def _find_title(figure: object) -> str:
    text = figure.layout.title.text or "without a title"  # type: ignore[attr-defined]
    return " ".join(clean_text(_TAG.sub(" ", text)).split())
