"""Ingests the files of a landing that can be listed: which are new, in which micro-batches. Free of Spark.

Which files a micro-batch has is saved before anything is written, so that a killed run's batch is finished first, with
the same files under the same number.
"""

import logging
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from pinterest_transforms.errors import LandingError
from pinterest_transforms.ingest.checkpoint_state import CheckpointState
from pinterest_transforms.ingest.ingested_files import IngestedFiles
from pinterest_transforms.ingest.landing_files import (
    FEW_NAMED,
    FileStamp,
    Listing,
    find_backward_partitions,
    format_backward_offsets,
    object_key,
    start_offsets,
)
from pinterest_transforms.ingest.micro_batch import Effects, MicroBatch, process_micro_batch

_LOG = logging.getLogger(__name__)


class Landing(Protocol):
    """The files of a topic, for a run that takes at most ``max_files`` in a micro-batch."""

    topic: str
    run_id: str
    max_files: int

    def list_files(self) -> Listing:
        """What stands below the topic's folder."""

    def why_unusable(self, path: str, stamp: FileStamp) -> str:
        """Why a file cannot be ingested; empty if it can."""

    def exists(self, path: str) -> bool:
        """Whether a listed file is still there."""

    def evaluate(self, paths: Sequence[str], batch: MicroBatch) -> AbstractContextManager[Effects]:
        """The files' records, evaluated, for one micro-batch."""


def ingest_listed(landing: Landing, state: CheckpointState, ingested: IngestedFiles) -> str:
    """Ingests files that are new or were rewritten, the oldest first.

    Returns:
        A message about files that cannot be ingested, and are looked at again in the next run; empty if all can.

    Raises:
        LandingError: a rebuild includes such a file: its rows of earlier runs would be lost.
    """
    topic, listing = landing.topic, landing.list_files()
    fields = {"run_id": landing.run_id, "topic": topic}
    for line in listing.remarks():
        _LOG.warning("%s", line, extra=fields)

    def is_new(path: str) -> bool:
        return not ingested.is_ingested(object_key(path, topic), listing.records[path])

    reasons = {path: landing.why_unusable(path, stamp) for path, stamp in listing.records.items() if is_new(path)}
    bad = {path: reason for path, reason in reasons.items() if reason}
    if bad and state.rebuild:
        raise LandingError(f"{_first_few(bad)}; nothing was read")
    good = {path: stamp for path, stamp in listing.records.items() if path not in bad}
    # What a killed run had begun is finished before anything new: by its number it is known what was counted.
    for number, paths in list(state.pending_files.items()):
        begun = fields | {"files": len(paths)}
        _LOG.info("%s: %d files that another run had begun", topic, len(paths), extra=begun)
        _ingest(landing, state, ingested, {path: good[path] for path in paths if path in good}, int(number))
    new = sorted(filter(is_new, good), key=lambda path: (good[path].modified, path))
    _LOG.info("%s: %d new files", topic, len(new), extra=fields | {"files": len(new)})
    if ingested.stamps and (line := format_backward_offsets(start_offsets(new, topic), state.last_offsets)):
        _LOG.warning("%s: %s", topic, line, extra=fields)
    size = len(new) if state.rebuild else landing.max_files
    for first in range(0, len(new), max(1, size)):
        stamps = {path: good[path] for path in new[first : first + size]}
        state.next_batch_id += 1
        _ingest(landing, state, ingested, stamps, state.next_batch_id - 1)
    state.rebuild = False
    state.save()
    return _first_few(bad)


def _first_few(bad: Mapping[str, str]) -> str:
    """A message about the first few files that cannot be ingested, and how many more there are."""
    more = f"; and {len(bad) - FEW_NAMED} more" if len(bad) > FEW_NAMED else ""
    return "; ".join(reason for _, reason in sorted(bad.items())[:FEW_NAMED]) + more


def _ingest(
    landing: Landing,
    state: CheckpointState,
    ingested: IngestedFiles,
    stamps: dict[str, FileStamp],
    number: int,
) -> None:
    state.pending_files = {str(number): sorted(stamps)}
    there = process_files(landing, state, list(stamps), number)
    ingested.add({object_key(path, landing.topic): stamps[path] for path in there})
    state.pending_files = {}
    state.save()


def process_files(landing: Landing, state: CheckpointState, paths: Sequence[str], batch_id: int) -> list[str]:
    """One micro-batch of files.

    Returns:
        Those that were there: one that was taken away since its listing cannot be had any more.
    """
    there = sorted(filter(landing.exists, paths))
    replace = state.rebuild and batch_id == 0
    starts = start_offsets(there, landing.topic)
    batch = MicroBatch(
        landing.run_id,
        batch_id,
        mode="replace" if replace else "merge",
        files=tuple(object_key(path, landing.topic) for path in there),
        check_conflicts=bool(find_backward_partitions(starts, state.last_offsets)),
    )
    if there:
        with landing.evaluate(there, batch) as effects:
            process_micro_batch(effects, state, batch)
    state.last_offsets |= {
        shard: max(greatest, state.last_offsets.get(shard, -1)) for shard, (_, greatest) in starts.items()
    }
    return there
