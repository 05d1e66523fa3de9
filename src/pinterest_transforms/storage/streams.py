"""Takes what is in the streams: one query an entity, side by side, until nothing is left or somebody asks to stop.

A micro-batch keeps its records as they came, then does what a batch of the landing does. Everything goes by position,
so a batch that is run again, or a stream that is read again, changes nothing.
"""

import time
import uuid
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from pyspark.sql import DataFrame, SparkSession

from pinterest_transforms.entities import Entity
from pinterest_transforms.error_format import one_line
from pinterest_transforms.errors import CheckpointError, StreamError, TableError
from pinterest_transforms.settings import Settings
from pinterest_transforms.storage import kinesis, raw, tables
from pinterest_transforms.storage.batches import Batch, Work, take_batch
from pinterest_transforms.storage.commits import check_commits, last_commit_ids
from pinterest_transforms.storage.guard import Guard, flush_to_disk, has_begun, load_guard, open_guard
from pinterest_transforms.storage.kinesis import AVAILABLE_NOW, TRIM_HORIZON, Reading
from pinterest_transforms.storage.landing import Say, silent
from pinterest_transforms.storage.locks import entity_lock
from pinterest_transforms.storage.queries import NEW_CHECKPOINT, Running, stop_all, watch
from pinterest_transforms.storage.retry import with_retries
from pinterest_transforms.storage.specs import QUARANTINE_TABLE, RUNS_TABLE, raw_table

if TYPE_CHECKING:
    from mypy_boto3_kinesis import KinesisClient

_TIDIED_EVERY, _DAY = 100, 86_400.0
"""Micro-batches, and seconds, after which old raw records are removed and small files joined."""
_BEGUN = "begun"
"""What a guard has ``seen`` during a rebuild: the stream's last micro-batch, which a kill may have left half done."""
_RAW_FIRST = "rebuild makes the tables again of the raw records that are kept"


def take_streams(
    spark: SparkSession,
    settings: Settings,
    entities: Sequence[Entity],
    run_id: str,
    reading: Reading,
    client: "KinesisClient",
    *,
    say: Say = silent,
) -> None:
    """Cleans and merges what is in the streams, each by a query of its own.

    With the trigger ``available_now`` it ends when nothing is left; else when one query fails, which stops the others,
    or when the file ``settings.stop_file`` appears.

    Args:
        spark: session; ``tables.set_up`` was run.
        settings: names and places of the stream leg.
        entities: the kinds of record.
        run_id: name of this run, for ``runs``.
        reading: how the streams are read.
        client: says which streams these are.
        say: told what is being done.

    Raises:
        BusyError: another run of one of the entities is not finished.
        CheckpointError: a checkpoint belongs to other tables or another stream.
        StreamError: a stream is not there, or records between the last read and what it still holds may be lost.
    """
    stop = Path(settings.stop_file(entities[0]))
    with ExitStack() as stack:
        for entity in entities:
            stack.enter_context(entity_lock(settings, entity))
        # Not before: a run that finds another one busy must not take back what that one was asked.
        stop.unlink(missing_ok=True)
        works = []
        for entity in entities:
            guard = _opened(spark, settings, entity, reading, kinesis.described(client, settings.stream(entity)))
            works.append(Work(settings, entity, run_id, guard))
        for work in works:
            if work.guard.rebuild:
                _rebuild(spark, work, say)
            work.guard.seen |= {
                "run_id": run_id,
                "began": time.time(),
                **dict.fromkeys(("batches", "read", "rejected", "repaired", "at"), 0.0),
            }
            work.guard.save()
        running: list[Running] = []
        begun = [dict(work.guard.before) for work in works]
        stack.callback(stop_all, running)
        for work in works:
            say(f"{settings.stream(work.entity)}: reading from where it was left")
            running.append(_started(spark, work, reading))
        again = partial(_started, spark, reading=reading) if reading.trigger == AVAILABLE_NOW else None
        watch(running, again, stop, say)
        for work, before in zip(works, begun, strict=True):
            work.guard.reload()  # over Spark Connect the batches ran elsewhere
            if work.guard.before != before:
                _save_commits(spark, work)


