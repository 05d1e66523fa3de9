"""One micro-batch from raw records, as the stream leg will hand them over: classic and over Spark Connect."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from pinterest_transforms.storage.batches import Batch, staged, take_batch
from pyspark.errors import PySparkNotImplementedError
from pyspark.sql import DataFrame, SparkSession
from storage_places import Place, counts, pin

from pinterest_transforms.entities import PIN
from pinterest_transforms.ingest.checkpoint_state import CheckpointState
from pinterest_transforms.quality import NOT_AN_OBJECT, RAW_RECORD, UNUSABLE
from pinterest_transforms.schemas import POSITION_WIDTH
from pinterest_transforms.storage import tables

STREAM = "streaming-abc-pin"
SHARD = "shardId-00000000000{}"
ARRIVED = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
# A sequence number of Kinesis has 56 digits: more than any decimal type holds.
FIRST = 49_590_338_271_490_256_608_559_692_538_361_571_095_921_575_989_136_588_898


def record(number: int, raw: str, shard: int = 0) -> tuple[object, ...]:
    position = str(FIRST + number).zfill(POSITION_WIDTH)
    return raw, (STREAM, SHARD.format(shard), position, ARRIVED, None)


def text(key: int, title: str, followers: str = "9k") -> str:
    return f'{{"index": {key}, "title": "{title}", "follower_count": "{followers}"}}'


@pytest.fixture(scope="module")
def stream_tables(make_place: Callable[..., Place]) -> Place:
    """A place of the stream leg."""
    place = make_place()
    place = place.with_settings(leg="stream", schema=f"{place.settings.schema}_stream")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(tables, "answer_specs", list)
        tables.set_up(place.spark, place.settings)
    return place


def take(
    place: Place, frame: DataFrame, number: int, guard: CheckpointState, files: tuple[str, ...] | None = None
) -> None:
    """As the stream leg does, which keeps the records as they came."""
    take_batch(place.spark, place.settings, PIN, frame, Batch("run", number, files), guard, lambda *_: None)


def titles(place: Place) -> dict[int, tuple[object, ...]]:
    found = place.table("abc_pin_table").select("ind", "title", "_source.shard", "_source.position").collect()
    assert {len(row[3]) for row in found} == {POSITION_WIDTH}
    return {row[0]: (row[1], int(row[2][-1]), int(row[3]) - FIRST) for row in found}


def test_records_of_a_stream_merge_by_their_sequence_numbers(stream_tables: Place, either: SparkSession, tmp_path):
    place = replace(stream_tables, spark=either)
    if either is not stream_tables.spark:
        for table in ("abc_pin_table", "quarantine", "runs"):
            either.sql(f"DELETE FROM {place.settings.qualified(table)}")
    guard = CheckpointState(str(tmp_path / "guard.json"), "query")

    def frame(*records: tuple[object, ...]) -> DataFrame:
        return either.createDataFrame(list(records), RAW_RECORD)

    first = [record(9, text(1, "a")), record(100, text(1, "b")), record(10, text(2, "x", "lots")), record(11, "[]")]
    take(place, frame(*first), 0, guard)
    assert titles(place) == {1: ("b", 0, 100), 2: ("x", 0, 10)}
    later = [
        record(99, text(1, "earlier")),
        record(5, text(2, "of an older shard")),
        record(11, "[]"),
        record(2_000, text(3, "n")),
        record(10, text(2, "tie by shard"), shard=1),
    ]
    take(place, frame(*later), 1, guard)
    take(place, frame(*later), 1, guard)  # a replay
    assert titles(place) == {1: ("b", 0, 100), 2: ("tie by shard", 1, 10), 3: ("n", 0, 2_000)}
    take(place, frame(*first, *later), 2, guard)
    assert titles(place) == {1: ("b", 0, 100), 2: ("tie by shard", 1, 10), 3: ("n", 0, 2_000)}

    # What a producer's library puts into one record comes as several, all of one sequence number.
    together = [record(3_000, line) for line in (text(4, "c"), text(4, "d"), text(4, "b"), "[1]", "[2]", "[1]")]
    for number in (3, 4):
        take(place, frame(*together), number, guard)
        assert titles(place)[4] == ("d", 0, 3_000)  # a tie ends by the raw text

    noted = place.table("quarantine").select("topic", "kind", "reasons", "columns", "raw").collect()
    assert sorted(tuple(row) for row in noted) == [
        (STREAM, "rejected", [NOT_AN_OBJECT], [], "[1]"),
        (STREAM, "rejected", [NOT_AN_OBJECT], [], "[2]"),
        (STREAM, "rejected", [NOT_AN_OBJECT], [], "[]"),
        (STREAM, "repaired", [UNUSABLE], ["follower_count"], text(2, "x", "lots")),
    ]
    assert place.counted() == [
        counts(4, 2, rejected=1, repaired=1, topic=STREAM),
        counts(5, 2, rejected=1, topic=STREAM),
        counts(9, 0, rejected=2, repaired=1, topic=STREAM),
        counts(6, 1, rejected=3, topic=STREAM),
        counts(6, 0, rejected=3, topic=STREAM),
    ]


def test_a_landing_is_taken_over_spark_connect(place: Place, connect: SparkSession):
    place = replace(place, spark=connect).with_settings(max_files_per_batch=1)
    place.put(0, pin(1, "a"), "[]", pin(2, "b", follower_count="lots"), age=9)
    place.put(100, pin(1, "c"), pin(3, "d", board="walls"))
    place.take()
    assert place.titles() == {1: "c", 2: "b", 3: "d"}
    assert place.counted() == [counts(3, 2, rejected=1, repaired=1), counts(2, 2, board=1)]
    before = place.content()
    place.take()
    assert place.content() == before
    place.put(100, pin(1, "c"), pin(3, "d", board="walls"), pin(4, "grown"))
    place.take()
    assert place.titles() == {1: "c", 2: "b", 3: "d", 4: "grown"}
    place.take(rebuild=True)
    assert place.titles() == {1: "c", 2: "b", 3: "d", 4: "grown"}
    assert [row[4] for row in place.noted()] == ["[]", '{"index": 2, "title": "b", "follower_count": "lots"}']


def test_without_a_kept_frame_the_result_is_the_same(place: Place, monkeypatch: pytest.MonkeyPatch):
    """Serverless compute may refuse to keep a frame; then a table keeps it, and is gone afterwards."""

    def refused(*_: object, **__: object) -> DataFrame:
        raise PySparkNotImplementedError(errorClass="NOT_IMPLEMENTED", messageParameters={"feature": "localCheckpoint"})

    monkeypatch.setattr(type(place.table("pins")), "localCheckpoint", refused)
    place.put(0, pin(1, "a"), pin(1, "b"), "[]", pin(2, "c", follower_count="lots"), pin(3, "d", board="walls"))
    place.take()
    place.put(100, pin(1, "e"), pin(2, "f"), pin(2, "g"), "[]")
    place.take()
    assert place.titles() == {1: "e", 2: "g", 3: "d"}
    assert [row[7] for row in place.noted()] == [103, 2, 3]
    assert place.counted() == [counts(5, 3, rejected=1, repaired=1, board=1), counts(4, 2, rejected=1)]


def test_another_failure_to_keep_a_frame_is_raised(place: Place, monkeypatch: pytest.MonkeyPatch):
    def full(*_: object, **__: object) -> DataFrame:
        raise PySparkNotImplementedError(errorClass="CANNOT_BE_NONE", messageParameters={"arg_name": "disk"})

    monkeypatch.setattr(type(place.table("pins")), "localCheckpoint", full)
    with pytest.raises(PySparkNotImplementedError), staged(place.spark, place.settings, PIN, place.table("pins")):
        pass
