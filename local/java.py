"""Finds the Java that Spark will use and says in one line when it is not the right one."""

import os
import re
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

from local.environment import java_environment
from pinterest_transforms.errors import PinterestError

SUPPORTED = (17, 21)
NEEDED = "Java 17 or 21 is needed"
_VERSION = re.compile(r'version "(?:1\.)?(\d+)')
VERSION_SECONDS = 30
_OUTPUT_BYTES = 10_000


class JavaError(PinterestError):
    """There is no Java, not one that Spark runs on, or one that does not start."""


def java_command() -> str:
    """The java of ``JAVA_HOME``, else the first on the path.

    Raises:
        JavaError: if there is none.
    """
    home = os.environ.get("JAVA_HOME", "")
    if home:
        command = Path(home, "bin", "java.exe" if os.name == "nt" else "java")
        if not os.access(command, os.X_OK):
            raise JavaError(f"{NEEDED}, and no java was found: JAVA_HOME is {home}, which has no bin/java")
        return str(command)
    found = shutil.which("java")
    if found is None:
        raise JavaError(f"{NEEDED}, and no java was found: install one, or set JAVA_HOME to where it is")
    return found


def check_java(seconds: float = VERSION_SECONDS) -> str:
    """The java command, once it has told, within this time, a version that Spark runs on.

    Raises:
        JavaError: if it does not start, tells no version, or tells another one.
    """
    command = java_command()
    # A file and not a pipe: what a script of that name has started could hold a pipe open for ever.
    with tempfile.TemporaryFile() as output:
        try:
            process = subprocess.Popen(  # noqa: S603 - the user's own java
                [command, "-version"],
                env=java_environment(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        except OSError as error:
            raise JavaError(f"{NEEDED}, and {command} does not start: {error.strerror}") from error
        try:
            process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            raise JavaError(f"{NEEDED}, and {command} tells no version within {seconds:g} s") from None
        finally:
            end_process(process, 0)
        output.seek(0)
        told = output.read(_OUTPUT_BYTES).decode("utf-8", "replace")
    version = _VERSION.search(told)
    if version is None:
        raise JavaError(f"{NEEDED}, and no java was found: {command} tells no version")
    if int(version[1]) not in SUPPORTED:
        raise JavaError(f"{NEEDED}, and {command} is Java {version[1]}: set JAVA_HOME to one of those")
    return command


def end_process(process: "subprocess.Popen[bytes]", seconds: float) -> None:
    """Ends a process that was started in a session of its own, and what it started: asked first, then killed."""
    if process.poll() is None:
        _signal_group(process, signal.SIGTERM)
        try:
            process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            _signal_group(process, getattr(signal, "SIGKILL", signal.SIGTERM))
            process.wait()


def _signal_group(process: "subprocess.Popen[bytes]", number: int) -> None:
    try:
        os.killpg(process.pid, number)
    except AttributeError:  # Windows has no groups
        process.kill()
    except OSError:
        process.send_signal(number)
