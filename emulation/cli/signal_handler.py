"""Ends a run on SIGINT or SIGTERM at a point where its state is consistent."""

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType, TracebackType
from typing import Any

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class SignalHandler:
    """Handles the signals while it is entered."""

    def __init__(self) -> None:
        self._received = self._interruptible = False
        self._previous: dict[signal.Signals, Callable[[int, FrameType | None], Any] | int | None] = {}

    def __enter__(self) -> "SignalHandler":
        if threading.current_thread() is threading.main_thread():  # Python allows no other one
            self._previous = {number: signal.signal(number, self._handle) for number in _SIGNALS}
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for number, previous in self._previous.items():
            signal.signal(number, previous)

    def _handle(self, _number: int, _frame: FrameType | None) -> None:
        self._received = True
        if self._interruptible:
            raise KeyboardInterrupt

    def check(self) -> None:
        """Raises KeyboardInterrupt after a signal."""
        if self._received:
            raise KeyboardInterrupt

    @contextlib.contextmanager
    def interruptible(self) -> Iterator[None]:
        """Code that a signal may interrupt anywhere, as a read or a pause."""
        self._interruptible = True
        try:
            self.check()
            yield
        finally:
            self._interruptible = False
