"""Finds the Java that Spark will use and says in one line when it is not the right one."""

import os
import re
import shutil
import subprocess
from pathlib import Path

from pinterest_transforms.errors import PinterestError

SUPPORTED = (17, 21)
NEEDED = "Java 17 or 21 is needed"
_VERSION = re.compile(r'version "(?:1\.)?(\d+)')
_SECONDS = 30


class JavaError(PinterestError):
    """There is no Java, or not one that Spark runs on."""


def java_command() -> str:
    """The java that Spark's own scripts take: of ``JAVA_HOME``, else the first on the path.

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


def check_java() -> str:
    """The java command, once it has told a version that Spark runs on.

    Raises:
        JavaError: if it does not start, tells no version, or tells another one.
    """
    command = java_command()
    try:
        asked = subprocess.run(  # noqa: S603 - the user's own java
            [command, "-version"], capture_output=True, text=True, errors="replace", timeout=_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise JavaError(f"{NEEDED}, and {command} does not start: {error}") from error
    version = _VERSION.search(asked.stderr + asked.stdout)
    if version is None:
        raise JavaError(f"{NEEDED}, and no java was found: {command} tells no version")
    if int(version[1]) not in SUPPORTED:
        raise JavaError(f"{NEEDED}, and {command} is Java {version[1]}: set JAVA_HOME to one of those")
    return command
