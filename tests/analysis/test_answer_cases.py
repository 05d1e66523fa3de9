"""The answers of small tables: ties, gaps and edges."""

from collections.abc import Callable
from datetime import UTC, datetime

import pyarrow as pa
import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.pandas.types import to_arrow_schema

from pinterest_transforms.analysis import answers
from pinterest_transforms.analysis.counted_posts import CleanTables
from pinterest_transforms.entities import GEO, PIN, USER, Entity
from pinterest_transforms.schemas import clean_schema

ZONES = ["Pacific/Auckland", "America/Los_Angeles"]
MakePosts = Callable[..., CleanTables]


@pytest.fixture
def posts_of(interpreted: SparkSession) -> MakePosts:
    """Posts of rows that are dictionaries; what they leave out is null, and a table that they leave out is empty.

    `test_answers_recomputed.py` shows that generated code and Spark Connect give the same answers.
    """

    def frame(rows: list[dict], entity: Entity) -> DataFrame:
        schema = clean_schema(entity)  # of Arrow's rows Spark knows the number, and plans no shuffle
        return interpreted.createDataFrame(pa.Table.from_pylist(rows, to_arrow_schema(schema)), schema)

    def make(pins: list[dict] = [], geos: list[dict] = [], users: list[dict] = []) -> CleanTables:  # noqa: B006
        return CleanTables(frame(pins, PIN), frame(geos, GEO), frame(users, USER))

    return make


def rows_of(frame: DataFrame) -> list[tuple]:
    return list(map(tuple, frame.collect()))


def numbered(rows: list[dict]) -> list[dict]:
    return [{"ind": number, **row} for number, row in enumerate(rows)]


def utc(iso: str) -> datetime:
    return datetime.fromisoformat(iso).replace(tzinfo=UTC)


def placed(rows: list[tuple]) -> tuple[list[dict], list[dict]]:
    """Pins and geolocations of (country, category)."""
    pins = numbered([{"category": category} for _, category in rows])
    return pins, numbered([{"country": country} for country, _ in rows])


def test_a_tie_returns_every_winning_category_of_a_country(posts_of: MakePosts) -> None:
    rows = [("Peru", name) for name in ["art", "travel", "art", "travel", "quotes"]]
    rows += [("Oman", "art"), ("Chad", "b"), ("Chad", "a"), ("Fiji", None), (None, "art"), (None, None)]
    pins, geos = placed(rows)
    pins += [{"ind": 100, "category": "quotes"}, {"ind": 101, "category": "quotes"}]
    geos += [{"ind": 200, "country": "Peru"}, {"ind": 201, "country": "Mali"}]
    assert rows_of(answers.top_category_by_country(posts_of(pins, geos))) == [
        ("Chad", "a", 1),
        ("Chad", "b", 1),
        ("Oman", "art", 1),
        ("Peru", "art", 2),
        ("Peru", "travel", 2),
    ]


NEW_YEARS = [
    ("2017-12-31T23:59:59.999999", "art"),
    ("2018-01-01T00:00:00", "art"),
    ("2018-01-01T10:59:59", "art"),
    ("2018-12-31T23:59:59.999999", "travel"),
    ("2019-01-01T00:00:00", "travel"),
    ("2019-12-31T12:00:00", "art"),
    ("2020-01-01T07:59:59", "art"),
    ("2020-06-01T00:00:00", None),
    ("2022-12-31T23:59:59.999999", "quotes"),
    ("2023-01-01T00:00:00", "quotes"),
]


def dated(moments: list[tuple]) -> tuple[list[dict], list[dict]]:
    """Pins and geolocations of (moment, category), with one post of no moment and one of no category."""
    pins = numbered([*({"category": category} for _, category in moments), {"category": "art"}, {}])
    made = [*({"timestamp": utc(moment)} for moment, _ in moments), {}, {"timestamp": utc("2018-05-05")}]
    return pins, numbered(made)


