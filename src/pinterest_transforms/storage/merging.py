"""Newest by key, and the three ways clean rows get into their table: append, MERGE, replace."""

from collections.abc import Sequence

from pyspark.sql import Column, DataFrame, Row, SparkSession, Window
from pyspark.sql import functions as F

from pinterest_transforms.cleaning import is_usable
from pinterest_transforms.entities import Entity
from pinterest_transforms.schemas import clean_schema
from pinterest_transforms.settings import Settings, quoted
from pinterest_transforms.storage import tables
from pinterest_transforms.storage.commits import commit_id
from pinterest_transforms.storage.conflicts import of_this_topic
from pinterest_transforms.storage.retry import with_retries

_FEW = 2_000_000
"""Of fewer rows, the keys that come more than once are sent to every task: 16 bytes each, and a hash table's own."""

_WRITES = {"MERGE": ("numTargetRowsInserted", "numTargetRowsUpdated"), "WRITE": ("numOutputRows",)}


def _order() -> Column:
    """What is greater is later: position, then shard, then raw text."""
    source = F.col("_source")
    return F.struct(source["position"], source["shard"], "raw")


def newest(rows: DataFrame, count: int) -> DataFrame:
    """The latest version of each key among the usable rows, in the order of position, shard, raw text.

    Keys and what orders them are aggregated alone; only those that come more than once are joined to, and where they
    are few no wide row is moved: moving and sorting them all costs as much as parsing.

    Args:
        rows: judged rows that are kept, with ``_row``, a number of their own that stays the same when read again.
        count: how many of them are usable.
    """
    usable = rows.where(is_usable())
    latest = usable.groupBy("ind").agg(F.max_by("_row", _order()).alias("_latest"), F.count("*").alias("_versions"))
    latest = latest.where("_versions > 1").select("ind", "_latest")
    if count < _FEW:
        latest = F.broadcast(latest)
    return usable.join(latest, "ind", "left").where("_latest IS NULL OR _latest = _row")


def write_clean(
    spark: SparkSession,
    settings: Settings,
    entity: Entity,
    rows: DataFrame,
    count: int,
    files: tuple[str, ...] | None,
    before: int,
    made: bool,
) -> tuple[int, str]:
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
        How many records of the batch became a row of the table, and the ``commit_id`` of the table's last commit.
    """
    name = settings.qualified(settings.clean_table(entity))
    columns = [field.name for field in clean_schema(entity)]
    if files is not None:
        merged = _replace(spark, name, columns, rows, files)
        return merged, commit_id(tables.last_commit(spark, settings, settings.clean_table(entity)))
    fresh = newest(rows, count).select(*columns)
    if made:
        with_retries(lambda: fresh.writeTo(name).append())
    else:
        statement = _merge_statement(name, columns)
        with_retries(lambda: spark.sql(statement, fresh=fresh).collect())
    commits = tables.history(spark, settings, settings.clean_table(entity), 50)
    return _written_since(commits, before), commit_id(commits[0])


def without_read(there: DataFrame, rows: DataFrame, files: tuple[str, ...]) -> DataFrame:
    """What a table holds of neither these files nor a position that was just read, nor of an earlier topic.

    A file may have been joined to another one and be gone, and its records are there again.
    """
    source = F.col("_source")
    kept = there.where(~F.coalesce(source["file"].isin(list(files)), F.lit(False)))
    read = rows.select(source["shard"].alias("_shard"), source["position"].alias("_position"))
    same = (source["shard"] == F.col("_shard")) & (source["position"] == F.col("_position"))
    kept = kept.join(read, same, "left_anti")
    return of_this_topic(kept, rows) if files else kept


def _written_since(commits: Sequence[Row], before: int) -> int:
    """Rows that commits after that version wrote. Maintenance does not count."""
    return sum(
        int(row["operationMetrics"].get(metric, 0))
        for row in commits
        for metric in _WRITES.get(row["operation"], ())
        if row["version"] > before
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
    there = spark.table(name)
    kept = without_read(there, rows, files)
    fresh = rows.where(is_usable()).select(*columns, "raw", F.lit(True).alias("_fresh"))
    no_raw = F.lit(None).cast("string").alias("raw")
    both = fresh.unionByName(kept.select(*columns, no_raw, F.lit(False).alias("_fresh")))
    same_key = Window.partitionBy("ind").orderBy(_order().desc())
    result = both.withColumn("_rank", F.row_number().over(same_key)).where("_rank = 1")
    merged = result.where("_fresh").count()
    whole = with_foreign_columns(result.select(*columns), there, columns, [F.col("ind")])
    with_retries(lambda: whole.writeTo(name).overwrite(F.lit(True)))
    return merged


def with_foreign_columns(rows: DataFrame, there: DataFrame, columns: Sequence[str], key: Sequence[Column]) -> DataFrame:
    """The rows that replace a table's, with what columns that somebody else added hold for the same key.

    Args:
        rows: new rows, of the library's columns.
        there: the table's rows now.
        columns: the library's columns of the table.
        key: what tells a row from another; null is equal to nothing.
    """
    if set(there.columns) <= set(columns):
        return rows
    names = {f"_key_{number}": column for number, column in enumerate(key)}
    foreign = there.withColumns(names).drop(*columns).dropDuplicates([*names])
    return rows.withColumns(names).join(foreign, [*names], "left").drop(*names)
