"""Answer tables: what the functions compute, made anew only when clean tables have changed; and the posts view."""

import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pandas.testing import assert_frame_equal
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame

from pinterest_transforms.analysis.answers import ANSWERS, answer_named
from pinterest_transforms.analysis.counted_posts import CleanTables
from pinterest_transforms.errors import TableError
from pinterest_transforms.tables import answer_tables, creation, table_access
from tests.support.log_lines import log_lines
from tests.support.table_places import WORK, Killed, Place

COUNTRIES = ("Peru", "Chad", None)
BY_COUNTRY, BY_YEAR = answer_named("top_category_by_country"), answer_named("users_joined_by_year")
CATEGORIES = ("art", "tattoos", "art", None)


def fill(place: Place) -> None:
    """Twelve posts; the last pins have no geolocation, the last users no pin."""

    def insert(table: str, rows: list[tuple[object, ...]], columns: str) -> None:
        names = ", ".join(part.split()[0] for part in columns.split(", "))
        some_rows = place.spark.createDataFrame(rows, columns)
        place.spark.sql(f"INSERT INTO {place.settings.qualified(table)} ({names}) TABLE {{rows}}", rows=some_rows)

    pins = [(i, f"poster {i % 5}", None if i == 4 else i * 1000, CATEGORIES[i % 4]) for i in range(12)]
    insert("pins", pins, "ind BIGINT, poster_name STRING, follower_count INT, category STRING")
    made = [(i, COUNTRIES[i % 3], datetime(2017 + i % 6, 12, 31, 23, 59, 59, tzinfo=UTC)) for i in range(9)]
    insert("geolocations", made, "ind BIGINT, country STRING, timestamp TIMESTAMP")
    users = [(i, f"user {i % 4}", 16 + 7 * i % 60, datetime(2014 + i % 4, 1, 1, tzinfo=UTC)) for i in range(15)]
    insert("users", users, "ind BIGINT, user_name STRING, age INT, date_joined TIMESTAMP")


@pytest.fixture(scope="module")
def answered(make_place: Callable[..., Place]) -> Place:
    place = make_place(names=WORK)
    fill(place)
    with log_lines() as said:
        written = answer_tables.refresh_answers(place.spark, place.settings)
    assert said == ["answering 10 questions"]
    for answer in ANSWERS:
        assert_frame_equal(
            written[answer.name], answer_tables.read_answer(place.spark, place.settings, answer).toPandas()
        )
    return place


def computed(place: Place, answer) -> list[tuple[object, ...]]:
    return [tuple(row) for row in answer.compute(answer_tables.posts(place.spark, place.settings)).collect()]


def kept(place: Place, answer) -> list[tuple[object, ...]]:
    return [tuple(row) for row in answer_tables.read_answer(place.spark, place.settings, answer).collect()]


def test_a_kept_answer_is_what_its_function_computes_in_its_order(answered: Place):
    for answer in ANSWERS[::3]:  # `answered` compares all of them with what the refresh computed
        assert kept(answered, answer) == computed(answered, answer) != []


def test_an_answer_needs_no_table_but_those_it_names(answered: Place):
    clean = answer_tables.posts(answered.spark, answered.settings)
    frames = {"pin": clean.pins, "geo": clean.geolocations, "user": clean.users}
    for answer in ANSWERS:
        named = {entity.name for entity in answer.entities}
        needed = CleanTables(*(frame if name in named else None for name, frame in frames.items()))
        assert answer.compute(needed).columns == [name for name, _, _ in answer.columns]
        for missing in named:
            without = CleanTables(*(frame if name in named - {missing} else None for name, frame in frames.items()))
            with pytest.raises(AttributeError):
                answer.compute(without)


def test_answers_are_made_anew_only_when_a_clean_table_has_changed(
    answered: Place, work_tables: Place, monkeypatch: pytest.MonkeyPatch
):
    before = answered.content()
    with log_lines() as said:
        assert answer_tables.refresh_answers(answered.spark, answered.settings) == {}
    assert (answered.content(), said) == (before, [])

    # A table that is dropped and made again has the same version number, with other rows.
    settings = answered.settings
    answered.spark.sql(f"DROP TABLE {settings.qualified('users')}")
    shutil.rmtree(settings.table_folder("users"))
    shutil.copytree(Path(work_tables.settings.warehouse, "made", "users"), settings.table_folder("users"))
    creation.register_tables(answered.spark, settings)
    joined = "(1, 'only one', 20, TIMESTAMP '2016-02-03 04:05:06')"
    answered.spark.sql(f"INSERT INTO {settings.qualified('users')} (ind, user_name, age, date_joined) VALUES {joined}")
    monkeypatch.setattr(answer_tables, "ANSWERS", [BY_COUNTRY, BY_YEAR])
    with log_lines() as said:
        answer_tables.refresh_answers(answered.spark, settings)
    assert said == ["answering 1 question"]
    assert kept(answered, BY_YEAR) == [(2016, 1)]


def refreshed(place: Place) -> list[str]:
    """Answers that a refresh writes."""
    return list(answer_tables.refresh_answers(place.spark, place.settings))


@pytest.fixture
def two(answered: Place, monkeypatch: pytest.MonkeyPatch) -> Place:
    """Two of the answers, fresh."""
    monkeypatch.setattr(answer_tables, "ANSWERS", [BY_COUNTRY, BY_YEAR])
    refreshed(answered)
    assert refreshed(answered) == []
    return answered


