"""The latest version of each key: by position, then shard, then raw text. Source: the data contract, section 3."""

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

_FEW = 2_000_000
"""Fewer keys that come more than once are sent to every task: 16 bytes each, and a hash table's own."""


def latest_per_key(rows: DataFrame) -> DataFrame:
    """The latest version of each key, by ``_source.position``, then shard, then raw text.

    Args:
        rows: with ``ind`` and ``_source``; without ``raw``, as ``clean`` gives them, the values decide in its place.

    >>> given = "VALUES (1, '2', 'new'), (1, '1', 'old') AS given(ind, position, title)"
    >>> rows = spark.sql(f"SELECT ind, struct('0' AS shard, position) AS _source, title FROM {given}")
    >>> latest_per_key(rows).first()["title"]
    'new'
    """
    values = [name for name in rows.columns if name not in ("ind", "_source")]
    last = F.col("raw") if "raw" in values else F.struct(*values)
    versions = Window.partitionBy("ind").orderBy(F.desc("_source.position"), F.desc("_source.shard"), last.desc())
    return rows.withColumn("_rank", F.row_number().over(versions)).where("_rank = 1").drop("_rank")


def greatest_per_key(rows: DataFrame, order: str, count: int) -> DataFrame:
    """The row with the greatest number of each key.

    Two numbers per key are aggregated, without sorting, and only keys that come more than once are joined to; where
    they are few no wide row is moved. Moving and sorting wide rows costs as much as parsing them, and more where they
    do not fit in memory; so where there may be many, they are counted first.

    Args:
        rows: checkpointed rows with ``ind``.
        order: BIGINT column, different in each row of a key.
        count: how many rows there are.
    """
    latest = rows.groupBy("ind").agg(F.max(order).alias("_latest"), F.count("*").alias("_versions"))
    latest = latest.where("_versions > 1").select("ind", "_latest")
    if count < _FEW or latest.count() < _FEW:
        latest = F.broadcast(latest)
    return rows.join(latest, "ind", "left").where(f"_latest IS NULL OR _latest = {order}")
