"""Ingests the streams: one query per entity, side by side, until nothing is left or a stop is requested.

A micro-batch archives its records as they came, then does what a batch of the landing does. Rows are compared
by position, so a batch that is run again, or a stream that is read again, changes nothing.
"""

import logging
import time
import uuid
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from pyspark.sql import DataFrame, SparkSession

from pinterest_transforms.entities import Entity
from pinterest_transforms.error_format import one_line
from pinterest_transforms.errors import CheckpointError, StreamError, TableError
from pinterest_transforms.ingest import kinesis
from pinterest_transforms.ingest.checkpoint_state import (
    CheckpointState,
    has_begun,
    load_state,
    open_state,
)
from pinterest_transforms.ingest.delta_effects import IngestContext, configure_batch_logging, evaluate
from pinterest_transforms.ingest.excluded_records import read_undone
from pinterest_transforms.ingest.kinesis import AVAILABLE_NOW, TRIM_HORIZON, KinesisSourceConfig
from pinterest_transforms.ingest.micro_batch import (
    MicroBatch,
    begin_rebuild,
    begin_run,
    process_rebuild,
    process_stream_batch,
    rebuild_batch,
)
from pinterest_transforms.ingest.stream_queries import NEW_CHECKPOINT, RunningQuery, stop_all, watch
from pinterest_transforms.settings import EntityLeg, Leg
from pinterest_transforms.tables import raw_archive, table_access, writers
from pinterest_transforms.tables.commits import check_commits, last_commit, last_commit_ids
from pinterest_transforms.tables.definitions import QUARANTINE_TABLE, RUNS_TABLE, raw_table
from pinterest_transforms.tables.locks import entity_lock

if TYPE_CHECKING:
    from mypy_boto3_kinesis import KinesisClient

_LOG = logging.getLogger(__name__)
_COMPACT_EVERY = 50
"""Micro-batches after which small files are joined, on one machine."""
_RAW_FIRST = "rebuild makes the tables again of the raw records that are kept"


def ingest_streams(
    leg: Leg, entities: Sequence[Entity], run_id: str, source: KinesisSourceConfig, client: "KinesisClient"
) -> None:
    """Cleans and merges the records of the streams, one query each.

    With the trigger ``available_now`` it ends when nothing is left; else when one query fails, which stops the others,
    or when the file ``settings.stop_file`` appears.

    Args:
        leg: the stream leg; ``creation.set_up`` was run.
        entities: the kinds of record.
        run_id: name of this run, for ``runs``.
        source: how the streams are read.
        client: identifies the streams.

    Raises:
        BusyError: another run of one of the entities is not finished.
        CheckpointError: a checkpoint belongs to other tables or another stream.
        StreamError: a stream is not there, or records between the last read and what it still holds may be lost.
    """
    stop = Path(leg.settings.stop_file(entities[0]))
    with entity_lock(leg.settings, *entities), ExitStack() as stack:
        # Not before: a run that finds another one busy must not take back what that one was asked.
        stop.unlink(missing_ok=True)
        contexts = []
        for one in map(leg.for_entity, entities):
            state = _open_state(one, source, kinesis.describe_stream(client, one.source_name))
            contexts.append(_context(one, run_id, state))
        for context in contexts:
            if context.state.rebuild:
                _rebuild(context.leg(leg.spark), context)
            begin_run(context.state, run_id)
        running: list[RunningQuery] = []
        begun = [dict(context.state.before) for context in contexts]
        stack.callback(stop_all, running)
        for context in contexts:
            _LOG.info("%s: starting the stream", context.topic, extra=context.log_fields)
            running.append(_start_query(leg.spark, context, source))
        again = partial(_start_query, leg.spark, source=source) if source.trigger == AVAILABLE_NOW else None
        watch(running, again, stop)
        for context, before in zip(contexts, begun, strict=True):
            context.state.reload()  # over Spark Connect the batches ran elsewhere
            if context.state.before != before:
                _save_commits(leg, context)


