"""Answer tables: what the functions compute, made anew only when clean tables have changed; and the posts view."""

import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame

from pinterest_transforms.analysis.answers import ANSWERS, Answer, answer_named
from pinterest_transforms.analysis.counted_posts import CleanTables
from pinterest_transforms.errors import TableError
from pinterest_transforms.tables import answer_tables, creation, table_access
from pinterest_transforms.tables.locks import try_lock
from tests.support.log_lines import log_lines
from tests.support.table_places import WORK, Killed, Place

COUNTRIES = ("Peru", "Chad", None)
BY_COUNTRY, BY_YEAR = answer_named("top_category_by_country"), answer_named("users_joined_by_year")
# Of pins and geolocations, of users, and of pins and users. The notebooks' tests see that each of the ten is written.
SOME = [BY_COUNTRY, BY_YEAR, answer_named("median_followers_by_age_group")]
CATEGORIES = ("art", "tattoos", "art", None)


def fill(place: Place) -> None:
    """Twelve posts; one has no user, the last pins have no geolocation, the last users no pin."""

    def insert(table: str, rows: list[tuple[object, ...]], columns: str) -> None:
        names = ", ".join(part.split()[0] for part in columns.split(", "))
        some_rows = place.spark.createDataFrame(rows, columns)
        place.spark.sql(f"INSERT INTO {place.settings.qualified(table)} ({names}) TABLE {{rows}}", rows=some_rows)

    pins = [(i, f"poster {i % 5}", None if i == 4 else i * 1000, CATEGORIES[i % 4]) for i in range(12)]
    insert("pins", pins, "ind BIGINT, poster_name STRING, follower_count INT, category STRING")
    made = [(i, COUNTRIES[i % 3], datetime(2017 + i % 6, 12, 31, 23, 59, 59, tzinfo=UTC)) for i in range(9)]
    insert("geolocations", made, "ind BIGINT, country STRING, timestamp TIMESTAMP")
    users = [(i, f"user {i % 4}", 16 + 7 * i % 60, datetime(2014 + i % 4, 1, 1, tzinfo=UTC)) for i in range(15)]
    del users[4]
    insert("users", users, "ind BIGINT, user_name STRING, age INT, date_joined TIMESTAMP")


@pytest.fixture(scope="module")
def answered(make_place: Callable[..., Place]) -> Iterator[Place]:
    place = make_place("a {place}", names=WORK)  # its name stands in a statement that has places for frames
    fill(place)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(answer_tables, "ANSWERS", SOME)
        with log_lines() as said:
            written = answer_tables.refresh_answers(place)
        assert said == ["answering 3 questions"]
        for answer in SOME:
            rows = list(written[answer.name].itertuples(index=False, name=None))
            assert sorted(stored(place, answer)) == sorted(rows) != []
        shown = answer_tables.read_answers(place, dict(reversed(written.items())))
        assert [(name, frame.attrs["answer"]) for name, frame in shown.items()] == [
            (one.name, one.name) for one in SOME
        ]
        assert place.spark._jsparkSession.sharedState().cacheManager().isEmpty()
        yield place


def stored(place: Place, answer: Answer) -> list[tuple[object, ...]]:
    """The rows in the answer's table, in any order."""
    return place.stored(answer.name).rows()


def computed(place: Place, answer: Answer) -> list[tuple[object, ...]]:
    return [tuple(row) for row in answer.compute(answer_tables.read_clean_tables(place)).collect()]


def test_a_kept_answer_is_what_its_function_computes_in_its_order(answered: Place):
    for answer in SOME:
        read = answer_tables.read_answer(answered, answer)
        assert [tuple(row) for row in read.collect()] == computed(answered, answer) != []


def test_an_answer_needs_no_table_but_those_it_names(answered: Place):
    clean = answer_tables.read_clean_tables(answered)
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
        assert answer_tables.refresh_answers(answered) == {}
    assert (answered.content(), said) == (before, [])

    # A table that is dropped and made again has the same version number, with other rows.
    settings = answered.settings
    answered.spark.sql(f"DROP TABLE {settings.qualified('users')}")
    shutil.rmtree(settings.table_folder("users"))
    shutil.copytree(Path(work_tables.settings.warehouse, "made", "users"), settings.table_folder("users"))
    creation.register_tables(answered)
    joined = "(1, 'only one', 20, TIMESTAMP '2016-02-03 04:05:06')"
    answered.spark.sql(f"INSERT INTO {settings.qualified('users')} (ind, user_name, age, date_joined) VALUES {joined}")
    monkeypatch.setattr(answer_tables, "ANSWERS", [BY_COUNTRY, BY_YEAR])
    with log_lines() as said:
        answer_tables.refresh_answers(answered)
    assert said == ["answering 1 question"]
    assert stored(answered, BY_YEAR) == [(2016, 1)]


def refreshed(place: Place) -> list[str]:
    """Answers that a refresh writes."""
    return list(answer_tables.refresh_answers(place))


@pytest.fixture
def two(answered: Place, monkeypatch: pytest.MonkeyPatch) -> Place:
    """Two of the answers, fresh."""
    monkeypatch.setattr(answer_tables, "ANSWERS", [BY_COUNTRY, BY_YEAR])
    refreshed(answered)
    return answered


def test_an_answer_table_has_comments_on_everything(answered: Place):
    for answer in SOME:
        name = answered.settings.qualified(answer.name)
        about = answered.spark.sql(f"DESCRIBE TABLE EXTENDED {name}").collect()
        assert [row["data_type"] for row in about if row["col_name"] == "Comment"] == [answer.question]
        columns = [(row["col_name"], row["data_type"], row["comment"]) for row in about[: len(answer.columns)]]
        assert columns == [(column, kind.lower(), comment) for column, kind, comment in answer.columns]
        assert table_access.read_properties(answered, answer.name)["pinterest.schema_version"] == "3"


