"""One micro-batch of one entity, from raw records to the clean table, quarantine and ``runs``. Both legs call it.

Every write may be repeated: clean rows go by key and position, quarantine is insert-only, ``runs`` is written last and
once a batch. A kill at any moment and a replay give the same tables and the same numbers.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from pyspark.errors import PySparkException
from pyspark.sql import Column, DataFrame, Row, SparkSession
from pyspark.sql import functions as F

from pinterest_transforms import __version__
from pinterest_transforms.cleaning import is_rejected, is_repaired, is_usable, judged
from pinterest_transforms.entities import Entity
from pinterest_transforms.schemas import RUNS
from pinterest_transforms.settings import Settings
from pinterest_transforms.storage import conflicts, merging, places, quarantine, tables
from pinterest_transforms.storage.guard import Guard
from pinterest_transforms.storage.retry import with_retries
from pinterest_transforms.storage.specs import RUNS_TABLE

_MOST_NAMES = 100
"""A sender that makes up a name for each record must not make ``runs`` as large as the data."""


Keep = Callable[[DataFrame, bool], None]
"""Keeps a batch's rows as they came, before anything is made of them; told whether it may have been begun before."""


@dataclass(frozen=True)
class Batch:
    """Which micro-batch this is.

    Attributes:
        run_id: the run, as its caller named it.
        batch_id: number of the micro-batch in its query.
        files: keys of all files read, where the batch replaces what was made of them; None to merge.
        compare: whether its places may stand in the tables with another content.
    """

    run_id: str
    batch_id: int
    files: tuple[str, ...] | None = None
    compare: bool = False


@dataclass(frozen=True)
class Work:
    """What a query's micro-batches need to know; plain data, since over Spark Connect they run elsewhere.

    Attributes:
        settings: names and places.
        entity: the kind of record.
        run_id: the run, as its caller named it.
        guard: the checkpoint's guard.
    """

    settings: Settings
    entity: Entity
    run_id: str
    guard: Guard


def take_batch(
    spark: SparkSession,
    settings: Settings,
    entity: Entity,
    records: DataFrame,
    batch: Batch,
    guard: Guard,
    keep: Keep | None = None,
) -> dict[str, int]:
    """Cleans and merges one micro-batch of raw records.

    Args:
        spark: the session the records belong to.
        settings: names and places.
        entity: the kind of record.
        records: raw records, ``quality.RAW_RECORD``, or those of ``files.raw_records``.
        batch: which micro-batch.
        guard: the checkpoint's guard; keeps what a replay must know.
        keep: keeps the rows as they came, first of all; None where the source keeps them.

    Returns:
        Counts of the records: ``read``, ``rejected``, ``repaired``.
    """
    started, clock = datetime.now(UTC), time.monotonic()
    with ExitStack() as stack, ThreadPoolExecutor(1) as beside:
        # Asked while the records are judged: once they are written, every question waits for that.
        noted_before = beside.submit(quarantine.holds_any, spark, settings, entity)
        rows, counts = stack.enter_context(kept_rows(spark, settings, entity, records))
        replaces = batch.files is not None  # then what was there before must go, even if nothing comes in its place
        if counts["read"] == 0 and not replaces and (keep is None or counts["lines"] == 0):
            return counts
        if batch.compare and str(batch.batch_id) not in guard.before:  # a replay finds its own rows
            guard.conflicts += conflicts.count_conflicts(spark, settings, entity, rows)
        replay, made = _begun(spark, settings, entity, batch, guard)
        if keep is not None:
            keep(rows, replay)
        usable, merged = counts["read"] - counts["rejected"], 0

        def note() -> dict[str, int]:
            if counts["rejected"] or counts["repaired"] or replaces:
                quarantine.write(spark, settings, entity, rows, batch.files, compare=noted_before.result())
            return _unknown(rows) if counts["strange"] else {}

        # Side by side: either waits for its commits more than it works, and neither needs the other.
        noted = beside.submit(note)
        if usable or replaces:
            before = guard.before[str(batch.batch_id)]
            merged, last = merging.write_clean(spark, settings, entity, rows, usable, batch.files, before, made)
            guard.commits[settings.clean_table(entity)] = last
        unknown = noted.result()
    if counts["read"] == 0:
        return counts
    # Where files have changed since a kill, the killed run may have written what is not read any more.
    merged = min(merged, usable)
    numbers = {**counts, "merged": merged, "already_there": usable - merged}
    if not (replay and _is_noted(spark, settings, entity, batch, guard, counts["read"])):
        _write_run(spark, settings, entity, batch, guard, (started, time.monotonic() - clock), numbers, unknown)
    return counts


