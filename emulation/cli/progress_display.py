"""Shows how far a long step is: a bar on a terminal, single lines elsewhere; nothing for a step of a second or two."""

import time
from collections.abc import Iterator, Sequence
from typing import Protocol, TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

PATIENCE = 2.0
BETWEEN_LINES = 5.0

T = TypeVar("T")


class Watch(Protocol):
    """Looks on while lists pass by."""

    def __call__(self, what: str, total: int, lists: Iterator[Sequence[T]]) -> Iterator[Sequence[T]]:
        """The same lists; ``what`` names the step, ``total`` is how many things are expected at most."""


def unwatched(what: str, total: int, lists: Iterator[Sequence[T]]) -> Iterator[Sequence[T]]:  # noqa: ARG001
    """The same lists, silently."""
    return lists


def watched(what: str, total: int, lists: Iterator[Sequence[T]]) -> Iterator[Sequence[T]]:
    """The same lists, with their progress on standard error."""
    console = Console(stderr=True)
    return _bar(console, what, total, lists) if console.is_terminal else _lines(console, what, total, lists)


def _bar(console: Console, what: str, total: int, lists: Iterator[Sequence[T]]) -> Iterator[Sequence[T]]:
    """Draws a bar once the step has lasted a while; it goes away with the step."""
    began = time.monotonic()
    shapes = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    bar = Progress(*shapes, console=console, transient=True)
    task = bar.add_task(what, total=total)
    try:
        for some in lists:
            yield some
            bar.advance(task, len(some))
            if time.monotonic() - began > PATIENCE:
                bar.start()
    finally:
        bar.stop()


def _lines(console: Console, what: str, total: int, lists: Iterator[Sequence[T]]) -> Iterator[Sequence[T]]:
    """Prints a line every few seconds."""
    done, due = 0, time.monotonic() + BETWEEN_LINES
    for some in lists:
        yield some
        done += len(some)
        if time.monotonic() > due:
            console.print(f"{what}: {done:,} of {total:,}", highlight=False, soft_wrap=True)
            due = time.monotonic() + BETWEEN_LINES