def rebuild_streams(
    spark: SparkSession,
    settings: Settings,
    entities: Sequence[Entity],
    run_id: str,
    *,
    allow_losses: bool = False,
    say: Say = silent,
) -> None:
    """Makes the clean tables and quarantine again of the raw records that are kept, by position.

    What was made of raw records that are gone stays as it is.

    Args:
        spark: session; ``tables.set_up`` was run.
        settings: names and places of the stream leg.
        entities: the kinds of record.
        run_id: name of this run, for ``runs``.
        allow_losses: fill an empty table of what is left, though the first raw records are gone.
        say: told what is being done.

    Raises:
        BusyError: another run of one of the entities is not finished.
        CheckpointError: the raw records are not those of the checkpoint.
        TableError: a clean table is empty, and raw records no longer reach back to the first.
    """
    with ExitStack() as stack:
        for entity in entities:
            stack.enter_context(entity_lock(settings, entity))
        for entity in entities:
            clean = settings.clean_table(entity)
            gone = raw.gone_before(spark, settings, entity)
            if gone and not allow_losses and not tables.read(spark, settings, clean).head(1):
                raise TableError(
                    f"table {settings.schema}.{clean} is empty, and raw records must reach back to the first one, got "
                    f"none before {gone}: allow_losses makes it of what is left"
                )
            checkpoint = settings.checkpoint(entity)
            guard = load_guard(checkpoint) or Guard(f"{checkpoint}.json", uuid.uuid4().hex)
            name, ids = raw_table(settings), _ids(spark, settings, entity)
            if guard.tables.get(name, ids[name]) != ids[name]:
                raise CheckpointError(
                    f"table {settings.schema}.{name} must be the one that the streams were read into, got another: "
                    f"nothing can be made of it again; {NEW_CHECKPOINT}"
                )
            if name in guard.commits:
                check_commits(spark, settings, {name: guard.commits[name]}, NEW_CHECKPOINT)
            guard.tables, guard.commits, guard.rebuild, guard.next_again = ids, {}, True, guard.next_again - 1
            for number in guard.before:
                if int(number) >= 0:
                    guard.seen[_BEGUN] = float(number)
            guard.save()
            work = Work(settings, entity, run_id, guard)
            _rebuild(spark, work, say)
            _save_commits(spark, work)


def _rebuild(spark: SparkSession, work: Work, say: Say) -> None:
    """Replaces what was made of the raw records by what they give now; goes on with one that was killed."""
    settings, entity, guard = work.settings, work.entity, work.guard
    say(f"{settings.clean_table(entity)}: made again of raw records")
    guard.next_again = min(guard.next_again, -1)  # in a new checkpoint's life: 0 is the stream's own first batch
    batch = Batch(work.run_id, guard.next_again, files=())
    take_batch(spark, settings, entity, raw.records(spark, settings, entity), batch, guard)
    if _BEGUN in guard.seen:
        # Some of that batch may be kept and counted: should it come again, it is to be taken for begun.
        now = int(tables.last_commit(spark, settings, settings.clean_table(entity))["version"])
        guard.before = {str(int(guard.seen.pop(_BEGUN))): now}
    guard.rebuild = False
    flush_to_disk()
    guard.save()


def _save_commits(spark: SparkSession, work: Work) -> None:
    """Keeps what the tables hold at the end of a run, for the next one to find again."""
    work.guard.commits = last_commit_ids(spark, work.settings, work.guard.tables)
    work.guard.save()


def _ids(spark: SparkSession, settings: Settings, entity: Entity) -> dict[str, str]:
    names = (settings.clean_table(entity), QUARANTINE_TABLE, RUNS_TABLE, raw_table(settings))
    return {name: tables.properties(spark, settings, name)[tables.ID_PROPERTY] for name in names}


