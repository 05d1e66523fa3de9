"""Ctrl-C, and a request to end, taken where nothing is half done."""

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType, TracebackType
from typing import Any

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupts:
    """Takes the place of what the signals do by themselves, until it is left."""

    def __init__(self) -> None:
        self._asked = self._waiting = False
        self._before: dict[signal.Signals, Callable[[int, FrameType | None], Any] | int | None] = {}

    def __enter__(self) -> "Interrupts":
        if threading.current_thread() is threading.main_thread():  # no other one may
            self._before = {number: signal.signal(number, self._take) for number in _SIGNALS}
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)

    def _take(self, _number: int, _frame: FrameType | None) -> None:
        self._asked = True
        if self._waiting:
            raise KeyboardInterrupt

    def check(self) -> None:
        """Ends the run where that was asked for.

        Raises:
            KeyboardInterrupt: it was.
        """
        if self._asked:
            raise KeyboardInterrupt

    @contextlib.contextmanager
    def taken_at_once(self) -> Iterator[None]:
        """For what may be broken off anywhere, as reading or a pause."""
        self._waiting = True
        try:
            self.check()
            yield
        finally:
            self._waiting = False
