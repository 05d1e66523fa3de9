"""Writes rows to the clean tables and quarantine: appends, merges or replaces."""

from collections.abc import Sequence
from datetime import UTC, datetime

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from pinterest_transforms.cleaning import is_usable, to_quarantine_rows
from pinterest_transforms.deduplication import latest_per_key
from pinterest_transforms.schemas import QUARANTINE, clean_schema
from pinterest_transforms.settings import EntityLeg, Leg, quote_identifiers
from pinterest_transforms.tables.definitions import QUARANTINE_TABLE
from pinterest_transforms.tables.position_conflicts import exclude_earlier_topic
from pinterest_transforms.tables.retry import with_retries


def merge_clean(leg: EntityLeg, rows: DataFrame, *, is_new: bool) -> None:
    """Writes rows, one per key, by key and position in one commit.

    Args:
        leg: session, names and places, kind of record.
        rows: with the columns of the clean table.
        is_new: nobody has written to the table since it was made: MERGE into nothing would only cost a join.
    """
    name = leg.qualified(leg.clean_table)
    columns = clean_schema(leg.entity).names
    rows = rows.select(*columns)
    if is_new:
        with_retries(lambda: rows.writeTo(name).append())
        return
    assigned = ", ".join(f"{quote_identifiers(column)} = s.{quote_identifiers(column)}" for column in columns)
    statement = (
        f"MERGE INTO {name} t USING {{rows}} s ON t.ind = s.ind "
        "WHEN MATCHED AND (s._source.position > t._source.position "
        "OR (s._source.position = t._source.position AND s._source.shard > t._source.shard)) "
        f"THEN UPDATE SET {assigned} "
        f"WHEN NOT MATCHED THEN INSERT ({_names(columns)}) VALUES ({_values(columns)})"
    )
    with_retries(lambda: leg.sql(statement, rows=rows).collect())


def replace_clean(leg: EntityLeg, rows: DataFrame, files: tuple[str, ...]) -> int:
    """Replaces what was made of those files by what they give now; rows of files that are gone stay as they are.

    Returns:
        How many of the records became a row.
    """
    name, columns = leg.qualified(leg.clean_table), clean_schema(leg.entity).names
    there = leg.table(leg.clean_table)
    kept = exclude_reingested(there, rows, files)
    fresh = rows.where(is_usable()).select(*columns, "raw", F.lit(True).alias("_fresh"))
    no_raw = F.lit(None).cast("string").alias("raw")
    both = fresh.unionByName(kept.select(*columns, no_raw, F.lit(False).alias("_fresh")))
    result = latest_per_key(both)
    merged = result.where("_fresh").count()
    whole = with_foreign_columns(result.select(*columns), there, columns, [F.col("ind")])
    with_retries(lambda: whole.writeTo(name).overwrite(F.lit(True)))
    return merged


def restore_clean(leg: EntityLeg, rows: DataFrame) -> None:
    """Puts rows in the place of others, in one commit; a row that nothing takes the place of goes.

    Args:
        leg: session, names and places, kind of record.
        rows: ``_key``, ``_shard`` and ``_position`` of the row to be replaced, and the columns of the clean table, all
            null where the row goes. A row that was replaced meanwhile is left alone.
    """
    columns = clean_schema(leg.entity).names
    assigned = ", ".join(f"{quote_identifiers(column)} = s.{quote_identifiers(column)}" for column in columns)
    statement = (
        f"MERGE INTO {leg.qualified(leg.clean_table)} t USING {{rows}} s "
        "ON t.ind = s._key AND t._source.shard = s._shard AND t._source.position = s._position "
        f"WHEN MATCHED AND s.ind IS NULL THEN DELETE WHEN MATCHED THEN UPDATE SET {assigned}"
    )
    with_retries(lambda: leg.sql(statement, rows=rows).collect())