def _opened(spark: SparkSession, settings: Settings, entity: Entity, reading: Reading, stream: kinesis.Stream) -> Guard:
    """The checkpoint's guard; a checkpoint that is new must not leave a gap behind what was read before it."""
    checkpoint = settings.checkpoint(entity)
    new = reading.new_checkpoint or not has_begun(checkpoint)
    newest = raw.newest_arrival(spark, settings, entity) if new else None
    gone = raw.gone_before(spark, settings, entity) if new and newest is None else ""
    last = datetime.fromisoformat(gone).replace(tzinfo=UTC).timestamp() if gone else newest
    if last is not None and not reading.allow_losses:
        _check_gap(settings.stream(entity), reading, stream, last)
    if new and newest is None and tables.read(spark, settings, settings.clean_table(entity)).head(1):
        raw.say_gone(spark, settings, entity, datetime.now(UTC))
    ids = _ids(spark, settings, entity)
    known = None if reading.new_checkpoint else load_guard(checkpoint)
    # Only raw records of this very stream and table are what the others can be made of again.
    name = raw_table(settings)
    sound = known is not None and (known.source, known.tables.get(name)) == (stream.identity, ids[name])
    way_out = _RAW_FIRST if sound else NEW_CHECKPOINT
    fresh, rebuild = reading.new_checkpoint, _is_rebuilding(checkpoint)
    guard = open_guard(
        checkpoint,
        stream.identity,
        ids,
        fresh=fresh,
        rebuild=rebuild,
        way_out=way_out,
        way_out_of_torn_files=NEW_CHECKPOINT,
    )
    if not guard.rebuild:
        # Raw records first: of those the others can be made again.
        others = dict(guard.commits)
        raw_commit = {name: others.pop(name)} if name in others else {}
        check_commits(spark, settings, raw_commit, NEW_CHECKPOINT)
        check_commits(spark, settings, others, way_out)
    if new or "arrived" not in guard.seen:
        # What arrived up to then may be there already: a batch looks for it.
        there = newest if new else raw.newest_arrival(spark, settings, entity)
        guard.seen = {"arrived": there or 0.0}
    return guard


def _is_rebuilding(checkpoint: str) -> bool:
    """Whether a rebuild was killed; a new checkpoint must not forget it."""
    with suppress(CheckpointError):  # of a file that says nothing any more
        known = load_guard(checkpoint)
        return known is not None and known.rebuild
    return False


def _check_gap(name: str, reading: Reading, stream: kinesis.Stream, newest: float) -> None:
    """Raises where a new checkpoint would pass over what arrived after the newest record that is kept."""
    said = datetime.fromtimestamp(newest, UTC).isoformat(timespec="seconds")
    if reading.initial_position != TRIM_HORIZON:
        raise StreamError(
            f"stream {name} has no checkpoint, and was read up to {said}: the initial position must be {TRIM_HORIZON}, "
            f"got {reading.initial_position}; allow_losses passes over what lies between"
        )
    if stream.hours and newest < time.time() - stream.hours * 3600:
        raise StreamError(
            f"stream {name} must still hold what follows the last read of {said}, got records of the last "
            f"{stream.hours} hours: what lies between may be lost; allow_losses goes on with what is left"
        )


def _started(spark: SparkSession, work: Work, reading: Reading) -> Running:
    failures: list[Exception] = []

    def each(frame: DataFrame, batch_id: int) -> None:
        try:
            _take(frame, work, batch_id)
        except Exception as error:
            failures.append(error)
            # One line: Spark searches what it is told, and of a long text with Java's calls in it its stack overflows.
            raise StreamError(one_line(error)) from None

    frame = kinesis.stream_of(spark, work.settings, work.entity, reading)
    writer = frame.writeStream.foreachBatch(each).queryName(f"{work.settings.stream(work.entity)}-{work.run_id}")
    writer = writer.option("checkpointLocation", work.settings.checkpoint(work.entity))
    if reading.trigger == AVAILABLE_NOW:
        query = writer.trigger(availableNow=True).start()
    else:
        query = writer.trigger(processingTime=reading.trigger).start()
    return Running(work, query, failures, float(work.guard.seen["batches"]))


def _take(frame: DataFrame, work: Work, batch_id: int) -> None:
    """One micro-batch."""
    spark, settings, entity, guard = frame.sparkSession, work.settings, work.entity, work.guard
    before, arrived = float(guard.seen["arrived"]), 0.0

    def keep(rows: DataFrame, replay: bool) -> None:
        nonlocal arrived
        # A batch that was begun before may be there in part.
        arrived = raw.keep(spark, settings, entity, rows, behind=float("inf") if replay else before)

    records = kinesis.raw_records(frame, settings, entity)
    counts = take_batch(spark, settings, entity, records, Batch(work.run_id, batch_id), guard, keep)
    seen = guard.seen
    for name, count in (("batches", 1), *((name, counts[name]) for name in ("read", "rejected", "repaired"))):
        seen[name] = float(seen[name]) + count
    seen["arrived"], seen["at"] = max(before, arrived), time.time()
    tidied = float(seen.setdefault("tidied", seen["at"]))
    tidy = (batch_id + 1) % _TIDIED_EVERY == 0 or time.time() - tidied > _DAY
    flush_to_disk()
    guard.save()
    if tidy:
        raw.maintain(spark, settings, entity)
        with_retries(lambda: spark.sql(f"OPTIMIZE {settings.qualified(settings.clean_table(entity))}").collect())
        seen["tidied"] = time.time()
        guard.save()
