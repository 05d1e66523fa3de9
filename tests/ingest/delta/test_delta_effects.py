"""Each effect of a micro-batch on Delta tables may be repeated: twice is once. `micro_batch` says their order."""

import json
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import reduce
from pathlib import Path

import pytest
from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import functions as F

from pinterest_transforms import __version__, deduplication
from pinterest_transforms.cleaning import is_repaired
from pinterest_transforms.deduplication import greatest_per_key, latest_per_key
from pinterest_transforms.entities import GEO, PIN, Entity
from pinterest_transforms.ingest import kinesis, streams
from pinterest_transforms.ingest.checkpoint_state import CheckpointState
from pinterest_transforms.ingest.delta_effects import DeltaEffects, IngestContext, evaluate
from pinterest_transforms.ingest.landing_reader import ORDER, SPLIT, add_source, file_splits
from pinterest_transforms.ingest.micro_batch import MicroBatch, RunCounts, begin_run
from pinterest_transforms.json_parsing import NOT_AN_OBJECT, NOT_TEXT, RAW_RECORD, UNUSABLE
from pinterest_transforms.schemas import KINESIS_POSITION_WIDTH
from pinterest_transforms.settings import Settings
from pinterest_transforms.tables import creation
from tests.support.table_places import Line, Place, counts, pin

STREAM, SHARD = "streaming-abc-pin", "shardId-00000000000{}"
ARRIVED = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
# A sequence number of Kinesis has 56 digits: more than any decimal type holds.
FIRST = 49_590_338_271_490_256_608_559_692_538_361_571_095_921_575_989_136_588_898


@dataclass(frozen=True)
class StreamLeg(Place):
    """The stream leg's tables, and the effects of its micro-batches."""

    state: CheckpointState = field(default_factory=lambda: CheckpointState("", "query"))

    def frame(self, *records: tuple[object, ...]) -> DataFrame:
        return self.spark.createDataFrame(list(records), RAW_RECORD)

    @contextmanager
    def effects(self, number: int, *records: tuple[object, ...], **how) -> Iterator[DeltaEffects]:
        context = IngestContext(self.settings, PIN, "run", self.state)
        batch = MicroBatch("run", number, **how)
        with evaluate(context, batch, self.frame(*records)) as effects:
            yield effects

    def process(self, number: int, *records: tuple[object, ...]) -> None:
        context = IngestContext(self.settings, PIN, "run", self.state)
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(kinesis, "raw_records", lambda frame: frame)
            # Delta has compacted tables of the same id in this process, copies of the same ones.
            self.spark.conf.set("spark.databricks.delta.autoCompact.minNumFiles", "2")
            try:
                streams._process(self.frame(*records), context, number)
            finally:  # of a session that all tests share
                for name in ("enabled", "minNumFiles"):
                    self.spark.conf.unset(f"spark.databricks.delta.autoCompact.{name}")

    def operations(self, table: str) -> list[str]:
        """Operations of a table's commits, in their order."""
        log = sorted((self.settings.table_folder(table) / "_delta_log").glob("*.json"))
        return [re.findall('"operation":"([^"]+)"', file.read_text(encoding="utf-8"))[0] for file in log]

    def titles(self) -> dict[int, tuple[object, ...]]:
        """Title, shard and position of each key."""
        found = self.stored("abc_pin_table").select("ind", "title", "_source").rows()
        assert {len(source["position"]) for *_, source in found} <= {KINESIS_POSITION_WIDTH}
        rows = {key: (title, int(at["shard"][-1]), int(at["position"]) - FIRST) for key, title, at in found}
        assert len(rows) == len(found)
        return rows

    def texts(self) -> list[tuple[object, ...]]:
        """What quarantine holds: topic, kind, reasons, columns, raw, raw_bytes."""
        return [row[:6] for row in self.read_quarantine()]

    def archived(self, entity: Entity = PIN) -> list[int]:
        rows = self.stored("abc_raw_table").select("kind", "_source").rows()
        return sorted(int(source["position"]) - FIRST for kind, source in rows if kind == entity.name)


@pytest.fixture(scope="module")
def leg(spark: SparkSession, stream_tables: Path, tmp_path_factory: pytest.TempPathFactory) -> StreamLeg:
    """One for the module: each test has records of its own."""
    folder = tmp_path_factory.mktemp("effects")
    settings = Settings(user_id="abc", leg="stream", schema="effects", warehouse=str(folder))
    shutil.copytree(stream_tables, Path(settings.warehouse, settings.schema))
    leg = StreamLeg(spark, settings, CheckpointState(str(folder / "state.json"), "query"))
    creation.register_tables(leg)
    return leg


