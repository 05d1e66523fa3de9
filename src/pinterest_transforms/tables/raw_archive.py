"""The raw archive: every record of a stream as it came. Kinesis forgets within days, and clean tables outlive that.

Records are appended once each. Known ones are found by their time of arrival, which Delta has for each file: a
batch looks at the files of its own minutes alone, however old the stream is.
"""

from datetime import UTC, datetime, timedelta

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from pinterest_transforms.entities import Entity
from pinterest_transforms.settings import Settings
from pinterest_transforms.tables import table_access
from pinterest_transforms.tables.definitions import raw_table
from pinterest_transforms.tables.retry import with_retries

_PURGED = "pinterest.purged_before"
"""Property with the time before which records of a kind were removed, if any were: ``<property>.<kind>``."""


def append(
    spark: SparkSession, settings: Settings, entity: Entity, rows: DataFrame, known: tuple[int, int] | None
) -> None:
    """Appends a batch's records, those that are not there yet.

    Args:
        spark: session.
        settings: names and places.
        entity: the kind of record.
        rows: checkpointed rows with ``raw`` and ``_source``.
        known: first and last arrival of the batch, in microseconds since 1970, if some of it may be there already.
    """
    fresh = rows.select(F.lit(entity.name).alias("kind"), F.col("raw").cast("binary").alias("data"), "_source")
    if known:
        first, last = (F.timestamp_micros(F.lit(moment)) for moment in known)
        there = _of(spark, settings, entity).where(_arrived().between(first, last))
        position = [F.col("_source")[name].alias(f"_{name}") for name in ("shard", "position")]
        same = [F.col("_source")[name] == F.col(f"_{name}") for name in ("shard", "position")]
        fresh = fresh.join(there.select(*position), same, "left_anti")
    name = settings.qualified(raw_table(settings))
    with_retries(lambda: fresh.writeTo(name).append())


def records(spark: SparkSession, settings: Settings, entity: Entity) -> DataFrame:
    """Everything that is kept of an entity, as raw records: ``raw``, ``_source``."""
    return _of(spark, settings, entity).select(F.col("data").cast("string").alias("raw"), "_source")


def newest_arrival(spark: SparkSession, settings: Settings, entity: Entity) -> float | None:
    """When the newest kept record of an entity arrived, in seconds since 1970; None if there is none."""
    row = _of(spark, settings, entity).agg(F.max(F.unix_micros(_arrived())).alias("last")).first()
    return None if row is None or row["last"] is None else float(row["last"] / 1e6)


def purged_before(spark: SparkSession, settings: Settings, entity: Entity) -> str:
    """Up to when records of an entity were removed, as an ISO date; empty if all that was ever read is still there."""
    return table_access.properties(spark, settings, raw_table(settings)).get(f"{_PURGED}.{entity.name}", "")


def record_purge(spark: SparkSession, settings: Settings, entity: Entity, day: datetime) -> None:
    """Notes that records of an entity from before that day are not all there."""
    pair = f"'{_PURGED}.{entity.name}' = '{day.date().isoformat()}'"
    name = settings.qualified(raw_table(settings))
    with_retries(lambda: spark.sql(f"ALTER TABLE {name} SET TBLPROPERTIES ({pair})"))


def maintain(spark: SparkSession, settings: Settings, entity: Entity, now: datetime | None = None) -> None:
    """Removes records over the retention, and joins small files; both of this entity alone.

    Removed is a whole day at a time, and it is recorded before it is done.
    """
    name, kind = settings.qualified(raw_table(settings)), entity.name
    if settings.raw_days:
        day = (now or datetime.now(UTC)) - timedelta(days=settings.raw_days)
        # With its zone: a day of UTC, whatever the session's zone is.
        old = f"_source.arrived < TIMESTAMP '{day.date().isoformat()} 00:00:00+00:00'"
        if _of(spark, settings, entity).where(old).head(1):
            record_purge(spark, settings, entity, day)
            statement = f"DELETE FROM {name} WHERE kind = '{kind}' AND {old}"
            with_retries(lambda: spark.sql(statement).collect())
    with_retries(lambda: spark.sql(f"OPTIMIZE {name} WHERE kind = '{kind}'").collect())


def _of(spark: SparkSession, settings: Settings, entity: Entity) -> DataFrame:
    return table_access.read(spark, settings, raw_table(settings)).where(F.col("kind") == entity.name)


def _arrived() -> Column:
    return F.col("_source")["arrived"]
