"""The posts behind a row of an answer: they, and they alone, give the same number again, ties included."""

import random
import statistics
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest
from pyspark.sql import DataFrame, Row, SparkSession

from pinterest_transforms.analysis.answer_posts import explain_answer, posts_behind
from pinterest_transforms.analysis.answers import ANSWERS, Answer
from pinterest_transforms.analysis.counted_posts import CleanTables
from pinterest_transforms.entities import ENTITIES, GEO, PIN, USER, Entity
from pinterest_transforms.errors import SettingsError
from pinterest_transforms.schemas import clean_schema
from pinterest_transforms.tables.definitions import answer_spec
from tests.support.plain_answers import plain_answers

World = dict[Entity, dict[int, dict[str, object]]]
by_answer = pytest.mark.parametrize("answer", ANSWERS, ids=lambda answer: answer.name)
# Posts and countries: many posts for each number, and few of them.
SIZES = {"many": (3000, 40), "few": (120, 30)}


def generate_world(posts: int, countries: int) -> World:
    """Posts with values of few kinds, so that there are ties; some have no value, some have no record of a kind."""
    draw = random.Random(posts)

    def year(first: int, last: int) -> datetime | None:
        moment = datetime(draw.randint(first, last), draw.choice([1, 12]), draw.choice([1, 31]), tzinfo=UTC)
        return draw.choice([None, *[moment] * 9])

    def pick(values: list[object]) -> object:
        return draw.choice([None, *values, *values])

    makers: dict[Entity, Callable[[], dict[str, object]]] = {
        PIN: lambda: {
            "category": pick(["art", "diy", "travel"]),
            "poster_name": pick([f"poster {number}" for number in range(9)]),
            "follower_count": pick([0, 7, 900, 901, 2_147_483_647]),
        },
        GEO: lambda: {"country": pick([f"country {n}" for n in range(countries)]), "timestamp": year(2017, 2023)},
        USER: lambda: {
            "user_name": pick(["Ana", "Bo"]),
            "age": pick([17, 18, 24, 25, 35, 36, 50, 51, 90]),
            "date_joined": year(2014, 2021),
        },
    }
    return {entity: {key: make() for key in range(posts) if draw.random() < 0.95} for entity, make in makers.items()}


@pytest.fixture(scope="module", params=list(SIZES))
def world(request: pytest.FixtureRequest, interpreted: SparkSession) -> Iterator[tuple[World, CleanTables]]:
    """Generated posts, and their clean tables."""
    made = generate_world(*SIZES[request.param])
    tables = [make_frame(interpreted, entity, rows).cache() for entity, rows in made.items()]
    yield made, CleanTables(*tables)
    for table in tables:
        table.unpersist()


def make_frame(spark: SparkSession, entity: Entity, rows: dict[int, dict[str, object]]) -> DataFrame:
    schema = clean_schema(entity)
    values = [
        {"ind": key, **row, "_source": ("0", f"{key:020d}", None, f"{entity.name} {key // 50}")}
        for key, row in rows.items()
    ]
    return spark.createDataFrame([tuple(row.get(name) for name in schema.names) for row in values], schema)


def recomputed(world: World, answer: Answer, keys: set[int]) -> list[tuple]:
    """The answer in plain Python, of these posts alone."""
    rows = [
        {key: {name: row.get(name) for name in clean_schema(entity).names} for key, row in rows.items() if key in keys}
        for entity, rows in world.items()
    ]
    return plain_answers(*rows)[answer.name]


def measure(answer: Answer, posts: list[Row]) -> dict[str, object]:
    """The number of an answer's row, of the rows that explain it and nothing else."""
    names = [name for name, _, _ in answer.columns]
    if "category_count" in names:
        return {"category_count": len(posts)}
    if "number_users_joined" in names:
        return {"number_users_joined": len({post["user_number"] for post in posts})}
    followers = [post["follower_count"] for post in posts]
    if "median_follower_count" in names:
        return {"median_follower_count": statistics.median(followers)}
    return {"follower_count": max(followers)} if min(followers) == max(followers) else {}


def answer_rows(world: World, answer: Answer) -> list[Row]:
    """The answer's rows in plain Python: that Spark gives the same is tested with the answers."""
    keys = {key for rows in world.values() for key in rows}
    return [Row(*(name for name, _, _ in answer.columns))(*row) for row in recomputed(world, answer, keys)]


