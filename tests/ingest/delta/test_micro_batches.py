"""A landing's micro-batches elsewhere: over Spark Connect, on serverless compute, of what Auto Loader finds."""

from dataclasses import replace
from pathlib import Path

import pytest
from pyspark.errors import PySparkNotImplementedError
from pyspark.sql import DataFrame, SparkSession

from pinterest_transforms.entities import PIN
from pinterest_transforms.errors import LandingError
from pinterest_transforms.ingest import landing
from pinterest_transforms.ingest.checkpoint_state import CheckpointState, load_state
from pinterest_transforms.ingest.delta_effects import IngestContext, materialize
from pinterest_transforms.settings import Leg, Settings
from tests.support.table_places import Place, counts, pin


def test_a_landing_is_ingested_over_spark_connect(place: Place, connect: SparkSession):
    place = replace(place, spark=connect)
    place.put(0, pin(1, "a"), "[]", pin(2, "b", follower_count="lots"), age=9)
    place.put(100, pin(1, "c"), pin(3, "d", board="walls"))
    place.take()
    assert place.titles() == {1: "c", 2: "b", 3: "d"}
    assert place.counted() == [counts(5, 3, rejected=1, repaired=1, board=1)]
    place.put(100, pin(1, "c"), pin(3, "d", board="walls"), pin(4, "grown"))
    place.take(rebuild=True)
    assert place.titles() == {1: "c", 2: "b", 3: "d", 4: "grown"}
    assert [row[4] for row in place.read_quarantine()] == ["[]", '{"index": 2, "title": "b", "follower_count": "lots"}']
    before = place.content()
    place.take()
    assert place.content() == before


def test_another_failure_to_checkpoint_a_frame_is_raised(spark: SparkSession, monkeypatch: pytest.MonkeyPatch):
    def full(*_: object, **__: object) -> DataFrame:
        raise PySparkNotImplementedError(errorClass="CANNOT_BE_NONE", messageParameters={"arg_name": "disk"})

    frame = spark.range(1)
    monkeypatch.setattr(type(frame), "localCheckpoint", full)
    with pytest.raises(PySparkNotImplementedError), materialize(Leg(spark, Settings()), PIN.name, frame):
        pass


def test_what_auto_loader_finds_is_taken_by_the_same_rule_where_no_frame_can_be_checkpointed(
    place: Place, monkeypatch: pytest.MonkeyPatch
):
    """Auto Loader is on Databricks alone; here its rows are given.

    Serverless compute may refuse to keep a frame; then a table keeps it, and is gone afterwards.
    """

    def refused(*_: object, **__: object) -> DataFrame:
        raise PySparkNotImplementedError(errorClass="NOT_IMPLEMENTED", messageParameters={"feature": "localCheckpoint"})

    monkeypatch.setattr(type(place.table("pins")), "localCheckpoint", refused)
    state = CheckpointState(f"{place.settings.checkpoint(PIN)}.json", "query")
    context = IngestContext(place.settings, PIN, "run", state)
    files = [
        place.put(0, pin(1, "a"), pin(1, "b"), "[]", pin(2, "c", follower_count="lots"), pin(3, "d", board="walls")),
        place.put(100, pin(1, "e"), pin(2, "f"), pin(2, "g"), "[]"),
    ]
    names = [
        "0/abc.pin+0+0000000005.JSON",
        "0/x.avro",
        "_temporary/abc.pin+0+9.json",
        "0/abc.pin+0+0000000000.keys.json",
    ]
    others = [files[0].parent.parent / f"partition={name}" for name in names]
    rows = [(str(file), 400) for file in (*files, *others)]
    for number, row in enumerate((rows[:3], [*rows[3:], rows[1]])):
        frame = place.spark.createDataFrame(row, "path string, length bigint")
        landing._ingest_rows(frame, context, number)
    assert place.titles() == {1: "e", 2: "g", 3: "d"}
    assert [row[7] for row in place.read_quarantine()] == [103, 2, 3]
    assert place.counted() == [counts(9, 3, rejected=2, repaired=1, board=1), counts(4, 0, rejected=1)]
    assert not place.spark.catalog.tableExists(place.settings.qualified("staged_pin"))
    assert state.progress["others"] == 2
    assert load_state(place.settings.checkpoint(PIN)).last_offsets == {"0": 100}
    assert not Path(place.settings.checkpoint(PIN), "files.jsonl").exists()  # nothing grows where nobody reads it
    frame = place.spark.createDataFrame([(rows[0][0], 10**9)], "path string, length bigint")
    with pytest.raises(LandingError) as error:
        landing._ingest_rows(frame, context, 3)
    assert str(error.value).endswith(f" at most 268435456 bytes, got 1000000000 in {rows[0][0]}: split it")