def test_a_year_begins_with_the_utc_new_year_in_any_zone(spark: SparkSession, posts_of: MakePosts, in_zone) -> None:
    posts = posts_of(*dated(NEW_YEARS))
    for zone in ZONES:
        with in_zone(spark, zone):
            rows = rows_of(answers.posts_by_category_and_year(posts))
        assert rows == [
            (2018, "art", 2),
            (2018, "travel", 1),
            (2019, "art", 1),
            (2019, "travel", 1),
            (2020, "art", 1),
            (2022, "quotes", 1),
        ], zone


def test_each_year_has_every_winning_category(posts_of: MakePosts) -> None:
    posts = posts_of(*dated(NEW_YEARS))
    assert rows_of(answers.top_category_by_year(posts)) == [
        (2018, "art", 2),
        (2019, "art", 1),
        (2019, "travel", 1),
        (2020, "art", 1),
        (2022, "quotes", 1),
    ]
    assert rows_of(answers.top_category_by_year(posts, (2017, 2018))) == [(2017, "art", 1), (2018, "art", 2)]
    assert rows_of(answers.posts_by_category_and_year(posts, (2023, 2023))) == [(2023, "quotes", 1)]
    assert rows_of(answers.posts_by_category_and_year(posts, (2021, 2021))) == []


def followed(rows: list[tuple]) -> tuple[list[dict], list[dict]]:
    """Pins and geolocations of (country, poster, followers)."""
    pins = numbered([{"poster_name": poster, "follower_count": count} for _, poster, count in rows])
    return pins, numbered([{"country": country} for country, _, _ in rows])


def test_a_poster_stands_once_in_a_country_and_a_tie_returns_every_poster(posts_of: MakePosts) -> None:
    rows = [
        ("Peru", "Ana", 500),
        ("Peru", "Ana", 900),
        ("Peru", "Ana", 900),
        ("Peru", "Bo", 900),
        ("Peru", "Cy", 899),
        ("Oman", "Ana", 1),
        ("Mali", "Zero", 0),
        ("Fiji", "Nobody", None),
        ("Fiji", None, 2_000_000),
        (None, "Homeless", 3_000_000),
        ("Iran, Islamic Republic of", "Max", 2_147_483_647),
    ]
    pins, geos = followed(rows)
    pins.append({"ind": 99, "poster_name": "No place", "follower_count": 5_000_000})
    assert rows_of(answers.top_user_by_country(posts_of(pins, geos))) == [
        ("Iran, Islamic Republic of", "Max", 2_147_483_647),
        ("Mali", "Zero", 0),
        ("Oman", "Ana", 1),
        ("Peru", "Ana", 900),
        ("Peru", "Bo", 900),
    ]


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([("Peru", "Ana", 9), ("Oman", "Bo", 10), ("Chad", "Cy", 1)], [("Oman", 10)]),
        ([("Peru", "Ana", 9), ("Oman", "Bo", 9), ("Chad", "Cy", 1), ("Oman", "Di", 9)], [("Oman", 9)]),
        ([("Åland Islands", "Ana", 9), ("Zimbabwe", "Ana", 9)], [("Zimbabwe", 9)]),
        ([(None, "Ana", 9), ("Peru", "Bo", None), ("Oman", "Cy", 0)], [("Oman", 0)]),
        ([(None, None, None)], []),
    ],
    ids=["one", "tie", "order by code point", "gaps", "none"],
)
def test_the_country_of_the_most_followed_is_one_row(
    posts_of: MakePosts, rows: list[tuple], expected: list[tuple]
) -> None:
    assert rows_of(answers.top_user_country(posts_of(*followed(rows)))) == expected


def owned(rows: list[tuple]) -> tuple[list[dict], list[dict], list[dict]]:
    """Pins and users, no geolocations, of (age, year joined, category, followers)."""
    pins = numbered([{"category": category, "follower_count": count} for _, _, category, count in rows])
    users = [
        {"user_name": f"user {number}", "age": age, "date_joined": utc(f"{year}-06-01") if year else None}
        for number, (age, year, _, _) in enumerate(rows)
    ]
    pins.append({"ind": 1000, "category": "nobody's", "follower_count": 1})
    return pins, [], [*numbered(users), {"ind": 2000, "age": 30, "date_joined": utc("2016-01-01")}]