@contextmanager
def kept_rows(
    spark: SparkSession, settings: Settings, entity: Entity, records: DataFrame
) -> Iterator[tuple[DataFrame, dict[str, int]]]:
    """The records judged, kept while they are used, with ``_source`` and ``_row``; and how many there are of what.

    Raw texts are kept of the bad records alone; of all only where two may have one position, and the texts decide.
    """
    topic = settings.origin(entity)
    placed = places.PLACE in records.columns
    numbered = records if placed else records.withColumn("_row", F.monotonically_increasing_id())
    with ExitStack() as stack:
        rows = stack.enter_context(staged(spark, settings, entity, judged(numbered, entity, every_raw=not placed)))
        tally = _tally(rows, placed=placed)
        if placed:
            found = places.pieces(tally, topic)
            if places.overlap(found, tally):
                rows = stack.enter_context(staged(spark, settings, entity, judged(numbered, entity)))
                tally = _tally(rows, placed=placed)
                found = places.pieces(tally, topic)
            rows = places.located(rows, found, topic)
        yield rows, {name: sum(row[name] for row in tally) for name in ("lines", *_COUNTED)}


def _tally(rows: DataFrame, *, placed: bool) -> list[Row]:
    """Counts of the judged rows, a row a piece of a file where they come from files."""
    piece = [F.col(places.PLACE)[name].alias(name) for name in ("path", "block")] if placed else []
    counted = (F.count_if(condition).alias(name) for name, condition in _counted().items())
    return rows.groupBy(*piece).agg(F.min("_row").alias("first"), F.count("*").alias("lines"), *counted).collect()


_COUNTED = ("read", "rejected", "repaired", "strange")


def _counted() -> dict[str, Column]:
    conditions = (is_usable() | is_rejected(), is_rejected(), is_repaired(), F.size("unknown_fields") > 0)
    return dict(zip(_COUNTED, conditions, strict=True))


def _begun(spark: SparkSession, settings: Settings, entity: Entity, batch: Batch, guard: Guard) -> tuple[bool, bool]:
    """Notes the clean table's version before the batch writes anything.

    Returns:
        Whether a run that was killed has done so, and whether nobody has ever written to the table.
    """
    number = str(batch.batch_id)
    last = tables.last_commit(spark, settings, settings.clean_table(entity))
    made = last["operation"] == "CREATE TABLE"
    if number in guard.before:
        return True, made
    guard.before = {number: int(last["version"])}
    guard.save()
    return False, made


@contextmanager
def staged(spark: SparkSession, settings: Settings, entity: Entity, frame: DataFrame) -> Iterator[DataFrame]:
    """The frame, computed once and kept while it is used. Serverless may refuse to keep it: then in a table."""
    try:
        kept = frame.localCheckpoint(eager=True)
    except (PySparkException, NotImplementedError) as error:
        said = str(error).upper()
        if not any(refusal in said for refusal in ("NOT_SUPPORTED", "UNSUPPORTED", "NOT_IMPLEMENTED")):
            raise
    else:
        yield kept
        return
    name = settings.qualified(f"staged_{entity.name}")
    frame.writeTo(name).using("delta").createOrReplace()
    try:
        yield spark.table(name)
    finally:
        spark.sql(f"DROP TABLE IF EXISTS {name}")


def _unknown(rows: DataFrame) -> dict[str, int]:
    names = rows.where(F.size("unknown_fields") > 0).select(F.explode(F.array_distinct("unknown_fields")).alias("name"))
    most = names.groupBy("name").count().orderBy(F.desc("count"), "name").limit(_MOST_NAMES)
    return {row["name"]: row["count"] for row in most.collect()}


def _is_noted(spark: SparkSession, settings: Settings, entity: Entity, batch: Batch, guard: Guard, read: int) -> bool:
    """True if the run that was killed had written the batch's row.

    Where a checkpoint has lost its last offsets, the batch has more records than then: its row is written anew.
    """
    name, topic = settings.qualified(RUNS_TABLE), settings.origin(entity)
    same = (F.col("query_id") == guard.query_id) & (F.col("batch_id") == batch.batch_id) & (F.col("topic") == topic)
    noted = spark.table(name).where(same).select("read").first()
    if noted is None or noted["read"] == read:
        return noted is not None
    # All of it is made here or checked: a uuid, a number, a user id and an entity.
    which = f"query_id = '{guard.query_id}' AND batch_id = {batch.batch_id} AND topic = '{topic}'"
    with_retries(lambda: spark.sql(f"DELETE FROM {name} WHERE {which}").collect())
    return False


def _write_run(
    spark: SparkSession,
    settings: Settings,
    entity: Entity,
    batch: Batch,
    guard: Guard,
    timing: tuple[datetime, float],
    numbers: Mapping[str, int],
    unknown: dict[str, int],
) -> None:
    """Adds the batch's row."""
    row = {
        "run_id": batch.run_id,
        "query_id": guard.query_id,
        "batch_id": batch.batch_id,
        "topic": settings.origin(entity),
        "started": timing[0],
        "seconds": round(timing[1], 3),
        **{key: numbers[key] for key in ("read", "merged", "already_there", "rejected", "repaired")},
        "unknown_fields": unknown,
        "library_version": __version__,
    }
    frame = spark.createDataFrame([tuple(row[field.name] for field in RUNS)], RUNS)
    with_retries(lambda: frame.writeTo(settings.qualified(RUNS_TABLE)).append())