def record(number: int, line: Line, shard: int = 0, later: int = 0) -> tuple[object, ...]:
    """A record by its sequence number; `later` in seconds."""
    text = line if isinstance(line, str) else json.dumps(line)
    position = str(FIRST + number).zfill(KINESIS_POSITION_WIDTH)
    return text, (SHARD.format(shard), position, ARRIVED + timedelta(seconds=later), None)


def of_stream(effects: DeltaEffects, entity: Entity) -> DeltaEffects:
    """The same records, as if another stream had brought them."""
    return replace(effects, context=replace(effects.context, entity=entity))


def text(key: int, title: str, followers: str = "9k") -> str:
    return f'{{"index": {key}, "title": "{title}", "follower_count": "{followers}"}}'


def test_clean_rows_and_raw_records_are_written_once_and_counted_once(leg: StreamLeg):
    first = [record(9, text(1, "a")), record(100, text(1, "b"), later=1), record(10, text(2, "x")), record(11, "[]")]
    arrived = ARRIVED.timestamp()
    with leg.effects(0, *first) as effects:
        since = effects.read_clean_version()
        assert (effects.counts.lines, effects.counts.read, effects.counts.rejected) == (4, 4, 1)
        assert (effects.counts.first_arrival, effects.counts.last_arrival) == (arrived * 1e6, (arrived + 1) * 1e6)
        assert effects.write_clean(since) == 2  # appended to a table that nobody has written to
        wanted = {1: ("b", 0, 100), 2: ("x", 0, 10)}
        assert leg.titles() == wanted
        assert effects.write_clean(since) == 2  # after a kill: merged, and what the first attempt wrote is counted
        assert leg.titles() == wanted
        effects.archive_raw(may_exist=False)
        # Somebody adds a column; then all is there, and nothing of another stream.
        leg.spark.sql(f"ALTER TABLE {leg.settings.qualified('abc_raw_table')} ADD COLUMNS (note STRING)")
        for each in (effects, of_stream(effects, GEO)):
            each.archive_raw(may_exist=True)
    later = [record(99, text(1, "earlier"), shard=1, later=4), record(5, text(2, "tie by shard"), shard=1, later=3)]
    later += [record(200, text(3, "n")), record(10, text(2, "tie by shard"), shard=1, later=9), record(11, "[]")]
    with leg.effects(1, *later) as effects:
        since = effects.read_clean_version()
        assert (effects.counts.first_arrival, effects.counts.last_arrival) == (arrived * 1e6, (arrived + 9) * 1e6)
        assert effects.write_clean(since) == 2  # without those of the commit that was the last one
        leg.spark.sql(f"OPTIMIZE {leg.settings.qualified('abc_pin_table')}").collect()  # writes no new rows
        assert effects.write_clean(since) == 2
        assert leg.titles() == {**wanted, 2: ("tie by shard", 1, 10), 3: ("n", 0, 200)}
        effects.archive_raw(may_exist=True)
    assert (leg.archived(), leg.archived(GEO)) == ([5, 9, 10, 10, 11, 99, 100, 200], [9, 10, 11, 100])


def test_rows_are_freed_when_their_micro_batch_ends(leg: StreamLeg):
    """Not when Python and Java collect garbage some day: nothing here lets them."""

    def kept() -> set[int]:
        return set(leg.spark.sparkContext._jsc.getPersistentRDDs())

    before = kept()
    with leg.effects(0, record(300, text(9, "a"))):
        own = kept() - before
        assert len(own) == 1
    assert own & kept() == set()


