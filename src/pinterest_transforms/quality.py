"""Parse and judge: which records are usable, which are rejected and why, which fields nobody knows.

A *raw record* is what both legs make of whatever arrives: ``raw`` (its bytes as they came, as STRING) and ``_source``.
Source: the data contract, section 3, "Nothing is lost".
"""

import secrets
from collections.abc import Mapping
from functools import reduce
from operator import or_

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from pinterest_transforms.columns import UNPAIRED_SURROGATE
from pinterest_transforms.entities import Entity
from pinterest_transforms.schemas import SOURCE_TYPE

RAW_RECORD = T.StructType(
    [
        T.StructField("raw", T.StringType()),
        T.StructField("_source", SOURCE_TYPE),
    ]
)

NOT_TEXT = "not UTF-8"
NOT_AN_OBJECT = "not exactly one JSON object"
GIVEN_TWICE = "a field is given twice"
NO_KEY = "no usable key"
OTHER_KIND = "a record of another kind"
UNUSABLE = "unusable value"

BLANK = "blank"
"""Not a reason, but what stands in its place for an empty line, which is no record."""

_JSON_SPACE = " \t\r\n"
# Python and most senders write NaN for a missing number; single quotes are no JSON.
_MOST = "2147483647"
# The reader's own limits on the length of a text and of a number would make such a record unreadable.
_READER = {"allowSingleQuotes": "false", "maxStringLen": _MOST, "maxNumLen": _MOST}
# No record can know it, so none can end the array around it and be taken for one object.
_END = secrets.token_hex(8)

_PAIR, _UNPAIRED = secrets.token_hex(8), secrets.token_hex(8)
# An escape is one only behind an even number of backslashes.
_ESCAPE = r"(?<!\\)((?:\\\\)*)\\u"
_HIGH, _LOW = "([dD][89abAB][0-9a-fA-F]{2})", "([dD][c-fC-F][0-9a-fA-F]{2})"


def parsed(records: DataFrame, entity: Entity) -> DataFrame:
    """Reads each raw record as JSON, once.

    The reader stops after the first object of a text, and says nothing of what follows. So it is given an array of the
    record and of an end of our own: only where it finds these two was the record one JSON object.

    Args:
        records: raw records.
        entity: the kind they should be.

    Returns:
        The records' columns, then ``readable`` (BOOLEAN: exactly one JSON object), ``is_text`` (BOOLEAN: its bytes are
        UTF-8), ``names`` (the record's own field names, ARRAY<STRING>; null where all of them are known and each is
        there once), ``own`` (BOOLEAN: it has a field of this kind beside the key) and ``field_<name>`` of every known
        field, its value as STRING.
    """
    carried, known = records.columns, [*entity.key_fields, *entity.fields]
    records = records.withColumn("_text", _mark_unpaired_surrogates(F.col("raw")))
    within = F.concat(F.lit("["), F.col("_text"), F.lit(f',{{"{_END}":0}}]'))
    read = records.withColumn("_json", F.from_json(within, "array<map<string,string>>", _READER))
    unpaired = _true(F.col("_text") != F.col("raw"))
    record, end = F.get("_json", F.lit(0)), F.get("_json", F.lit(1))
    readable = (F.size("_json") == 2) & F.map_contains_key(end, _END) & record.isNotNull()
    read = read.select(
        *carried, _true(readable).alias("readable"), record.alias("_record"), unpaired.alias("_unpaired")
    )
    # Nearly every record has its fields in the order of the source table: there they need not be searched for.
    order = [entity.key_fields[0], *entity.fields]
    usual = _true(F.map_keys("_record") == F.array(*map(F.lit, order)))
    read = read.select("*", F.map_values("_record").alias("_values"), usual.alias("_usual"))
    usual, record, values = F.col("_usual"), F.col("_record"), F.col("_values")
    in_order = {name: F.get(values, F.lit(place)) for place, name in enumerate(order)}
    found = {name: F.when(usual, in_order.get(name)).otherwise(record[name]) for name in known}
    found = {
        name: F.when(F.col("_unpaired") & value.contains(_UNPAIRED), UNPAIRED_SURROGATE).otherwise(value)
        for name, value in found.items()
    }
    read = read.select(
        *carried,
        "readable",
        "_record",
        "_usual",
        "_unpaired",
        *(value.alias(f"field_{name}") for name, value in found.items()),
    )
    return _with_names(read, carried, entity)


