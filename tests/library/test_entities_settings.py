"""Names and limits: what they must be, and the exact words for what they must not be. No Spark session."""

import argparse
import dataclasses
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from pinterest_transforms import errors
from pinterest_transforms.analysis import answers
from pinterest_transforms.entities import ENTITIES, GEO, PIN, USER, entities_named, entity_named
from pinterest_transforms.errors import PinterestError, SettingsError
from pinterest_transforms.settings import (
    DEFAULT_USER_ID,
    Settings,
    add_user_id,
    check_identifier,
    check_user_id,
    landing_key,
    parse_float,
    parse_int,
    quote_identifiers,
)

SOURCES = {
    "pin": "index unique_id title description poster_name follower_count tag_list is_image_or_video image_src "
    "downloaded save_location category",
    "geo": "ind timestamp latitude longitude country",
    "user": "ind first_name last_name age date_joined",
}


@pytest.fixture(autouse=True)
def _no_settings_around(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("USER_ID", "CATALOG", "SCHEMA", "LANDING"):
        monkeypatch.delenv(f"PINTEREST_{name}", raising=False)


def error_of(**given: object) -> str:
    with pytest.raises(SettingsError) as caught:
        Settings(**given)  # type: ignore[arg-type]
    return str(caught.value)


# Entities


def test_an_entity_has_the_fields_of_its_source_table() -> None:
    assert {entity.name: " ".join((entity.key_fields[0], *entity.fields)) for entity in ENTITIES} == SOURCES
    assert [entity.source_table for entity in ENTITIES] == ["pinterest_data", "geolocation_data", "user_data"]
    assert [entity.key_fields for entity in ENTITIES] == [("index", "ind"), ("ind", "index"), ("ind", "index")]
    assert [entity.batch_table for entity in ENTITIES] == ["pins", "geolocations", "users"]


def test_the_placeholders_are_these_and_no_others() -> None:
    assert PIN.placeholders == {
        "title": ("No Title Data Available",),
        "description": ("No description available", "No description available Story format", "Untitled"),
        "poster_name": ("User Info Error",),
        "follower_count": ("User Info Error",),
        "tag_list": ("N,o, ,T,a,g,s, ,A,v,a,i,l,a,b,l,e",),
        "image_src": ("Image src error.",),
    }
    assert GEO.placeholders == USER.placeholders == {}


def test_entities_are_found_by_name() -> None:
    assert [entity_named(name) for name in ("pin", "geo", "user")] == [PIN, GEO, USER]
    assert entities_named("all") == (PIN, GEO, USER)
    assert entities_named("geo") == (GEO,)


@pytest.mark.parametrize("name", ["", "pins", "Pin", "pin ", "all"])
def test_an_unknown_entity_is_a_clear_error(name: str) -> None:
    with pytest.raises(SettingsError) as caught:
        entity_named(name)
    assert str(caught.value) == f"entity must be one of pin, geo, user, got {name!r}"


def test_the_entities_of_an_unknown_name_are_a_clear_error() -> None:
    with pytest.raises(SettingsError) as caught:
        entities_named("everything")
    assert str(caught.value) == "entity must be one of pin, geo, user, got 'everything'"


def test_an_unknown_answer_is_a_clear_error() -> None:
    assert answers.answer_named("top_user_country").name == "top_user_country"
    with pytest.raises(SettingsError) as caught:
        answers.answer_named("top_user")
    assert str(caught.value) == (
        "answer must be one of top_category_by_country, posts_by_category_and_year, top_category_by_year, "
        "top_user_by_country, top_user_country, top_category_by_age_group, median_followers_by_age_group, "
        "users_joined_by_year, median_followers_by_join_year, median_followers_by_age_group_and_join_year, "
        "got 'top_user'"
    )


def test_every_error_has_one_root() -> None:
    found = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, Exception)]
    assert len(found) > 5
    assert all(issubclass(kind, PinterestError) for kind in found)
    assert issubclass(SettingsError, ValueError)


# Settings


@pytest.mark.parametrize("user_id", ["abc", "000", "12f6caff3559", "a" * 32])
def test_a_user_id_is_3_to_32_letters_and_digits(user_id: str) -> None:
    assert check_user_id(user_id) == Settings(user_id=user_id).user_id == user_id


