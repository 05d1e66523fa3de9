"""The clean rows and the answers, against a recomputation in plain Python."""

import json
import re
from collections import Counter
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path

import polars
import pytest
from polars.selectors import datetime as datetime_columns
from pyspark.sql import SparkSession

from emulation.synthetic.delivery import Delivery
from emulation.synthetic.generator import generate_rows
from emulation.synthetic.landing_writer import write_landing
from pinterest_transforms.analysis.answers import ANSWERS
from pinterest_transforms.analysis.counted_posts import CleanTables
from pinterest_transforms.entities import ENTITIES, Entity
from pinterest_transforms.ingest.checkpoint_state import CheckpointState
from pinterest_transforms.ingest.delta_effects import IngestContext, evaluate, select_latest_usable
from pinterest_transforms.ingest.landing_reader import raw_records as landed_records
from pinterest_transforms.ingest.micro_batch import MicroBatch
from pinterest_transforms.schemas import CONTRACT, clean_schema
from pinterest_transforms.settings import Settings
from tests.support.plain_answers import AGE_GROUPS, plain_answers
from tests.support.spark_connect import connect_mode

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

    def collect_names(pairs: list) -> dict:
        names.append([name for name, _ in pairs])
        return dict(pairs)

    try:
        record = json.loads(line.decode("utf-8"), object_pairs_hook=collect_names)
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
            with evaluate(context, MicroBatch("run", 0), landed_records(spark, paths)) as effects:
                latest = select_latest_usable(effects.rows, effects.counts.read, ordered=effects.ordered)
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
    assert {answer.name: [tuple(row) for row in answer.compute(posts).collect()] for answer in ANSWERS} == expected
    assert all(expected.values())


def test_the_generated_posts_hold_what_the_comparison_is_for(landing: Settings, plain: dict) -> None:
    answers = plain_answers(*(dict(plain[entity.name]) for entity in ENTITIES))
    assert max(Counter(row[0] for row in answers["top_category_by_country"]).values()) > 1
    assert {row[0] for row in answers["median_followers_by_age_group"]} == set(AGE_GROUPS)
    assert len({len(dict(versions)) for versions in plain.values()}) > 1
    assert all(len(versions) > 1.2 * len(dict(versions)) for versions in plain.values())
    lines = sum(file.read_bytes().count(b"\n") for file in Path(landing.landing).rglob("*.json"))
    assert lines > 1.1 * sum(map(len, plain.values()))
