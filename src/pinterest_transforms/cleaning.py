"""Raw records to clean columns, rejections and repairs; both legs call it. Source: contract, sections 3, 5.

It ends with one ``select`` that is the entity's schema. It also lists the clean columns whose value is unusable (and
no placeholder): such a record is *repaired*.
"""

from collections.abc import Callable
from datetime import datetime
from functools import reduce
from operator import or_

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F
from pyspark.sql import types as T

from pinterest_transforms import columns, json_parsing
from pinterest_transforms.column_cache import cache_per_session
from pinterest_transforms.entities import Entity
from pinterest_transforms.schemas import CONTRACT, SOURCE_TYPE, clean_schema

_RULES: dict[str, Callable[[Column], Column]] = {
    "follower_count": columns.parse_follower_count,
    "save_location": columns.parse_save_location,
    "latitude": lambda value: columns.parse_degrees(value, 90),
    "longitude": lambda value: columns.parse_degrees(value, 180),
    "timestamp": columns.parse_timestamp,
    "age": columns.parse_age,
    "date_joined": columns.parse_timestamp,
}
"""The rule of each field; the value of any other one is text as it stands, and an object or an array is unusable."""

_NOT_KEPT = ("downloaded",)
"""Fields that no clean column is made of."""

_PARTS = {"coordinates": ("latitude", "longitude"), "user_name": ("first_name", "last_name")}
"""Clean columns that are made of two fields; each other one is made of the field of its name."""

REJECTED, REPAIRED = "rejected", "repaired"

Columns = dict[str, Column]


def clean(df: DataFrame, entity: Entity, column: str = "value") -> tuple[DataFrame, DataFrame]:
    """Cleans any frame that has a column of JSON texts: a topic, a stream's payload, lines of files.

    It is what both legs do with their records, by the same functions. Several versions of a key stay as they are:
    ``latest_per_key`` chooses among them.

    Args:
        df: with the column; and, where it has one, ``_source`` (``schemas.SOURCE_TYPE``): where each record came from.
        entity: the kind of record, such as ``PIN``.
        column: name of the column of texts, STRING or BINARY (UTF-8); null, as of a tombstone, is no record.

    Returns:
        The clean frame, with the columns of ``clean_schema(entity)``; and the quarantine frame, with those of
        ``QUARANTINE``: records that are rejected, or repaired, each with every reason. ``_source`` is null where the
        frame has none, and ``topic`` always. Both are computed from the frame when they are used: cache it, if it is
        expensive to read.

    >>> from pinterest_transforms import PIN
    >>> df = spark.range(1).select(F.lit('{"index": 1, "category": "art", "follower_count": "1.1k"}').alias("value"))
    >>> pins, quarantined = clean(df, PIN)
    >>> pins.select("ind", "category", "follower_count").first()
    Row(ind=1, category='art', follower_count=1100)
    """
    source = F.col("_source").cast(SOURCE_TYPE) if "_source" in df.columns else F.lit(None).cast(SOURCE_TYPE)
    records = df.select(F.coalesce(F.col(column).cast("string"), F.lit("")).alias("raw"), source.alias("_source"))
    rows = validate_and_clean(records, entity)
    # Spark pushes no filter below a non-deterministic column; else it would copy all rules into the filter.
    computed = F.when(F.spark_partition_id() >= 0, F.col("rejections"))
    rows = rows.withColumn("rejections", computed)
    usable = rows.where(is_usable()).select(*clean_schema(entity).names)
    return usable, to_quarantine_rows(rows, None, None, distinct=True)


def validate_and_clean(records: DataFrame, entity: Entity, *, every_raw: bool = True) -> DataFrame:
    """Cleans raw records of any quality and labels each with its rejections and repairs.

    In steps, one projection each: what one step names, the next one may use often, and it is computed once.

    Args:
        records: raw records: ``raw``, and whatever else is to be carried along, as ``_source``.
        entity: the kind they should be.
        every_raw: keep the raw text of every record; else of those alone that are rejected or repaired.

    Returns:
        The contract's columns of the entity, then what the records had beside ``raw``, then ``raw``,
        ``rejections`` (ARRAY<STRING>, empty for a usable record, ``json_parsing.BLANK`` alone for an empty line),
        ``repairs`` (ARRAY<STRING>, clean columns whose value was unusable, empty for none) and ``unknown_fields``
        (ARRAY<STRING> or null). One row per record or empty line.
    """
    carried = [name for name in records.columns if name != "raw"]
    rows = json_parsing.parse_json(records, entity)
    for step in _steps(entity):
        rows = rows.withColumns(step)
    repairs, unknown = _repairs(entity), json_parsing.unknown_fields(entity)
    rejections, raw = json_parsing.rejection_reasons(), F.col("raw")
    if not every_raw:
        raw = F.when((F.size(rejections) > 0) | (F.size(repairs) > 0), raw).alias("raw")
    labels = (rejections.alias("rejections"), repairs.alias("repairs"), unknown.alias("unknown_fields"))
    return rows.select(*CONTRACT[entity.name].names, *carried, raw, *labels)


