"""Progress of a run: one line on standard error, where that is a terminal."""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from rich.console import Console
from rich.live import Live
from rich.progress import Progress
from rich.text import Text

T = TypeVar("T")


def display_text(get_text: Callable[[], str]) -> Live:
    """Displays a changing text while it is entered."""
    console = Console(stderr=True)
    return Live(get_renderable=lambda: Text(get_text()), console=console, transient=True, refresh_per_second=4)


def track(description: str, total: int, batches: Iterator[Sequence[T]]) -> Iterator[Sequence[T]]:
    """The batches, with a display of how many of ``total`` items have passed."""
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(description, total=total)
        for batch in batches:
            yield batch
            progress.advance(task, len(batch))
