"""The answers against a recomputation in plain Python, and against tables of ties, gaps and edges."""

import json
import re
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path

import polars
import pyarrow as pa
import pytest
from polars.selectors import datetime as datetime_columns
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.pandas.types import to_arrow_schema

from emulation.synthetic.delivery import Delivery
from emulation.synthetic.generator import generate_rows
from emulation.synthetic.landing_writer import write_landing
from pinterest_transforms.analysis import answers
from pinterest_transforms.analysis.answers import ANSWERS
from pinterest_transforms.analysis.counted_posts import CleanTables
from pinterest_transforms.entities import ENTITIES, GEO, PIN, USER, Entity
from pinterest_transforms.ingest.checkpoint_state import CheckpointState
from pinterest_transforms.ingest.delta_effects import IngestContext, evaluate, latest_usable
from pinterest_transforms.ingest.landing_reader import raw_records as landed_records
from pinterest_transforms.ingest.micro_batch import MicroBatch
from pinterest_transforms.schemas import CONTRACT, clean_schema
from pinterest_transforms.settings import Settings
from tests.support.plain_answers import AGE_GROUPS, plain_answers
from tests.support.spark_connect import connect_mode

COLUMNS = {
    "top_category_by_country": [("country", "string"), ("category", "string"), ("category_count", "bigint")],
    "posts_by_category_and_year": [("post_year", "int"), ("category", "string"), ("category_count", "bigint")],
    "top_category_by_year": [("post_year", "int"), ("category", "string"), ("category_count", "bigint")],
    "top_user_by_country": [("country", "string"), ("poster_name", "string"), ("follower_count", "int")],
    "top_user_country": [("country", "string"), ("follower_count", "int")],
    "top_category_by_age_group": [("age_group", "string"), ("category", "string"), ("category_count", "bigint")],
    "median_followers_by_age_group": [("age_group", "string"), ("median_follower_count", "double")],
    "users_joined_by_year": [("post_year", "int"), ("number_users_joined", "bigint")],
    "median_followers_by_join_year": [("post_year", "int"), ("median_follower_count", "double")],
    "median_followers_by_age_group_and_join_year": [
        ("age_group", "string"),
        ("post_year", "int"),
        ("median_follower_count", "double"),
    ],
}
ZONES = ["Pacific/Auckland", "America/Los_Angeles"]


# A recomputation that shares nothing with the library: own reading, own rules, own arithmetic.

POSTS = 1500
HARSH = Delivery(
    duplicates=0.2, updates=0.1, repairable=0.1, malformed=0.1, foreign=0.05, text_keys=0.1, unknown_fields=0.05
)
SPACES = "".join(chr(point) for point in range(0x3001) if chr(point).isspace() and not 0x1C <= point <= 0x1F)
NOTHING = {
    "title": ["No Title Data Available"],
    "description": ["No description available", "No description available Story format", "Untitled"],
    "poster_name": ["User Info Error"],
    "follower_count": ["User Info Error"],
    "tag_list": ["N,o, ,T,a,g,s, ,A,v,a,i,l,a,b,l,e"],
    "image_src": ["Image src error."],
}
FIELDS = {
    "pin": "unique_id title description poster_name follower_count tag_list is_image_or_video image_src downloaded "
    "save_location category",
    "geo": "timestamp latitude longitude country",
    "user": "first_name last_name age date_joined",
}
TEXTS = ["unique_id", "title", "description", "poster_name", "tag_list", "is_image_or_video", "image_src", "category"]
FORMS = ["%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%Y:%m:%d %H:%M:%S", "%m/%d/%Y, %H:%M:%S"]
FACTORS = {"": 1, "k": 1000, "m": 1_000_000, "b": 1_000_000_000}


def plain_record(line: bytes) -> dict | None:
    """The one object of a line, if it is that and has no name twice."""
    names: list[list[str]] = []

    def keep(pairs: list) -> dict:
        names.append([name for name, _ in pairs])
        return dict(pairs)

    try:
        record = json.loads(line.decode("utf-8"), object_pairs_hook=keep)
    except ValueError:
        return None
    return record if isinstance(record, dict) and len(set(names[-1])) == len(names[-1]) else None


