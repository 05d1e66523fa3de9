"""What commands start: a session of Spark or a runner of notebooks, with progress on standard error; the emulation."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from pyspark.sql import SparkSession

from local.cli.step_progress import StepProgress
from local.runtime.java import end_process, start_process
from local.runtime.spark_session import start_local_session
from pinterest_transforms.errors import PinterestError

if TYPE_CHECKING:
    from local.notebooks.notebook_runner import Runner


@contextmanager
def open_session(
    warehouse: str | Path, extra: Mapping[str, str] | None = None, *, quiet: bool = False
) -> Iterator[tuple[SparkSession, StepProgress]]:
    """A session and progress; ``extra`` are Spark settings that win. The command line stops the session."""
    with StepProgress(quiet=quiet) as steps:
        steps("starting Spark")
        yield start_local_session(warehouse, extra=extra), steps


@contextmanager
def open_runner(
    warehouse: str | Path, extra: Mapping[str, str] | None = None
) -> Iterator[tuple["Runner", StepProgress]]:
    """A runner of notebooks with its session and screen, and progress."""
    with open_session(warehouse, extra) as (spark, steps):
        # Not before: pandas is slow to import, and is imported while Java starts.
        from local.notebooks.display import Screen  # noqa: PLC0415
        from local.notebooks.notebook_runner import Runner  # noqa: PLC0415

        screen = Screen()
        screen.pause = steps.pause
        yield Runner(spark, screen, progress=steps), steps


def run_emulation(
    *arguments: str, environment: Mapping[str, str], progress: Callable[[str], object] = lambda _: None
) -> None:
    """Runs ``python -m emulation`` with these variables besides; it ends with this process.

    ``progress`` is called with each line that it prints.

    Raises:
        PinterestError: it fails; with what it prints last.
    """
    command, variables, line = [sys.executable, "-m", "emulation", *arguments], {**os.environ, **environment}, "nothing"
    process = start_process(command, output=subprocess.PIPE, stdin=subprocess.DEVNULL, environment=variables)
    try:
        for printed in process.stdout or ():
            line = printed.decode("utf-8", "replace").strip() or line
            if not line.startswith("error: "):  # which is raised
                progress(line)
        code = process.wait()
    finally:
        end_process(process)
    if code:
        raise PinterestError(f"emulation {arguments[0]} must succeed, got: {line.removeprefix('error: ')}")
