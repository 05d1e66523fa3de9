"""``python -m local undo``: undoes a run of either leg, in a warehouse on this machine."""

import argparse

from local.cli.command_session import open_session
from local.cli.erase_command import find_legs
from pinterest_transforms.entities import ENTITIES
from pinterest_transforms.errors import UndoError
from pinterest_transforms.operations.summaries import read_runs
from pinterest_transforms.operations.undo import undo_run
from pinterest_transforms.settings import Leg
from pinterest_transforms.tables.creation import ensure_tables


def run(options: argparse.Namespace) -> None:
    """Undoes the run in the leg that it is of; prints what was done to each topic.

    Raises:
        BusyError: a run is not finished.
        UndoError: the run cannot be undone.
    """
    found = find_legs(options)
    with open_session(options.warehouse) as (spark, steps):
        leg = _find_leg([Leg(spark, settings) for settings in found], options.run_id)
        steps(f"undoing run {options.run_id}")
        done = undo_run(leg, ENTITIES, options.run_id, allow_losses=options.allow_losses)
    width = max(len(one.topic) for one in done)
    for one in done:
        removed = one.keys - one.restored
        print(f"{one.topic:<{width}}  {removed:>9,} rows removed  {one.restored:>9,} restored")


def _find_leg(legs: list[Leg], run_id: str) -> Leg:
    for leg in legs:
        ensure_tables(leg)
        if read_runs(leg, run_id).head(1):
            return leg
    tables = " or ".join(f"{leg.settings.schema}.runs" for leg in legs)
    raise UndoError(f"run must be the run_id of a row of {tables}, got {run_id!r}")
