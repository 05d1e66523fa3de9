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

_TEXTS: dict[str, tuple[str, ...]] = {
    PIN.name: tuple(field for field in PIN.fields if field not in ("follower_count", "save_location", "downloaded")),
    GEO.name: ("country",),
    USER.name: ("first_name", "last_name"),
}
"""Fields whose value is text as it stands; an object or an array there is unusable."""


def _given(field: str) -> Column:
    """What the record gives for a field: trimmed, null for a placeholder."""
    return F.col(f"given_{field}")


def _text(field: str) -> Column:
    """A text field's value."""
    return F.col(f"text_{field}")


def _lost(given: Column, value: Column) -> Column:
    return given.isNotNull() & value.isNull()


def _pin_values() -> dict[str, Column]:
    return {
        **{field: _text(field) for field in _TEXTS[PIN.name]},
        "follower_count": columns.follower_count(_given("follower_count")),
        "save_location": columns.save_location(_given("save_location")),
    }


def _geo_values() -> dict[str, Column]:
    latitude, longitude = columns.degrees(_given("latitude"), 90), columns.degrees(_given("longitude"), 180)
    return {
        "country": _text("country"),
        "coordinates": F.when(latitude.isNotNull() & longitude.isNotNull(), F.array(latitude, longitude)),
        "timestamp": columns.instant(_given("timestamp")),
    }


def _user_values() -> dict[str, Column]:
    return {
        "user_name": columns.full_name(_text("first_name"), _text("last_name")),
        "age": columns.age(_given("age")),
        "date_joined": columns.instant(_given("date_joined")),
    }


_VALUES: dict[str, Callable[[], dict[str, Column]]] = {
    PIN.name: _pin_values,
    GEO.name: _geo_values,
    USER.name: _user_values,
}


def _broken(column: str) -> Column:
    """True if the record held something for a clean column that could not be used."""
    if column == "user_name":
        # Broken if either part is, even where the other part is left to stand for it.
        parts = [_lost(_given(part), _text(part)) for part in _TEXTS[USER.name]]
        return parts[0] | parts[1]
    if column == "coordinates":
        return _lost(F.coalesce(_given("latitude"), _given("longitude")), F.col("clean_coordinates"))
    return _lost(_given(column), F.col(f"clean_{column}"))


def _with_values(read: DataFrame, entity: Entity) -> DataFrame:
    """Adds ``given_<field>``, ``text_<field>`` and ``clean_<column>``.

    In steps, one projection each: an expression that is named and then used twice is computed once, where the same
    expression written twice would be computed twice.
    """
    kinds = {field.name: field.dataType for field in CONTRACT[entity.name]}
    steps: list[dict[str, Column]] = [
        {f"given_{name}": columns.trimmed(F.col("fields")[name]) for name in entity.fields},
        {f"given_{name}": columns.without(_given(name), listed) for name, listed in entity.placeholders.items()},
        {f"text_{name}": columns.text(_given(name), F.col("line"), name) for name in _TEXTS[entity.name]},
        {f"clean_{name}": value.cast(kinds[name]) for name, value in _VALUES[entity.name]().items()},
    ]
    for step in filter(None, steps):
        read = read.withColumns(step)
    return read


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
    names = [field.name for field in CONTRACT[entity.name].fields[1:]]
    valued = _with_values(read, entity)
    repairs = [F.when(_broken(name), F.lit(name)) for name in names]
    return valued.select(
        F.col("key").alias("ind"),
        *(F.col(f"clean_{name}").alias(name) for name in names),
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
    # Exploded from an array of one: Spark moves no filter below that. Otherwise it would write out, for the filter
    # alone, every rule that leads to a rejection a second time, which took seconds to plan and doubled the work.
    verdict = F.explode_outer(F.array("rejections"))
    usable = judged(records, entity).withColumn("rejections", verdict).where(is_usable())
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
