"""Progress of a command on standard error: a live line on a terminal, plain lines elsewhere."""

import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Self, TextIO

from rich.console import Console
from rich.live import Live
from rich.spinner import Spinner
from rich.text import Text

from pinterest_transforms.error_format import clean_text

_LONG_STEP_SECONDS = 2.0
# Where there is no terminal, a step has another line after this time, and whenever it has lasted twice as long.
_FIRST_REPEAT_SECONDS = 5.0


class StepProgress:
    """Reports the steps of a run, one at a time: call it, from any thread, with the name of the step."""

    def __init__(self, err: TextIO | None = None, *, quiet: bool = False) -> None:
        self._console = Console(file=err or sys.stderr, quiet=quiet, highlight=False, markup=False, emoji=False)
        self._spinner = Spinner("dots")
        self._lock = threading.RLock()
        self._started = self._step_started = time.monotonic()
        self._step = ""
        self._lines: Sequence[Callable[[], str]] = ()
        self._live: Live | None = None
        self._has_live = self._console.is_terminal and not self._console.is_dumb_terminal
        self._timer: threading.Timer | None = None

    def __call__(self, what: str) -> None:
        """The step that begins now; the one before has ended."""
        what = clean_text(what)
        with self._lock:
            if what == self._step:
                return
            self._end_step()
            self._step, self._step_started = what, time.monotonic()
            if self._has_live:
                self._start_live()
            elif not self._console.quiet:
                self._print_line(what)
                self._start_timer(_FIRST_REPEAT_SECONDS)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def end(self) -> None:
        """Ends the last step, and the live line: what a command prints now stands below all of its steps."""
        with self._lock:
            self._stop_live()
            self._end_step()

    @contextmanager
    def pause(self) -> Iterator[None]:
        """No live line and no new step while it lasts, for something else is written."""
        with self._lock:
            was_live = self._stop_live()
            try:
                yield
            finally:
                if was_live:
                    self._start_live()

    @contextmanager
    def show_lines(self, lines: Sequence[Callable[[], str]]) -> Iterator[None]:
        """Lines below the live one, each read again and again; nothing where there is no terminal."""
        self._lines = lines
        try:
            yield
        finally:
            self._lines = ()

    def _start_live(self) -> None:
        if self._live is None:
            # A new one each time: one that starts again wipes as many lines above it as it had.
            self._live = Live(get_renderable=self._render, console=self._console, transient=True, redirect_stdout=False)
            self._live.start()

    def _stop_live(self) -> bool:
        live, self._live = self._live, None
        if live:
            live.stop()
        return live is not None

    def _render(self) -> Spinner:
        seconds = timedelta(seconds=int(time.monotonic() - self._step_started))
        lines = [f"{self._step} {seconds}", *(clean_text(read()) for read in self._lines)]
        self._spinner.update(text=Text("\n".join(lines)))
        return self._spinner

    def _print_line(self, text: str) -> None:
        self._console.print(f"[{time.monotonic() - self._started:.0f} s] {text}", soft_wrap=True)

    def _start_timer(self, seconds: float) -> None:
        """Has a line printed when the step has lasted so long."""
        left = self._step_started + seconds - time.monotonic()
        self._timer = threading.Timer(max(0, left), self._repeat_line, [seconds])
        self._timer.daemon = True
        self._timer.start()

    def _repeat_line(self, seconds: float) -> None:
        with self._lock:
            if self._timer is threading.current_thread():  # else the step has just ended
                self._print_line(f"{self._step}: {seconds:.0f} s so far")
                self._start_timer(2 * seconds)

    def _end_step(self) -> None:
        if self._timer:
            self._timer.cancel()
            self._timer = None
        seconds = time.monotonic() - self._step_started
        if self._step and self._has_live and seconds >= _LONG_STEP_SECONDS:
            self._console.print(f"{self._step}: {seconds:.0f} s", style="dim", soft_wrap=True)
        self._step = ""
