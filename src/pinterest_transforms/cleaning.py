"""Raw records -> clean columns and what is wrong with each record; both legs call it. Source: contract, section 3.

It ends with one ``select`` that is the entity's schema. It also says which clean columns had a value that is not usable
(and is no placeholder): such a record is *repaired*.
"""

from collections.abc import Callable

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from pinterest_transforms import columns, quality
from pinterest_transforms.entities import GEO, PIN, USER, Entity
from pinterest_transforms.schemas import CONTRACT

_TEXTS: dict[str, tuple[str, ...]] = {
    PIN.name: tuple(field for field in PIN.fields if field not in ("follower_count", "save_location", "downloaded")),
    GEO.name: ("country",),
    USER.name: ("first_name", "last_name"),
}
"""Fields whose value is text as it stands; an object or an array there is unusable."""


_NOT_KEPT = ("downloaded",)
"""Fields that no clean column is made of."""

Columns = dict[str, Column]


def _pin_values(given: Columns, texts: Columns) -> Columns:
    return {
        **texts,
        "follower_count": columns.follower_count(given["follower_count"]),
        "save_location": columns.save_location(given["save_location"]),
    }


def _geo_values(given: Columns, texts: Columns) -> Columns:
    latitude, longitude = columns.degrees(given["latitude"], 90), columns.degrees(given["longitude"], 180)
    return {
        **texts,
        "coordinates": F.when(latitude.isNotNull() & longitude.isNotNull(), F.array(latitude, longitude)),
        "timestamp": columns.instant(given["timestamp"]),
    }


def _user_values(given: Columns, texts: Columns) -> Columns:
    return {
        "user_name": columns.full_name(texts["first_name"], texts["last_name"]),
        "age": columns.age(given["age"]),
        "date_joined": columns.instant(given["date_joined"]),
    }


_VALUES: dict[str, Callable[[Columns, Columns], Columns]] = {
    PIN.name: _pin_values,
    GEO.name: _geo_values,
    USER.name: _user_values,
}


def _broken(column: str, given: Columns, texts: Columns, value: Column) -> Column:
    """True if the record held something for a clean column that could not be used."""
    if column == "user_name":
        # Broken if either part is, even where the other part is left to stand for it.
        parts = [given[part].isNotNull() & texts[part].isNull() for part in _TEXTS[USER.name]]
        return parts[0] | parts[1]
    held = F.coalesce(given["latitude"], given["longitude"]) if column == "coordinates" else given[column]
    return held.isNotNull() & value.isNull()


def judged(records: DataFrame, entity: Entity, *, every_raw: bool = True) -> DataFrame:
    """Cleans raw records of any quality and says what is to be thought of each.

    In steps, one projection each: what one step names, the next one may use often, and it is computed once.

    Args:
        records: raw records: ``raw``, and whatever else is to be carried along, as ``_source``.
        entity: the kind they should be.
        every_raw: keep the raw text of every record; else of those alone that are rejected or repaired.

    Returns:
        The contract's columns of the entity, then what the records had beside ``raw``, then ``raw``,
        ``rejections`` (ARRAY<STRING>, empty for a usable record, ``quality.BLANK`` alone for an empty line),
        ``repairs`` (ARRAY<STRING>, clean columns whose value was unusable, empty for none) and ``unknown_fields``
        (ARRAY<STRING> or null). One row a record or empty line.
    """
    carried = [name for name in records.columns if name != "raw"]
    given = {name: F.col(f"given_{name}") for name in entity.fields if name not in _NOT_KEPT}
    read = _with_given(quality.parsed(records, entity), [*carried, "raw"], entity, [*given])
    texts = {name: columns.text(given[name], F.col("raw"), name) for name in _TEXTS[entity.name]}
    values = _VALUES[entity.name](given, texts)
    contract = CONTRACT[entity.name].fields[1:]
    repairs = quality.listed({field.name: _broken(field.name, given, texts, values[field.name]) for field in contract})
    rejections = quality.rejections()
    ordinary = (F.size(rejections) == 0) & (F.size(repairs) == 0)
    return read.select(
        "ind",
        *(values[field.name].cast(field.dataType).alias(field.name) for field in contract),
        *carried,
        F.col("raw") if every_raw else F.when(~ordinary, F.col("raw")).alias("raw"),
        rejections.alias("rejections"),
        repairs.alias("repairs"),
        quality.unknown_fields(entity).alias("unknown_fields"),
    )


def _with_given(read: DataFrame, carried: list[str], entity: Entity, names: list[str]) -> DataFrame:
    """Adds ``ind`` and ``given_<field>``: what the record gives for a field, trimmed, null for a placeholder."""
    seen = [*carried, "readable", "is_text", "names", "own"]
    trimmed = [columns.trimmed(F.col(f"field_{name}")).alias(name) for name in (*entity.key_fields, *names)]
    given = [columns.without(F.col(name), entity.placeholders.get(name, ())).alias(f"given_{name}") for name in names]
    key = F.coalesce(*(columns.key(F.col(name)) for name in entity.key_fields))
    return read.select(*seen, *trimmed).select(*seen, key.alias("ind"), *given)


def is_usable() -> Column:
    """True for a row of ``judged`` that belongs in the clean table."""
    return F.size("rejections") == 0


def is_rejected() -> Column:
    """True for a row of ``judged`` that is kept out of the clean table; an empty line is no record."""
    return ~is_usable() & (F.get("rejections", F.lit(0)) != quality.BLANK)


def is_repaired() -> Column:
    """True for a row of ``judged`` that belongs in the clean table, with a value made null."""
    return is_usable() & (F.size("repairs") > 0)
