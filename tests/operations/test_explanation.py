"""The posts behind a number, by a leg's tables: where each record came from, and its raw text while it is kept."""

import gzip
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import polars
import pytest
from pyspark.sql import Row, SparkSession
from pyspark.sql import functions as F

from local.cli.explain_command import check_explanation
from local.cli.local_cli import main
from pinterest_transforms.analysis.answer_posts import explain_answer
from pinterest_transforms.analysis.answers import ANSWERS
from pinterest_transforms.analysis.counted_posts import CleanTables
from pinterest_transforms.entities import GEO, PIN, USER
from pinterest_transforms.errors import SettingsError, TableError
from pinterest_transforms.operations.explanation import explain
from pinterest_transforms.schemas import QUARANTINE, RAW, clean_schema
from pinterest_transforms.settings import Leg, Settings
from pinterest_transforms.tables import answer_tables
from pinterest_transforms.tables.views import SOURCES_VIEW, create_view_sql
from tests.support.notebook_runs import SCHEMA, Ran
from workspace.workspace_names import list_analyst_tables

pytestmark = pytest.mark.usefixtures("interpreted")  # many plans of few records
ANSWER = "posts_by_category_and_year"


@pytest.fixture(scope="module")
def explained(ran: Ran) -> list[Row]:
    """The posts behind all rows of an answer, with raw texts."""
    return explain(ran.leg, ANSWER, {}, raw=True).collect()


def line_at(landing: str, file: str, position: str) -> str:
    path = Path(landing, file)
    content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    start = int(path.name.split("+")[2].split(".")[0])
    return content.split(b"\n")[int(position) - start].decode()


def test_each_record_is_the_line_at_its_position(ran: Ran, explained: list[Row]) -> None:
    assert len(explained) > 100
    for post in explained:
        for entity, names in ((PIN, ("index", "ind")), (GEO, ("ind", "index"))):
            raw = post[f"{entity.name}_raw"]
            assert raw == line_at(ran.settings.landing, post[f"{entity.name}_file"], post[f"{entity.name}_position"])
            key = next(json.loads(raw)[name] for name in names if name in json.loads(raw))
            assert int(float(key)) == post["ind"]


def test_where_the_landing_is_gone_the_quarantine_has_the_repaired_records(ran: Ran) -> None:
    posts = explain(Leg(ran.spark, replace(ran.settings, landing="")), "users_joined_by_year", {}, raw=True).collect()
    quarantine = polars.read_delta(str(ran.settings.table_folder("quarantine"))).to_dicts()
    noted = {(row["_source"]["file"], row["_source"]["position"]): row["raw"] for row in quarantine}
    found = {(post["user_file"], post["user_position"]): post["user_raw"] for post in posts}
    assert found == {place: noted.get(place) for place in found}
    assert len(set(found.values())) > 1


def test_the_command_shows_them(ran: Ran, explained: list[Row], capsys: pytest.CaptureFixture[str]) -> None:
    year = explained[0]["post_year"]
    given = ["explain", ANSWER, f"post_year={year}", "--schema", SCHEMA, "--format", "csv"]
    given += ["--warehouse", ran.settings.warehouse, "--landing", ran.settings.landing]
    assert main(given) == 0
    header, *lines = capsys.readouterr().out.splitlines()
    assert header == "ind,post_year,category,pin_file,pin_position,geo_file,geo_position"
    assert [int(line.split(",")[0]) for line in lines] == [
        post["ind"] for post in explained if post["post_year"] == year
    ]


@pytest.fixture(scope="module")
def stream(interpreted: SparkSession) -> Iterator[Leg]:
    """Tables of a stream leg with two posts of one place, by other means than this project's."""
    settings = Settings(user_id="abc", leg="stream", schema="explained_stream")
    sources = [("shard-0", f"{number:0130d}", None, None) for number in range(3)]
    texts = [b'{"index": 7, "category": "art"}', b'{"ind": 7}', b'{"index": 8}']
    kinds = ["pin", "geo", "pin"]
    tables = {
        settings.clean_table(PIN): (
            clean_schema(PIN),
            [{"ind": ind, "category": "art", "_source": sources[0]} for ind in (7, 9)],
        ),
        settings.clean_table(GEO): (
            clean_schema(GEO),
            [{"ind": ind, "country": "Peru", "_source": sources[1]} for ind in (7, 9)],
        ),
        settings.clean_table(USER): (clean_schema(USER), []),
        "abc_raw_table": (
            RAW,
            [
                {"kind": kind, "data": bytearray(text), "_source": source}
                for kind, text, source in zip(kinds, texts, sources, strict=True)
            ],
        ),
        # Repaired by the rules of one version, rejected by those of the next one.
        "quarantine": (
            QUARANTINE,
            [
                {"topic": settings.stream(PIN), "kind": kind, "raw": "as noted", "_source": sources[0]}
                for kind in ("repaired", "rejected")
            ],
        ),
    }
    interpreted.sql(f"CREATE SCHEMA IF NOT EXISTS `{settings.schema}`")
    for name, (schema, rows) in tables.items():
        frame = interpreted.createDataFrame([tuple(row.get(field) for field in schema.names) for row in rows], schema)
        frame.write.format("parquet").saveAsTable(f"`{settings.schema}`.`{name}`")
    interpreted.sql(create_view_sql(settings, SOURCES_VIEW))
    yield Leg(interpreted, settings)
    interpreted.sql(f"DROP SCHEMA `{settings.schema}` CASCADE")


