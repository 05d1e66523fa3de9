"""Every StructType; the comment, class and limits of each column. Lists of fields and placeholders: ``entities``.

Source: the data contract, sections 3 to 5.
"""

import re

from pyspark.sql import types as T

from pinterest_transforms.entities import GEO, PIN, USER, Entity

SCHEMA_VERSION = 3
"""Version every table carries. Raise it when a column or constraint is added; set-up adds what an older table lacks."""

SOURCE_TYPE = (
    T.StructType().add("shard", "string").add("position", "string").add("arrived", "timestamp").add("file", "string")
)
LANDING_POSITION_WIDTH, KINESIS_POSITION_WIDTH = 20, 130
"""Digits of a position: zero-padded, it sorts as text like the number."""


PII, QUASI_IDENTIFIER, PUBLIC = COLUMN_CLASSES = ("pii", "quasi_identifier", "public")
"""Classes of a column: it may name a person; with others like it, it may single one out; neither."""


def _column(name: str, kind: T.DataType, comment: str, column_class: str = PUBLIC, **limits: object) -> T.StructField:
    """A column that may be null in a frame.

    ``limits`` are those of its values in a table: ``required`` (no null), ``minimum`` and ``maximum`` (both belong to
    the range; of an array one per element, of a timestamp the year), ``values`` (the only ones), ``sum_of`` (columns).
    """
    return T.StructField(name, kind, True, {"comment": comment, "class": column_class, **limits})


_KEY = _column("ind", T.LongType(), "Key of the post; joins pins, geolocations and users", required=True, minimum=0)
_SOURCE = _column("_source", SOURCE_TYPE, "Where the stored version of the row came from; the latest position wins")

_YEARS: dict[str, object] = {"minimum": 1900, "maximum": 2100}

_PIN_COLUMNS = [
    _KEY,
    _column("unique_id", T.StringType(), "Identifier the service gave to the pin", QUASI_IDENTIFIER),
    _column("title", T.StringType(), "Title of the pin; null if it had none", PII),
    _column("description", T.StringType(), "Description of the pin; null if it had none", PII),
    _column("follower_count", T.IntegerType(), "Followers of the poster, in persons", QUASI_IDENTIFIER, minimum=0),
    _column("poster_name", T.StringType(), "Name of the account that posted", PII),
    _column("tag_list", T.StringType(), "Tags, separated by commas", PII),
    _column("is_image_or_video", T.StringType(), "image, video or multi-video(story page format)"),
    _column("image_src", T.StringType(), "Address of the picture", QUASI_IDENTIFIER),
    _column("save_location", T.StringType(), "Path the picture was saved under"),
    _column("category", T.StringType(), "Category of the pin"),
]
_GEO_COLUMNS = [
    _KEY,
    _column("country", T.StringType(), "Country of the post", QUASI_IDENTIFIER),
    _column(
        "coordinates",
        T.ArrayType(T.DoubleType()),
        "Latitude and longitude, in degrees",
        QUASI_IDENTIFIER,
        minimum=[-90, -180],
        maximum=[90, 180],
    ),
    _column("timestamp", T.TimestampType(), "When the post was made, UTC", QUASI_IDENTIFIER, **_YEARS),
]
_USER_COLUMNS = [
    _KEY,
    _column("user_name", T.StringType(), "First and last name of the user", PII),
    _column("age", T.IntegerType(), "Age of the user, in years, 1 to 120", QUASI_IDENTIFIER, minimum=1, maximum=120),
    _column("date_joined", T.TimestampType(), "When the user joined, UTC", QUASI_IDENTIFIER, **_YEARS),
]

CONTRACT: dict[str, T.StructType] = {
    PIN.name: T.StructType(_PIN_COLUMNS),
    GEO.name: T.StructType(_GEO_COLUMNS),
    USER.name: T.StructType(_USER_COLUMNS),
}
"""Columns of each entity's clean frame, in their order."""

POSTS = T.StructType(
    [
        _KEY,
        *(
            field
            for field in _PIN_COLUMNS
            if field.name in ("follower_count", "is_image_or_video", "save_location", "category")
        ),
        _GEO_COLUMNS[1],
        _column(
            "coordinates", T.ArrayType(T.DoubleType()), "Latitude and longitude, in whole degrees", QUASI_IDENTIFIER
        ),
        _GEO_COLUMNS[3],
        _column(
            "age_group", T.StringType(), "Age of the user: 18-24, 25-35, 36-50, +50; null under 18", QUASI_IDENTIFIER
        ),
        _column("join_year", T.IntegerType(), "Year the user joined, UTC", QUASI_IDENTIFIER),
        _column("has_user", T.BooleanType(), "Whether anything is known of the user"),
    ]
)
"""Columns of the view ``posts``: none of class ``pii``, and coarser values for what singles out a person.

Free text (title, description, tags) may name anybody, and an identifier or address of a pin leads to its poster: none
of them is here, nor the poster's name, which an answer alone needs.
"""