def remove_ranges(leg: Leg, table: str, which: str, ranges: DataFrame) -> None:
    """Removes the rows whose records stand in some ranges.

    Args:
        leg: session, names and places.
        table: a table with ``_source``.
        which: SQL of its partition.
        ranges: ``shard``, ``file`` (empty for none), ``first`` and ``last``.
    """
    statement = (
        f"MERGE INTO {leg.qualified(table)} t USING {{ranges}} s ON t.{which} AND t._source.shard = s.shard "
        "AND coalesce(t._source.file, '') = s.file AND t._source.position BETWEEN s.first AND s.last "
        "WHEN MATCHED THEN DELETE"
    )
    with_retries(lambda: leg.sql(statement, ranges=ranges).collect())


def has_quarantined(leg: EntityLeg) -> bool:
    """Whether quarantine holds records of this topic or stream."""
    return bool(leg.table(QUARANTINE_TABLE).where(F.col("topic") == leg.source_name).head(1))


def write_quarantine(
    leg: EntityLeg, rows: DataFrame, files: tuple[str, ...] | None, *, distinct: bool, may_exist: bool
) -> None:
    """Writes rejected and repaired records; each is there once, however often it is delivered.

    Args:
        leg: session, names and places, kind of record.
        rows: evaluated rows.
        files: keys of all files read, where the batch replaces what was noted of them; None to add.
        distinct: whether each position stands in the batch once.
        may_exist: whether some may be there: of an earlier run, or of one that was killed.
    """
    name, topic = leg.qualified(QUARANTINE_TABLE), leg.source_name
    bad = to_quarantine_rows(rows, topic, datetime.now(UTC), distinct=distinct)
    if files is not None:
        there = leg.table(QUARANTINE_TABLE).where(F.col("topic") == topic)
        both = bad.unionByName(exclude_reingested(there, rows, files).select(*bad.columns))
        source = F.col("_source")
        key = [source["shard"], source["position"], F.col("kind"), F.col("raw")]
        whole = with_foreign_columns(both, there, both.columns, key)
        with_retries(lambda: whole.writeTo(name).overwrite(F.col("topic") == topic))
    elif may_exist:
        columns = QUARANTINE.names
        # The topic, a checked user id and a known entity, is a literal: writers of other topics are never in the way.
        statement = (
            f"MERGE INTO {name} t USING {{bad}} s ON t.topic = '{topic}' AND t.kind = s.kind "
            "AND t._source.shard = s._source.shard AND t._source.position = s._source.position "
            "AND t.raw = s.raw AND t.raw_bytes <=> s.raw_bytes "
            f"WHEN NOT MATCHED THEN INSERT ({_names(columns)}) VALUES ({_values(columns)})"
        )
        with_retries(lambda: leg.sql(statement, bad=bad).collect())
    else:
        with_retries(lambda: bad.writeTo(name).append())


def exclude_reingested(there: DataFrame, rows: DataFrame, files: tuple[str, ...]) -> DataFrame:
    """What a table holds of neither these files nor a position that was just read, nor of an earlier topic.

    A file may have been joined to another one and be gone, and its records are there again.
    """
    source = F.col("_source")
    kept = there.where(~F.coalesce(source["file"].isin(list(files)), F.lit(False)))
    read = rows.select(source["shard"].alias("_shard"), source["position"].alias("_position"))
    same = (source["shard"] == F.col("_shard")) & (source["position"] == F.col("_position"))
    kept = kept.join(read, same, "left_anti")
    return exclude_earlier_topic(kept, rows) if files else kept


def with_foreign_columns(rows: DataFrame, there: DataFrame, columns: Sequence[str], key: Sequence[Column]) -> DataFrame:
    """The rows that replace a table's, with what columns that somebody else added hold for the same key.

    Args:
        rows: new rows, of the library's columns.
        there: the table's rows now.
        columns: the library's columns of the table.
        key: columns that identify a row; null is equal to nothing.
    """
    if set(there.columns) <= set(columns):
        return rows
    names = {f"_key_{number}": column for number, column in enumerate(key)}
    foreign = there.withColumns(names).drop(*columns).dropDuplicates([*names])
    return rows.withColumns(names).join(foreign, [*names], "left").drop(*names)


def _names(columns: Sequence[str]) -> str:
    return ", ".join(map(quote_identifiers, columns))


def _values(columns: Sequence[str]) -> str:
    return ", ".join(f"s.{quote_identifiers(column)}" for column in columns)
