"""Parse and judge: which records are usable, which are rejected and why, which fields nobody knows.

A *raw record* is what both legs make of whatever arrives: ``raw`` (the text as it came), ``is_text`` (false where its
bytes are not UTF-8), ``misplaced`` (a reason why its position is unknown, or null) and ``_source``. Source: the data
contract, section 3, "Nothing is lost".
"""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from pinterest_transforms import columns
from pinterest_transforms.entities import Entity
from pinterest_transforms.schemas import CORRUPT_FIELD, SOURCE_TYPE, text_schema

RAW_RECORD = T.StructType(
    [
        T.StructField("raw", T.StringType()),
        T.StructField("is_text", T.BooleanType()),
        T.StructField("misplaced", T.StringType()),
        T.StructField("_source", SOURCE_TYPE),
    ]
)

NOT_TEXT = "not UTF-8"
NOT_AN_OBJECT = "not exactly one JSON object"
GIVEN_TWICE = "a field is given twice"
NO_KEY = "no usable key"
OTHER_KIND = "a record of another kind"
UNUSABLE = "unusable value"
MISPLACED = "its file's name has no topic, partition and offset"

_JSON_SPACE = " \t\r\n"
# Python and most senders write NaN for a missing number; single quotes are no JSON.
_READER = {"allowSingleQuotes": "false", "columnNameOfCorruptRecord": CORRUPT_FIELD}


def parsed(records: DataFrame, entity: Entity) -> DataFrame:
    """Reads each raw record as JSON, every field as text. Blank records are skipped.

    Args:
        records: raw records.
        entity: the kind they should be.

    Returns:
        ``raw``, ``is_text``, ``misplaced``, ``_source``, ``line`` (trimmed), ``fields`` (a struct of every known field
        as STRING), ``names`` (the record's own field names, ARRAY<STRING>; null where all of them are known,
        each is there once and none is null) and ``readable`` (BOOLEAN: exactly one JSON object).
    """
    raw = F.col("raw")
    # Trimming walks the whole text, and nearly every record has nothing to trim.
    bare = raw.startswith("{") & raw.endswith("}")
    line = F.when(bare, raw).otherwise(F.btrim(raw, F.lit(_JSON_SPACE)))
    lines = records.withColumn("line", line).where("line <> ''")
    fields = F.from_json("line", text_schema(entity), _READER)
    read = lines.withColumns({"fields": fields, "keys": F.json_object_keys("line")})
    # The quick way to the names knows no NaN; the other one does, and gives every name as well.
    names = F.coalesce(F.col("keys"), F.map_keys(F.from_json("line", "map<string,string>", _READER)))
    # Named here and used often later: written out at each use, it would be computed at each use.
    readable = F.col("fields")[CORRUPT_FIELD].isNull() & F.col("fields").isNotNull() & _one_object(F.col("line"))
    named = read.withColumns({"names": F.when(~_only_known(entity), names), "readable": readable})
    return named.drop("keys")


def _known(entity: Entity) -> list[str]:
    return [*entity.key_fields, *entity.fields]


def _only_known(entity: Entity) -> Column:
    """True only if every name in the record is a known one, there once, with a value.

    Where the record has as many names as known fields have values, there is no room for another one. So nearly every
    record is spared a closer look at its names.
    """
    fields = F.col("fields")
    values = sum((fields[name].isNotNull().cast("int") for name in _known(entity)), F.lit(0))
    return F.coalesce(F.size("keys") == values, F.lit(False)) & fields[CORRUPT_FIELD].isNull()


def _one_object(line: Column) -> Column:
    """True if the text is one JSON object and nothing after it. The reader itself stops after the first one.

    Where the first closing brace is the last character, that is plain. Otherwise the text is read inside an array, and
    inside an object: what may follow the first object in the one is no JSON in the other.
    """
    plain = F.octet_length(F.substring_index(line, "}", 1)) == F.octet_length(line) - 1
    within_array = F.from_json(F.concat(F.lit("["), line, F.lit("]")), T.ArrayType(T.StringType()), _READER)
    within_object = F.from_json(
        F.concat(F.lit('{"a":'), line, F.lit("}")),
        T.StructType([T.StructField("a", T.StringType()), T.StructField(CORRUPT_FIELD, T.StringType())]),
        _READER,
    )
    alone = (F.size(within_array) == 1) & within_object[CORRUPT_FIELD].isNull()
    return line.startswith("{") & F.when(plain, True).otherwise(F.coalesce(alone, F.lit(False)))


def record_key(entity: Entity) -> Column:
    """The record's key as BIGINT: the first usable of the entity's key fields."""
    return F.coalesce(*(columns.key(F.col("fields")[name]) for name in entity.key_fields))


def rejections(entity: Entity) -> Column:
    """Every reason why the record is rejected, as ARRAY<STRING>; empty for a usable record."""
    fields, names = F.col("fields"), F.col("names")
    readable = F.col("readable")
    valued = F.coalesce(*(fields[name] for name in entity.fields)).isNotNull()
    present = F.coalesce(F.arrays_overlap(names, F.array(*map(F.lit, entity.fields))), F.lit(False))
    reasons = [
        F.col("misplaced"),
        F.when(~F.col("is_text"), NOT_TEXT),
        F.when(F.col("is_text") & ~readable, NOT_AN_OBJECT),
        F.when(F.size(F.array_distinct(names)) < F.size(names), GIVEN_TWICE),
        F.when(readable & F.col("key").isNull(), NO_KEY),
        F.when(readable & ~(valued | present), OTHER_KIND),
    ]
    return without_nulls(reasons)


def without_nulls(values: list[Column]) -> Column:
    """Array of the values that are not null. Nearly always none is, which ``coalesce`` sees without making an array."""
    empty = F.array().cast("array<string>")
    return F.when(F.coalesce(*values).isNull(), empty).otherwise(F.array_compact(F.array(*values)))


def unknown_fields(entity: Entity) -> Column:
    """Names of the record that no schema knows, as ARRAY<STRING>; null where there are none to look at."""
    return F.array_except(F.col("names"), F.array(*map(F.lit, _known(entity))))
