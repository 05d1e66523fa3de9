"""Undoes a run: the tables become what they would be if its files or records had never come; later runs are kept.

A row that the run has written is replaced by the latest other version of its key, from the landing or the raw archive.
The run's records are listed in ``undone``, so that no replay, rebuild or new checkpoint reads them again.
"""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from pinterest_transforms.entities import ENTITIES, Entity
from pinterest_transforms.errors import UndoError
from pinterest_transforms.ingest.checkpoint_files import has_unfinished_batch
from pinterest_transforms.ingest.checkpoint_state import CheckpointState, load_state
from pinterest_transforms.ingest.excluded_records import range_values, read_excluded
from pinterest_transforms.ingest.micro_batch import RecordRange
from pinterest_transforms.operations.undo_effects import UndoTopic, open_undo
from pinterest_transforms.operations.undo_plan import RecordedBatch, apply_undo, order_batches, plan_undo
from pinterest_transforms.settings import EntityLeg, Leg
from pinterest_transforms.tables import answer_tables, table_access
from pinterest_transforms.tables.definitions import RUNS_TABLE, UNDONE_TABLE
from pinterest_transforms.tables.locks import entity_lock
from pinterest_transforms.tables.table_access import create_frame


@dataclass(frozen=True)
class UndoneTopic:
    """What undoing a run has done to one topic.

    Attributes:
        topic: the topic or stream.
        keys: rows of the clean table that the run had written.
        restored: those of them that another version took the place of; the others were removed.
    """

    topic: str
    keys: int
    restored: int


def undo_run(
    leg: Leg, entities: Sequence[Entity], run_id: str, *, allow_losses: bool = False, refresh: bool = True
) -> list[UndoneTopic]:
    """Undoes a run, or finishes an undo that was killed.

    On one machine a run that is not finished is refused by its lock. On Databricks pause the leg's job before.

    Args:
        leg: session, names and places; ``creation.set_up`` was run; of the batch leg with ``landing``.
        entities: the kinds of record; of others nothing is undone.
        run_id: the run, as ``runs`` names it.
        allow_losses: go on where files or raw records that may hold other versions are gone.
        refresh: compute the answers again; a job has a task for it.

    Returns:
        What was done, one item per topic that the run has read.

    Raises:
        BusyError: a run of one of the entities is not finished.
        UndoError: there is no such run, it was undone before, or what is needed is gone.
    """
    with entity_lock(leg.settings, *entities), ExitStack() as stack:
        recorded = _recorded_batches(leg)
        own = {topic: [one for one in found if one.run_id == run_id] for topic, found in recorded.items()}
        if not any(own.get(one.source_name) for one in map(leg.for_entity, ENTITIES)):
            raise UndoError(f"run must be the run_id of a row of {leg.settings.schema}.runs, got {run_id!r}")
        read = [one for one in map(leg.for_entity, entities) if own.get(one.source_name)]
        begun = [one for one in read if not all(batch.undone for batch in own[one.source_name])]
        if read and not begun:
            raise UndoError(f"run {run_id} was undone before")
        topics = [_open_topic(one, recorded, run_id) for one in begun]
        effects = [stack.enter_context(open_undo(topic, allow_losses=allow_losses)) for topic in topics]
        done = [UndoneTopic(one.topic.name, one.keys.count(), one.found.count()) for one in effects]
        apply_undo(effects, lambda: answer_tables.refresh_answers(leg) if refresh else None)
        return done


def undone_frame(spark: SparkSession, done: Sequence[UndoneTopic]) -> DataFrame:
    """What was undone as a frame: topic, keys, restored, removed."""
    rows = [{**vars(one), "removed": one.keys - one.restored} for one in done]
    return create_frame(spark, rows, "struct<topic: string, keys: bigint, restored: bigint, removed: bigint>")


def _recorded_batches(leg: Leg) -> dict[str, list[RecordedBatch]]:
    """Rows of ``runs`` by topic, the oldest first."""
    rows = table_access.read(leg, RUNS_TABLE).orderBy("started", "batch_id")
    values = ("topic", "run_id", "query_id", F.transform("sources", range_values), F.col("undone_at").isNotNull())
    found: dict[str, list[RecordedBatch]] = {}
    for topic, run_id, query_id, sources, undone in rows.select(*values).collect():
        ranges = None if sources is None else tuple(RecordRange(*source) for source in sources)
        found.setdefault(topic, []).append(RecordedBatch(run_id, query_id, ranges, undone))
    return found


def _open_topic(leg: EntityLeg, recorded: dict[str, list[RecordedBatch]], run_id: str) -> UndoTopic:
    """The plan for a topic that no other run or undo has left half done."""
    topic, state = leg.source_name, load_state(leg.checkpoint) or CheckpointState("")
    if state.pending_files or state.rebuild or has_unfinished_batch(leg.checkpoint):
        raise UndoError(
            f"run {run_id}: all micro-batches of {topic} must be finished, got one that a killed run has begun: "
            "run the batch or the stream again before"
        )
    if state.conflicts:
        raise UndoError(
            f"run {run_id}: files of {topic} must only grow, got {state.conflicts:,} records at offsets that were "
            "taken with another content: run with --rebuild before"
        )
    undone = read_excluded(leg, UNDONE_TABLE)
    if undone is not None:
        marked = {one.run_id for one in recorded[topic] if one.undone} | {run_id}
        noted = undone.where(F.col("topic") == topic).select("run_id").distinct()
        for other in sorted(row["run_id"] for row in noted.collect() if row["run_id"] not in marked):
            raise UndoError(f"run {other} must be undone before, got an undo of it that was not finished")
    batches = order_batches(recorded[topic], [*state.earlier_queries, state.query_id])
    return UndoTopic(leg, run_id, plan_undo(topic, batches, run_id))
