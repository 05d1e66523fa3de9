"""A landing's micro-batches where Spark is another one: over Spark Connect, and on serverless compute."""

from dataclasses import replace

import pytest
from pyspark.errors import PySparkNotImplementedError
from pyspark.sql import DataFrame, SparkSession
from storage_places import Place, counts, pin

from pinterest_transforms.entities import PIN
from pinterest_transforms.ingest.delta_effects import materialized


def test_a_landing_is_ingested_over_spark_connect(place: Place, connect: SparkSession):
    place = replace(place, spark=connect).with_settings(max_files_per_batch=1)
    place.put(0, pin(1, "a"), "[]", pin(2, "b", follower_count="lots"), age=9)
    place.put(100, pin(1, "c"), pin(3, "d", board="walls"))
    place.take()
    assert place.titles() == {1: "c", 2: "b", 3: "d"}
    assert place.counted() == [counts(3, 2, rejected=1, repaired=1), counts(2, 2, board=1)]
    place.put(100, pin(1, "c"), pin(3, "d", board="walls"), pin(4, "grown"))
    place.take()
    assert place.titles() == {1: "c", 2: "b", 3: "d", 4: "grown"}
    place.take(rebuild=True)
    assert place.titles() == {1: "c", 2: "b", 3: "d", 4: "grown"}
    assert [row[4] for row in place.noted()] == ["[]", '{"index": 2, "title": "b", "follower_count": "lots"}']
    before = place.content()
    place.take()
    assert place.content() == before


def test_where_no_frame_can_be_checkpointed_the_result_is_the_same(place: Place, monkeypatch: pytest.MonkeyPatch):
    """Serverless compute may refuse to keep a frame; then a table keeps it, and is gone afterwards."""

    def refused(*_: object, **__: object) -> DataFrame:
        raise PySparkNotImplementedError(errorClass="NOT_IMPLEMENTED", messageParameters={"feature": "localCheckpoint"})

    monkeypatch.setattr(type(place.table("pins")), "localCheckpoint", refused)
    place.put(0, pin(1, "a"), pin(1, "b"), "[]", pin(2, "c", follower_count="lots"), pin(3, "d", board="walls"), age=9)
    place.put(100, pin(1, "e"), pin(2, "f"), pin(2, "g"), "[]")
    place.with_settings(max_files_per_batch=1).take()
    assert place.titles() == {1: "e", 2: "g", 3: "d"}
    assert [row[7] for row in place.noted()] == [103, 2, 3]
    assert place.counted() == [counts(5, 3, rejected=1, repaired=1, board=1), counts(4, 2, rejected=1)]
    assert not place.spark.catalog.tableExists(place.settings.qualified("staged_pin"))


def test_another_failure_to_checkpoint_a_frame_is_raised(place: Place, monkeypatch: pytest.MonkeyPatch):
    def full(*_: object, **__: object) -> DataFrame:
        raise PySparkNotImplementedError(errorClass="CANNOT_BE_NONE", messageParameters={"arg_name": "disk"})

    frame = place.table("pins")
    monkeypatch.setattr(type(frame), "localCheckpoint", full)
    with pytest.raises(PySparkNotImplementedError), materialized(place.spark, place.settings, PIN, frame):
        pass
