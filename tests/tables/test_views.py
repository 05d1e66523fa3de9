"""What the views show of a post, and what those for analysts keep from them."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as T

from pinterest_transforms.analysis.counted_posts import age_group, year_utc
from pinterest_transforms.schemas import PUBLIC, QUASI_IDENTIFIER, column_class
from pinterest_transforms.tables.views import IDENTIFIED_VIEW, POSTS_VIEW, SOURCES_VIEW, view_columns, view_expressions
from tests.support.table_places import WORK, Place

JOINED = datetime(2016, 12, 31, 23, 30, 41, tzinfo=UTC)
POSTED = datetime(2019, 5, 6, 7, 8, 9, tzinfo=UTC)
PIN = {
    "unique_id": "id 8841",
    "title": "title 8842",
    "description": "told by 8843",
    "poster_name": "poster 8844",
    "image_src": "picture 8845",
    "follower_count": 9000,
    "tag_list": "tag 8848",
    "is_image_or_video": "image",
    "save_location": "/data/art",
    "category": "art",
}
SHOWN = tuple(PIN[name] for name in ("follower_count", "is_image_or_video", "save_location", "category"))
PERSON = (
    "id 8841",
    "title 8842",
    "told by 8843",
    "poster 8844",
    "picture 8845",
    "name 8846",
    "11.8847",
    "30, 41",
    "37",
)
"""What of the first post an analyst must not see."""


def insert(place: Place, table: str, *rows: dict[str, object]) -> None:
    schema = place.table(table).schema
    names = list(rows[0])
    frame = place.spark.createDataFrame(rows, T.StructType([schema[name] for name in names]))
    place.spark.sql(f"INSERT INTO {place.settings.qualified(table)} ({', '.join(names)}) TABLE {{rows}}", rows=frame)


@pytest.fixture(scope="module")
def place(make_place: Callable[..., Place]) -> Place:
    """A post of which all is known, one of a minor's, and one without place and user."""
    place = make_place(names=WORK)
    insert(place, "pins", *({"ind": key, **PIN} for key in (1, 2, 3)))
    insert(
        place,
        "geolocations",
        {"ind": 1, "country": "Peru", "coordinates": [11.8847, -76.5], "timestamp": POSTED},
        {"ind": 2, "country": None, "coordinates": None, "timestamp": None},
    )
    insert(
        place,
        "users",
        {"ind": 1, "user_name": "name 8846", "age": 37, "date_joined": JOINED},
        {"ind": 2, "user_name": "name 8846", "age": 17, "date_joined": None},
    )
    return place


def test_posts_shows_no_person(place: Place) -> None:
    rows = place.table(POSTS_VIEW).orderBy("ind").collect()
    assert [tuple(row) for row in rows] == [
        (1, *SHOWN, "Peru", [12.0, -77.0], POSTED.replace(tzinfo=None), "36-50", 2016, True),
        (2, *SHOWN, None, None, None, None, None, True),
        (3, *SHOWN, None, None, None, None, None, False),
    ]
    assert not [value for value in PERSON if value in str(rows)]


def test_no_column_of_posts_is_personal() -> None:
    assert {column_class(column) for column in view_columns(POSTS_VIEW)} == {QUASI_IDENTIFIER, PUBLIC}


def test_post_sources_names_the_poster_with_the_most_followers_of_a_country_alone(place: Place) -> None:
    rows = place.table(SOURCES_VIEW).orderBy("ind").collect()
    assert [row.poster_name for row in rows] == ["poster 8844", None, None]
    assert [value for value in PERSON if value in str(rows)] == ["poster 8844"]


def test_posts_identified_shows_everything(place: Place) -> None:
    rows = place.table(IDENTIFIED_VIEW).orderBy("ind").collect()
    assert [row.ind for row in rows] == [1, 2, 3]
    assert not [value for value in PERSON if value not in str(rows[0])]


def test_ages_and_years_are_grouped_as_the_answers_group_them(spark: SparkSession) -> None:
    expressions = view_expressions(POSTS_VIEW)
    seconds = F.expr("timestamp_seconds(id * 31556952 DIV 4 - 2208988800)")
    users = spark.range(400).select((F.col("id") - 1).cast("int").alias("age"), seconds.alias("date_joined")).alias("u")
    shown = users.select(F.expr(expressions["age_group"]), F.expr(expressions["join_year"])).collect()
    assert shown == users.select(age_group(F.col("age")), year_utc(F.col("date_joined"))).collect()