def _mark_unpaired_surrogates(raw: Column) -> Column:
    """The text with a mark in the place of each half of a surrogate pair, for which the reader would put a ``?``."""
    kept = F.regexp_replace(raw, rf"{_ESCAPE}{_HIGH}\\u{_LOW}", f"$1{_PAIR}$2$3")
    marked = F.regexp_replace(kept, rf"{_ESCAPE}[dD][89a-fA-F][0-9a-fA-F]{{2}}", f"$1{_UNPAIRED}")
    restored = F.regexp_replace(marked, f"{_PAIR}(.{{4}})", r"\\u$1\\u")
    return F.when(raw.contains(r"\ud") | raw.contains(r"\uD"), restored).otherwise(raw)


def _with_names(read: DataFrame, carried: list[str], entity: Entity) -> DataFrame:
    """Looks at the record's names where they may be other than the usual ones."""
    fields = {name: F.col(f"field_{name}") for name in (*entity.key_fields, *entity.fields)}
    values = sum((value.isNotNull().cast("int") for value in fields.values()), F.lit(0))
    usual, readable, names = F.col("_usual"), F.col("readable"), F.map_keys("_record")
    shown = F.transform(names, lambda name: F.replace(name, F.lit(_UNPAIRED), F.lit("\ufffd")))
    names = F.when(F.col("_unpaired"), shown).otherwise(names)
    # With as many names as known fields have values there is no room for another one.
    strange = readable & ~usual & (F.size(names) != values)
    present = _true(F.arrays_overlap(names, F.array(*map(F.lit, entity.fields))))
    # The reader puts U+FFFD in place of what is not UTF-8.
    replaced = reduce(or_, (_true(value.contains("\ufffd")) for value in fields.values()))
    doubtful = ~readable | strange | replaced
    return read.select(
        *carried,
        "readable",
        F.when(doubtful, F.is_valid_utf8("raw")).otherwise(F.lit(True)).alias("is_text"),
        F.when(strange, names).alias("names"),
        F.when(usual, F.lit(True)).otherwise(present).alias("own"),
        *fields.values(),
    )


def rejections() -> Column:
    """Every reason why a record is rejected, as ARRAY<STRING>; empty for a usable one, ``BLANK`` alone for no record.

    Returns:
        A column of a frame with ``raw``, what ``parsed`` adds, and ``ind``.
    """
    readable, is_text, names = F.col("readable"), F.col("is_text"), F.col("names")
    raw = F.col("raw")
    blank = F.when(readable | raw.startswith("{"), F.lit(False)).otherwise(F.btrim(raw, F.lit(_JSON_SPACE)) == "")
    reasons = {
        BLANK: blank,
        NOT_TEXT: ~is_text,
        NOT_AN_OBJECT: ~readable & is_text & ~blank,
        GIVEN_TWICE: readable & (F.size(F.array_distinct(names)) < F.size(names)),
        NO_KEY: readable & F.col("ind").isNull(),
        OTHER_KIND: readable & ~F.col("own"),
    }
    return listed(reasons)


def unknown_fields(entity: Entity) -> Column:
    """Names of the record that no schema knows, as ARRAY<STRING>; null where there are none to look at."""
    known = (*entity.key_fields, *entity.fields)
    return F.array_except(F.col("names"), F.array(*map(F.lit, known)))


def listed(names: Mapping[str, Column]) -> Column:
    """The names whose condition is true, as ARRAY<STRING>. Nearly always none is, which a sum sees without an array.

    The sum also makes Spark compute what the conditions share once, and not once a condition.
    """
    count = sum((_true(applies).cast("int") for applies in names.values()), F.lit(0))
    found = F.array_compact(F.array(*(F.when(applies, name) for name, applies in names.items())))
    return F.when(count == 0, F.array().cast("array<string>")).otherwise(found)


def _true(condition: Column) -> Column:
    """The condition, false where it is null."""
    return F.coalesce(condition, F.lit(False))
