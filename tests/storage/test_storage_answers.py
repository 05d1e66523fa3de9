"""Answer tables: what the functions compute, made anew only when clean tables have changed; and the posts view."""

import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from storage_places import Place

from pinterest_transforms.analysis import ANSWERS, Posts
from pinterest_transforms.errors import TableError
from pinterest_transforms.storage import answers, tables

COUNTRIES = ("Peru", "Chad", None)
CATEGORIES = ("art", "tattoos", "art", None)


def fill(place: Place) -> None:
    """Twelve posts; the last pins have no geolocation, the last users no pin."""

    def insert(table: str, rows: list[tuple[object, ...]], columns: str) -> None:
        place.spark.createDataFrame(rows, columns).createOrReplaceTempView("some_rows")
        names = ", ".join(part.split()[0] for part in columns.split(", "))
        place.spark.sql(f"INSERT INTO {place.settings.qualified(table)} ({names}) TABLE some_rows")

    pins = [(i, f"poster {i % 5}", None if i == 4 else i * 1000, CATEGORIES[i % 4]) for i in range(12)]
    insert("pins", pins, "ind BIGINT, poster_name STRING, follower_count INT, category STRING")
    made = [(i, COUNTRIES[i % 3], datetime(2017 + i % 6, 12, 31, 23, 59, 59, tzinfo=UTC)) for i in range(9)]
    insert("geolocations", made, "ind BIGINT, country STRING, timestamp TIMESTAMP")
    users = [(i, f"user {i % 4}", 16 + 7 * i % 60, datetime(2014 + i % 4, 1, 1, tzinfo=UTC)) for i in range(15)]
    insert("users", users, "ind BIGINT, user_name STRING, age INT, date_joined TIMESTAMP")


@pytest.fixture(scope="module")
def answered(make_place: Callable[..., Place]) -> Place:
    place = make_place(answers=True)
    fill(place)
    said: list[str] = []
    answers.refresh_answers(place.spark, place.settings, said.append)
    assert said == ["answering 10 questions"]
    return place


def computed(place: Place, answer) -> list[tuple[object, ...]]:
    return [tuple(row) for row in answer.compute(answers.posts(place.spark, place.settings)).collect()]


def kept(place: Place, answer) -> list[tuple[object, ...]]:
    return [tuple(row) for row in answers.read_answer(place.spark, place.settings, answer).collect()]


@pytest.mark.parametrize("answer", ANSWERS, ids=[answer.name for answer in ANSWERS])
def test_a_kept_answer_is_what_its_function_computes_in_its_order(answered: Place, answer):
    assert kept(answered, answer) == computed(answered, answer) != []


@pytest.mark.parametrize("answer", ANSWERS, ids=[answer.name for answer in ANSWERS])
def test_an_answer_needs_no_table_but_those_it_names(answered: Place, answer):
    clean = answers.posts(answered.spark, answered.settings)
    frames = {"pin": clean.pins, "geo": clean.geolocations, "user": clean.users}
    named = {entity.name for entity in answer.entities}
    needed = Posts(*(frame if name in named else None for name, frame in frames.items()))
    assert answer.compute(needed).columns == [name for name, _, _ in answer.columns]
    for missing in named:
        with pytest.raises(AttributeError):
            answer.compute(Posts(*(frame if name in named - {missing} else None for name, frame in frames.items())))


def test_posts_is_one_row_a_post(answered: Place):
    rows = answered.table("posts").orderBy("ind").collect()
    assert [row["ind"] for row in rows] == list(range(12))
    assert (rows[0]["country"], rows[0]["user_name"], rows[0]["category"]) == ("Peru", "user 0", "art")
    assert (rows[11]["country"], rows[11]["user_name"]) == (None, "user 3")


def test_answers_are_made_anew_only_when_a_clean_table_has_changed(
    answered: Place, all_tables: Place, monkeypatch: pytest.MonkeyPatch
):
    def silent(_: str) -> None:
        pytest.fail("nothing has changed")

    before = answered.content()
    answers.refresh_answers(answered.spark, answered.settings, silent)
    assert answered.content() == before

    # A table that is dropped and made again has the same version number, with other rows.
    settings = answered.settings
    answered.spark.sql(f"DROP TABLE {settings.qualified('users')}")
    shutil.rmtree(settings.table_folder("users"))
    shutil.copytree(Path(all_tables.settings.warehouse, "made", "users"), settings.table_folder("users"))
    tables.attach(answered.spark, settings)
    joined = "(1, 'only one', 20, TIMESTAMP '2016-02-03 04:05:06')"
    answered.spark.sql(f"INSERT INTO {settings.qualified('users')} (ind, user_name, age, date_joined) VALUES {joined}")
    said: list[str] = []
    by_year = next(answer for answer in ANSWERS if answer.name == "users_joined_by_year")
    by_country = next(answer for answer in ANSWERS if answer.name == "top_category_by_country")
    monkeypatch.setattr(answers, "ANSWERS", [by_country, by_year])
    answers.refresh_answers(answered.spark, settings, said.append)
    assert said == ["answering 1 question"]
    assert kept(answered, by_year) == [(2016, 1)]
    columns = answered.spark.catalog.listColumns(f"{settings.schema}.users_joined_by_year")
    assert all(column.description for column in columns)  # a refresh keeps the comments


def test_answers_need_their_tables(place: Place):
    with pytest.raises(TableError, match="must be there: run the batch first"):
        answers.read_answer(place.spark, place.settings, ANSWERS[0])
    place.spark.sql(f"DROP TABLE {place.settings.qualified('users')}")
    with pytest.raises(TableError) as error:
        answers.posts(place.spark, place.settings)
    assert str(error.value) == f"table {place.settings.schema}.users must be there: run the batch first"
    assert tables.read(place.spark, place.settings, "pins").count() == 0