def test_bad_records_are_quarantined_once(leg: StreamLeg):
    bad = [record(2000, line) for line in ("[1]", "[2]", "[1]", text(20, "x", "lots"), b"\xff".decode("latin-1"))]
    not_text = leg.frame(record(2001, "ff")).selectExpr("CAST(unhex(raw) AS STRING) raw", "_source")
    context = IngestContext(leg.settings, PIN, "run", leg.state)
    with evaluate(context, MicroBatch("run", 0), leg.frame(*bad).union(not_text)) as effects:
        for each in (of_stream(effects, GEO), effects):
            assert not each.has_quarantined()
            each.write_quarantine(may_exist=each is effects)  # the same of another stream is there, and is another's
            assert each.has_quarantined()
        wanted = leg.texts()
        # All again, and each of these differs from one of them in a single part of what identifies it.
        source, rows = F.col("_source"), effects.rows
        one, not_text = rows.where("raw = '[2]'"), rows.where(~F.is_valid_utf8("raw"))
        others = [
            one.withColumn("_source", source.withField("shard", F.lit("another"))),
            one.withColumn("_source", source.withField("position", F.lit("1"))),
            one.withColumn("raw", F.lit("[3]")),
            not_text.withColumn("raw", F.expr("CAST(unhex('fe') AS STRING)")),
            rows.where(is_repaired()).withColumn("rejections", F.array(F.lit(NOT_AN_OBJECT))),
        ]
        replace(effects, rows=reduce(DataFrame.union, others, rows)).write_quarantine(may_exist=True)
    found = leg.texts()
    assert len(found) == len(wanted) + len(others)
    assert all(row in found for row in wanted)
    bad_of_stream = [
        (STREAM, "rejected", NOT_AN_OBJECT, "", "[1]", None),
        (STREAM, "rejected", NOT_AN_OBJECT, "", "[2]", None),
        (STREAM, "rejected", NOT_AN_OBJECT, "", "\u00ff", None),
        (STREAM, "rejected", NOT_TEXT, "", "\ufffd", b"\xff"),
        (STREAM, "repaired", UNUSABLE, "follower_count", text(20, "x", "lots"), None),
    ]
    assert [row for row in wanted if row[0] == STREAM] == sorted(bad_of_stream, key=repr)


def test_replaced_twice_is_replaced_once(leg: StreamLeg):
    """Of what is read, by its positions; rows of other positions stay."""
    old = [record(3000, text(30, "stays")), record(3001, text(31, "old")), record(3002, "[goes]"), record(3003, "[]")]
    with leg.effects(10, *old, record(3001, text(33, "of another shard"), shard=1)) as effects:
        for each in (of_stream(effects, GEO), effects):
            each.write_quarantine(may_exist=False)
        noted = [row for row in leg.texts() if (row[0], row[4]) != (STREAM, "[goes]")]
        effects.write_clean(effects.read_clean_version())
    before = leg.titles()
    with leg.effects(11, record(3001, text(31, "new")), record(3002, text(32, "was bad")), mode="replace") as effects:
        since = effects.read_clean_version()
        for _ in range(2):
            effects.write_quarantine(may_exist=True)
            assert effects.write_clean(since) == 2
            assert leg.titles() == before | {31: ("new", 0, 3001), 32: ("was bad", 0, 3002)}
            assert leg.texts() == noted
    with leg.effects(12, record(3001, "[4]"), record(3002, "[5]"), mode="replace", files=("a file",)) as effects:
        assert effects.write_clean(effects.read_clean_version()) == 0  # nothing is usable any more
        assert leg.titles() == {key: row for key, row in before.items() if key != 31}


def test_a_run_is_recorded_once_and_can_be_taken_back(leg: StreamLeg):
    moods = [[f"mood {number:03}" for number in range(at, 102, 3)] for at in range(3)]
    fields = [record(4000 + at, pin(at, "a", board="walls", **dict.fromkeys(moods[at]))) for at in range(3)]
    with leg.effects(21, *fields) as effects:
        another = replace(effects, batch=MicroBatch("run", 22))
        unknown = effects.count_unknown_fields()
        assert unknown == {"board": 3, **{f"mood {number:03}": 1 for number in range(99)}}  # a hundred names at most
        assert effects.find_recorded_read() is None
        effects.append_run(ARRIVED, 0.5, RunCounts(3, 2, 1, 0, 0), unknown)
        another.append_run(ARRIVED, 0.5, RunCounts(1, 1, 0, 0, 0), {})
        assert counts(3, 2, topic=STREAM, **unknown) in leg.counted()
        told = leg.stored("runs").select("run_id", "query_id", "batch_id", "started", "seconds", "library_version")
        assert ("run", "query", 21, ARRIVED, 0.5, __version__) in told.rows()
        assert (effects.find_recorded_read(), another.find_recorded_read()) == (3, 1)
        other_query = replace(effects, context=replace(effects.context, state=CheckpointState("", "another")))
        other_topic = of_stream(effects, GEO)
        assert (other_query.find_recorded_read(), other_topic.find_recorded_read()) == (None, None)
        for each in (other_query, other_topic, effects, effects):
            each.remove_run()
        assert (effects.find_recorded_read(), another.find_recorded_read()) == (None, 1)


