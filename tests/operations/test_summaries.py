"""Summaries over several runs, topics and times; those of one run of bad input are in ``test_bad_input.py``."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import types as T

from pinterest_transforms.entities import ENTITIES, GEO, PIN, Entity
from pinterest_transforms.operations import summaries
from pinterest_transforms.schemas import QUARANTINE, RUNS, clean_schema
from pinterest_transforms.settings import EntityLeg, Settings

NOON = datetime(2026, 7, 31, 12, tzinfo=UTC)


@dataclass(frozen=True)
class Frames(EntityLeg):
    """A leg whose tables are frames."""

    frames: Mapping[str, DataFrame]

    def table(self, name: str) -> DataFrame:
        return self.frames[name]

    def for_entity(self, entity: Entity) -> "Frames":
        return replace(self, entity=entity)


def at(minute: int) -> datetime:
    return NOON + timedelta(minutes=minute)


def run(run_id: str, batch_id: int, kind: str, minute: int, numbers: tuple[int, ...], fields: dict[str, int]) -> dict:
    names = ("read", "merged", "already_there", "rejected", "repaired")
    where = {"run_id": run_id, "query_id": "q", "batch_id": batch_id, "topic": f"abc.{kind}", "started": at(minute)}
    return {**where, **dict(zip(names, numbers, strict=True)), "seconds": 0.5, "unknown_fields": fields}


def quarantined(kind: str, minute: int) -> dict:
    return {"topic": f"abc.{kind}", "kind": "rejected", "raw": f"{kind} {minute}", "seen_at": at(minute)}


def place(ind: int, made: int, arrived: int) -> dict:
    return {"ind": ind, "timestamp": at(made), "_source": ("0", "1", at(arrived), "file")}


@pytest.fixture(scope="module")
def leg(interpreted: SparkSession) -> Frames:
    """Two runs, the second one of two micro-batches of pins; rejected records of two topics."""

    def frame(schema: T.StructType, *rows: dict) -> DataFrame:
        return interpreted.createDataFrame([tuple(row.get(name) for name in schema.names) for row in rows], schema)

    tables = {entity.batch_table: frame(clean_schema(entity)) for entity in ENTITIES}
    tables[GEO.batch_table] = frame(clean_schema(GEO), place(1, made=1, arrived=9), place(2, made=5, arrived=7))
    tables["runs"] = frame(
        RUNS,
        run("second", 8, "pin", 3, (5, 3, 1, 1, 1), {"board": 2, "colour": 1}),
        run("second", 7, "pin", 2, (7, 4, 1, 2, 2), {"board": 1}),
        run("first", 6, "pin", 0, (1, 1, 0, 0, 0), {"board": 1}),
        run("second", 7, "geo", 2, (2, 2, 0, 0, 1), {}),
    )
    tables["quarantine"] = frame(
        QUARANTINE, *(quarantined("pin", minute) for minute in (2, 9, 4)), quarantined("geo", 1)
    )
    return Frames(interpreted, Settings(user_id="abc"), PIN, tables)


def values(frame: DataFrame) -> list[tuple[object, ...]]:
    return [tuple(row) for row in frame.collect()]


def test_what_a_run_did_is_the_sum_of_its_micro_batches(leg: Frames) -> None:
    assert values(summaries.read_run_totals(leg, "second")) == [
        ("abc.geo", 2, 2, 0, 0, 1, 0.5),
        ("abc.pin", 12, 7, 2, 3, 3, 1.0),
    ]


def test_runs_are_shown_from_the_oldest_on(leg: Frames) -> None:
    shown = summaries.read_runs(leg).select("run_id", "batch_id", "topic")
    assert values(shown) == [
        *(("first", 6, "abc.pin"), ("second", 7, "abc.geo")),
        *(("second", 7, "abc.pin"), ("second", 8, "abc.pin")),
    ]


def test_unknown_fields_are_counted_over_all_runs(leg: Frames) -> None:
    assert values(summaries.read_unknown_fields(leg)) == [("abc.pin", "board", 4), ("abc.pin", "colour", 1)]


def test_the_newest_rejected_records_of_each_topic_are_shown(leg: Frames) -> None:
    shown = summaries.read_quarantine(leg, "abc.pin", "abc.geo", limit=2)
    assert values(shown.select("raw")) == [("geo 1",), ("pin 9",), ("pin 4",)]


def test_freshness_is_that_of_the_newest_record_and_of_the_newest_post(leg: Frames) -> None:
    _, geo, _ = summaries.read_freshness(leg).collect()
    assert (geo["topic"], geo["rows"]) == ("abc.geo", 2)
    assert [geo[name].astimezone(UTC) for name in ("latest_arrival", "latest_post")] == [at(9), at(5)]
