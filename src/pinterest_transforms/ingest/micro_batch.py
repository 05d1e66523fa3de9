"""One micro-batch of one entity: its effects in their order, for both legs. Free of Spark.

Every effect may be repeated: clean rows are written by key and position, quarantine is insert-only, ``runs`` is written
last and once per batch. A kill at any moment and a replay give the same tables and the same numbers.
"""

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, NamedTuple, Protocol

from pinterest_transforms.ingest.checkpoint_state import CheckpointState, flush_to_disk

_BEGUN = "begun"
"""Key of ``progress`` during a rebuild: the stream's last micro-batch, which a kill may have left half done."""
COUNTED = ("read", "rejected", "repaired")
"""What ``progress`` counts of a run of the stream."""


class RecordRange(NamedTuple):
    """Records that stand together: lines of one landing file, or what came of one shard.

    Attributes:
        shard: the partition or the shard.
        file: the file's object key; empty in the stream leg.
        first: position of the first one, as text of the leg's width.
        last: position of the last one.
        arrived: when the file was modified, in microseconds since 1970; 0 in the stream leg.
    """

    shard: str
    file: str
    first: str
    last: str
    arrived: int = 0


@dataclass(frozen=True)
class MicroBatch:
    """Which micro-batch this is, and how it is written.

    Attributes:
        run_id: the run, as its caller named it.
        batch_id: number of the micro-batch in its query.
        mode: ``merge`` the records into the tables, or ``replace`` what was made of them before.
        files: object keys of all files read; needed to replace.
        check_conflicts: whether its positions may stand in the tables with another content.
        archive: whether records are kept as they came, because their source deletes them.
    """

    run_id: str
    batch_id: int
    mode: Literal["merge", "replace"] = "merge"
    files: tuple[str, ...] = ()
    check_conflicts: bool = False
    archive: bool = False


@dataclass(frozen=True)
class Counts:
    """How many records a micro-batch has.

    Attributes:
        lines: lines or stream records, blank ones too.
        read: records; those of them that are ``rejected``, ``repaired``, or have ``unknown`` fields.
        first_arrival: when the oldest one arrived, in microseconds since 1970; of a stream.
        last_arrival: when the newest one arrived.
    """

    lines: int = 0
    read: int = 0
    rejected: int = 0
    repaired: int = 0
    unknown: int = 0
    first_arrival: int = 0
    last_arrival: int = 0


@dataclass(frozen=True)
class RunCounts:
    """What became of a micro-batch's records, for its row of ``runs``."""

    read: int
    merged: int
    already_there: int
    rejected: int
    repaired: int


class Effects(Protocol):
    """What a micro-batch does to the tables, and reads from them. Its records are evaluated already."""

    @property
    def counts(self) -> Counts:
        """Counts of its records."""

    def read_clean_version(self) -> int:
        """Version of the clean table."""

    def count_conflicts(self) -> int:
        """Positions of the batch at which the tables hold another content."""

    def has_quarantined(self) -> bool:
        """Whether quarantine holds records of this topic."""

    def archive_raw(self, *, may_exist: bool) -> None:
        """Appends the records as they came; where some may be there already, those that are not."""

    def write_quarantine(self, *, may_exist: bool) -> None:
        """Adds rejected and repaired records; where some may be there already, those that are not.

        Replaces the topic's where the batch replaces.
        """

    def write_clean(self, since: int) -> int:
        """Writes the latest version of each key in one commit: by key and position, or in place of what was there.

        Returns:
            How many records became a row, in this commit or in those of a killed run after version ``since``.
        """

    def count_unknown_fields(self) -> dict[str, int]:
        """Fields that no schema knows, and how many records have them."""

    def find_recorded_read(self) -> int | None:
        """``read`` of the batch's row in ``runs``; None if there is no row."""

    def remove_run(self) -> None:
        """Deletes the batch's row of ``runs``."""

    def append_run(self, started: datetime, seconds: float, counts: RunCounts, unknown: dict[str, int]) -> None:
        """Adds the batch's row to ``runs``."""


