"""Runs a command of the emulation in another process, as a user does."""

import os
import subprocess
import sys
from collections.abc import Mapping

from pinterest_transforms.errors import PinterestError


def run_emulation(*arguments: str, environment: Mapping[str, str]) -> str:
    """Runs ``python -m emulation`` with these variables besides; the last line that it prints.

    Raises:
        PinterestError: it fails; with what it prints last.
    """
    done = subprocess.run(  # noqa: S603 - this project's own command
        [sys.executable, "-m", "emulation", *arguments],
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    lines = done.stdout.strip().splitlines() or ["nothing"]
    if done.returncode:
        raise PinterestError(f"emulation {arguments[0]} must succeed, got: {lines[-1].removeprefix('error: ')}")
    return lines[-1]
