"""``python -m local notebook``: one notebook on this machine, as a task of a job runs it there."""

import argparse
import re
import sys
from collections.abc import Mapping
from pathlib import Path

from local.cli.command_session import open_runner
from local.kinesis.kinesis_source import KinesisSource
from pinterest_transforms.errors import SettingsError
from pinterest_transforms.settings import Settings


def select_widget_values(path: Path, given: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
    """The values of a notebook's widgets, and the names of those that it has no widget for.

    A job's parameters are pushed down to all of its tasks, and a notebook gets only its own. The catalog is
    Spark's own where none is given: the notebooks' default is one of a workspace.

    Raises:
        SettingsError: there is no such notebook.
    """
    file = path if path.suffix == ".py" else path.with_name(f"{path.name}.py")
    if not file.is_file():
        raise SettingsError(f"notebook must be an existing file, got {path}")
    text = file.read_text(encoding="utf-8", errors="replace")
    values = {"catalog": Settings.catalog, **given}
    own = {name: values[name] for name in values if re.search(rf"""["']{re.escape(name)}["']""", text)}
    return own, [name for name in given if name not in own]


def run(options: argparse.Namespace) -> None:
    """Runs the notebook; prints its exit value on standard error."""
    path = options.path
    values, others = select_widget_values(path, options.values)
    if others:
        print(f"left out, since {path.stem} has no such widget: {', '.join(others)}", file=sys.stderr)
    with open_runner(values.get("warehouse", "")) as (runner, steps):
        runner.spark.dataSource.register(KinesisSource)
        if answer := runner.run(path, values):
            with steps.pause():
                print(f"{path.stem} exits with: {runner.screen.redact(answer)}", file=sys.stderr)