def rebuild_streams(leg: Leg, entities: Sequence[Entity], run_id: str, *, allow_losses: bool = False) -> None:
    """Makes the clean tables and quarantine again of the raw records that are kept, by position.

    Rows of raw records that were purged stay as they are.

    Args:
        leg: the stream leg; ``creation.set_up`` was run.
        entities: the kinds of record.
        run_id: name of this run, for ``runs``.
        allow_losses: fill an empty table from the remaining raw records, though the first ones were purged.

    Raises:
        BusyError: another run of one of the entities is not finished.
        CheckpointError: the raw records are not those of the checkpoint.
        TableError: a clean table is empty, and the first raw records were purged.
    """
    with entity_lock(leg.settings, *entities):
        for one in map(leg.for_entity, entities):
            gone = raw_archive.purged_before(one)
            if gone and not allow_losses and not table_access.read(one, one.clean_table).head(1):
                raise TableError(
                    f"cannot rebuild the empty table {one.settings.schema}.{one.clean_table}: raw records before "
                    f"{gone} were purged; set allow_losses=true to use the rest"
                )
            state = load_state(one.checkpoint) or CheckpointState(f"{one.checkpoint}.json", uuid.uuid4().hex)
            name, ids = raw_table(one.settings), _ids(one)
            if state.tables.get(name, ids[name]) != ids[name]:
                raise CheckpointError(
                    f"table {one.settings.schema}.{name} must be the one that the streams were read into, got another: "
                    f"nothing can be made of it again; {NEW_CHECKPOINT}"
                )
            if name in state.commits:
                check_commits(one, {name: state.commits[name]}, NEW_CHECKPOINT)
            begin_rebuild(state, ids)
            context = _context(one, run_id, state)
            _rebuild(one, context)
            _save_commits(one, context)


def _rebuild(leg: EntityLeg, context: IngestContext) -> None:
    """Replaces what was made of the raw records by what they give now; goes on with one that was killed."""
    _LOG.info("%s: made again of raw records", leg.clean_table, extra=context.log_fields)
    batch = rebuild_batch(context.state, context.run_id)
    with evaluate(context, batch, raw_archive.read_records(leg)) as effects:
        process_rebuild(effects, context.state, batch)


def _context(leg: EntityLeg, run_id: str, state: CheckpointState) -> IngestContext:
    return IngestContext(leg.settings, leg.entity, run_id, state, read_undone(leg))


def _save_commits(leg: Leg, context: IngestContext) -> None:
    """Keeps what the tables hold at the end of a run, for the next one to find again."""
    context.state.commits = last_commit_ids(leg, context.state.tables)
    context.state.save()


def _ids(leg: EntityLeg) -> dict[str, str]:
    names = (leg.clean_table, QUARANTINE_TABLE, RUNS_TABLE, raw_table(leg.settings))
    return table_access.read_table_ids(leg, *names)