def drop(place: Place, answer: Answer) -> None:
    place.spark.sql(f"DROP TABLE {place.settings.qualified(answer.name)}")
    shutil.rmtree(place.settings.table_folder(answer.name))


def leave_unfinished(place: Place, answer: Answer) -> None:
    """What a kill in the first write leaves: data and a log without a commit."""
    drop(place, answer)
    folder = place.settings.table_folder(answer.name)
    (folder / "_delta_log").mkdir(parents=True)
    (folder / "part-00000-0a1b.c000.snappy.parquet").write_text("half")
    (folder / ".part-00000-0a1b.c000.snappy.parquet.crc").write_text("half")
    creation.register_tables(place)


def make_with(place: Place, answer: Answer, pairs: str) -> None:
    """A table of that name, with no rows and other columns."""
    drop(place, answer)
    where = f"LOCATION '{place.settings.table_folder(answer.name)}'"
    name = place.settings.qualified(answer.name)
    place.spark.sql(f"CREATE TABLE {name} (post_year STRING, own INT) USING DELTA {where} TBLPROPERTIES ({pairs})")


def test_an_answer_table_that_is_missing_or_another_s_is_written_again(two: Place):
    before = [stored(two, answer) for answer in answer_tables.ANSWERS]

    def assert_both_are_written() -> None:
        assert refreshed(two) == [BY_COUNTRY.name, BY_YEAR.name]
        assert [stored(two, answer) for answer in answer_tables.ANSWERS] == before
        for answer in answer_tables.ANSWERS:
            assert two.table(answer.name).columns == [name for name, _, _ in answer.columns]

    current = table_access.read_properties(two, BY_YEAR.name)[answer_tables.SOURCE_PROPERTY]
    drop(two, BY_COUNTRY)
    leave_unfinished(two, BY_YEAR)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(answer_tables, "__version__", "0.0.1")
        assert_both_are_written()
    assert_both_are_written()  # as they are, but computed by another version of the library
    make_with(two, BY_COUNTRY, "'somebody' = 'else'")
    make_with(two, BY_YEAR, f"'pinterest.schema_version' = '0', '{answer_tables.SOURCE_PROPERTY}' = '{current}'")
    assert_both_are_written()
    assert refreshed(two) == []


def test_a_kill_in_a_refresh_leaves_the_old_answer_or_the_new_one(two: Place, monkeypatch: pytest.MonkeyPatch):
    """One commit has both the rows and what they were computed from."""
    users = two.settings.qualified("users")
    row = "(90, 'another', 30, TIMESTAMP '2017-02-03 04:05:06')"
    two.spark.sql(f"INSERT INTO {users} (ind, user_name, age, date_joined) VALUES {row}")
    before, work = stored(two, BY_YEAR), answer_tables.with_retries
    lock = Path(two.settings.warehouse, "_checkpoints", "set-up.lock")

    def kill(*, after: bool) -> None:
        def dies(*given: object) -> None:
            with lock.open("rb+") as file:
                assert not try_lock(file.fileno())  # nobody else sets up, or refreshes
            if after:
                work(*given)
            raise Killed

        with monkeypatch.context() as patched:
            patched.setattr(answer_tables, "with_retries", dies)
            with pytest.raises(Killed):
                refreshed(two)

    kill(after=False)
    assert stored(two, BY_YEAR) == before
    kill(after=True)
    assert refreshed(two) == []
    assert sorted(stored(two, BY_YEAR)) == sorted(computed(two, BY_YEAR)) != sorted(before)


def test_a_newer_answer_table_is_refused(two: Place):
    make_with(two, BY_YEAR, "'pinterest.schema_version' = '4'")
    with pytest.raises(TableError) as error:
        refreshed(two)
    assert str(error.value) == (
        f"table {two.settings.schema}.{BY_YEAR.name} must have schema version 3 or older, got 4: use a newer library"
    )
    drop(two, BY_YEAR)


def test_where_nothing_can_be_cached_the_answers_are_the_same(two: Place, monkeypatch: pytest.MonkeyPatch):
    before = stored(two, BY_COUNTRY)
    drop(two, BY_COUNTRY)

    def refuse_with(refusal: str) -> None:
        def refuse(_: DataFrame) -> None:
            raise PySparkException(f"[{refusal}] PERSIST TABLE")

        monkeypatch.setattr(DataFrame, "cache", refuse)
        monkeypatch.setattr(type(two.table("pins")), "cache", refuse)

    refuse_with("")
    with pytest.raises(PySparkException, match="PERSIST"):
        refreshed(two)
    refuse_with("NOT_SUPPORTED_WITH_SERVERLESS")
    assert refreshed(two) == [BY_COUNTRY.name]
    assert stored(two, BY_COUNTRY) == before


def test_answers_need_their_tables(make_place: Callable[..., Place]):
    place = make_place(names=("pins", "geolocations"))
    with pytest.raises(TableError, match="must be there: run the batch first"):
        answer_tables.read_answer(place, ANSWERS[0])
    for work in (answer_tables.read_clean_tables, answer_tables.refresh_answers):
        with pytest.raises(TableError) as error:
            work(place)
        assert str(error.value) == f"table {place.settings.schema}.users must be there: run the batch first"
    assert table_access.read(place, "pins").count() == 0
