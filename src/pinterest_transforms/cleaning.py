"""Raw frame -> clean frame, one function an entity; batch and stream call the same ones. Source: contract, section 3.

Each function ends with one ``select`` that is the entity's schema. It also says which clean columns had a value that
is not usable (and is no placeholder): such a record is *repaired*.
"""

from collections.abc import Callable

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from pinterest_transforms import columns, quality
from pinterest_transforms.entities import GEO, PIN, USER, Entity
from pinterest_transforms.schemas import CONTRACT

# A clean column's value, and whether the record held something for it that could not be used.
Outcome = tuple[Column, Column]


def _given(entity: Entity, field: str) -> Column:
    return columns.meaningful(F.col("fields")[field], entity.placeholders.get(field, ()))


def _outcome(given: Column, value: Column) -> Outcome:
    return value, given.isNotNull() & value.isNull()


def _text(entity: Entity, field: str) -> Outcome:
    given = _given(entity, field)
    return _outcome(given, columns.text(given, F.col("line"), field))


def _pin_outcomes() -> dict[str, Outcome]:
    outcomes = {field.name: _text(PIN, field.name) for field in CONTRACT[PIN.name] if field.name in PIN.fields}
    followers, saved = _given(PIN, "follower_count"), _given(PIN, "save_location")
    outcomes["follower_count"] = _outcome(followers, columns.follower_count(followers))
    outcomes["save_location"] = _outcome(saved, columns.save_location(saved))
    return outcomes


def _geo_outcomes() -> dict[str, Outcome]:
    latitude, longitude = _given(GEO, "latitude"), _given(GEO, "longitude")
    pair = columns.degrees(latitude, 90), columns.degrees(longitude, 180)
    point = F.when(pair[0].isNotNull() & pair[1].isNotNull(), F.array(*pair))
    made = _given(GEO, "timestamp")
    return {
        "country": _text(GEO, "country"),
        "coordinates": _outcome(F.coalesce(latitude, longitude), point),
        "timestamp": _outcome(made, columns.instant(made)),
    }


def _user_outcomes() -> dict[str, Outcome]:
    (first, first_broken), (last, last_broken) = _text(USER, "first_name"), _text(USER, "last_name")
    years, joined = _given(USER, "age"), _given(USER, "date_joined")
    return {
        "user_name": (columns.full_name(first, last), first_broken | last_broken),
        "age": _outcome(years, columns.age(years)),
        "date_joined": _outcome(joined, columns.instant(joined)),
    }


_OUTCOMES: dict[str, Callable[[], dict[str, Outcome]]] = {
    PIN.name: _pin_outcomes,
    GEO.name: _geo_outcomes,
    USER.name: _user_outcomes,
}


def judged(records: DataFrame, entity: Entity) -> DataFrame:
    """Cleans raw records of any quality and says what is to be thought of each.

    Args:
        records: raw records, ``quality.RAW_RECORD``.
        entity: the kind they should be.

    Returns:
        The contract's columns of the entity, then ``_source``, ``raw``, ``is_text``, ``rejections`` (ARRAY<STRING>,
        empty for a usable record), ``repairs`` (ARRAY<STRING>, clean columns whose value was unusable, empty for
        none) and ``unknown_fields`` (ARRAY<STRING> or null). One row a record that is not blank.
    """
    read = quality.parsed(records, entity).withColumn("key", quality.record_key(entity))
    outcomes = _OUTCOMES[entity.name]()
    repairs = [F.when(broken, F.lit(name)) for name, (_, broken) in outcomes.items()]
    contract = CONTRACT[entity.name].fields
    return read.select(
        F.col("key").alias("ind"),
        *(outcomes[field.name][0].cast(field.dataType).alias(field.name) for field in contract[1:]),
        F.col("_source"),
        F.col("raw"),
        F.col("is_text"),
        quality.rejections(entity).alias("rejections"),
        quality.without_nulls(repairs).alias("repairs"),
        quality.unknown_fields(entity).alias("unknown_fields"),
    )


def is_usable() -> Column:
    """True for a row of ``judged`` that belongs in the clean table."""
    return F.size("rejections") == 0


def _clean(records: DataFrame, entity: Entity) -> DataFrame:
    usable = judged(records, entity).where(is_usable())
    return usable.select(*(field.name for field in CONTRACT[entity.name]), "_source")


def clean_pins(records: DataFrame) -> DataFrame:
    """Pins of raw records: the usable ones, every version of each, with the contract's columns and ``_source``."""
    return _clean(records, PIN)


def clean_geolocations(records: DataFrame) -> DataFrame:
    """Geolocations of raw records, as ``clean_pins`` does it."""
    return _clean(records, GEO)


def clean_users(records: DataFrame) -> DataFrame:
    """Users of raw records, as ``clean_pins`` does it."""
    return _clean(records, USER)
