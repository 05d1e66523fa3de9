"""Summaries of a leg: its runs, rejected records with their reasons, data freshness."""

from concurrent.futures import ThreadPoolExecutor
from functools import reduce

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F
from pyspark.sql import types as T

from pinterest_transforms.cleaning import REJECTED
from pinterest_transforms.entities import ENTITIES, GEO
from pinterest_transforms.settings import EntityLeg, Leg
from pinterest_transforms.tables import table_access
from pinterest_transforms.tables.commits import last_commit
from pinterest_transforms.tables.definitions import QUARANTINE_TABLE, RUNS_TABLE, work_specs

_AT_ONCE = 4


def read_runs(leg: Leg, run_id: str = "") -> DataFrame:
    """Rows of ``runs`` without ``sources``, the oldest first; of one run if it is named."""
    frame = table_access.read(leg, RUNS_TABLE).drop("sources")
    chosen = frame.where(F.col("run_id") == run_id) if run_id else frame
    return chosen.orderBy("started", "topic", "batch_id")


def read_run_totals(leg: Leg, run_id: str) -> DataFrame:
    """What one run did, one row per topic: topic, read, merged, already_there, rejected, repaired, seconds."""
    numbers = ("read", "merged", "already_there", "rejected", "repaired", "seconds")
    totals = (F.sum(name).alias(name) for name in numbers)
    return read_runs(leg, run_id).groupBy("topic").agg(*totals).orderBy("topic")


def read_quarantine_totals(leg: Leg) -> DataFrame:
    """Records in quarantine per topic, kind and cause: topic, kind, cause, records.

    The cause is a reason where they were rejected, a column where they were repaired; a record with two of them counts
    under each.
    """
    quarantine = table_access.read(leg, QUARANTINE_TABLE)
    causes = F.when(F.col("kind") == REJECTED, F.col("reasons")).otherwise(F.col("columns"))
    each = quarantine.select("topic", "kind", F.explode(causes).alias("cause"))
    totals = each.groupBy("topic", "kind", "cause").agg(F.count("*").alias("records"))
    return totals.orderBy("topic", "kind", F.desc("records"), "cause")


def read_rejected_by_reason(leg: Leg) -> DataFrame:
    """Rejected records per topic and reason: topic, reason, records. A record with two reasons counts under each."""
    rejected = read_quarantine_totals(leg).where(F.col("kind") == REJECTED)
    return rejected.select("topic", F.col("cause").alias("reason"), "records")


def read_unknown_fields(leg: Leg) -> DataFrame:
    """Fields that no schema knows: topic, field, records (in all runs, repeats included)."""
    each = read_runs(leg).select("topic", F.explode("unknown_fields").alias("field", "records"))
    return each.groupBy("topic", "field").agg(F.sum("records").alias("records")).orderBy("topic", "field")


def read_freshness(leg: Leg) -> DataFrame:
    """Clean rows of each topic and how new they are: topic, rows, latest_arrival, latest_post; UTC.

    latest_post, the time of the newest post, is known of the geolocations alone.
    """

    def summarize(one: EntityLeg) -> DataFrame:
        made = F.max("timestamp") if one.entity == GEO else F.lit(None).cast(T.TimestampType())
        return table_access.read(one, one.clean_table).agg(
            F.lit(one.source_name).alias("topic"),
            F.count("*").alias("rows"),
            F.max(F.col("_source")["arrived"]).alias("latest_arrival"),
            made.alias("latest_post"),
        )

    return reduce(DataFrame.unionAll, map(summarize, map(leg.for_entity, ENTITIES)))


def read_quarantine(leg: Leg, *topics: str, limit: int | None = None) -> DataFrame:
    """Quarantine of topics, the newest first.

    Args:
        leg: session, names and places.
        topics: the topics.
        limit: the most records of each topic; None for all.

    Returns:
        topic, kind, reasons, columns, raw (its first 200 characters), file, seen_at.
    """
    noted = table_access.read(leg, QUARANTINE_TABLE).where(F.col("topic").isin(*topics))
    raw = F.left("raw", F.lit(200)).alias("raw")
    shown = noted.select("topic", "kind", "reasons", "columns", raw, "_source.file", "seen_at")
    newest = [F.desc("seen_at"), F.col("kind"), F.col("file"), F.col("raw")]
    if limit is not None:
        number = F.row_number().over(Window.partitionBy("topic").orderBy(*newest))
        shown = shown.withColumn("_number", number).where(F.col("_number") <= limit).drop("_number")
    return shown.orderBy("topic", *newest)


def read_versions(leg: Leg) -> DataFrame:
    """The leg's tables: table, rows, delta_version, schema_version."""

    def summarize(name: str) -> DataFrame:
        version = last_commit(leg, name).version
        schema_version = int(table_access.read_properties(leg, name).get(table_access.VERSION_PROPERTY, "0"))
        return table_access.read(leg, name).agg(
            F.lit(name).alias("table"),
            F.count("*").alias("rows"),
            F.lit(version).cast("bigint").alias("delta_version"),
            F.lit(schema_version).cast("int").alias("schema_version"),
        )

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return reduce(DataFrame.unionAll, pool.map(summarize, [spec.name for spec in work_specs(leg.settings)]))