def plain_key(record: dict, kind: str) -> int | None:
    for name in ("index", "ind") if kind == "pin" else ("ind",):
        try:
            key = Fraction(str(record.get(name)))
        except ValueError:
            continue
        if key.denominator == 1 and 0 <= key < 2**63:
            return int(key)
    return None


def plain_text(record: dict, name: str) -> str | None:
    value = record.get(name)
    if value is None or isinstance(value, dict | list):
        return None
    value = str(value).strip(SPACES)
    return None if value in ["", *NOTHING.get(name, [])] else value


def plain_followers(record: dict) -> int | None:
    found = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)([kmb]?)", (plain_text(record, "follower_count") or "").lower())
    number = Fraction(found[1]) * FACTORS[found[2]] if found else Fraction(1, 2)
    return int(number) if number.denominator == 1 else None


def plain_moment(record: dict, name: str) -> datetime | None:
    for form in FORMS:
        try:
            return datetime.strptime(plain_text(record, name) or "", form).replace(tzinfo=UTC)
        except ValueError:
            continue
    return None


def plain_degrees(record: dict, name: str, limit: int) -> float | None:
    value = record.get(name)
    return float(value) if isinstance(value, int | float) and abs(value) <= limit else None


def plain_row(record: dict, kind: str) -> dict[str, object]:
    """The clean values of a record."""
    if kind == "pin":
        place = plain_text(record, "save_location")
        row: dict[str, object] = {name: plain_text(record, name) for name in TEXTS}
        row["follower_count"] = plain_followers(record)
        row["save_location"] = place.removeprefix("Local save in ") if place else None
        return row
    if kind == "geo":
        point = [plain_degrees(record, "latitude", 90), plain_degrees(record, "longitude", 180)]
        return {
            "country": plain_text(record, "country"),
            "coordinates": None if None in point else point,
            "timestamp": plain_moment(record, "timestamp"),
        }
    names = [name for name in (plain_text(record, "first_name"), plain_text(record, "last_name")) if name]
    age = record.get("age")
    return {
        "user_name": " ".join(names) or None,
        "age": age if isinstance(age, int) and 1 <= age <= 120 else None,
        "date_joined": plain_moment(record, "date_joined"),
    }


def plain_versions(landing: Path, kind: str) -> list[tuple[int, dict]]:
    """Key and clean values of every usable record, in the order of the offsets; a key lives in one partition."""
    versions = []
    for file in sorted(landing.rglob(f"*.{kind}+*.json"), key=lambda file: int(file.stem.rpartition("+")[2])):
        for line in file.read_bytes().split(b"\n"):
            record = plain_record(line)
            key = plain_key(record, kind) if record else None
            if record and key is not None and set(record) & set(FIELDS[kind].split()):
                versions.append((key, plain_row(record, kind)))
    return versions


