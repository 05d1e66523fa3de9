"""Finds the Java that Spark will use, checks its version, starts and ends it."""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import NamedTuple

from local.runtime.spark_environment import build_java_environment
from pinterest_transforms.errors import PinterestError

SUPPORTED = (17, 21)
NEEDED = "Java 17 or 21 is needed"
_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_END_SECONDS = 10
_VERSION = re.compile(r'version "(?:1\.)?(\d+)')
_BUILD = re.compile(r"VM\b.* \(build ([^\s,)]+)")
VERSION_SECONDS = 30
_started: "list[subprocess.Popen[bytes]]" = []


class JavaError(PinterestError):
    """There is no Java, not one that Spark runs on, or one that does not start."""


class Java(NamedTuple):
    """A Java that Spark runs on.

    Attributes:
        command: its path.
        build: its exact version, such as ``17.0.15+6``; empty if it prints none.
    """

    command: str
    build: str


def check_java(seconds: float = VERSION_SECONDS) -> Java:
    """The java of ``JAVA_HOME``, else the first on the path, after its version was read within this time.

    Raises:
        JavaError: if there is none, or it does not start, prints no version, or one that Spark does not run on.
    """
    home = os.environ.get("JAVA_HOME", "")
    command = shutil.which(str(Path(home, "bin", "java")) if home else "java")
    if command is None:
        reason = (
            f"JAVA_HOME is {home}, which has no bin/java" if home else "install one, or set JAVA_HOME to where it is"
        )
        raise JavaError(f"{NEEDED}, and no java was found: {reason}")
    try:
        _, printed = run_java([command, "-version"], seconds)
    except OSError as error:
        raise JavaError(f"{NEEDED}, and {command} does not start: {error.strerror}") from error
    except subprocess.TimeoutExpired:
        raise JavaError(f"{NEEDED}, and {command} prints no version within {seconds:g} s") from None
    version = _VERSION.search(printed)
    if version is None:
        raise JavaError(f"{NEEDED}, and no java was found: {command} prints no version")
    if int(version[1]) not in SUPPORTED:
        raise JavaError(f"{NEEDED}, and {command} is Java {version[1]}: set JAVA_HOME to one of those")
    build = _BUILD.search(printed)
    return Java(command, build[1] if build else "")


def run_java(command: Sequence[str], seconds: float) -> tuple[int, str]:
    """Runs a Java to its end; its exit code and what it printed.

    Raises:
        OSError: if it cannot be started.
        subprocess.TimeoutExpired: if it took longer; it is ended.
    """
    process = start_process(
        command, output=subprocess.PIPE, stdin=subprocess.DEVNULL, environment=build_java_environment()
    )
    try:
        printed, _ = process.communicate(timeout=seconds)
    finally:
        end_process(process, 0)
    return process.returncode, printed.decode("utf-8", "replace")


def start_process(
    command: Sequence[str], *, output: int, stdin: int, environment: Mapping[str, str]
) -> "subprocess.Popen[bytes]":
    """Starts Java or another process, which ``kill_java`` ends from now on.

    It starts in a new session: Ctrl-C reaches this process alone, which then ends the other.
    """
    with _hold_signals():
        process = subprocess.Popen(  # noqa: S603 - the user's own java, or this project's
            command, env=environment, stdin=stdin, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )
        _started.append(process)
    return process


def kill_java() -> None:
    """Ends whatever ``start_process`` has started, without waiting for its work: after Ctrl-C, or a request to end."""
    for process in list(_started):
        end_process(process)


def get_crash_code() -> int | None:
    """Exit code of a Java of this process that ended unexpectedly; None if there is none."""
    return next((code for process in _started if (code := process.poll())), None)


def end_process(process: "subprocess.Popen[bytes]", seconds: float = _END_SECONDS) -> None:
    """Ends a process that was started in a new session, and its children: terminates, then kills."""
    if process.poll() is None:
        _signal_group(process, signal.SIGTERM)
        try:
            process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            _signal_group(process, signal.SIGKILL)
            process.wait()
    if process in _started:
        _started.remove(process)


def _signal_group(process: "subprocess.Popen[bytes]", number: int) -> None:
    try:
        os.killpg(process.pid, number)
    except OSError:
        process.send_signal(number)


@contextlib.contextmanager
def _hold_signals() -> Iterator[None]:
    """Ctrl-C and a request to end wait until the process that has just been started is known, and can be ended too."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    held: list[int] = []

    def hold(number: int, _frame: FrameType | None) -> None:
        held.append(number)

    before = {number: signal.signal(number, hold) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if held:
        signal.raise_signal(held[0])
