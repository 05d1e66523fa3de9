"""Progress of a run on standard error."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

from rich.console import Console
from rich.live import Live
from rich.text import Text

INTERVAL_SECONDS = 5.0

T = TypeVar("T")


@contextmanager
def display_text(get_text: Callable[[], str]) -> Iterator[None]:
    """Displays a changing text: a live line on a terminal, a line every few seconds elsewhere."""
    console, ended = Console(stderr=True), threading.Event()
    if console.is_terminal:
        with Live(get_renderable=lambda: Text(get_text()), console=console, transient=True, refresh_per_second=4):
            yield
        return

    def print_lines() -> None:
        while not ended.wait(INTERVAL_SECONDS):
            console.print(Text(get_text()), soft_wrap=True)

    thread = threading.Thread(target=print_lines, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def track(description: str, total: int, batches: Iterator[Sequence[T]]) -> Iterator[Sequence[T]]:
    """The batches; displays how many of ``total`` items have passed."""
    passed = 0
    with display_text(lambda: f"{description}: {passed:,} of {total:,}"):
        for batch in batches:
            yield batch
            passed += len(batch)