@pytest.mark.parametrize(
    "user_id", ["", "ab", "a" * 33, "ABC", "a-b", "a_b", "a b", "x;", "abc\n", "äbc", "１２３", "a.b", "`a`b"]
)
def test_another_user_id_is_a_clear_error(user_id: str) -> None:
    assert error_of(user_id=user_id) == f"user_id must be 3 to 32 of a-z and 0-9, got {user_id!r}"


@pytest.mark.parametrize(("around", "user_id"), [(None, DEFAULT_USER_ID), ("", DEFAULT_USER_ID), ("abc", "abc")])
def test_a_command_takes_the_user_id_of_the_environment(
    around: str | None, user_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if around is not None:
        monkeypatch.setenv("PINTEREST_USER_ID", around)
    parser = argparse.ArgumentParser()
    add_user_id(parser)
    assert [parser.parse_args(given).user_id for given in ([], ["--user-id", "mine"])] == [user_id, "mine"]


@pytest.mark.parametrize("name", ["pins", "0abc_pin_table", "A", "_x", "dev-eu", "a" * 128])
def test_a_name_is_checked_and_back_quoted(name: str) -> None:
    assert check_identifier(name) == name
    assert quote_identifiers("main", name) == f"`main`.`{name}`"


@pytest.mark.parametrize("name", ["", "a" * 129, "-a", "a b", "a.b", "a`b", "a;", "a\n", "ä", "a'b", "a/b", "../a"])
def test_another_name_never_meets_sql(name: str) -> None:
    with pytest.raises(SettingsError) as caught:
        quote_identifiers("main", name)
    assert str(caught.value) == f"name must be 1 to 128 letters, digits, _ or -, and not begin with -, got {name!r}"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"leg": "both"}, "leg must be batch or stream, got 'both'"),
        ({"leg": ""}, "leg must be batch or stream, got ''"),
        ({"catalog": ""}, "catalog must be 1 to 128 letters, digits, _ or -, and not begin with -, got ''"),
        ({"catalog": "a`b"}, "catalog must be 1 to 128 letters, digits, _ or -, and not begin with -, got 'a`b'"),
        ({"schema": "a.b"}, "schema must be 1 to 128 letters, digits, _ or -, and not begin with -, got 'a.b'"),
        ({"max_files_per_batch": 0}, "max_files_per_batch must be at least 1, got 0"),
        ({"max_file_bytes": -1}, "max_file_bytes must be at least 1, got -1"),
        ({"raw_days": -1}, "raw_days must be at least 0, got -1"),
    ],
)
def test_a_wrong_setting_is_a_clear_error(given: dict, message: str) -> None:
    assert error_of(**given) == message


def test_the_least_of_each_number_is_allowed() -> None:
    assert Settings(max_files_per_batch=1, max_file_bytes=1, raw_days=0).raw_days == 0


def test_a_number_of_a_widget_goes_up_to_its_maximum() -> None:
    assert [parse_int(text, "days", maximum=10) for text in ("0", "007", "10")] == [0, 7, 10]
    assert [parse_float(text, "hours", maximum=10) for text in ("0", "0.25", "10.0")] == [0, 0.25, 10]


@pytest.mark.parametrize("text", ["", "11", "10.1", "-1", "1.", ".5", "1e1", "٣", "1\n"])
def test_another_number_of_a_widget_is_a_clear_error(text: str) -> None:
    for parse, number in ((parse_float, "number"), (parse_int, "whole number")):
        with pytest.raises(SettingsError) as caught:
            parse(text, "days", maximum=10)
        assert str(caught.value) == f"days must be a {number} from 0 to 10, got {text!r}"
    with pytest.raises(SettingsError):
        parse_int("1.0", "days")


def test_settings_are_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Settings().user_id = "abc"  # type: ignore[misc]


def test_what_is_left_out_has_its_default() -> None:
    settings = Settings()
    assert (settings.user_id, settings.leg, settings.catalog, settings.schema) == (
        "12f6caff3559",
        "batch",
        "spark_catalog",
        "pinterest",
    )
    assert Settings(leg="stream").schema == "pinterest_stream"
    assert Settings(schema="mine").schema == "mine"
    assert settings.max_file_bytes == 256 * 1024 * 1024


