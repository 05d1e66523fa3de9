"""Newest by key, and the three ways clean rows get into their table: append, MERGE, replace."""

from pyspark.sql import Column, DataFrame, SparkSession, Window
from pyspark.sql import functions as F

from pinterest_transforms.cleaning import is_usable
from pinterest_transforms.entities import Entity
from pinterest_transforms.schemas import clean_schema
from pinterest_transforms.settings import Settings, quoted
from pinterest_transforms.storage.retry import with_retries

_FEW = 2_000_000
"""So many keys or row numbers are sent to every task; 8 bytes each and what a hash table adds."""

_WRITES = {"MERGE": ("numTargetRowsInserted", "numTargetRowsUpdated"), "WRITE": ("numOutputRows",)}


def _latest_first() -> list[Column]:
    source = F.col("_source")
    return [F.desc(source["position"]), F.desc(source["shard"]), F.desc("raw")]


def _ranked(rows: DataFrame) -> DataFrame:
    return rows.withColumn("_rank", F.row_number().over(Window.partitionBy("ind").orderBy(*_latest_first())))


def newest(rows: DataFrame, count: int) -> DataFrame:
    """The latest version of each key among the usable rows: position, then shard, then raw text.

    Only the keys that come more than once are sorted, and the rest stays where it is: moving and sorting every wide
    row costs as much as parsing it.

    Args:
        rows: judged rows that are kept, with ``_row``, a number of their own that stays the same when read again.
        count: how many of them are usable.
    """
    usable = rows.where(is_usable())
    repeated = usable.groupBy("ind").count().where("count > 1").select("ind")
    if count < _FEW:
        repeated = F.broadcast(repeated)
    versions = usable.select("ind", "_row", "_source", "raw").join(repeated, "ind", "left_semi")
    losers = _ranked(versions).where("_rank > 1").select("_row")
    if count < _FEW:
        losers = F.broadcast(losers)
    return usable.join(losers, "_row", "left_anti")


def write_clean(
    spark: SparkSession,
    settings: Settings,
    entity: Entity,
    rows: DataFrame,
    count: int,
    files: tuple[str, ...] | None,
    before: int,
    made: bool,
) -> int:
    """Writes the batch's clean rows in one commit.

    A replay merges once more, since a file may have grown since the kill, and counts the commit of the killed run too.

    Args:
        spark: session.
        settings: names and places.
        entity: the kind of record.
        rows: judged rows, as for ``newest``.
        count: how many of them are usable.
        files: keys of all files read, where the batch replaces what was made of them; None to merge.
        before: the table's version before the batch was first begun.
        made: nobody has written to the table since it was made.

    Returns:
        How many records of the batch became a row of the table.
    """
    name = settings.qualified(settings.clean_table(entity))
    columns = [field.name for field in clean_schema(entity)]
    if files is not None:
        return _replace(spark, name, columns, rows, files)
    fresh = newest(rows, count).select(*columns)
    if made or not spark.table(name).head(1):
        with_retries(lambda: fresh.writeTo(name).append())
    else:
        statement = _merge_statement(name, columns)
        with_retries(lambda: spark.sql(statement, fresh=fresh).collect())
    return _written_since(spark, name, before)


def without_read(there: DataFrame, rows: DataFrame, files: tuple[str, ...]) -> DataFrame:
    """What a table holds of neither these files nor a position that was just read.

    A file may have been joined to another one and be gone, and its records are there again.
    """
    source = F.col("_source")
    kept = there.where(~F.coalesce(source["file"].isin(list(files)), F.lit(False)))
    read = rows.select(source["shard"].alias("_shard"), source["position"].alias("_position"))
    same = (source["shard"] == F.col("_shard")) & (source["position"] == F.col("_position"))
    return kept.join(read, same, "left_anti")


def _written_since(spark: SparkSession, name: str, before: int) -> int:
    """Rows that commits after that version wrote. Maintenance does not count."""
    history = spark.sql(f"DESCRIBE HISTORY {name} LIMIT 50").collect()
    commits = [row for row in history if row["version"] > before]
    return sum(
        int(row["operationMetrics"].get(metric, 0)) for row in commits for metric in _WRITES.get(row["operation"], ())
    )


def _merge_statement(name: str, columns: list[str]) -> str:
    assigned = ", ".join(f"{quoted(column)} = s.{quoted(column)}" for column in columns)
    names, values = ", ".join(map(quoted, columns)), ", ".join(f"s.{quoted(column)}" for column in columns)
    return (
        f"MERGE INTO {name} t USING {{fresh}} s ON t.ind = s.ind "
        "WHEN MATCHED AND (s._source.position > t._source.position "
        "OR (s._source.position = t._source.position AND s._source.shard > t._source.shard)) "
        f"THEN UPDATE SET {assigned} "
        f"WHEN NOT MATCHED THEN INSERT ({names}) VALUES ({values})"
    )


def _replace(spark: SparkSession, name: str, columns: list[str], rows: DataFrame, files: tuple[str, ...]) -> int:
    """Replaces what was made of those files by what they give now; rows of files that are gone stay as they are."""
    kept = without_read(spark.table(name), rows, files)
    fresh = rows.where(is_usable()).select(*columns, "raw", F.lit(True).alias("_fresh"))
    no_raw = F.lit(None).cast("string").alias("raw")
    both = fresh.unionByName(kept.select(*columns, no_raw, F.lit(False).alias("_fresh")))
    result = _ranked(both).where("_rank = 1")
    merged = result.where("_fresh").count()
    with_retries(lambda: result.select(*columns).writeTo(name).overwrite(F.lit(True)))
    return merged
