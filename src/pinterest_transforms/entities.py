"""The three kinds of record a post is made of, as plain data: fields, placeholders, names. Free of Spark.

Source: the data contract, sections 2 and 3. ``schemas`` builds the Spark types from what stands here; ``emulation``
makes and sends records of this shape.
"""

from dataclasses import dataclass, field

from pinterest_transforms.errors import SettingsError
from pinterest_transforms.placeholders import PIN_PLACEHOLDERS


@dataclass(frozen=True)
class Entity:
    """One kind of record.

    Attributes:
        name: ``pin``, ``geo`` or ``user``; the last part of topics and streams.
        source_table: table of the source database.
        key_fields: fields that may hold the key, the preferred first.
        fields: every other field of a source record, in the order of the source table.
        placeholders: for a field, the whole trimmed texts that mean "no value".
        batch_table: clean table of the batch leg.
        description: what one row of the clean table is.
    """

    name: str
    source_table: str
    key_fields: tuple[str, ...]
    fields: tuple[str, ...]
    batch_table: str
    description: str
    placeholders: dict[str, tuple[str, ...]] = field(default_factory=dict, hash=False)


PIN = Entity(
    name="pin",
    source_table="pinterest_data",
    key_fields=("index", "ind"),
    fields=(
        "unique_id",
        "title",
        "description",
        "poster_name",
        "follower_count",
        "tag_list",
        "is_image_or_video",
        "image_src",
        "downloaded",
        "save_location",
        "category",
    ),
    batch_table="pins",
    description="One row per post: what was pinned, by whom, in which category",
    placeholders=PIN_PLACEHOLDERS,
)

GEO = Entity(
    name="geo",
    source_table="geolocation_data",
    key_fields=("ind", "index"),
    fields=("timestamp", "latitude", "longitude", "country"),
    batch_table="geolocations",
    description="One row per post: where and when it was posted",
)

USER = Entity(
    name="user",
    source_table="user_data",
    key_fields=("ind", "index"),
    fields=("first_name", "last_name", "age", "date_joined"),
    batch_table="users",
    description="One row per post: who posted it",
)

ENTITIES: tuple[Entity, ...] = (PIN, GEO, USER)


def entity_named(name: str) -> Entity:
    """The entity of that name.

    Raises:
        SettingsError: if there is none.
    """
    for entity in ENTITIES:
        if entity.name == name:
            return entity
    raise SettingsError(f"entity must be one of pin, geo, user, got {name!r}")


def entities_named(name: str) -> tuple[Entity, ...]:
    """The entities that a widget or an option selects: ``all``, or one by its name."""
    return ENTITIES if name == "all" else (entity_named(name),)
