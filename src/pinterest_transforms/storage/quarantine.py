"""Writes what was rejected or repaired; each record is noted once, however often it is delivered."""

from datetime import UTC, datetime

from pyspark.sql import DataFrame, SparkSession, Window
from pyspark.sql import functions as F

from pinterest_transforms.cleaning import is_rejected, is_repaired, is_usable
from pinterest_transforms.entities import Entity
from pinterest_transforms.quality import UNUSABLE
from pinterest_transforms.schemas import QUARANTINE
from pinterest_transforms.settings import Settings
from pinterest_transforms.storage.merging import with_foreign_columns, without_read
from pinterest_transforms.storage.retry import with_retries
from pinterest_transforms.storage.specs import QUARANTINE_TABLE

REJECTED, REPAIRED = "rejected", "repaired"


def noted(rows: DataFrame, topic: str, seen_at: datetime) -> DataFrame:
    """Rows of ``quarantine`` for the judged rows that are rejected or repaired.

    One row per shard, position, kind and text: an aggregated Kinesis record gives all its records one position.
    """
    bad = rows.where(is_rejected() | is_repaired())
    is_text = F.is_valid_utf8("raw")
    nothing = F.array().cast("array<string>")
    shaped = bad.select(
        F.lit(topic).alias("topic"),
        F.when(is_usable(), F.lit(REPAIRED)).otherwise(F.lit(REJECTED)).alias("kind"),
        F.when(is_usable(), F.array(F.lit(UNUSABLE))).otherwise(F.col("rejections")).alias("reasons"),
        F.when(is_usable(), F.col("repairs")).otherwise(nothing).alias("columns"),
        F.when(is_text, F.col("raw")).otherwise(F.make_valid_utf8("raw")).alias("raw"),
        F.when(~is_text, F.col("raw").cast("binary")).alias("raw_bytes"),
        "_source",
        F.lit(seen_at).alias("seen_at"),
    )
    source = F.col("_source")
    same = Window.partitionBy(source["shard"], source["position"], "kind", "raw", "raw_bytes")
    first = F.row_number().over(same.orderBy(source["arrived"], source["file"]))
    return shaped.withColumn("_rank", first).where("_rank = 1").drop("_rank")


def holds_any(spark: SparkSession, settings: Settings, entity: Entity) -> bool:
    """True if bad records of this kind were noted before. One entity has one writer at a time: no other adds any."""
    there = spark.table(settings.qualified(QUARANTINE_TABLE)).where(F.col("topic") == settings.origin(entity))
    return bool(there.head(1))


def write(
    spark: SparkSession,
    settings: Settings,
    entity: Entity,
    rows: DataFrame,
    files: tuple[str, ...] | None,
    *,
    compare: bool,
) -> None:
    """Notes the batch's bad records.

    Args:
        spark: session.
        settings: names and places.
        entity: the kind of record.
        rows: judged rows.
        files: keys of all files read, where the batch replaces what was noted of them; None to add.
        compare: add only what is not there; where nothing is there, it need not be compared with. A replay finds what
            the killed run wrote, and compares.
    """
    topic, name = settings.origin(entity), settings.qualified(QUARANTINE_TABLE)
    bad = noted(rows, topic, datetime.now(UTC))
    if files is not None:
        there = spark.table(name).where(F.col("topic") == topic)
        both = bad.unionByName(without_read(there, rows, files).select(*bad.columns))
        source = F.col("_source")
        key = [source["shard"], source["position"], F.col("kind"), F.col("raw")]
        whole = with_foreign_columns(both, there, both.columns, key)
        with_retries(lambda: whole.writeTo(name).overwrite(F.col("topic") == topic))
    elif compare:
        statement = _insert_statement(name, topic)
        with_retries(lambda: spark.sql(statement, bad=bad).collect())
    else:
        with_retries(lambda: bad.writeTo(name).append())


def _insert_statement(name: str, topic: str) -> str:
    """Insert-only MERGE. The topic stands as a literal, so that writers of other topics are never in the way."""
    columns = [field.name for field in QUARANTINE]
    # The topic is made of a checked user id and a known entity: nothing to escape.
    return (
        f"MERGE INTO {name} t USING {{bad}} s ON t.topic = '{topic}' AND t.kind = s.kind "
        "AND t._source.shard = s._source.shard AND t._source.position = s._source.position "
        "AND t.raw = s.raw AND t.raw_bytes <=> s.raw_bytes "
        f"WHEN NOT MATCHED THEN INSERT ({', '.join(f'`{c}`' for c in columns)}) "
        f"VALUES ({', '.join(f's.`{c}`' for c in columns)})"
    )
