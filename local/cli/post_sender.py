"""Sends a source's posts to a Kinesis endpoint, with the emulation's own command, while something else goes on."""

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from pinterest_transforms.errors import StreamError


class PostSender:
    """Creates the three streams and sends every post of a source to them, in another process.

    Attributes:
        last_line: the last line that the command has printed.
        acknowledged: how many records were taken; None until all have been sent.
    """

    def __init__(self, database: str, user_id: str, rate: float, endpoint: str, region: str, folder: Path) -> None:
        self.last_line = "nothing sent yet"
        self.acknowledged: int | None = None
        self._environment = {**os.environ, "AWS_ENDPOINT_URL": endpoint, "AWS_DEFAULT_REGION": region}
        self._command = [sys.executable, "-m", "emulation", "streaming", "--direct", "--user-id", user_id]
        places = ["--cursor", str(folder / "sent.json"), "--failed", str(folder / "failed.jsonl")]
        self._what = ["--all", "--restart", "--database", database, "--rate", str(rate), *places]
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> "PostSender":
        made = self._start("--streams", "create")
        printed, _ = made.communicate()
        if made.returncode:
            raise StreamError(f"streams must be made, got {printed.strip()}")
        self._process = self._start(*self._what)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        process = self._process
        if process is not None:
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
            process.wait()

    def _start(self, *what: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(  # noqa: S603 - this very program
            [*self._command, *what],
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            # Ctrl-C is for the run, which ends this process when it has ended itself.
            start_new_session=True,
        )

    def call_when_sent(self, then: Callable[[], None]) -> None:
        """Does something, in a thread, once all is sent."""

        def wait() -> None:
            assert self._process is not None  # noqa: S101 - entered
            assert self._process.stdout is not None  # noqa: S101 - opened above
            sent = 0
            for line in self._process.stdout:
                self.last_line = line.strip() or self.last_line
                if found := re.search(r"acknowledged ([\d,]+), retried", self.last_line):
                    sent = int(found[1].replace(",", ""))
            self.acknowledged = sent
            then()

        threading.Thread(target=wait, daemon=True).start()

    def check(self) -> None:
        """Sees to it that all was sent.

        Raises:
            StreamError: some was not.
        """
        if self._process is not None and self._process.wait():
            raise StreamError(f"all posts must be sent, got: {self.last_line}")
