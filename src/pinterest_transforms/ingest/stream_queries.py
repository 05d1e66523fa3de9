"""Monitors the streams' queries: describes their progress, stops them together, and raises the failure of one."""

import logging
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from pyspark.sql.streaming.query import StreamingQuery

from pinterest_transforms.entities import Entity
from pinterest_transforms.error_format import one_line
from pinterest_transforms.errors import PinterestError, StreamError
from pinterest_transforms.ingest.checkpoint_files import check_query_error
from pinterest_transforms.ingest.checkpoint_state import load_state
from pinterest_transforms.ingest.delta_effects import IngestContext
from pinterest_transforms.ingest.micro_batch import COUNTED
from pinterest_transforms.settings import Settings

_LOG = logging.getLogger(__name__)
NEW_CHECKPOINT = (
    "new_checkpoint begins at the initial position again; records that are there already are found by position"
)
_GLANCE = 0.2
"""Seconds between two looks at the queries."""
_GRACE = 60.0
"""Seconds that a micro-batch has to come to its end, when a stop is requested."""
_TOLD_EVERY = 15.0
"""Seconds between two lines about a query that runs on."""


@dataclass
class RunningQuery:
    """A query that is watched."""

    context: IngestContext
    query: StreamingQuery
    failures: list[Exception]
    batches: float
    told: float = field(default_factory=time.monotonic)


def watch(running: list[RunningQuery], restart: Callable[[IngestContext], RunningQuery] | None, stop: Path) -> None:
    """Monitors the queries until all have ended, one fails, or a stop is requested.

    Args:
        running: the queries; those that are started meanwhile are added.
        restart: starts a query whose pass may have left something; None where queries run on by themselves.
        stop: the file whose appearance stops them.

    Raises:
        CheckpointError: Spark could not read a query's checkpoint.
        StreamError: a query has failed.
    """
    left, began = list(running), time.time()
    while left:
        for one in list(left):
            if one.query.isActive:
                _log_progress(one)
                continue
            _raise_of(one)
            one.context.state.reload()  # over Spark Connect the batches ran elsewhere
            left.remove(one)
            seen = one.context.state.progress
            if restart and seen["batches"] != one.batches and float(seen["arrived"]) < began:
                # A pass takes a limited amount: another one sees whether something is left of before this run.
                left.append(restart(one.context))
                running.append(left[-1])
        if stop.exists():
            _LOG.info("stopping, as requested", extra={"run_id": running[0].context.run_id})
            until = time.monotonic() + _GRACE
            while time.monotonic() < until and any(_is_busy(one.query) for one in left):
                time.sleep(_GLANCE)
            return
        time.sleep(_GLANCE)


def _is_busy(query: StreamingQuery) -> bool:
    """True in the middle of a micro-batch: cut off, it would only be done again."""
    return query.isActive and query.status["message"] == "Processing new data"


def _log_progress(one: RunningQuery) -> None:
    if time.monotonic() - one.told < _TOLD_EVERY:
        return
    one.told = time.monotonic()
    state = load_state(one.context.settings.checkpoint(one.context.entity))
    counts = {name: int(state.progress[name]) for name in COUNTED if state and name in state.progress}
    line = describe_progress(one.context.settings, one.context.entity)
    _LOG.info("%s", line, extra=one.context.log_fields | counts)


def describe_progress(settings: Settings, entity: Entity) -> str:
    """How far a stream's run is, in a line: records, records a second, how late the newest was, rejected, repaired.

    It does not use Spark, so it can be called at any time by anybody who can read the checkpoints.
    """
    state, name = load_state(settings.checkpoint(entity)), settings.clean_table(entity)
    if state is None or not state.progress.get("at"):
        return f"{name}: nothing new yet"
    seen = {key: float(value) for key, value in state.progress.items() if key != "run_id"}
    rate, late = seen["read"] / max(0.001, seen["at"] - seen["began"]), max(0.0, seen["at"] - seen["arrived"])
    numbers = f"{seen['read']:,.0f} records, {rate:,.0f}/s, {late:.1f} s behind"
    return f"{name}: {numbers}, {seen['rejected']:,.0f} rejected, {seen['repaired']:,.0f} repaired"


def _raise_of(one: RunningQuery) -> None:
    error = one.query.exception()
    if error is None:
        return
    if one.failures and isinstance(one.failures[0], PinterestError):
        raise one.failures[0]
    if not one.failures:
        check_query_error(error, one.context.settings.checkpoint(one.context.entity), NEW_CHECKPOINT)
    # The most telling line of the failure is that of the source, if the source raised it.
    found = re.search("StreamError: (.*)", str(error))
    name, reason = one.context.settings.stream(one.context.entity), found[1].strip() if found else one_line(error)
    raise StreamError(f"{name}: {reason}") from (one.failures[0] if one.failures else error)


def stop_all(running: list[RunningQuery]) -> None:
    """Ends the queries that still run."""
    for one in running:
        if one.query.isActive:
            one.query.stop()
