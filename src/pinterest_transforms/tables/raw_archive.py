"""The raw archive: every record of a stream as it came. Kinesis deletes records after days, tables stay.

Records are appended once each. Known ones are found by their time of arrival, which Delta has for each file: a
batch reads only files of the minutes in which its records arrived, however old the stream is.
"""

from datetime import datetime, timedelta

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from pinterest_transforms.settings import EntityLeg
from pinterest_transforms.tables import table_access
from pinterest_transforms.tables.definitions import raw_table
from pinterest_transforms.tables.retry import with_retries

_PURGED = "pinterest.purged_before"
"""Property with the time before which records of a kind were removed, if any were: ``<property>.<kind>``."""


def append(leg: EntityLeg, rows: DataFrame, known: tuple[int, int] | None) -> None:
    """Appends a batch's records, those that are not there yet.

    Args:
        leg: session, names and places, kind of record.
        rows: checkpointed rows with ``raw`` and ``_source``.
        known: first and last arrival of the batch, in microseconds since 1970, if some of it may be there already.
    """
    fresh = rows.select(F.lit(leg.entity.name).alias("kind"), F.col("raw").cast("binary").alias("data"), "_source")
    if known:
        first, last = (F.timestamp_micros(F.lit(moment)) for moment in known)
        there = _read_kind(leg).where(F.col("_source.arrived").between(first, last))
        position = [F.col("_source")[name].alias(f"_{name}") for name in ("shard", "position")]
        same = [F.col("_source")[name] == F.col(f"_{name}") for name in ("shard", "position")]
        fresh = fresh.join(there.select(*position), same, "left_anti")
    name = leg.qualified(raw_table(leg.settings))
    with_retries(lambda: fresh.writeTo(name).append())


def read_records(leg: EntityLeg) -> DataFrame:
    """All archived records of an entity: ``raw``, ``_source``."""
    return _read_kind(leg).select(F.col("data").cast("string").alias("raw"), "_source")


def read_newest_arrival(leg: EntityLeg) -> float | None:
    """When the newest archived record of an entity arrived, in seconds since 1970; None if there is none."""
    last = _read_kind(leg).agg(F.max(F.unix_micros("_source.arrived"))).collect()[0][0]
    return None if last is None else last / 1e6


def purged_before(leg: EntityLeg) -> str:
    """Date (ISO, exclusive) before which records of an entity were removed; empty if none were."""
    return table_access.read_properties(leg, raw_table(leg.settings)).get(f"{_PURGED}.{leg.entity.name}", "")


def record_purge(leg: EntityLeg, day: datetime) -> None:
    """Records as a table property that records of an entity from before that day may be missing."""
    pair = f"'{_PURGED}.{leg.entity.name}' = '{day.date().isoformat()}'"
    name = leg.qualified(raw_table(leg.settings))
    with_retries(lambda: leg.sql(f"ALTER TABLE {name} SET TBLPROPERTIES ({pair})"))


def maintain(leg: EntityLeg, now: datetime) -> None:
    """Removes records over the retention, and joins small files; both of this entity alone.

    Removed is a whole day at a time, and it is recorded before it is done.
    """
    name, kind = leg.qualified(raw_table(leg.settings)), leg.entity.name
    if leg.settings.raw_days:
        day = now - timedelta(days=leg.settings.raw_days)
        # With its zone: a day of UTC, whatever the session's zone is.
        old = f"_source.arrived < TIMESTAMP '{day.date().isoformat()} 00:00:00+00:00'"
        if _read_kind(leg).where(old).head(1):
            record_purge(leg, day)
            statement = f"DELETE FROM {name} WHERE kind = '{kind}' AND {old}"
            with_retries(lambda: leg.sql(statement).collect())
    with_retries(lambda: leg.sql(f"OPTIMIZE {name} WHERE kind = '{kind}'").collect())


def _read_kind(leg: EntityLeg) -> DataFrame:
    return table_access.read(leg, raw_table(leg.settings)).where(F.col("kind") == leg.entity.name)
