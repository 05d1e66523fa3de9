"""A part of the stack: one process that is started, awaited, killed and restarted on the same port."""

import os
import random
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Self

from local.runtime.java import end_process, start_process
from local.runtime.part_process import HOST
from pinterest_transforms.errors import PinterestError

# Below the ports that systems give to outgoing connections: one of those could take a part's port while it is down.
_PORTS = range(20_000, 32_000)
_TRIES = 100
_START_SECONDS, _STOP_SECONDS = 120.0, 30.0
_GLANCE = 0.05


class StackError(PinterestError):
    """The stack, or a part of it, does not start or does not go on."""


def find_free_port() -> int:
    """A loopback port that nobody listens on."""
    for port in random.SystemRandom().sample(_PORTS, _TRIES):
        with closing(socket.socket()) as tried:
            try:
                tried.bind((HOST, port))
            except OSError:
                continue
            return port
    raise StackError(f"one of {_TRIES} ports from {_PORTS[0]} to {_PORTS[-1]} must be free, got none")


class Part:
    """One part: ``python -m <module> … --port N``.

    Attributes:
        name: what people call it.
        port: loopback port it listens on, the same after each start.
        log: file of what it prints.
        process: the one that was started last.
    """

    def __init__(
        self,
        name: str,
        module: str,
        options: Sequence[str],
        folder: Path,
        *,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.name, self.port, self.log = name, find_free_port(), folder / f"{name}.log"
        self._command = [sys.executable, "-m", module, *options, "--port", str(self.port)]
        self._environment = {**os.environ, **(environment or {})}
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        self.wait()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """Address of a part with an HTTP API."""
        return f"http://{HOST}:{self.port}"

    def start(self) -> None:
        """Starts it; it may take its time until it is ready."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            # Ctrl-C is for the stack, which ends its parts in their order.
            self.process = start_process(
                self._command, output=log.fileno(), stdin=subprocess.DEVNULL, environment=self._environment
            )

    def wait(self, seconds: float = _START_SECONDS) -> None:
        """Waits until it is ready.

        Raises:
            StackError: it ends before, or takes too long.
        """
        until = time.monotonic() + seconds
        while not self._listens():
            if not self.is_running():
                raise StackError(f"{self.name} must start, got: {self.last_line()}")
            if time.monotonic() > until:
                raise StackError(f"{self.name} must be ready within {seconds:g} s, got: {self.last_line()}")
            time.sleep(_GLANCE)

    def is_running(self) -> bool:
        """Whether the process is there."""
        return self.process is not None and self.process.poll() is None

    def stop(self) -> None:
        """Terminates it; kills it when it does not end in time."""
        if self.process is not None:
            end_process(self.process, _STOP_SECONDS)

    def last_line(self) -> str:
        """The last line it has printed that is not empty."""
        text = self.log.read_text(encoding="utf-8", errors="replace") if self.log.is_file() else ""
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        return lines[-1].removeprefix("error: ") if lines else "nothing"

    def _listens(self) -> bool:
        try:
            with socket.create_connection((HOST, self.port), timeout=1):
                return True
        except OSError:
            return False