@pytest.fixture(scope="module")
def landing(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Thousands of dirty posts in landing files."""
    settings = Settings(landing=str(tmp_path_factory.mktemp("landing")))
    for entity in ENTITIES:
        rows = (row for page in generate_rows(entity, POSTS, 11) for row in page)
        write_landing(rows, entity, settings, delivery=HARSH, seed=11, records_per_file=400)
    return settings


@pytest.fixture(scope="module")
def plain(landing: Settings) -> dict[str, list[tuple[int, dict]]]:
    """What plain Python makes of those files: every usable version, by entity."""
    return {entity.name: plain_versions(Path(landing.landing), entity.name) for entity in ENTITIES}


@pytest.fixture(scope="module")
def cleaned(spark: SparkSession, landing: Settings, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """What the library makes of them: a Parquet folder of the latest version of each key, by entity."""
    folders = {entity.name: tmp_path_factory.mktemp("clean") / entity.name for entity in ENTITIES}
    with connect_mode(False):
        for entity in ENTITIES:
            paths = [str(path) for path in sorted(Path(landing.topic_folder(entity)).rglob("*.json"))]
            context = IngestContext(landing, entity, "run", CheckpointState(""))
            with evaluate(spark, context, MicroBatch("run", 0), landed_records(spark, paths)) as effects:
                latest = latest_usable(effects.rows, effects.counts.read, ordered=effects.ordered)
                latest.write.parquet(str(folders[entity.name]))
    return folders


@pytest.mark.parametrize("entity", ENTITIES, ids=lambda entity: entity.name)
def test_thousands_of_dirty_records_become_the_rows_that_plain_python_finds(
    plain: dict, cleaned: dict[str, Path], entity: Entity
) -> None:
    names = CONTRACT[entity.name].names
    rows = [(key, *(row[name] for name in names[1:])) for key, row in sorted(dict(plain[entity.name]).items())]
    got = polars.read_parquet(cleaned[entity.name] / "*.parquet").select(names).sort("ind")
    assert got.with_columns(datetime_columns().dt.replace_time_zone("UTC")).rows() == rows


def test_the_answers_are_what_plain_python_finds(either: SparkSession, plain: dict, cleaned: dict[str, Path]) -> None:
    tables = [either.read.parquet(str(cleaned[entity.name])) for entity in ENTITIES]
    posts = CleanTables(
        *(table.select(*clean_schema(entity).names) for table, entity in zip(tables, ENTITIES, strict=True))
    )
    expected = plain_answers(*(dict(plain[entity.name]) for entity in ENTITIES))
    assert {answer.name: rows_of(answer.compute(posts)) for answer in ANSWERS} == expected
    assert all(expected.values())


def test_the_generated_posts_hold_what_the_comparison_is_for(landing: Settings, plain: dict) -> None:
    answers = plain_answers(*(dict(plain[entity.name]) for entity in ENTITIES))
    assert max(Counter(row[0] for row in answers["top_category_by_country"]).values()) > 1
    assert {row[0] for row in answers["median_followers_by_age_group"]} == set(AGE_GROUPS)
    assert len({len(dict(versions)) for versions in plain.values()}) > 1
    assert all(len(versions) > 1.2 * len(dict(versions)) for versions in plain.values())
    lines = sum(file.read_bytes().count(b"\n") for file in Path(landing.landing).rglob("*.json"))
    assert lines > 1.1 * sum(map(len, plain.values()))


# Tables of ties, gaps and edges. What a question does not need is an empty table.

MakePosts = Callable[..., CleanTables]


@pytest.fixture
def posts_of(interpreted: SparkSession) -> MakePosts:
    """Posts of rows that are dictionaries; what they leave out is null, as is where they came from.

    The thousands of posts above show that generated code and Spark Connect give the same answers.
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


# What holds for every answer.


def test_an_answer_has_exactly_its_columns(posts_of: MakePosts) -> None:
    posts = posts_of()
    for answer in ANSWERS:
        schema = answer.compute(posts).schema
        assert [(column.name, column.dataType.simpleString()) for column in schema] == COLUMNS[answer.name]
        assert [(name, kind.lower()) for name, kind, _ in answer.columns] == COLUMNS[answer.name]


def test_there_are_ten_answers() -> None:
    assert [answer.name for answer in ANSWERS] == list(COLUMNS)
    assert all(answer.question.endswith("?") and all(comment for _, _, comment in answer.columns) for answer in ANSWERS)


def test_the_order_of_an_answer_is_total_and_can_be_made_again(posts_of: MakePosts) -> None:
    for answer in ANSWERS:
        names = [name for name, _ in COLUMNS[answer.name]]
        assert set(answer.order) <= set(names)
    rows = [("+50", 2015, 1.0), ("18-24", 2016, 2.0), ("36-50", 2015, 3.0), ("18-24", 2015, 4.0), ("25-35", 2015, 5.0)]
    [answer] = [answer for answer in ANSWERS if answer.name == "median_followers_by_age_group_and_join_year"]
    frame = posts_of().pins.sparkSession.createDataFrame(rows, "age_group string, post_year int, median double")
    assert [row[:2] for row in rows_of(answer.ordered(frame))] == [
        ("18-24", 2015),
        ("18-24", 2016),
        ("25-35", 2015),
        ("36-50", 2015),
        ("+50", 2015),
    ]