def test_names_are_made_of_the_user_id() -> None:
    batch, stream = Settings(user_id="0abc"), Settings(user_id="0abc", leg="stream")
    assert batch.bucket == "user-0abc-bucket"
    assert [batch.topic(entity) for entity in ENTITIES] == ["0abc.pin", "0abc.geo", "0abc.user"]
    assert [batch.stream(entity) for entity in ENTITIES] == [
        "streaming-0abc-pin",
        "streaming-0abc-geo",
        "streaming-0abc-user",
    ]
    assert [leg.source_name(GEO) for leg in (batch, stream)] == ["0abc.geo", "streaming-0abc-geo"]
    assert [batch.clean_table(entity) for entity in ENTITIES] == ["pins", "geolocations", "users"]
    assert [stream.clean_table(entity) for entity in ENTITIES] == [
        "0abc_pin_table",
        "0abc_geo_table",
        "0abc_user_table",
    ]
    assert stream.qualified(stream.clean_table(PIN)) == "`spark_catalog`.`pinterest_stream`.`0abc_pin_table`"


def test_a_table_name_from_outside_is_checked() -> None:
    for use in (Settings().qualified, Settings(warehouse="w").table_folder):
        with pytest.raises(SettingsError) as caught:
            use("../pins")
        assert str(caught.value) == "name must be 1 to 128 letters, digits, _ or -, and not begin with -, got '../pins'"


def notebook(**widgets: str) -> SimpleNamespace:
    """A notebook's ``dbutils`` with these widgets."""
    return SimpleNamespace(widgets=SimpleNamespace(getAll=lambda: widgets))


def test_settings_are_read_from_the_widgets_that_a_notebook_has() -> None:
    given = {"user_id": "abc123", "catalog": "main", "schema": "", "landing": "/l", "warehouse": "/w", "raw_days": "7"}
    expected = Settings("abc123", "stream", "main", "pinterest_stream", "/l", "/w", raw_days=7)
    assert Settings.from_widgets(notebook(**given, leg="stream", entity="all")) == expected
    assert Settings.from_widgets(notebook(**given), leg="stream") == expected
    assert Settings.from_widgets(notebook(leg="stream"), leg="batch") == Settings.from_widgets(notebook()) == Settings()


@pytest.mark.parametrize(
    ("widgets", "said"),
    [
        ({"raw_days": "thirty"}, "raw_days must be a whole number from 0 to 36500, got 'thirty'"),
        ({"leg": "both"}, "leg must be batch or stream, got 'both'"),
        ({"user_id": "x;"}, "user_id must be 3 to 32 of a-z and 0-9, got 'x;'"),
        ({"catalog": ""}, "catalog must be 1 to 128 letters, digits, _ or -, and not begin with -, got ''"),
    ],
)
def test_a_widget_that_cannot_be_used_is_named(widgets: dict[str, str], said: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Settings.from_widgets(notebook(**widgets))
    assert str(caught.value) == said


def test_places_are_made_of_landing_and_warehouse() -> None:
    local = Settings(user_id="abc", landing="/data/in/", warehouse="/data/out", leg="stream")
    assert local.topic_folder(PIN) == "/data/in/topics/abc.pin"
    assert local.table_folder("runs") == Path("/data/out/pinterest_stream/runs")
    assert local.checkpoint(USER) == "/data/out/_checkpoints/stream/user"
    assert local.stop_file(USER) == "/data/out/_checkpoints/stream/stop"
    assert Settings(checkpoints="/elsewhere/").checkpoint(GEO) == "/elsewhere/batch/geo"
    managed = Settings(catalog="main", schema="mine")
    assert managed.table_folder("runs") is None
    assert managed.checkpoint(PIN) == "/Volumes/main/mine/pipeline/_checkpoints/batch/pin"


@pytest.mark.parametrize(
    ("topic", "partition", "offset", "key"),
    [
        ("abc.pin", 0, 0, "topics/abc.pin/partition=0/abc.pin+0+0000000000.json"),
        ("abc.pin", 12, 9_999_999_999, "topics/abc.pin/partition=12/abc.pin+12+9999999999.json"),
        ("abc.pin", 1, 10_000_000_000, "topics/abc.pin/partition=1/abc.pin+1+10000000000.json"),
    ],
)
def test_a_landing_file_has_the_sinks_name(topic: str, partition: int, offset: int, key: str) -> None:
    assert landing_key(topic, partition, offset) == key


def test_names_can_be_had_without_spark() -> None:
    code = (
        "import sys, pinterest_transforms.settings, pinterest_transforms.entities, pinterest_transforms.errors\n"
        "print(sorted({name.partition('.')[0] for name in sys.modules} & {'pyspark', 'delta', 'pandas', 'plotly'}))"
    )
    source = Path(errors.__file__).parent.parent
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={"PYTHONPATH": str(source)}
    )
    assert done.stdout == "[]\n"
