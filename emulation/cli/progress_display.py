"""Progress of a run on standard error: a live line on a terminal, a line every few seconds elsewhere."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from types import TracebackType
from typing import TypeVar

from rich.console import Console
from rich.live import Live
from rich.text import Text

DELAY_SECONDS = 2.0
INTERVAL_SECONDS = 5.0

T = TypeVar("T")


class ProgressDisplay:
    """Displays a changing text while it is entered.

    Args:
        get_text: returns the current text.
        get_count: returns a count; where standard error is no terminal, a line is printed only if it has changed.
        delay: seconds before the live line appears.
    """

    def __init__(self, get_text: Callable[[], str], get_count: Callable[[], int], delay: float = 0) -> None:
        self._get_text, self._get_count, self._delay = get_text, get_count, delay
        self._console = Console(stderr=True)
        self._ended = threading.Event()
        self._live = Live(get_renderable=self._render, console=self._console, transient=True, refresh_per_second=4)
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> "ProgressDisplay":
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._ended.set()
        self._thread.join()
        self._live.stop()

    def _render(self) -> Text:
        return Text(self._get_text())

    def _run(self) -> None:
        if self._console.is_terminal:
            if not self._ended.wait(self._delay):
                self._live.start()
            return
        previous = 0
        while not self._ended.wait(INTERVAL_SECONDS):
            count = self._get_count()
            if count != previous:
                self._console.print(self._render(), soft_wrap=True)
            previous = count


def track(description: str, total: int, batches: Iterator[Sequence[T]]) -> Iterator[Sequence[T]]:
    """The batches, with a display of how many of ``total`` items have passed."""
    count, started = 0, time.monotonic()

    def format_progress() -> str:
        seconds = (total - count) * (time.monotonic() - started) / count if count else 0
        left = f", about {seconds:,.0f} s left" if count < total and count else ""
        return f"{description}: {count:,} of {total:,}{left}"

    with ProgressDisplay(format_progress, lambda: count, DELAY_SECONDS):
        for batch in batches:
            yield batch
            count += len(batch)