def test_an_answer_table_has_comments_on_everything(answered: Place):
    for answer in ANSWERS:
        name = answered.settings.qualified(answer.name)
        about = answered.spark.sql(f"DESCRIBE TABLE EXTENDED {name}").collect()
        assert [row["data_type"] for row in about if row["col_name"] == "Comment"] == [answer.question]
        columns = [(row["col_name"], row["data_type"], row["comment"]) for row in about[: len(answer.columns)]]
        assert columns == [(column, kind.lower(), comment) for column, kind, comment in answer.columns]
        assert (
            table_access.properties(answered.spark, answered.settings, answer.name)["pinterest.schema_version"] == "3"
        )


def drop(place: Place) -> None:
    place.spark.sql(f"DROP TABLE {place.settings.qualified(BY_YEAR.name)}")
    shutil.rmtree(place.settings.table_folder(BY_YEAR.name))


def leave_unfinished(place: Place) -> None:
    """What a kill in the first write leaves: data and a log without a commit."""
    drop(place)
    folder = place.settings.table_folder(BY_YEAR.name)
    (folder / "_delta_log").mkdir(parents=True)
    (folder / "part-00000-0a1b.c000.snappy.parquet").write_text("half")
    (folder / ".part-00000-0a1b.c000.snappy.parquet.crc").write_text("half")
    creation.register_tables(place.spark, place.settings)


def make_with(place: Place, pairs: str) -> None:
    """A table of that name, with no rows and other columns."""
    drop(place)
    where = f"LOCATION '{place.settings.table_folder(BY_YEAR.name)}'"
    name = place.settings.qualified(BY_YEAR.name)
    place.spark.sql(f"CREATE TABLE {name} (post_year STRING, own INT) USING DELTA {where} TBLPROPERTIES ({pairs})")


def make_by_another_library(place: Place) -> None:
    """As it is, but computed by another version of the library."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(answer_tables, "__version__", "0.0.1")
        assert refreshed(place) == [BY_COUNTRY.name, BY_YEAR.name]


@pytest.mark.parametrize(
    ("change", "written"),
    [
        (drop, [BY_YEAR]),
        (leave_unfinished, [BY_YEAR]),
        (lambda place: make_with(place, "'somebody' = 'else'"), [BY_YEAR]),
        (lambda place: make_with(place, "'pinterest.schema_version' = '0'"), [BY_YEAR]),
        (make_by_another_library, [BY_COUNTRY, BY_YEAR]),
    ],
    ids=["dropped", "its making killed", "not this library's", "older", "of another library"],
)
def test_an_answer_table_that_is_missing_or_another_s_is_written_again(two: Place, change, written):
    before = kept(two, BY_YEAR)
    change(two)
    assert refreshed(two) == [answer.name for answer in written]
    assert kept(two, BY_YEAR) == before
    assert two.table(BY_YEAR.name).columns == [name for name, _, _ in BY_YEAR.columns]


@pytest.mark.parametrize("after", [False, True])
def test_a_kill_in_a_refresh_leaves_the_old_answer_or_the_new_one(two: Place, monkeypatch, after: bool):
    """One commit has both the rows and what they were computed from."""
    row = f"({90 + after}, 'another {after}', 30, TIMESTAMP '2017-02-03 04:05:06')"
    users = two.settings.qualified("users")
    two.spark.sql(f"INSERT INTO {users} (ind, user_name, age, date_joined) VALUES {row}")
    before = kept(two, BY_YEAR)
    work = answer_tables.with_retries

    def dies(*given: object) -> None:
        if after:
            work(*given)
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(answer_tables, "with_retries", dies)
        with pytest.raises(Killed):
            refreshed(two)
    assert (kept(two, BY_YEAR) == before) is not after
    assert refreshed(two) == ([] if after else [BY_YEAR.name])
    assert kept(two, BY_YEAR) == computed(two, BY_YEAR) != before


def test_a_newer_answer_table_is_refused(two: Place):
    make_with(two, "'pinterest.schema_version' = '4'")
    with pytest.raises(TableError) as error:
        refreshed(two)
    assert str(error.value) == (
        f"table {two.settings.schema}.{BY_YEAR.name} must have schema version 3 or older, got 4: use a newer library"
    )
    drop(two)


@pytest.mark.parametrize("refusal", ["NOT_SUPPORTED_WITH_SERVERLESS", ""])
def test_where_nothing_can_be_cached_the_answers_are_the_same(two: Place, monkeypatch, refusal: str):
    before = kept(two, BY_COUNTRY)
    drop_country = f"DROP TABLE {two.settings.qualified(BY_COUNTRY.name)}"
    two.spark.sql(drop_country)
    shutil.rmtree(two.settings.table_folder(BY_COUNTRY.name))

    def refuse(_: DataFrame) -> None:
        raise PySparkException(f"[{refusal}] PERSIST TABLE")

    monkeypatch.setattr(DataFrame, "cache", refuse)
    monkeypatch.setattr(type(two.table("pins")), "cache", refuse)
    if not refusal:
        with pytest.raises(PySparkException, match="PERSIST"):
            refreshed(two)
        monkeypatch.undo()
        refreshed(two)
        return
    assert refreshed(two) == [BY_COUNTRY.name]
    assert kept(two, BY_COUNTRY) == before


def test_answers_need_their_tables(make_place: Callable[..., Place]):
    place = make_place(names=("pins", "geolocations"))
    with pytest.raises(TableError, match="must be there: run the batch first"):
        answer_tables.read_answer(place.spark, place.settings, ANSWERS[0])
    with pytest.raises(TableError) as error:
        answer_tables.posts(place.spark, place.settings)
    assert str(error.value) == f"table {place.settings.schema}.users must be there: run the batch first"
    assert table_access.read(place.spark, place.settings, "pins").count() == 0
