"""What a person wants to know of a leg: what runs did, what was rejected and why, up to when the data goes."""

from functools import reduce

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from pinterest_transforms.entities import ENTITIES, GEO
from pinterest_transforms.quarantine import REJECTED, REPAIRED
from pinterest_transforms.settings import Settings
from pinterest_transforms.storage import tables
from pinterest_transforms.storage.specs import QUARANTINE_TABLE, RUNS_TABLE, work_specs


def runs(spark: SparkSession, settings: Settings, run_id: str = "") -> DataFrame:
    """Rows of ``runs``, the oldest first; of one run if it is named."""
    frame = tables.read(spark, settings, RUNS_TABLE)
    chosen = frame.where(F.col("run_id") == run_id) if run_id else frame
    return chosen.orderBy("started", "topic", "batch_id")


def run_totals(spark: SparkSession, settings: Settings, run_id: str) -> DataFrame:
    """What one run did, a row a topic: topic, read, merged, already_there, rejected, repaired, seconds."""
    numbers = ("read", "merged", "already_there", "rejected", "repaired", "seconds")
    totals = (F.sum(name).alias(name) for name in numbers)
    return runs(spark, settings, run_id).groupBy("topic").agg(*totals).orderBy("topic")


def rejected_by_reason(spark: SparkSession, settings: Settings) -> DataFrame:
    """Rejected records a topic and reason: topic, reason, records. A record with two reasons counts under each."""
    return _counted(spark, settings, REJECTED, "reasons", "reason")


def repaired_by_column(spark: SparkSession, settings: Settings) -> DataFrame:
    """Repaired records a topic and column: topic, column, records."""
    return _counted(spark, settings, REPAIRED, "columns", "column")


def _counted(spark: SparkSession, settings: Settings, kind: str, listed: str, name: str) -> DataFrame:
    noted = tables.read(spark, settings, QUARANTINE_TABLE).where(F.col("kind") == kind)
    each = noted.select("topic", F.explode(listed).alias(name))
    return each.groupBy("topic", name).agg(F.count("*").alias("records")).orderBy("topic", F.desc("records"), name)


def unknown_fields(spark: SparkSession, settings: Settings) -> DataFrame:
    """Fields that no schema knows: topic, field, records (in all runs, repeats included)."""
    each = runs(spark, settings).select("topic", F.explode("unknown_fields").alias("field", "records"))
    return each.groupBy("topic", "field").agg(F.sum("records").alias("records")).orderBy("topic", "field")


def latest(spark: SparkSession, settings: Settings) -> DataFrame:
    """Data freshness, UTC: latest_post, the newest post's time, and latest_arrival of any row of the clean tables."""
    clean = [tables.read(spark, settings, settings.clean_table(entity)) for entity in ENTITIES]
    made = tables.read(spark, settings, settings.clean_table(GEO)).agg(F.max("timestamp").alias("latest_post"))
    arrived = reduce(DataFrame.unionAll, (one.select(F.col("_source")["arrived"].alias("arrived")) for one in clean))
    return made.crossJoin(arrived.agg(F.max("arrived").alias("latest_arrival")))


def quarantined(spark: SparkSession, settings: Settings, topic: str) -> DataFrame:
    """A topic's quarantine, the newest first: kind, reasons, columns, raw (its first 200 characters), file, seen_at."""
    noted = tables.read(spark, settings, QUARANTINE_TABLE).where(F.col("topic") == topic)
    shown = noted.select(
        "kind", "reasons", "columns", F.left("raw", F.lit(200)).alias("raw"), "_source.file", "seen_at"
    )
    return shown.orderBy(F.desc("seen_at"), "kind", "file", "raw")


def versions(spark: SparkSession, settings: Settings) -> DataFrame:
    """The leg's tables: table, rows, delta_version, schema_version."""
    rows = []
    for spec in work_specs(settings):
        last = tables.last_commit(spark, settings, spec.name)
        count = tables.read(spark, settings, spec.name).count()
        schema_version = int(tables.properties(spark, settings, spec.name).get(tables.VERSION_PROPERTY, "0"))
        rows.append((spec.name, count, int(last["version"]), schema_version))
    columns = "table STRING, rows BIGINT, delta_version BIGINT, schema_version INT"
    return spark.createDataFrame(rows, columns)