def test_age_groups_have_every_winning_category_the_oldest_last(posts_of: MakePosts) -> None:
    rows = [(age, None, f"{age}", None) for age in (17, 18, 24, 25, 35, 36, 50, 51)]
    rows += [(90, None, "51", None), (None, None, "art", None), (20, None, None, None), (10, None, "art", None)]
    assert rows_of(answers.top_category_by_age_group(posts_of(*owned(rows)))) == [
        ("18-24", "18", 1),
        ("18-24", "24", 1),
        ("25-35", "25", 1),
        ("25-35", "35", 1),
        ("36-50", "36", 1),
        ("36-50", "50", 1),
        ("+50", "51", 2),
    ]


MEDIANS = [
    (17, 2015, None, 1),
    (18, 2015, None, 1),
    (24, 2015, None, 2),
    (25, 2016, None, 2_147_483_647),
    (35, 2016, None, 2_147_483_646),
    (36, 2017, None, 10),
    (36, 2017, None, 10),
    (40, 2018, None, 90_000),
    (50, 2018, None, 0),
    (50, 2018, None, 11),
    (51, 2020, None, 7),
    (51, 2021, None, 9),
    (99, 2014, None, 8),
    (99, 2014, None, None),
    (None, 2020, None, 100),
    (30, None, None, 5),
    (60, 2015, None, None),
]


def test_a_median_is_exact_and_over_posts(posts_of: MakePosts) -> None:
    posts = posts_of(*owned(MEDIANS))
    assert rows_of(answers.median_followers_by_age_group(posts)) == [
        ("18-24", 1.5),
        ("25-35", 2_147_483_646.0),
        ("36-50", 10.0),
        ("+50", 8.0),
    ]
    assert rows_of(answers.median_followers_by_join_year(posts)) == [
        (2015, 1.0),
        (2016, 2_147_483_646.5),
        (2017, 10.0),
        (2018, 11.0),
        (2020, 53.5),
    ]
    assert rows_of(answers.median_followers_by_age_group_and_join_year(posts)) == [
        ("18-24", 2015, 1.5),
        ("25-35", 2016, 2_147_483_646.5),
        ("36-50", 2017, 10.0),
        ("36-50", 2018, 11.0),
        ("+50", 2020, 7.0),
    ]
    one_without = posts_of(*owned(MEDIANS[-2:]))
    assert rows_of(answers.median_followers_by_age_group(one_without)) == [("25-35", 5.0)]


def test_the_joining_years_of_medians_are_a_parameter(posts_of: MakePosts) -> None:
    posts = posts_of(*owned(MEDIANS))
    assert rows_of(answers.median_followers_by_join_year(posts, (2014, 2014))) == [(2014, 8.0)]
    pairs = answers.median_followers_by_age_group_and_join_year(posts, (2020, 2021))
    assert rows_of(pairs) == [("+50", 2020, 7.0), ("+50", 2021, 9.0)]


JOINED = [
    ("Ana", 27, "2015-01-01T00:00:00"),
    ("Ana", 27, "2015-01-01T00:00:00"),
    ("Ana", 28, "2015-01-01T00:00:00"),
    ("Ana", 27, "2015-01-01T00:00:01"),
    ("Bo", 27, "2015-01-01T00:00:00"),
    ("Ana", None, "2016-12-31T23:59:59"),
    ("Ana", None, "2016-12-31T23:59:59"),
    ("Ana", 27, "2020-12-31T23:59:59.999999"),
    ("Ana", 27, "2014-12-31T23:59:59.999999"),
    ("Ana", 27, "2021-01-01T00:00:00"),
    ("Ana", 27, None),
]


def test_a_user_is_a_distinct_name_age_and_date(spark: SparkSession, posts_of: MakePosts, in_zone) -> None:
    users = [
        {"user_name": name, "age": age, "date_joined": utc(moment) if moment else None} for name, age, moment in JOINED
    ]
    posts = posts_of(users=numbered(users))
    assert rows_of(answers.users_joined_by_year(posts, (2014, 2014))) == [(2014, 1)]
    for zone in ZONES:
        with in_zone(spark, zone):
            assert rows_of(answers.users_joined_by_year(posts)) == [(2015, 4), (2016, 1), (2020, 1)], zone