def test_a_stream_s_records_come_from_the_raw_archive(stream: Leg) -> None:
    found = explain(stream, "top_category_by_country", {"country": "Peru"}, raw=True)
    places = ["pin_shard", "pin_position", "pin_raw", "geo_shard", "geo_position", "geo_raw"]
    assert found.columns == ["ind", "country", "category", *places]
    post, another = found.collect()
    assert (another["ind"], another["pin_raw"]) == (9, post["pin_raw"])
    assert (post["ind"], post["pin_raw"], post["geo_raw"]) == (7, '{"index": 7, "category": "art"}', '{"ind": 7}')
    assert (post["pin_shard"], int(post["geo_position"])) == ("shard-0", 1)


@pytest.fixture(scope="module")
def analyst(ran: Ran, interpreted: SparkSession) -> Iterator[Leg]:
    """The schema as analysts see it: what the set-up grants them is there, and nothing else."""
    settings = Settings(schema="explained_to_analysts")
    interpreted.sql(f"CREATE SCHEMA {settings.schema}")
    for name in list_analyst_tables():
        interpreted.sql(f"CREATE VIEW {settings.schema}.{name} AS SELECT * FROM {ran.settings.qualified(name)}")
    # Computed once: Spark finds it in each query around it.
    view = interpreted.table(settings.qualified(SOURCES_VIEW)).cache()
    yield Leg(ran.spark, settings)
    view.unpersist()
    interpreted.sql(f"DROP SCHEMA {settings.schema} CASCADE")


def _user_groups(posts: list[Row]) -> set[frozenset[int]]:
    """Posts of one user each."""
    groups: dict[tuple[int, int], set[int]] = {}
    for post in posts:
        groups.setdefault((post["post_year"], post["user_number"]), set()).add(post["ind"])
    return set(map(frozenset, groups.values()))


def test_an_analyst_gets_the_same_posts_and_places_of_every_answer(ran: Ran, analyst: Leg) -> None:
    """The same as of the clean tables, whose answers' posts give their numbers again; and no name but top posters'."""
    spark, stored = ran.spark, answer_tables.read_clean_tables(ran.leg)
    # Read once: each query below is around values alone.
    tables = (stored.pins, stored.geolocations, stored.users)
    clean = CleanTables(*(spark.createDataFrame(table.toArrow()) for table in tables))
    names = {row[0] for row in clean.users.select("user_name").distinct().collect()} - {None}
    posters = {row[0] for row in clean.pins.select("poster_name").distinct().collect()} - {None}
    for answer in ANSWERS:
        shown = explain(analyst, answer.name, {}).collect()
        sources = [(f"{entity.name}_file", f"{entity.name}_source.file") for entity in answer.entities]
        sources += [(f"{entity.name}_position", f"{entity.name}_source.position") for entity in answer.entities]
        frame = explain_answer(clean, answer.name)
        expected = frame.withColumns({name: F.col(path) for name, path in sources}).collect()
        if answer.name == "users_joined_by_year":
            assert _user_groups(shown) == _user_groups(expected)
        columns = [name for name in shown[0].__fields__ if name != "user_number"]
        values = [[tuple(post[name] for name in columns) for post in posts] for posts in (shown, expected)]
        assert sorted(values[0]) == sorted(values[1]) != [], answer.name
        told = {value for post in shown for value in post if isinstance(value, str)}
        assert not told & names
        tops = {row["poster_name"] for row in expected} if answer.name == "top_user_by_country" else set()
        assert told & posters == tops


def test_raw_texts_are_for_stewards_alone(analyst: Leg) -> None:
    with pytest.raises(TableError) as error:
        explain(analyst, ANSWER, {}, raw=True)
    assert str(error.value) == "table explained_to_analysts.quarantine must be there: run the batch first"


def _warehouse(folder: Path, *schemas: str) -> Path:
    for schema in schemas:
        (folder / schema / "pins" / "_delta_log").mkdir(parents=True)
    return folder


@pytest.mark.parametrize(
    ("cell", "changes", "message"),
    [
        ({"post_year": "Jane"}, {}, "post_year must be a number (INT), got something else"),
        ({}, {"schema": None}, "schema must be one of a, b, got none (--schema)"),
        ({}, {"raw": True}, "landing must be an existing folder, got /no/such: raw texts are read from it"),
    ],
)
def test_what_cannot_be_explained_is_told_without_spark(
    tmp_path: Path, cell: dict[str, str], changes: dict[str, object], message: str
) -> None:
    given = {"warehouse": _warehouse(tmp_path, "a", "b"), "schema": "a", "user_id": "abc", "raw": False, **changes}
    with pytest.raises(SettingsError) as error:
        check_explanation(SimpleNamespace(answer=ANSWER, cell=cell, landing=Path("/no/such"), **given))
    assert str(error.value) == message


@pytest.mark.parametrize(
    ("words", "start"),
    [
        (
            ["top_user_country", "country=Peru", "country=Jane"],
            "error: argument column=value: must be given once, got country twice (see",
        ),
        (["top_categories"], "error: answer must be one of top_category_by_country, "),
        (["top_user_country", "name=Jane"], "error: column must be one of country, follower_count of top_user_country"),
        (["top_user_country", "--warehouse", "/no/such"], "error: warehouse must be an existing folder, got /no/such"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(
    words: list[str], start: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("signal.signal", lambda *_: None)
    assert main(["explain", *words]) == 2
    error = capsys.readouterr().err
    assert error.startswith(start)
    assert error.count("\n") == 1
    assert "Jane" not in error
