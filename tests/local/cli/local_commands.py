"""Runs ``python -m local`` as a user does."""

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

PROJECT = Path(__file__).parents[3]


@contextlib.contextmanager
def command(
    *arguments: str, folder: Path, out: int | IO[str] = subprocess.PIPE, **environment: str
) -> Iterator["subprocess.Popen[str]"]:
    process = subprocess.Popen(
        [sys.executable, "-m", "local", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(PROJECT), **environment},
        stdin=subprocess.DEVNULL,
        stdout=out,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    )
    try:
        yield process
    finally:
        # Whatever a test found: no process stays.
        process.terminate()
        process.communicate(timeout=120)


def wait_for_file(process: "subprocess.Popen[bytes] | subprocess.Popen[str]", file: Path) -> None:
    """Waits until a process has written the file."""
    while not file.exists():
        assert process.poll() is None
        time.sleep(0.05)


def run(*arguments: str, folder: Path, **environment: str) -> tuple[int | None, str, str]:
    with command(*arguments, folder=folder, **environment) as process:
        out, err = process.communicate(timeout=600)
    return process.returncode, out, err
