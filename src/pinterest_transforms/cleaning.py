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


def _given(field: str) -> Column:
    """What the record gives for a field: trimmed, null for a placeholder; made by ``_with_given``."""
    return F.col(f"given_{field}")


def _outcome(given: Column, value: Column) -> Outcome:
    return value, given.isNotNull() & value.isNull()


def _text(field: str) -> Outcome:
    return _outcome(_given(field), columns.text(_given(field), F.col("line"), field))


def _pin_outcomes() -> dict[str, Outcome]:
    outcomes = {field.name: _text(field.name) for field in CONTRACT[PIN.name] if field.name in PIN.fields}
    outcomes["follower_count"] = _outcome(_given("follower_count"), columns.follower_count(_given("follower_count")))
    outcomes["save_location"] = _outcome(_given("save_location"), columns.save_location(_given("save_location")))
    return outcomes


def _geo_outcomes() -> dict[str, Outcome]:
    latitude, longitude = columns.degrees(_given("latitude"), 90), columns.degrees(_given("longitude"), 180)
    point = F.when(latitude.isNotNull() & longitude.isNotNull(), F.array(latitude, longitude))
    return {
        "country": _text("country"),
        "coordinates": _outcome(F.coalesce(_given("latitude"), _given("longitude")), point),
        "timestamp": _outcome(_given("timestamp"), columns.instant(_given("timestamp"))),
    }


def _user_outcomes() -> dict[str, Outcome]:
    (first, first_broken), (last, last_broken) = _text("first_name"), _text("last_name")
    return {
        "user_name": (columns.full_name(first, last), first_broken | last_broken),
        "age": _outcome(_given("age"), columns.age(_given("age"))),
        "date_joined": _outcome(_given("date_joined"), columns.instant(_given("date_joined"))),
    }


_OUTCOMES: dict[str, Callable[[], dict[str, Outcome]]] = {
    PIN.name: _pin_outcomes,
    GEO.name: _geo_outcomes,
    USER.name: _user_outcomes,
}


def _with_given(read: DataFrame, entity: Entity) -> DataFrame:
    """Adds ``given_<field>`` for every field: trimmed, and null where it is a placeholder.

    In steps, one projection each: an expression that is named and then used twice is computed once, where the same
    expression written twice would be computed twice.
    """
    trimmed = read.withColumns({f"given_{name}": columns.trimmed(F.col("fields")[name]) for name in entity.fields})
    meant = {
        f"given_{name}": columns.without(_given(name), placeholders)
        for name, placeholders in entity.placeholders.items()
    }
    return trimmed.withColumns(meant) if meant else trimmed


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
    contract = CONTRACT[entity.name].fields
    kinds = {field.name: field.dataType for field in contract}
    valued = _with_given(read, entity).select(
        "*",
        *(value.cast(kinds[name]).alias(f"clean_{name}") for name, (value, _) in outcomes.items()),
        *(broken.alias(f"broken_{name}") for name, (_, broken) in outcomes.items()),
    )
    repairs = [F.when(F.col(f"broken_{name}"), F.lit(name)) for name in outcomes]
    return valued.select(
        F.col("key").alias("ind"),
        *(F.col(f"clean_{field.name}").alias(field.name) for field in contract[1:]),
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
