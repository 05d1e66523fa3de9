"""Every StructType and column comment. The field and placeholder lists they are built from stand in ``entities``.

Source: the data contract, sections 3 to 5.
"""

from pyspark.sql import types as T

from pinterest_transforms.entities import GEO, PIN, USER, Entity

SCHEMA_VERSION = 2
"""Version every table carries. Raise it when a column is added; set-up adds what an older table lacks."""

SOURCE_TYPE = T.StructType(
    [
        T.StructField("shard", T.StringType()),
        T.StructField("position", T.StringType()),
        T.StructField("arrived", T.TimestampType()),
        T.StructField("file", T.StringType()),
    ]
)
LANDING_POSITION_WIDTH, KINESIS_POSITION_WIDTH = 20, 130
"""Digits of a position: zero-padded, it sorts as text like the number."""


def _column(name: str, kind: T.DataType, comment: str) -> T.StructField:
    return T.StructField(name, kind, True, {"comment": comment})


_KEY = _column("ind", T.LongType(), "Key of the post; joins pins, geolocations and users")
_SOURCE = _column("_source", SOURCE_TYPE, "Where the stored version of the row came from; the latest position wins")

_PIN_COLUMNS = [
    _KEY,
    _column("unique_id", T.StringType(), "Identifier the service gave to the pin"),
    _column("title", T.StringType(), "Title of the pin; null if it had none"),
    _column("description", T.StringType(), "Description of the pin; null if it had none"),
    _column("follower_count", T.IntegerType(), "Followers of the poster, in persons"),
    _column("poster_name", T.StringType(), "Name of the account that posted"),
    _column("tag_list", T.StringType(), "Tags, separated by commas"),
    _column("is_image_or_video", T.StringType(), "image, video or multi-video(story page format)"),
    _column("image_src", T.StringType(), "Address of the picture"),
    _column("save_location", T.StringType(), "Path the picture was saved under"),
    _column("category", T.StringType(), "Category of the pin"),
]
_GEO_COLUMNS = [
    _KEY,
    _column("country", T.StringType(), "Country of the post"),
    _column("coordinates", T.ArrayType(T.DoubleType()), "Latitude and longitude, in degrees"),
    _column("timestamp", T.TimestampType(), "When the post was made, UTC"),
]
_USER_COLUMNS = [
    _KEY,
    _column("user_name", T.StringType(), "First and last name of the user"),
    _column("age", T.IntegerType(), "Age of the user, in years, 1 to 120"),
    _column("date_joined", T.TimestampType(), "When the user joined, UTC"),
]

CONTRACT: dict[str, T.StructType] = {
    PIN.name: T.StructType(_PIN_COLUMNS),
    GEO.name: T.StructType(_GEO_COLUMNS),
    USER.name: T.StructType(_USER_COLUMNS),
}
"""Columns of each entity's clean frame, in their order."""

QUARANTINE = T.StructType(
    [
        _column("topic", T.StringType(), "Topic or stream the record came from"),
        _column("kind", T.StringType(), "rejected: not in the clean table; repaired: kept with a value made null"),
        _column("reasons", T.ArrayType(T.StringType()), "Every reason"),
        _column("columns", T.ArrayType(T.StringType()), "Clean columns whose value was made null"),
        _column("raw", T.StringType(), "The record as it came"),
        _column("raw_bytes", T.BinaryType(), "The bytes as they came, where they are not UTF-8"),
        _column("_source", SOURCE_TYPE, "Where the record came from"),
        _column("seen_at", T.TimestampType(), "When the record was first noted, UTC"),
    ]
)

RUNS = T.StructType(
    [
        _column("run_id", T.StringType(), "The run, as its caller named it"),
        _column("query_id", T.StringType(), "The query: one checkpoint's life"),
        _column("batch_id", T.LongType(), "The micro-batch of that query"),
        _column("topic", T.StringType(), "Topic or stream the records came from"),
        _column("started", T.TimestampType(), "When the micro-batch started, UTC"),
        _column("seconds", T.DoubleType(), "How long it took, in seconds"),
        _column("read", T.LongType(), "Records read; merged + already_there + rejected"),
        _column("merged", T.LongType(), "Records that became a row of the clean table"),
        _column("already_there", T.LongType(), "Earlier and repeated versions"),
        _column("rejected", T.LongType(), "Records kept out of the clean table"),
        _column("repaired", T.LongType(), "Records kept with a value made null"),
        _column("unknown_fields", T.MapType(T.StringType(), T.LongType()), "Fields no schema knows, and their counts"),
        _column("library_version", T.StringType(), "Version of this library"),
    ]
)

RAW = T.StructType(
    [
        _column("kind", T.StringType(), "Kind of record: pin, geo or user, by the stream it came from"),
        _column("data", T.BinaryType(), "The record's bytes as they came"),
        _column("_source", SOURCE_TYPE, "Where the record came from, and when it arrived"),
    ]
)


def clean_schema(entity: Entity) -> T.StructType:
    """Columns of the entity's clean table: the contract's, then ``_source``."""
    return T.StructType([*CONTRACT[entity.name].fields, _SOURCE])
