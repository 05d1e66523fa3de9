"""Rows of ``quarantine``: what was rejected or repaired. Source: the data contract, section 5."""

from datetime import datetime

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from pinterest_transforms.cleaning import is_rejected, is_repaired, is_usable
from pinterest_transforms.quality import UNUSABLE

REJECTED, REPAIRED = "rejected", "repaired"


def to_quarantine_rows(rows: DataFrame, topic: str, seen_at: datetime, *, distinct: bool) -> DataFrame:
    """Rows of ``quarantine`` for the records that are rejected or repaired.

    Args:
        rows: evaluated records, with ``_source``.
        topic: topic or stream they came from.
        seen_at: when they were first noted.
        distinct: whether each position stands there once; else one row per shard, position, kind and text is kept,
            since an aggregated Kinesis record gives all its records one position.
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
        _constant(seen_at).alias("seen_at"),
    )
    if distinct:
        return shaped
    source = F.col("_source")
    same = Window.partitionBy(source["shard"], source["position"], "kind", "raw", "raw_bytes")
    first = F.row_number().over(same.orderBy(source["arrived"], source["file"]))
    return shaped.withColumn("_rank", first).where("_rank = 1").drop("_rank")


def _constant(moment: datetime) -> Column:
    """The time in each row: read from a text, since Spark writes a literal time into the code that it generates.

    That code would have to be compiled again for each micro-batch.
    """
    return F.concat(F.lit(moment.isoformat()), F.left("raw", F.lit(0))).cast("timestamp")