@cache_per_session
def _steps(entity: Entity) -> list[Columns]:
    """From ``json_parsing.parse_json`` to the contract's columns, each step one projection.

    The second one also says of each column whether the record has something for it, and no placeholder.
    """
    names = [name for name in entity.fields if name not in _NOT_KEPT]
    trimmed = {name: columns.trim_whitespace(f"field_{name}") for name in (*entity.key_fields, *names)}
    values = {name: _unless_placeholder(entity, name, _rule(name)) for name in names}
    clean_columns = {"ind": F.coalesce(*(columns.parse_key(F.col(name)) for name in entity.key_fields))}
    given = {}
    for field in CONTRACT[entity.name].fields[1:]:
        parts = _PARTS.get(field.name, (field.name,))
        made = [values[part] for part in parts]
        held = [_unless_placeholder(entity, part, _may_be_unusable(part)) for part in parts]
        if field.name == "user_name":
            # Broken if either part is, even where the other part is left to stand for it.
            held = [had & value.isNull() for had, value in zip(held, made, strict=True)]
        given[_given(field.name)] = reduce(or_, held)
        value = _JOINED[field.name](*made) if field.name in _JOINED else made[0]
        clean_columns[field.name] = value.cast(field.dataType)
    return [trimmed, clean_columns | given]


_JOINED: dict[str, Callable[..., Column]] = {
    "coordinates": lambda *pair: F.when(pair[0].isNotNull() & pair[1].isNotNull(), F.array(*pair)),
    "user_name": columns.join_names,
}
"""How the two values of ``_PARTS`` become one."""


def _given(column: str) -> str:
    return f"given_{column}"


def _unless_placeholder(entity: Entity, name: str, cleaned: Column) -> Column:
    return columns.null_if_placeholder(name, entity.placeholders.get(name, ()), cleaned)


def _rule(name: str) -> Column:
    """What the field's rule makes of its trimmed text."""
    if name in _RULES:
        return _RULES[name](F.col(name))
    # The record is parsed once more, only for texts that look like something else, which are few.
    kind = F.from_json("raw", f"struct<`{name}` variant>", json_parsing.READER_OPTIONS)[name]
    return columns.parse_text(name, kind)


def _may_be_unusable(name: str) -> Column:
    """True if the record has a value for the field; of a text, one that may be none."""
    return F.col(name).isNotNull() if name in _RULES else columns.may_be_no_text(name)


@cache_per_session
def _repairs(entity: Entity) -> Column:
    """Clean columns for which the record held something that could not be used."""
    conditions = {name: F.col(name).isNull() & F.col(_given(name)) for name in CONTRACT[entity.name].names[1:]}
    if "user_name" in conditions:
        conditions["user_name"] = F.col(_given("user_name"))
    return json_parsing.matching_labels(conditions)


def is_usable() -> Column:
    """True for a row of ``validate_and_clean`` that belongs in the clean table."""
    return F.size("rejections") == 0


def is_rejected() -> Column:
    """True for a row of ``validate_and_clean`` that is kept out of the clean table; an empty line is no record."""
    return ~is_usable() & (F.get("rejections", F.lit(0)) != json_parsing.BLANK)


def is_repaired() -> Column:
    """True for a row of ``validate_and_clean`` that belongs in the clean table, with a value made null."""
    return is_usable() & (F.size("repairs") > 0)


def to_quarantine_rows(rows: DataFrame, topic: str | None, seen_at: datetime | None, *, distinct: bool) -> DataFrame:
    """Rows of ``quarantine`` for the records that are rejected or repaired.

    Args:
        rows: evaluated records, with ``_source``.
        topic: topic or stream they came from, if it is known.
        seen_at: when they were first noted; None for when the rows are computed, in a stream each micro-batch's time.
        distinct: whether each position stands there once; else one row per shard, position, kind and text is kept,
            since an aggregated Kinesis record gives all its records one position.
    """
    bad = rows.where(is_rejected() | is_repaired())
    is_text, moment = F.is_valid_utf8("raw"), F.current_timestamp()
    if seen_at:
        # From a text: Spark writes a literal time into the code that it generates, and would compile it for each batch.
        moment = F.concat(F.lit(seen_at.isoformat()), F.left("raw", F.lit(0))).cast(T.TimestampType())
    shaped = bad.select(
        F.lit(topic).cast("string").alias("topic"),
        F.when(is_usable(), F.lit(REPAIRED)).otherwise(F.lit(REJECTED)).alias("kind"),
        F.when(is_usable(), F.array(F.lit(json_parsing.UNUSABLE))).otherwise(F.col("rejections")).alias("reasons"),
        F.when(is_usable(), F.col("repairs")).otherwise(json_parsing.no_labels()).alias("columns"),
        F.when(is_text, F.col("raw")).otherwise(F.make_valid_utf8("raw")).alias("raw"),
        F.when(~is_text, F.col("raw").cast("binary")).alias("raw_bytes"),
        "_source",
        moment.alias("seen_at"),
    )
    if distinct:
        return shaped
    same = Window.partitionBy("_source.shard", "_source.position", "kind", "raw", "raw_bytes")
    first = F.row_number().over(same.orderBy("_source.arrived", "_source.file"))
    return shaped.withColumn("_rank", first).where("_rank = 1").drop("_rank")
