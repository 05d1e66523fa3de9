"""Progress of a command on standard error: a live line on a terminal, plain lines elsewhere."""

import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Self, TextIO

from rich.console import Console
from rich.progress import Progress, ProgressColumn, SpinnerColumn, Task, TaskID, TimeElapsedColumn
from rich.text import Text

from pinterest_transforms.error_format import clean_text

_LONG_STEP_SECONDS = 2.0


class _LineColumn(ProgressColumn):
    """The name of a step, or a line that is read again."""

    max_refresh = 0.5

    def render(self, task: Task) -> Text:
        """The text that is shown now."""
        return Text(clean_text(task.fields["read"]()) if "read" in task.fields else task.description)


class StepReporter:
    """Reports the steps of a run, one at a time: call it, from any thread, with the name of the step."""

    def __init__(self, err: TextIO | None = None, *, quiet: bool = False) -> None:
        self._console = Console(file=err or sys.stderr, quiet=quiet, highlight=False, markup=False, emoji=False)
        self._live = Progress(
            SpinnerColumn(),
            _LineColumn(),
            TimeElapsedColumn(),
            console=self._console,
            disable=not self._console.is_terminal,
            transient=True,
            redirect_stdout=False,
        )
        self._lock = threading.RLock()
        self._started = time.monotonic()
        self._step_started = self._started
        self._step = ""
        self._task: TaskID | None = None

    def __call__(self, what: str) -> None:
        """The step that begins now; the one before has ended."""
        what = clean_text(what)
        with self._lock:
            if what == self._step:
                return
            self._end_step()
            self._step, self._step_started = what, time.monotonic()
            if self._console.is_terminal:
                self._task = self._live.add_task(what)
            else:
                self._console.print(f"[{self._step_started - self._started:.0f} s] {what}", soft_wrap=True)

    def __enter__(self) -> Self:
        """Starts the live line."""
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Ends the last step, and the live line."""
        self.end()

    def end(self) -> None:
        """Ends the last step, and the live line: what a command prints now stands below all of its steps."""
        self._end_step()
        self._step = ""
        self._live.stop()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """No live line and no new step while it lasts, for something else is written."""
        with self._lock:
            running = self._live.live.is_started
            if running:
                self._live.stop()
            try:
                yield
            finally:
                if running:
                    self._live.start()

    @contextmanager
    def show_lines(self, lines: Sequence[Callable[[], str]]) -> Iterator[None]:
        """Live lines beside the step's own, each read again and again; nothing where there is no terminal."""
        tasks = [self._live.add_task("", read=line) for line in lines if self._console.is_terminal]
        try:
            yield
        finally:
            for task in tasks:
                self._live.remove_task(task)

    def _end_step(self) -> None:
        if self._task is None:
            return
        self._live.remove_task(self._task)
        self._task = None
        seconds = time.monotonic() - self._step_started
        if seconds >= _LONG_STEP_SECONDS:
            self._console.print(f"{self._step}: {seconds:.0f} s", style="dim", soft_wrap=True)
