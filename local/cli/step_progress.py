"""Progress of a command on standard error: a live line on a terminal, plain lines elsewhere."""

import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Self, TextIO

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from pinterest_transforms.error_format import clean_text

_LONG_STEP_SECONDS = 2.0
_LIVE_SECONDS, _PRINT_SECONDS = 0.5, 5.0


class StepReporter:
    """Reports the steps of a run, one at a time: call it, from any thread, with the name of the step."""

    def __init__(self, err: TextIO | None = None, *, quiet: bool = False) -> None:
        self._console = Console(file=err or sys.stderr, quiet=quiet, highlight=False, markup=False, emoji=False)
        self._live = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            TimeElapsedColumn(),
            console=self._console,
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
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Ends the live line."""
        self._end_step()
        self._step = ""
        if self._console.is_terminal:
            self._live.stop()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """No live line and no new step while it lasts, for something else is written."""
        with self._lock:
            running = self._console.is_terminal and self._live.live.is_started
            if running:
                self._live.stop()
            try:
                yield
            finally:
                if running:
                    self._live.start()

    @contextmanager
    def show_lines(self, read: Callable[[], Sequence[str]]) -> Iterator[None]:
        """Lines that are refreshed: below the step on a terminal, printed every few seconds elsewhere."""
        over, live = threading.Event(), self._console.is_terminal
        tasks = [self._live.add_task("") for _ in read()] if live else []

        def show() -> None:
            printed: Sequence[str] = ()
            while not over.wait(_LIVE_SECONDS if live else _PRINT_SECONDS):
                lines = [clean_text(line) for line in read()]
                for task, line in zip(tasks, lines, strict=False):
                    self._live.update(task, description=line)
                with self._lock:
                    for line in () if live or lines == printed else lines:
                        self._console.print(line, soft_wrap=True)
                printed = lines

        thread = threading.Thread(target=show, daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()
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