def _open_state(leg: EntityLeg, source: KinesisSourceConfig, stream: kinesis.StreamInfo) -> CheckpointState:
    """The checkpoint's state; a checkpoint that is new must not leave a gap behind what was read before it."""
    new, name = source.new_checkpoint or not has_begun(leg.checkpoint), raw_table(leg.settings)
    tables = (leg.clean_table, QUARANTINE_TABLE, name)
    # Nothing is asked of tables that nobody has written to.
    written = new and not all(last_commit(leg, table).is_creation for table in tables)
    newest = raw_archive.read_newest_arrival(leg) if written else None
    gone = raw_archive.purged_before(leg) if written and newest is None else ""
    last = datetime.fromisoformat(gone).replace(tzinfo=UTC).timestamp() if gone else newest
    if last is not None and not source.allow_losses:
        _check_gap(leg.source_name, source, stream, last)
    has_rows = bool(written and newest is None and table_access.read(leg, leg.clean_table).head(1))
    if has_rows:
        raw_archive.record_purge(leg, datetime.now(UTC))
    ids = _ids(leg)
    known = None if source.new_checkpoint else load_state(leg.checkpoint)
    # Only raw records of this very stream and table are what the others can be made of again.
    sound = known is not None and (known.source, known.tables.get(name)) == (stream.identity, ids[name])
    remedy = _RAW_FIRST if sound else NEW_CHECKPOINT
    state = open_state(
        leg.checkpoint,
        stream.identity,
        ids,
        reset=source.new_checkpoint,
        remedy=remedy,
        remedy_for_torn_files=NEW_CHECKPOINT,
    )
    # Raw records first: of those the others can be made again. A rebuild that was killed knows no commits.
    others = dict(state.commits)
    raw_commit = {name: others.pop(name)} if name in others else {}
    check_commits(leg, raw_commit, NEW_CHECKPOINT)
    check_commits(leg, others, remedy)
    if new:
        # What arrived up to then may be there already: a batch looks for it. Raw records may all have been purged.
        read_before = newest is None and written and bool(gone or has_rows or writers.has_quarantined(leg))
        state.progress = {"arrived": newest or 0.0, "known_until": time.time() if read_before else 0.0}
    elif last_commit(leg, name).id != raw_commit.get(name):
        # A killed run has written more than the checkpoint counts, or it is an older copy.
        state.progress["known_until"] = raw_archive.read_newest_arrival(leg) or 0.0
    return state


def _check_gap(name: str, source: KinesisSourceConfig, stream: kinesis.StreamInfo, newest_arrival: float) -> None:
    """Raises where a new checkpoint would skip records that arrived after the newest archived one."""
    last_read = datetime.fromtimestamp(newest_arrival, UTC).isoformat(timespec="seconds")
    if source.initial_position != TRIM_HORIZON:
        raise StreamError(
            f"stream {name} has no checkpoint, and was read up to {last_read}: the initial position must be "
            f"{TRIM_HORIZON}, got {source.initial_position}; set allow_losses=true to skip the records between"
        )
    if stream.hours and newest_arrival < time.time() - stream.hours * 3600:
        raise StreamError(
            f"stream {name} must still hold the records after {last_read}, got those of the last "
            f"{stream.hours} hours: records may be lost; set allow_losses=true to continue with the rest"
        )


def _start_query(spark: SparkSession, context: IngestContext, source: KinesisSourceConfig) -> RunningQuery:
    leg = context.leg(spark)
    failures: list[Exception] = []

    def each(frame: DataFrame, batch_id: int) -> None:
        try:
            _process(frame, context, batch_id)
        except Exception as error:
            failures.append(error)
            # One line: Spark searches what it is told, and of a long text with Java's calls in it its stack overflows.
            raise StreamError(one_line(error)) from None

    frame = kinesis.read_stream(leg, source)
    writer = frame.writeStream.foreachBatch(each).queryName(f"{leg.source_name}-{context.run_id}")
    writer = writer.option("checkpointLocation", leg.checkpoint)
    if source.trigger == AVAILABLE_NOW:
        query = writer.trigger(availableNow=True).start()
    else:
        query = writer.trigger(processingTime=source.trigger).start()
    return RunningQuery(context, query, failures, float(context.state.progress["batches"]))


def _process(frame: DataFrame, context: IngestContext, batch_id: int) -> None:
    configure_batch_logging(context)
    if context.settings.warehouse:
        # Open-source Delta compacts at a process's first commit to each table, however few its files are: that took
        # longer than all other writes of the batch. In a classic session each query has a clone of it; over Spark
        # Connect the queries share one's settings (SPARK-44462): a batch beside a due one may compact in its place.
        # That moves the time of a compaction, which only rewrites files of partitions that its own batch wrote to.
        due = batch_id % _COMPACT_EVERY == _COMPACT_EVERY - 1
        frame.sparkSession.conf.set("spark.databricks.delta.autoCompact.enabled", str(due).lower())
    batch = MicroBatch(context.run_id, batch_id, archive=True)
    with evaluate(context, batch, kinesis.raw_records(frame)) as effects:
        process_stream_batch(effects, context.state, batch)