@by_answer
@pytest.mark.parametrize("world", ["many"], indirect=True)
def test_the_posts_behind_each_row_alone_give_it_again(world: tuple[World, CleanTables], answer: Answer) -> None:
    made, tables = world
    rows = answer_rows(made, answer)
    given = tables.pins.sparkSession.createDataFrame(rows, answer_spec(answer).columns)
    posts = posts_behind(tables, answer, given).collect()
    behind = {row: [post for post in posts if explains(post, row)] for row in rows}
    for row, found in behind.items():
        keys = {post["ind"] for post in found}
        assert len(keys) == len(found)
        assert recomputed(made, answer, keys) == [tuple(row)]
        assert measure(answer, found).items() <= row.asDict().items()
        assert measure(answer, found)
    # What chooses several rows, or one of a tie by any of its columns.
    draw = random.Random(1)
    for row in draw.sample(rows, min(len(rows), 20)):
        cell = draw.sample(row.__fields__, draw.randint(0, len(row)))
        chosen = [other for other in rows if all(other[name] == row[name] for name in cell)]
        keys = {post["ind"] for other in chosen for post in behind[other]}
        assert recomputed(made, answer, keys) == [tuple(other) for other in chosen]


def explains(post: Row, row: Row) -> bool:
    keys = [name for name in row.__fields__ if name in post and not name.startswith("median_")]
    return all(post[name] == row[name] for name in keys)


def test_the_generated_posts_have_ties_in_every_answer_with_winners(world: tuple[World, CleanTables]) -> None:
    made, _ = world
    answers = plain_answers(
        *(
            {key: {name: row.get(name) for name in clean_schema(entity).names} for key, row in rows.items()}
            for entity, rows in made.items()
        )
    )
    assert all(answers.values())
    for name in ("top_category_by_country", "top_user_by_country"):
        assert len({row[0] for row in answers[name]}) < len(answers[name])


@by_answer
@pytest.mark.parametrize("world", ["few"], indirect=True)
def test_a_cell_chooses_the_rows(world: tuple[World, CleanTables], answer: Answer) -> None:
    made, tables = world
    row = answer_rows(made, answer)[-1]
    # As on a command line: numbers as texts.
    cell = {name: str(row[name]) for name in answer.order}
    found = explain_answer(tables, answer.name, **cell)
    posts = found.collect()
    assert recomputed(made, answer, {post["ind"] for post in posts}) == [tuple(row)]
    assert [name for name in found.columns if name.endswith("_source")] == [
        f"{one.name}_source" for one in answer.entities
    ]
    for post in posts:
        for entity in answer.entities:
            source = post[f"{entity.name}_source"]
            assert (int(source["position"]), source["file"]) == (post["ind"], f"{entity.name} {post['ind'] // 50}")
    assert not {"user_name", "age", "date_joined", "title"} & set(found.columns)


@pytest.fixture(scope="module")
def tables(interpreted: SparkSession) -> CleanTables:
    """Two posts in Peru, of one category each."""
    pins = {1: {"category": "art"}, 2: {"category": "diy", "poster_name": "Ana", "follower_count": 3}}
    geos = {1: {"country": "Peru"}, 2: {"country": "Peru"}}
    made = dict(zip(ENTITIES, (pins, geos, {}), strict=True))
    return CleanTables(*(make_frame(interpreted, entity, rows) for entity, rows in made.items()))


def test_a_tie_has_the_posts_of_every_winner_and_one_winner_its_own(tables: CleanTables) -> None:
    both = explain_answer(tables, "top_category_by_country", country="Peru")
    assert [(row["ind"], row["category"]) for row in both.collect()] == [(1, "art"), (2, "diy")]
    one = explain_answer(tables, "top_category_by_country", country="Peru", category="diy")
    assert [row["ind"] for row in one.collect()] == [2]
    assert [row["ind"] for row in explain_answer(tables, "top_user_country").collect()] == [2]


@pytest.mark.parametrize(
    ("answer", "cell", "message"),
    [
        ("top_category", {}, "answer must be one of top_category_by_country, posts_by_category_and_year, "),
        (
            "top_user_country",
            {"poster_name": "Ana"},
            "column must be one of country, follower_count of top_user_country, got 'poster_name'",
        ),
        (
            "top_user_by_country",
            {"country": "Peru", "poster_name": "Jane Doe"},
            "top_user_by_country must have a row for the country and poster_name given, got none",
        ),
        (
            "users_joined_by_year",
            {},
            "users_joined_by_year must have a row for the question given, got none",
        ),
        ("users_joined_by_year", {"post_year": "Jane"}, "post_year must be a number (INT), got something else"),
        ("users_joined_by_year", {"post_year": 2**63}, "post_year must be a number (INT), got something else"),
        (
            "median_followers_by_age_group",
            {"median_follower_count": "x"},
            "median_follower_count must be a number (DOUBLE), got something else",
        ),
    ],
)
def test_what_is_not_there_is_one_line_without_a_value(
    tables: CleanTables, answer: str, cell: dict[str, object], message: str
) -> None:
    with pytest.raises(SettingsError) as error:
        explain_answer(tables, answer, **cell)
    assert str(error.value).startswith(message)
    assert "\n" not in str(error.value)
    assert "Jane" not in str(error.value)
