"""One micro-batch of one entity, from raw records to the clean table, quarantine and ``runs``. Both legs call it.

Every write may be repeated: clean rows go by key and position, quarantine is insert-only, ``runs`` is written last and
once a batch. A kill at any moment and a replay give the same tables and the same numbers.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from pinterest_transforms import __version__
from pinterest_transforms.cleaning import is_usable, judged
from pinterest_transforms.entities import Entity
from pinterest_transforms.schemas import RUNS
from pinterest_transforms.settings import Settings
from pinterest_transforms.storage import merging, quarantine
from pinterest_transforms.storage.guard import Guard
from pinterest_transforms.storage.retry import with_retries
from pinterest_transforms.storage.specs import RUNS_TABLE

_MOST_NAMES = 100
"""A sender that makes up a name for each record must not make ``runs`` as large as the data."""


@dataclass(frozen=True)
class Batch:
    """Which micro-batch this is.

    Attributes:
        run_id: the run, as its caller named it.
        batch_id: number of the micro-batch in its query.
        files: keys of all files read, where the batch replaces what was made of them; None to merge.
    """

    run_id: str
    batch_id: int
    files: tuple[str, ...] | None = None


def take_batch(
    spark: SparkSession, settings: Settings, entity: Entity, records: DataFrame, batch: Batch, guard: Guard
) -> None:
    """Cleans and merges one micro-batch of raw records.

    Args:
        spark: the session the records belong to.
        settings: names and places.
        entity: the kind of record.
        records: raw records, ``quality.RAW_RECORD``; must give the same ones when read again.
        batch: which micro-batch.
        guard: the checkpoint's guard; keeps what a replay must know.
    """
    started, clock = datetime.now(UTC), time.monotonic()
    rows = staged(judged(records, entity).withColumn("_row", F.monotonically_increasing_id()))
    counts = _counts(rows.frame)
    replaces = batch.files is not None  # then what was there before must go, even if nothing comes in its place
    if counts["read"] == 0 and not replaces:
        return
    usable, merged = counts["read"] - counts["rejected"], 0
    if usable or replaces:
        merged = merging.write_clean(spark, settings, entity, rows, batch.batch_id, batch.files, guard)
    if counts["rejected"] or counts["repaired"] or replaces:
        quarantine.write(spark, settings, entity, rows.frame, batch.files)
    if counts["read"] == 0:
        return
    numbers = {**counts, "merged": merged, "already_there": usable - merged}
    unknown = _unknown(rows.frame) if counts["strange"] else {}
    _write_run(spark, settings, entity, batch, guard, (started, time.monotonic() - clock), numbers, unknown)


def staged(frame: DataFrame) -> merging.Rows:
    """The frame computed once and kept, so that it is parsed once. Serverless may refuse: then it is computed again."""
    try:
        return merging.Rows(frame.localCheckpoint(eager=True), kept=True)
    except (PySparkException, NotImplementedError) as error:
        said = str(error).upper()
        if not any(refusal in said for refusal in ("NOT_SUPPORTED", "UNSUPPORTED", "NOT_IMPLEMENTED")):
            raise
        return merging.Rows(frame, kept=False)


def _counts(rows: DataFrame) -> dict[str, int]:
    repaired = is_usable() & (F.size("repairs") > 0)
    row = rows.agg(
        F.count("*").alias("read"),
        F.count_if(~is_usable()).alias("rejected"),
        F.count_if(repaired).alias("repaired"),
        F.count_if(F.size("unknown_fields") > 0).alias("strange"),
    ).first()
    return row.asDict() if row else {}


def _unknown(rows: DataFrame) -> dict[str, int]:
    names = rows.where(F.size("unknown_fields") > 0).select(F.explode(F.array_distinct("unknown_fields")).alias("name"))
    most = names.groupBy("name").count().orderBy(F.desc("count"), "name").limit(_MOST_NAMES)
    return {row["name"]: row["count"] for row in most.collect()}


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
    """Adds the batch's row, unless a run that was killed later has done so."""
    topic, name = settings.origin(entity), settings.qualified(RUNS_TABLE)
    same = (F.col("query_id") == guard.query_id) & (F.col("batch_id") == batch.batch_id) & (F.col("topic") == topic)
    if spark.table(name).where(same).limit(1).count():
        return
    row = {
        "run_id": batch.run_id,
        "query_id": guard.query_id,
        "batch_id": batch.batch_id,
        "topic": topic,
        "started": timing[0],
        "seconds": timing[1],
        **{key: numbers[key] for key in ("read", "merged", "already_there", "rejected", "repaired")},
        "unknown_fields": unknown,
        "library_version": __version__,
    }
    frame = spark.createDataFrame([tuple(row[field.name] for field in RUNS)], RUNS)
    with_retries(lambda: frame.writeTo(name).append())