def process_micro_batch(effects: Effects, state: CheckpointState, batch: MicroBatch) -> Counts:
    """Archives, quarantines and merges the records of a micro-batch, then records what became of them.

    Args:
        effects: the batch's effects on the tables.
        state: the checkpoint's state; saved before anything is written.
        batch: which micro-batch.

    Returns:
        Counts of the records.
    """
    started, clock, counts = datetime.now(UTC), time.monotonic(), effects.counts
    replaces = batch.mode == "replace"  # then what was there before must go, even if nothing comes in its place
    if counts.read == 0 and not replaces and not (batch.archive and counts.lines):
        return counts
    number = str(batch.batch_id)
    # A checkpoint that has lost its last notes gives batches again that were done, not the one begun last alone.
    replay = number in state.before or 0 <= batch.batch_id < max(map(int, state.before), default=0)
    if batch.check_conflicts and not replay:  # a replay finds its own rows
        state.conflicts += effects.count_conflicts()
    # A stream's records that arrived after all that were read are nowhere yet.
    known_until = max(float(state.progress.get(name, 0.0)) for name in ("known_until", "arrived"))
    may_exist = replay or not batch.archive or counts.first_arrival / 1e6 <= known_until
    bad, quarantined = counts.rejected + counts.repaired, False
    if bad:
        if may_exist:  # what a killed run wrote counts too: it had saved so before
            quarantined = effects.has_quarantined() if state.has_quarantined is None else state.has_quarantined
        state.has_quarantined = True
    since = state.before[number] if number in state.before else effects.read_clean_version()
    if not replay:
        state.before = {number: since}
    state.save()
    if batch.archive:
        effects.archive_raw(may_exist=may_exist)
    if bad or replaces:
        effects.write_quarantine(may_exist=quarantined)
    usable, merged = counts.read - counts.rejected, 0
    if usable or replaces:
        # Where files have changed since a kill, the killed run may have written records that are no longer read.
        merged = min(effects.write_clean(since), usable)
    if counts.read and not (replay and _is_recorded(effects)):
        unknown = effects.count_unknown_fields() if counts.unknown else {}
        became = RunCounts(counts.read, merged, usable - merged, counts.rejected, counts.repaired)
        effects.append_run(started, round(time.monotonic() - clock, 3), became, unknown)
    return counts


def _is_recorded(effects: Effects) -> bool:
    """True if the killed run had written the batch's row.

    Where a checkpoint has lost its last offsets, the batch has more records than then: its row is written again.
    """
    recorded = effects.find_recorded_read()
    if recorded is not None and recorded != effects.counts.read:
        effects.remove_run()
        return False
    return recorded is not None


def begin_run(state: CheckpointState, run_id: str) -> None:
    """Starts to count a run of the stream, in ``state.progress``."""
    zeros = dict.fromkeys(("batches", *COUNTED, "at"), 0.0)
    state.progress |= {"run_id": run_id, "began": time.time(), **zeros}
    state.save()


def process_stream_batch(effects: Effects, state: CheckpointState, batch: MicroBatch) -> Counts:
    """Processes a micro-batch, and saves how far the stream is: on the disk before Spark notes that it is done."""
    counts, progress = process_micro_batch(effects, state, batch), state.progress
    progress["batches"] = float(progress["batches"]) + 1
    for name in COUNTED:
        progress[name] = float(progress[name]) + getattr(counts, name)
    progress["arrived"] = max(float(progress["arrived"]), counts.last_arrival / 1e6)
    progress["at"] = time.time()
    flush_to_disk()
    state.save()
    return counts


def begin_rebuild(state: CheckpointState, tables: dict[str, str]) -> None:
    """Notes that the stream's tables are to be made again from the raw archive.

    Args:
        state: the checkpoint's state.
        tables: ids of the tables it fills.
    """
    state.tables, state.commits, state.rebuild = tables, {}, True
    state.next_batch_id -= 1
    for number in state.before:
        if int(number) >= 0:
            state.progress[_BEGUN] = float(number)
    state.save()


def rebuild_batch(state: CheckpointState, run_id: str) -> MicroBatch:
    """The micro-batch that replaces what was made of the raw archive, or goes on with one that was killed."""
    state.next_batch_id = min(state.next_batch_id, -1)  # in a new checkpoint: 0 is the stream's own first batch
    return MicroBatch(run_id, state.next_batch_id, mode="replace")


def process_rebuild(effects: Effects, state: CheckpointState, batch: MicroBatch) -> None:
    """Makes the tables again from the raw archive."""
    process_micro_batch(effects, state, batch)
    if _BEGUN in state.progress:
        # Some of that batch may be archived and counted: should it come again, it is to be taken for begun.
        state.before = {str(int(state.progress.pop(_BEGUN))): effects.read_clean_version()}
    state.rebuild = False
    flush_to_disk()
    state.save()
