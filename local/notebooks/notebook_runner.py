"""Runs a Databricks notebook in source format on one machine: the very file that a job runs there."""

import builtins
import contextlib
import io
import threading
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pyspark.sql import SparkSession

from local.notebooks.dbutils import DbutilsState, NotebookExit, make_dbutils
from local.notebooks.display import Screen
from local.notebooks.source_format import Cell, NotebookError, read_cells
from pinterest_transforms.error_format import one_line


@dataclass
class Runner:
    """What notebooks on one machine share.

    Attributes:
        spark: the session they get.
        screen: where they display.
        dbutils_state: what ``dbutils`` shares between them.
        progress: called with the name of each step.
    """

    spark: SparkSession
    screen: Screen
    dbutils_state: DbutilsState = field(default_factory=DbutilsState)
    progress: Callable[[str], object] = lambda _: None

    def __post_init__(self) -> None:
        """Nothing is shown that is a secret."""
        self.screen.redact = self.dbutils_state.secrets.redact

    def run(self, path: str | Path, parameters: Mapping[str, str] | None = None) -> str:
        """Runs a notebook; the value it exits with, empty if it does not.

        Args:
            path: the notebook's file; ``.py`` may be left out.
            parameters: values of its widgets, as a job gives them; others are passed over.

        Raises:
            NotebookError: if it cannot be read, or a cell fails; one line with file, cell and line of the file.
        """
        file = _find_file(Path(path))
        names: dict[str, object] = {
            "__name__": "__main__",
            "__builtins__": builtins,
            "spark": self.spark,
            "dbutils": make_dbutils(self.dbutils_state, parameters or {}),
            "display": self.screen.display,
        }
        # In the notebook's folder, as on the platform; what it prints goes where it displays, and no secret with it.
        with contextlib.chdir(file.parent), _Printed(self.screen) as out, contextlib.redirect_stdout(out):
            try:
                self._run_cells(file, read_cells(file), names)
            except NotebookExit as done:
                return done.value
        return ""

    def _run_cells(self, file: Path, cells: list[Cell], names: dict[str, object]) -> None:
        for cell in cells:
            if cell.is_markdown:
                continue
            self.progress(f"{file.stem}: {cell.title or f'cell {cell.number} of {len(cells)}'}")
            # Padded, so that a traceback's line numbers are the file's.
            padded = "\n" * (cell.first_line - 1) + cell.source
            try:
                exec(compile(padded, str(file), "exec", dont_inherit=True), names)  # noqa: S102 - that is the task
            except (Exception, SystemExit) as error:
                raise _cell_error(file, cell, error, self.screen.redact) from error


def _find_file(path: Path) -> Path:
    """The notebook's file; a workspace path has no ``.py``."""
    file = (path if path.suffix == ".py" else path.with_name(path.name + ".py")).resolve()
    if not file.is_file():
        raise NotebookError(f"notebook must be an existing file, got {file}")
    return file


def _cell_error(path: Path, cell: Cell, error: BaseException, redact: Callable[[str], str]) -> NotebookError:
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
    line = error.lineno if isinstance(error, SyntaxError) else (lines[-1] if lines else cell.first_line)
    return NotebookError(redact(f"{path.name}, cell {cell.number}, line {line}: {one_line(error)}"))


class _Printed(io.TextIOBase):
    """Standard output of a notebook: lines of several threads come one after another, each as a whole."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._thread = threading.local()

    def write(self, text: str) -> int:
        # print() writes a line and its end one after the other.
        whole, end, rest = f"{self._begun()}{text}".rpartition("\n")
        self._thread.begun = rest
        if end:
            self._screen.write(whole + end)
        return len(text)

    def flush(self) -> None:
        begun, self._thread.begun = self._begun(), ""
        if begun:
            self._screen.write(begun)

    def _begun(self) -> str:
        return getattr(self._thread, "begun", "")