_TOP_POSTER = "Account that posted, where no other has more followers in that country: those of top_user_by_country"

POST_SOURCES = T.StructType(
    [
        *(
            POSTS[name]
            for name in ("ind", "category", "follower_count", "country", "timestamp", "age_group", "join_year")
        ),
        _column("poster_name", T.StringType(), _TOP_POSTER, PII),
        _column("user_number", T.IntegerType(), "Tells the users who joined in one year apart", QUASI_IDENTIFIER),
        *(
            _column(f"{entity.name}_source", SOURCE_TYPE, f"Where the {record} came from; null where there is none")
            for entity, record in ((PIN, "pin"), (GEO, "geolocation"), (USER, "user"))
        ),
    ]
)
"""Columns of the view ``post_sources``: what explains an answer, and no more of a person than the answers show."""

QUARANTINE = T.StructType(
    [
        _column("topic", T.StringType(), "Topic or stream the record came from", required=True),
        _column(
            "kind",
            T.StringType(),
            "rejected: not in the clean table; repaired: kept with a value made null",
            required=True,
            values=["rejected", "repaired"],
        ),
        _column("reasons", T.ArrayType(T.StringType()), "Every reason"),
        _column("columns", T.ArrayType(T.StringType()), "Clean columns whose value was made null"),
        _column("raw", T.StringType(), "The record as it came", PII),
        _column("raw_bytes", T.BinaryType(), "The bytes as they came, where they are not UTF-8", PII),
        _column("_source", SOURCE_TYPE, "Where the record came from"),
        _column("seen_at", T.TimestampType(), "When the record was first noted, UTC"),
    ]
)

RANGE_TYPE = T.StructType(
    [
        T.StructField("shard", T.StringType()),
        T.StructField("file", T.StringType()),
        T.StructField("first", T.StringType()),
        T.StructField("last", T.StringType()),
        T.StructField("arrived", T.TimestampType()),
    ]
)
"""Records that were read together: their first and last position in a landing file or, without a file, in a shard."""

RUNS = T.StructType(
    [
        _column("run_id", T.StringType(), "The run, as its caller named it"),
        _column("query_id", T.StringType(), "Id of the streaming query; a new checkpoint has a new one", required=True),
        _column("batch_id", T.LongType(), "The micro-batch of that query", required=True),
        _column("topic", T.StringType(), "Topic or stream the records came from", required=True),
        _column("started", T.TimestampType(), "When the micro-batch started, UTC"),
        _column("seconds", T.DoubleType(), "How long it took, in seconds"),
        _column(
            "read",
            T.LongType(),
            "Records read; merged + already_there + rejected",
            sum_of=["merged", "already_there", "rejected"],
        ),
        _column("merged", T.LongType(), "Records that became a row of the clean table"),
        _column("already_there", T.LongType(), "Earlier and repeated versions"),
        _column("rejected", T.LongType(), "Records kept out of the clean table"),
        _column("repaired", T.LongType(), "Records kept with a value made null"),
        _column("unknown_fields", T.MapType(T.StringType(), T.LongType()), "Fields no schema knows, and their counts"),
        _column("library_version", T.StringType(), "Version of this library"),
        _column("sources", T.ArrayType(RANGE_TYPE), "Which records were read: positions in each file or shard"),
        _column("undone_at", T.TimestampType(), "When the run was undone, UTC; null if it was not"),
    ]
)

_KINDS = [PIN.name, GEO.name, USER.name]

RAW = T.StructType(
    [
        _column(
            "kind",
            T.StringType(),
            "Kind of record: pin, geo or user, by the stream it came from",
            required=True,
            values=_KINDS,
        ),
        _column("data", T.BinaryType(), "The record's bytes as they came", PII),
        _column("_source", SOURCE_TYPE, "Where the record came from, and when it arrived"),
    ]
)

ERASED = T.StructType(
    [
        _column("kind", T.StringType(), "Kind of record: pin, geo or user", required=True, values=_KINDS),
        _column("ind", T.LongType(), "Key of the erased post", required=True, minimum=0),
        _column("erased_at", T.TimestampType(), "When its erasure was asked for, UTC"),
    ]
)

UNDONE = T.StructType(
    [
        _column("run_id", T.StringType(), "The run that was undone"),
        _column("topic", T.StringType(), "Topic or stream the records came from"),
        _column("source", RANGE_TYPE, "Records that no later run reads: positions in a file or shard"),
    ]
)


def clean_schema(entity: Entity) -> T.StructType:
    """Columns of the entity's clean table: the contract's, then ``_source``."""
    return T.StructType([*CONTRACT[entity.name].fields, _SOURCE])


def type_ddl(kind: T.DataType) -> str:
    """A type in SQL. A bare TIMESTAMP is one without a zone where ``spark.sql.timestampType`` says so."""
    return re.sub(r"(\A|:)timestamp\b", r"\1timestamp_ltz", kind.simpleString())


def column_class(column: T.StructField) -> str:
    """The class of a column: one of ``COLUMN_CLASSES``."""
    return str(column.metadata["class"])
