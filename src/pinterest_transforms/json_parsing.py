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

from pinterest_transforms.column_cache import cache_per_session
from pinterest_transforms.columns import UNPAIRED_SURROGATE
from pinterest_transforms.entities import Entity
from pinterest_transforms.schemas import SOURCE_TYPE

RAW_RECORD = T.StructType().add("raw", "string").add("_source", SOURCE_TYPE)

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
READER_OPTIONS = {"allowSingleQuotes": "false", "maxStringLen": _MOST, "maxNumLen": _MOST}
"""Options of Spark's JSON reader, wherever a record is read."""

# No record can know it, so none can end the array around it and be taken for one object.
_END = secrets.token_hex(8)

_PAIR, _UNPAIRED = secrets.token_hex(8), secrets.token_hex(8)
# An escape is one only behind an even number of backslashes.
_ESCAPE = r"(?<!\\)((?:\\\\)*)\\u"
_HIGH, _LOW = "([dD][89abAB][0-9a-fA-F]{2})", "([dD][c-fC-F][0-9a-fA-F]{2})"


def parse_json(records: DataFrame, entity: Entity) -> DataFrame:
    """Reads each raw record as JSON, once.

    The reader stops after the first object of a text, and silently ignores the rest. So it is given an array of the
    record and of an end of our own: only where it finds these two was the record one JSON object.

    Returns:
        The records' columns, then ``readable`` (BOOLEAN: exactly one JSON object), ``is_text`` (BOOLEAN: its bytes are
        UTF-8), ``usual`` (BOOLEAN: readable, with each field of the source table once, in that order, and no other),
        ``names`` (the record's own field names, ARRAY<STRING>; null where all of them are known and each is
        there once), ``has_entity_fields`` (BOOLEAN: it has a field of this kind beside the key) and ``field_<name>`` of
        every known field, its value as STRING.
    """
    for step in _steps(entity):
        records = records.withColumns(step)
    return records.drop("_escaped", "_json", "_unpaired", "_record")


@cache_per_session
def _steps(entity: Entity) -> list[dict[str, Column]]:
    """Projections: Spark copies rows once per projection, and computes what is repeated within one once.

    The first one is copied together with the lines, so looking at the whole text once costs no more than its result.
    """
    raw, escaped = F.col("raw"), F.col("_escaped")
    marked = F.when(escaped, _mark_unpaired_surrogates(raw)).otherwise(raw)
    within = F.concat(F.lit("["), marked, F.lit(f',{{"{_END}":0}}]'))
    first, end = F.get("_json", F.lit(0)), F.get("_json", F.lit(1))
    unpaired = escaped & _true(F.concat_ws("", F.map_keys(first), F.map_values(first)).contains(_UNPAIRED))
    replaced = F.transform_values(
        first, lambda _, value: F.when(value.contains(_UNPAIRED), UNPAIRED_SURROGATE).otherwise(value)
    )
    record, readable = F.col("_record"), F.col("readable")
    names, values = F.map_keys(record), F.map_values(record)
    # Nearly every record has its fields in the order of the source table: there they need not be searched for.
    order = [entity.key_fields[0], *entity.fields]
    usual = _true(readable & (names == F.array(*map(F.lit, order))) & ~F.col("_unpaired"))
    fields = {name: F.when(~usual, record[name]) for name in entity.key_fields}
    for place, name in enumerate(order):
        fields[name] = F.when(usual, F.get(values, F.lit(place))).otherwise(record[name])
    # With as many names as known fields have values there is no room for another one.
    known = F.size(F.array_compact(F.array(*(record[name] for name in (*entity.key_fields, *entity.fields)))))
    strange = readable & ~usual & (F.size(names) != known)
    shown = F.transform(names, lambda name: F.replace(name, F.lit(_UNPAIRED), F.lit("\ufffd")))
    own = F.arrays_overlap(names, F.array(*map(F.lit, entity.fields)))
    return [
        {"_escaped": _has_surrogates(raw)},
        {"_json": F.from_json(within, "array<map<string,string>>", READER_OPTIONS)},
        {
            # The end stands last in the array: where it is the second one, there are these two.
            "readable": _true(F.map_contains_key(end, _END) & first.isNotNull()),
            "_unpaired": unpaired,
            "_record": F.when(unpaired, replaced).otherwise(first),
        },
        {
            "usual": usual,
            "is_text": F.is_valid_utf8(raw),
            "names": F.when(strange, F.when(F.col("_unpaired"), shown).otherwise(names)),
            "has_entity_fields": F.when(usual, F.lit(True)).otherwise(_true(own)),
            **{f"field_{name}": value for name, value in fields.items()},
        },
    ]


def _mark_unpaired_surrogates(raw: Column) -> Column:
    """The text with a mark in the place of each half of a surrogate pair, for which the reader would put a ``?``."""
    kept = F.regexp_replace(raw, rf"{_ESCAPE}{_HIGH}\\u{_LOW}", f"$1{_PAIR}$2$3")
    marked = F.regexp_replace(kept, rf"{_ESCAPE}[dD][89a-fA-F][0-9a-fA-F]{{2}}", f"$1{_UNPAIRED}")
    return F.regexp_replace(marked, f"{_PAIR}(.{{4}})", r"\\u$1\\u")


def _has_surrogates(raw: Column) -> Column:
    """True if the text may hold an escaped half of a surrogate pair."""
    return raw.contains(r"\u") & (raw.contains(r"\ud") | raw.contains(r"\uD"))


@cache_per_session
def rejection_reasons() -> Column:
    """Every reason why a record is rejected, as ARRAY<STRING>; empty for a usable one, ``BLANK`` alone for no record.

    Returns:
        A column of a frame with ``raw``, what ``parse_json`` adds, and ``ind``.
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
        OTHER_KIND: readable & ~F.col("has_entity_fields"),
    }
    none = F.col("usual") & is_text & F.col("ind").isNotNull()
    return F.when(none, no_labels()).otherwise(_names_of(reasons))


@cache_per_session
def unknown_fields(entity: Entity) -> Column:
    """Names of the record that no schema knows, as ARRAY<STRING>; null where there are none to look at."""
    known = (*entity.key_fields, *entity.fields)
    return F.array_except(F.col("names"), F.array(*map(F.lit, known)))


def matching_labels(names: Mapping[str, Column]) -> Column:
    """The names whose condition is true, as ARRAY<STRING>. Nearly always none is, which needs no array."""
    return F.when(reduce(or_, names.values()), _names_of(names)).otherwise(no_labels())


def _names_of(names: Mapping[str, Column]) -> Column:
    return F.array_compact(F.array(*(F.when(applies, name) for name, applies in names.items())))


def no_labels() -> Column:
    """An empty ARRAY<STRING>, with its type: the elements of Spark's own empty array have none."""
    return F.array().cast("array<string>")


def _true(condition: Column) -> Column:
    """The condition, false where it is null."""
    return F.coalesce(condition, F.lit(False))