def test_records_of_a_stream_merge_by_their_sequence_numbers_over_spark_connect(
    connect: SparkSession, stream_tables: Path, tmp_path: Path
):
    settings = Settings(user_id="abc", leg="stream", schema="effects_connect", warehouse=str(tmp_path))
    shutil.copytree(stream_tables, Path(settings.warehouse, settings.schema))
    state = CheckpointState(str(tmp_path / "state.json"), "query", progress={"arrived": 0.0})
    leg = StreamLeg(connect, settings, state)
    creation.register_tables(leg)
    begin_run(leg.state, "run")
    first = [record(9, text(1, "a")), record(100, text(1, "b")), record(10, text(2, "x", "lots")), record(11, "[]")]
    leg.process(48, *first)
    assert leg.titles() == {1: ("b", 0, 100), 2: ("x", 0, 10)}
    later = [
        record(99, text(1, "earlier")),
        record(5, text(2, "of an older shard")),
        record(11, "[]"),
        record(2_000, text(3, "n")),
        record(10, text(2, "tie by shard"), shard=1),
    ]
    # What a producer's library puts into one record comes as several, all of one sequence number.
    later += [record(3_000, line) for line in (text(4, "c"), text(4, "d"), text(4, "b"), "[1]", "[2]", "[1]")]
    assert leg.operations("abc_raw_table")[-1] == "WRITE"
    leg.process(49, *later)
    # Small files are joined with every 50th micro-batch.
    assert leg.operations("abc_raw_table")[-2:] == ["WRITE", "OPTIMIZE"]
    assert leg.titles() == {
        **{1: ("b", 0, 100), 2: ("tie by shard", 1, 10), 3: ("n", 0, 2_000)},
        **{4: ("d", 0, 3_000)},  # a tie ends by the raw text
    }
    assert leg.texts() == [
        (STREAM, "rejected", NOT_AN_OBJECT, "", "[1]", None),
        (STREAM, "rejected", NOT_AN_OBJECT, "", "[2]", None),
        (STREAM, "rejected", NOT_AN_OBJECT, "", "[]", None),
        (STREAM, "repaired", UNUSABLE, "follower_count", text(2, "x", "lots"), None),
    ]
    assert leg.counted() == [
        counts(4, 2, rejected=1, repaired=1, topic=STREAM),
        counts(11, 3, rejected=4, topic=STREAM),
    ]


def test_all_ways_to_find_the_latest_version_agree(spark: SparkSession, monkeypatch: pytest.MonkeyPatch):
    """Where a position stands in two shards, and where a key stands in several; shards are compared as text."""
    at = {(9, 0): [1, 2, 2, 3, 6], (10, 1): [2, 3, 1, 6], (10, 5): [4, 5], (9, 7): [5]}  # by shard and offset: keys
    lines, tally, row = [], [], 0
    for (shard, start), keys in at.items():
        path = f"file:///x/topics/abc.pin/partition={shard}/abc.pin+{shard}+{start:010d}.json"
        lines += [(key, f"{shard}, {start + line}", (path, 0, ARRIVED), row + line) for line, key in enumerate(keys)]
        tally.append(Row(path=path, block=0, arrived=ARRIVED, first=row, lines=len(keys)))
        row += len(keys) + 5
    columns = f"ind BIGINT, raw STRING, {SPLIT} STRUCT<path: STRING, block: BIGINT, arrived: TIMESTAMP>, _row BIGINT"
    rows = spark.createDataFrame(lines, columns)
    placed = add_source(rows, file_splits(tally, "abc.pin"))
    wanted = {1: "10, 3", 2: "9, 2", 3: "9, 3", 4: "10, 5", 5: "9, 7", 6: "9, 4"}
    ways = [latest_per_key(placed)]
    for few in (2_000_000, len(lines), 0):  # few rows; few keys that come more than once; many of them
        monkeypatch.setattr(deduplication, "_FEW", few)
        ways.append(greatest_per_key(placed, ORDER, len(lines)))
    for latest in ways:
        found = latest.select("ind", "raw").collect()
        assert dict(map(tuple, found)) == wanted
        assert len(found) == len(wanted)
    # The sources are what the texts say.
    for raw, source in placed.select("raw", "_source").collect():
        assert raw == f"{source['shard']}, {int(source['position'])}"
