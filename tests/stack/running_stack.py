"""A stack that its command has started, as a user does: where its parts are, and their death."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import psutil

from local.runtime.part_process import HOST
from local.stack.stack import read_environment
from pinterest_transforms.settings import Settings
from tests.stack.kafka_topics import Topics

PROJECT = Path(__file__).resolve().parents[2]
POSTS, USER_ID = 1_000, "abc123"
SINK, PROXY, BROKER = "local.stack.s3_sink", "local.stack.rest_proxy", "kafka.Kafka"
# Starts a part again, and waits for it: like the stack's, it must not outlive whoever has started it.
_STARTER = "import subprocess, sys; sys.exit(subprocess.run(sys.argv[1:], stdin=subprocess.PIPE).returncode)"


@dataclass
class RunningStack:
    """A stack that a command has started.

    Attributes:
        process: of the command.
        folder: of the stack.
        printed: what it has printed.
        starters: processes that have started a part again.
    """

    process: "subprocess.Popen[str]"
    folder: Path
    printed: list[str]
    starters: list["subprocess.Popen[bytes]"] = field(default_factory=list)

    def address(self, part: str) -> str:
        """The address that it has printed of a part."""
        return next(line for line in self.printed if line.startswith(f"  {part} ")).removeprefix(f"  {part} ").strip()

    @cached_property
    def environment(self) -> dict[str, str]:
        """What the project's commands find their way by."""
        return read_environment(self.folder)

    @property
    def topics(self) -> Topics:
        """Its topics, by a client that knows nothing of a broker that was killed."""
        return Topics(self.address("Kafka"), Settings(user_id=USER_ID))

    @property
    def parts(self) -> list[psutil.Process]:
        """The processes of its parts."""
        owners = [self.process.pid, *(starter.pid for starter in self.starters)]
        found = [part for owner in owners for part in psutil.Process(owner).children(recursive=True)]
        return [part for part in found if part.status() != psutil.STATUS_ZOMBIE]

    def kill(self, module: str) -> None:
        """Kills a part (kill -9), and starts it again as whatever looks after it would.

        The command that looks after the parts sleeps from then on: it would stop the others.
        """
        os.kill(self.process.pid, signal.SIGSTOP)
        part = next(part for part in self.parts if module in part.cmdline())
        command, environment = part.cmdline(), part.environ()
        if module == BROKER:  # it has become Java, which would not end with what starts it
            command, environment = self._broker_command(), dict(os.environ)
        part.kill()
        while part.is_running() and part.status() != psutil.STATUS_ZOMBIE:
            time.sleep(0.01)
        start = [sys.executable, "-ISc", _STARTER, *command]
        with (self.folder / "logs" / "restarted.log").open("ab") as log:
            self.starters.append(subprocess.Popen(start, cwd=PROJECT, env=environment, stdout=log, stderr=log))
        if module != SINK:  # which nobody waits for: records would go on to Kafka, and be over before the next death
            _wait_for(int(command[command.index("--port") + 1]))

    def _broker_command(self) -> list[str]:
        folder = self.folder / "kafka"
        settings = (folder / "server.properties").read_text(encoding="utf-8")
        ((port, controller),) = re.findall(r"^listeners=.*:(\d+),.*:(\d+)$", settings, re.MULTILINE)
        module = [sys.executable, "-m", "local.stack.kafka_broker", "--folder", str(folder)]
        return [*module, "--port", port, "--controller-port", controller]

    def end(self) -> None:
        """Kills the command, and what has started parts again; nothing is told to the parts."""
        for process in (self.process, *self.starters):
            process.kill()
            process.communicate()


def _wait_for(port: int, seconds: float = 120) -> None:
    until = time.monotonic() + seconds
    while True:
        try:
            return socket.create_connection((HOST, port), timeout=1).close()
        except OSError:
            assert time.monotonic() < until, f"port {port} must be listened on within {seconds:g} s"
            time.sleep(0.05)


def start_stack(folder: Path) -> RunningStack:
    """Starts it, and waits until it runs."""
    given = ["stack", "--folder", str(folder), "--posts", str(POSTS), "--user-id", USER_ID]
    process = subprocess.Popen(
        [sys.executable, "-m", "local", *given],
        cwd=PROJECT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(PROJECT / "src"), str(PROJECT)])},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    printed = list(iter(process.stdout.readline, "\n"))
    if not printed[:1] or not printed[0].startswith("started in "):
        process.kill()
        raise AssertionError(process.communicate()[1])
    printed += list(iter(process.stdout.readline, "\n"))
    return RunningStack(process, folder, printed)
