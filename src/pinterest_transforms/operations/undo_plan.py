"""Which records an undo takes away, what it needs of the others, and the order of its effects. Free of Spark.

``runs`` says which positions each micro-batch has read. A record belongs to the run that read it first: a file that is
read again unchanged (after a rebuild, with a new checkpoint) comes no second time, one that was rewritten does.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from pinterest_transforms.errors import UndoError
from pinterest_transforms.ingest.micro_batch import RecordRange


@dataclass(frozen=True)
class RecordedBatch:
    """A row of ``runs``.

    Attributes:
        run_id: the run.
        query_id: the query.
        ranges: the records that were read; None in a row of a library version that did not note them.
        undone: whether the run was undone.
    """

    run_id: str
    query_id: str
    ranges: tuple[RecordRange, ...] | None
    undone: bool = False


@dataclass(frozen=True)
class UndoPlan:
    """What undoing a run means for one topic.

    Attributes:
        ranges: the records that go: no other run has brought them.
        files: what is left of each landing file that other runs have read, by its object key; ``arrived`` is when the
            file was modified when it was last read. None in the stream leg.
    """

    ranges: tuple[RecordRange, ...]
    files: Mapping[str, RecordRange]

    def find_missing(self, present: Mapping[str, int]) -> list[RecordRange]:
        """The files that are gone, or were rewritten since they were read.

        Args:
            present: when each file of the landing was modified, by its object key.
        """
        return [one for key, one in self.files.items() if present.get(key) != one.arrived]


def order_batches(batches: Iterable[RecordedBatch], queries: Sequence[str]) -> list[RecordedBatch]:
    """Rows of ``runs`` in the order of their checkpoints, also where the clock was set back between two of them.

    Args:
        batches: the rows by their times, the oldest first.
        queries: queries of the checkpoints, the earliest first; those that are not known came before.
    """
    known = {query: number for number, query in enumerate(queries, start=1)}
    return sorted(batches, key=lambda batch: known.get(batch.query_id, 0))


def plan_undo(topic: str, batches: Sequence[RecordedBatch], run_id: str) -> UndoPlan:
    """What undoing a run means for a topic.

    Args:
        topic: the topic, for messages.
        batches: the topic's rows of ``runs``, the oldest first.
        run_id: the run.

    Raises:
        UndoError: rows of an older library version do not say which records were read.
    """
    _check_recorded(topic, batches, run_id)
    known = [batch for batch in batches if batch.ranges is not None]
    if any(one.file for batch in known for one in batch.ranges or ()):
        return _plan_files(known, run_id)
    return UndoPlan(tuple(_own_positions(known, run_id)), {})


def _check_recorded(topic: str, batches: Sequence[RecordedBatch], run_id: str) -> None:
    unknown = {batch.query_id for batch in batches if batch.ranges is None}
    if not unknown:
        return
    newest = batches[-1].query_id
    first = next((batch.run_id for batch in batches if batch.query_id == newest and batch.ranges is not None), "")
    # A checkpoint that begins after older runs reads again what they had read: that is not this run's own.
    if newest in unknown or run_id == first or any(one.run_id == run_id and one.ranges is None for one in batches):
        raise UndoError(
            f"run {run_id}: runs of {topic} must say which records they have read, got some of an older library "
            "version, or the first one after them: runs after the next rebuild can be undone"
        )


def _plan_files(batches: Sequence[RecordedBatch], run_id: str) -> UndoPlan:
    owners: dict[tuple[str, int], RecordedBatch] = {}
    own: dict[str, RecordRange] = {}
    left: dict[str, RecordRange] = {}
    arrived: dict[str, int] = {}
    for batch in batches:
        for one in batch.ranges or ():
            owner = owners.setdefault((one.file, one.arrived), batch)
            arrived[one.file] = max(one.arrived, arrived.get(one.file, 0))
            kept = own if owner.run_id == run_id else {} if owner.undone else left
            # A file only grows: a later version of it has the lines of the earlier ones.
            kept[one.file] = max(one, kept.get(one.file, one), key=lambda version: version.last)
    ranges = []
    for file, one in own.items():
        first = _after(left[file].last) if file in left else one.first
        if first <= one.last:
            ranges.append(one._replace(first=first, arrived=arrived[file]))
    return UndoPlan(tuple(ranges), {file: one._replace(arrived=arrived[file]) for file, one in left.items()})


def _own_positions(batches: Sequence[RecordedBatch], run_id: str) -> Iterable[RecordRange]:
    """Positions of the run that no earlier checkpoint has read. A checkpoint reads a shard on and on."""
    read: dict[tuple[str, str], RecordRange] = {}
    own: dict[tuple[str, str], list[RecordRange]] = {}
    last_run: dict[tuple[str, str], str] = {}
    for batch in batches:
        for one in batch.ranges or ():
            place = batch.query_id, one.shard
            if batch.run_id == run_id:
                found = own.setdefault(place, [])
                if found and last_run[place] == run_id:
                    found[-1] = found[-1]._replace(last=max(one.last, found[-1].last))
                else:
                    found.append(one)
            last_run[place] = batch.run_id
            before = read.get(place, one)
            read[place] = one._replace(first=min(before.first, one.first), last=max(before.last, one.last))
    queries = list(dict.fromkeys(batch.query_id for batch in batches))
    for (query, shard), ranges in own.items():
        earlier = [read[other, shard] for other in queries[: queries.index(query)] if (other, shard) in read]
        for one in ranges:
            yield from _without(one, earlier)


def _without(one: RecordRange, others: Sequence[RecordRange]) -> list[RecordRange]:
    """The parts of a range that no other one covers."""
    parts = [one]
    for other in others:
        cut = []
        for part in parts:
            if part.first < other.first:
                cut.append(part._replace(last=min(part.last, _after(other.first, -1))))
            if part.last > other.last:
                cut.append(part._replace(first=max(part.first, _after(other.last))))
        parts = cut
    return parts


def _after(position: str, distance: int = 1) -> str:
    return str(int(position) + distance).zfill(len(position))


class UndoEffects(Protocol):
    """What an undo does to the tables of one topic. Each effect may be repeated."""

    def note_undone(self) -> None:
        """Notes the records in ``undone``: no later run reads them."""

    def restore_clean(self) -> None:
        """Replaces the rows that are made of these records by the latest other version of their keys, in one commit."""

    def remove_quarantined(self) -> None:
        """Removes the records from ``quarantine``."""

    def remove_raw(self) -> None:
        """Removes the records from the raw archive, where there is one."""

    def mark_undone(self) -> None:
        """Says in ``runs`` that the run was undone."""


def apply_undo(topics: Sequence[UndoEffects], refresh: Callable[[], object]) -> None:
    """Undoes a run in its topics; after a kill at any moment, again from the start.

    Args:
        topics: the effects on each topic.
        refresh: computes the answers again.
    """
    for effects in topics:
        effects.note_undone()
    for effects in topics:
        effects.restore_clean()
        effects.remove_quarantined()
        effects.remove_raw()
    refresh()
    for effects in topics:
        effects.mark_undone()
