"""Runs a Databricks notebook in source format on one machine: the very file that a job runs there."""

import builtins
import contextlib
import io
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pyspark.sql import SparkSession

from local.notebooks.dbutils import Dbutils, DbutilsState, NotebookExit
from local.notebooks.display import Screen
from local.notebooks.source_format import Cell, NotebookError, read_cells
from pinterest_transforms.error_format import one_line


def _no_progress(_: str) -> None:
    """Nobody watches."""


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
    progress: Callable[[str], None] = _no_progress

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
        return _Run(self, _find_file(Path(path)), dict(parameters or {})).run_to_end()


class _Run:
    """One run of one notebook: its names, its widgets."""

    def __init__(self, runner: Runner, path: Path, parameters: dict[str, str]) -> None:
        self._runner = runner
        self._path = path
        self._dbutils = Dbutils(runner.dbutils_state, parameters)
        self._names: dict[str, object] = {
            "__name__": "__main__",
            "__builtins__": builtins,
            "spark": runner.spark,
            "dbutils": self._dbutils,
            "display": runner.screen.display,
        }

    def run_to_end(self) -> str:
        """Runs every cell, in the notebook's folder, as the platform does."""
        ended = ""
        with contextlib.chdir(self._path.parent), _redirect_output(self._runner):
            try:
                self._run_cells(read_cells(self._path))
            except NotebookExit as done:
                ended = done.value
        return ended

    def _run_cells(self, cells: list[Cell]) -> None:
        for cell in cells:
            if cell.is_markdown:
                continue
            self._runner.progress(f"{self._path.stem}: {cell.title or f'cell {cell.number} of {len(cells)}'}")
            # Padded, so that a traceback's line numbers are the file's.
            padded = "\n" * (cell.first_line - 1) + cell.source
            try:
                exec(compile(padded, str(self._path), "exec", dont_inherit=True), self._names)  # noqa: S102 - that is the task
            except (Exception, SystemExit) as error:
                raise _cell_error(self._path, cell, error, self._runner.screen.redact) from error


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

    def writable(self) -> bool:
        return True

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
        """This thread's line that has no end yet."""
        return getattr(self._thread, "begun", "")


@contextlib.contextmanager
def _redirect_output(runner: Runner) -> Iterator[None]:
    """What a notebook prints goes where it displays, and no secret with it."""
    printed = _Printed(runner.screen)
    with contextlib.redirect_stdout(printed):
        try:
            yield
        finally:
            printed.flush()
