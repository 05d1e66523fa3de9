"""A Java that does not do what it should: every start ends, in one line, and leaves nothing behind."""

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from py4j.protocol import Py4JNetworkError

from local.runtime.java import JavaError, check_java
from local.runtime.spark_java_process import JavaProcess
from tests.local.cli.local_commands import command

MakeJava = Callable[[str], Path]
VERSION = 'if [ "$1" = -version ]; then echo \'openjdk version "17.0.1"\' >&2; exit; fi\n'
# As a script that wraps Java: what it has started would outlive it.
HANGS = 'sleep 600 &\necho $! >"$0.pid"\nwait\n'


@pytest.fixture
def java(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MakeJava:
    """Makes this script the java that is found."""

    def make(script: str) -> Path:
        file = tmp_path / "home" / "bin" / "java"
        file.parent.mkdir(parents=True)
        file.write_text(f"#!/bin/sh\n{script}", encoding="utf-8")
        file.chmod(0o755)
        monkeypatch.setenv("JAVA_HOME", str(tmp_path / "home"))
        return file

    return make


def _wait_until(holds: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 60
    while not holds() and time.monotonic() < deadline:
        time.sleep(0.02)
    return holds()


def _has_started(java: Path) -> bool:
    """Whether the script has started something."""
    file = java.with_name("java.pid")
    return _wait_until(lambda: file.is_file() and file.read_text().endswith("\n"))


def _has_ended(java: Path) -> bool:
    """Whether what the script has started has ended, too."""
    file = java.with_name("java.pid")
    if not file.is_file():
        return True  # it was ended before
    number = int(file.read_text())

    def ended() -> bool:
        try:
            return psutil.Process(number).status() == psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return True

    return _wait_until(ended)


@pytest.mark.parametrize(
    ("script", "ends"),
    [
        ("echo 'Unrecognized VM option X'; echo 'Error: no machine'; exit 1", "1: Unrecognized VM option X Error: no"),
        ("echo 'openjdk 17'; exit 0", "0: openjdk 17"),
        ("kill -9 $$", "-9: it printed nothing"),
    ],
    ids=["refuses", "tells its version", "is killed"],
)
def test_a_java_that_ends_at_its_start_is_told_at_once(java: MakeJava, script: str, ends: str) -> None:
    java(VERSION + script)
    process = JavaProcess([], "")

    with pytest.raises(JavaError) as error, process.start_limit(60):
        process.connect()

    assert str(error.value).startswith(f"Spark's Java must start, and ended with {ends}")


def test_a_start_that_never_ends_is_ended(java: MakeJava) -> None:
    script = java(VERSION + "echo waiting for a debugger\n" + HANGS)
    process = JavaProcess([], "")
    assert _has_started(script)

    with pytest.raises(JavaError) as error, process.start_limit(0.5):
        process.connect()

    assert str(error.value) == "Spark must start within 0.5 s, and did not: waiting for a debugger"
    assert _has_ended(script)


def test_an_error_at_the_start_leaves_no_java(java: MakeJava) -> None:
    script = java(VERSION + HANGS)
    process = JavaProcess([], "")

    assert _has_started(script)
    with pytest.raises(ZeroDivisionError), process.start_limit(60):
        raise ZeroDivisionError

    assert _has_ended(script)


def test_an_error_of_java_at_the_start_is_told(java: MakeJava) -> None:
    java(VERSION + HANGS)
    process = JavaProcess([], "")

    with pytest.raises(JavaError) as error, process.start_limit(60):
        raise Py4JNetworkError("Answer from Java side is empty")

    assert str(error.value) == "Spark must start, and did not: Py4JNetworkError: Answer from Java side is empty"


def test_a_java_that_tells_no_version_for_ever_is_told(java: MakeJava) -> None:
    script = java(HANGS)

    with pytest.raises(JavaError) as error:
        check_java(0.5)

    assert str(error.value) == f"Java 17 or 21 is needed, and {script} prints no version within 0.5 s"
    assert _has_ended(script)


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda file: file.write_bytes(b"\x7fELF broken"), "Exec format error"),
        (lambda file: file.write_text("#!/no/such/shell\n"), "No such file or directory"),
    ],
    ids=["broken", "without its interpreter"],
)
def test_a_java_that_cannot_be_run_is_told(java: MakeJava, make: Callable[[Path], object], reason: str) -> None:
    script = java("")
    make(script)

    with pytest.raises(JavaError) as error:
        check_java()

    assert str(error.value) == f"Java 17 or 21 is needed, and {script} does not start: {reason}"


@pytest.mark.parametrize(
    ("number", "code", "version"),
    [(signal.SIGTERM, 143, ""), (signal.SIGINT, 130, VERSION)],
    ids=["asked for its version", "started"],
)
def test_one_signal_ends_a_start_that_hangs(
    java: MakeJava, tmp_path: Path, number: signal.Signals, code: int, version: str
) -> None:
    script = java(version + HANGS)
    (tmp_path / "w" / "pinterest" / "pins" / "_delta_log").mkdir(parents=True)

    with command("sql", "SELECT 1", "--warehouse", "w", folder=tmp_path, JAVA_HOME=os.environ["JAVA_HOME"]) as process:
        assert _has_started(script)
        process.send_signal(number)
        try:
            _, err = process.communicate(timeout=30)
        except subprocess.TimeoutExpired:
            pytest.fail("the signal ended nothing")

    assert (process.returncode, err) == (code, "")
    assert _has_ended(script)
