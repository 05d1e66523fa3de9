"""The ``kinesis`` source of one machine: as Spark calls it, and in a streaming query."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest
from botocore.exceptions import ClientError
from pyspark.errors import StreamingQueryException

from local.kinesis.kinesis_emulator import KinesisEmulator, serve_emulator
from local.kinesis.kinesis_options import open_client, parse_initial_position, validate_options
from local.kinesis.kinesis_source import KinesisReader, KinesisSource
from local.kinesis.shard_reader import AT_TIMESTAMP, TRIM_HORIZON
from pinterest_transforms.errors import StreamError

ROOT = Path(__file__).parents[3]
HOUR = 3600
BEGAN = 1_700_000_000.123
FIRST, SECOND, THIRD = (f"shardId-{n:012d}" for n in range(3))
ODD = [b"", bytes(range(256)), b"\xff\xfe\x00", "№ 1 ✓".encode(), b"x" * (2**20 - 3)]


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = BEGAN

    def __call__(self) -> float:
        return self.now


class Posts:
    """The stream ``posts``, and readers of it that are stopped in the end."""

    def __init__(self, kinesis: KinesisEmulator) -> None:
        self.kinesis, self.last, self.readers = kinesis, 0, []
        self.sequences: dict[int, str] = {}
        kinesis.create("posts")
        self.options = {
            **{"streamName": "posts", "region": "eu-west-1", "endpoint": kinesis.url},
            **{"awsAccessKey": "a", "awsSecretKey": "b", "initialPosition": "trim_horizon"},
        }
        self.client = open_client(validate_options(self.options))

    def put(self, count: int) -> None:
        """So many records more, numbered from 1 on; each seventh has the same key."""
        numbers = range(self.last + 1, self.last + count + 1)
        records = [{"Data": str(n).encode(), "PartitionKey": f"key {n % 7}"} for n in numbers]
        for start in range(0, count, 500):
            said = self.client.put_records(StreamName="posts", Records=records[start : start + 500])["Records"]
            self.sequences.update(zip(numbers[start:], [one["SequenceNumber"] for one in said], strict=False))
        self.last += count

    def split(self, shard: str = FIRST, at: int = 2**127) -> None:
        """Splits a shard."""
        self.client.split_shard(StreamName="posts", ShardToSplit=shard, NewStartingHashKey=str(at))

    def merge(self) -> None:
        """Merges the first shard's children."""
        self.client.merge_shards(StreamName="posts", ShardToMerge=SECOND, AdjacentShardToMerge=THIRD)

    def reader(self, **more: str) -> KinesisReader:
        """A reader as Spark gets it, without pauses."""
        source = KinesisSource({**self.options, "minFetchPeriod": "0", **more})
        self.readers.append(source.streamReader(source.schema()))
        return self.readers[-1]


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def posts(clock, monkeypatch) -> Iterator[Posts]:
    monkeypatch.setattr("botocore.endpoint.time", SimpleNamespace(sleep=lambda _: None))
    with serve_emulator(KinesisEmulator(clock=clock)) as kinesis:
        made = Posts(kinesis)
        yield made
        for reader in made.readers:
            reader.stop()


def stored(offset):
    """An offset as Spark gives it back."""
    return json.loads(json.dumps(offset))


def rows(reader: KinesisReader, tasks) -> list[dict[str, object]]:
    """What the tasks of a batch give, shard by shard."""
    found = [row for task in tasks for batch in reader.read(task) for row in batch.to_pylist()]
    return sorted(found, key=lambda row: int(row["sequenceNumber"]))


def numbers(found) -> list[int]:
    return [int(row["data"]) for row in found]


def up_to(last: int, first: int = 1) -> list[int]:
    return list(range(first, last + 1))


def taken(reader: KinesisReader, start) -> tuple[list[int], dict[str, object]]:
    """One micro-batch: its records, and where it ends."""
    end = stored(reader.latestOffset())
    found = numbers(rows(reader, reader.partitions(start, end)))
    reader.commit(end)
    return found, end


def rest(reader: KinesisReader, start) -> tuple[list[int], dict[str, object]]:
    """All micro-batches there are: what was put while one was worked on may be in two of them."""
    found, after = taken(reader, start)
    while after != start:
        start = after
        more, after = taken(reader, start)
        found += more
    return found, after


def in_order(found: list[int]) -> list[int]:
    """Sorted; those of a key must be so already, and none there twice."""
    for key in range(7):
        several = [n for n in found if n % 7 == key]
        assert several == sorted(set(several))
    return sorted(found)


def files(tasks) -> list[Path]:
    return sorted({Path(record_range.file) for task in tasks for record_range in task.ranges})


# Options


NAMES = (
    "streamname, initialposition, region, endpoint, awsaccesskey, awssecretkey, failondataloss, maxrecordsperbatch, "
    "minfetchperiod"
)
POSITIONS = (
    "initialPosition must be latest, trim_horizon, earliest or "
    '{"at_timestamp": "2026-01-31 12:00:00 +0000", "format": "yyyy-MM-dd HH:mm:ss ZZZ"}, got '
)
OTHER_FORMAT = '{"at_timestamp": "2026-01-31 12:00:00 +0000", "format": "yyyy"}'


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"streamname": ""}, "streamName must be the name of one stream, got ''"),
        ({"streamName": "a,b"}, "streamName must be the name of one stream, got 'a,b'"),
        ({"colour": "1", "Size": "2"}, f"options of kinesis must be among {NAMES}, got colour, size"),
        (
            {"serviceCredential": "c"},
            "serviceCredential must be left out on one machine: credentials are what boto3 finds",
        ),
        ({"initialPosition": "soon"}, f"{POSITIONS}'soon'"),
        ({"initialPosition": "5"}, f"{POSITIONS}'5'"),
        ({"initialPosition": ""}, f"{POSITIONS}''"),
        ({"initialPosition": '{"at_timestamp": 5}'}, POSITIONS + """'{"at_timestamp": 5}'"""),
        ({"initialPosition": OTHER_FORMAT}, f"{POSITIONS}'{OTHER_FORMAT}'"),
        ({"maxRecordsPerBatch": "0"}, "maxRecordsPerBatch must be a whole number from 1 on, got '0'"),
        ({"maxRecordsPerBatch": "many"}, "maxRecordsPerBatch must be a whole number from 1 on, got 'many'"),
        ({"minFetchPeriod": "400ms"}, "minFetchPeriod must be seconds, got '400ms'"),
        ({"failOnDataLoss": "no"}, "failOnDataLoss must be true or false, got 'no'"),
    ],
)
def test_an_option_that_cannot_be_used_gets_one_clear_line(options, message):
    given = {name.lower(): value for name, value in {"streamName": "posts", **options}.items()}
    with pytest.raises(StreamError) as error:
        KinesisSource(given).streamReader(None)
    assert str(error.value) == message


def test_options_are_found_by_their_names_in_any_case():
    found = validate_options({"STREAMNAME": "posts", "MaxRecordsPerBatch": "5"})
    assert (found["streamname"], found["maxrecordsperbatch"], found["failondataloss"]) == ("posts", "5", "true")


def test_positions_are_places_in_a_shard():
    before = time.time()
    kind, seconds = parse_initial_position("LATEST").split()
    assert (kind, before <= float(seconds) <= time.time()) == (AT_TIMESTAMP, True)
    assert (parse_initial_position("trim_horizon"), parse_initial_position("Earliest")) == (TRIM_HORIZON, TRIM_HORIZON)
    said = {"at_timestamp": "2026-01-31 12:00:00 +0100", "format": "yyyy-MM-dd HH:mm:ss ZZZ"}
    assert (
        parse_initial_position(json.dumps(said))
        == f"{AT_TIMESTAMP} {datetime(2026, 1, 31, 11, tzinfo=UTC).timestamp()}"
    )


# A micro-batch


def test_a_batch_has_every_record_with_all_of_its_columns(posts):
    for data in ODD:
        posts.client.put_record(StreamName="posts", Data=data, PartitionKey="ж/")
    reader = posts.reader()
    begin = stored(reader.initialOffset())
    end = stored(reader.latestOffset())
    assert begin == stored(reader.initialOffset()) == {"start": TRIM_HORIZON, "shards": {FIRST: TRIM_HORIZON}}
    tasks = reader.partitions(begin, end)
    found = rows(reader, tasks)
    assert [row["data"] for row in found] == ODD
    assert {str(batch.schema) for task in tasks for batch in reader.read(task)} == {
        "partitionKey: string\ndata: binary\nstream: string\nshardId: string\nsequenceNumber: string\n"
        "approximateArrivalTimestamp: timestamp[us, tz=UTC]"
    }
    assert end == {"start": TRIM_HORIZON, "shards": {FIRST: f"AFTER {found[-1].pop('sequenceNumber')}"}}
    assert found[-1] == {
        "partitionKey": "ж/",
        "data": ODD[-1],
        "stream": "posts",
        "shardId": FIRST,
        "approximateArrivalTimestamp": datetime(2023, 11, 14, 22, 13, 20, 123000, UTC),
    }


def test_batches_follow_each_other_through_a_split_and_a_merge(posts):
    reader = posts.reader()
    begin = stored(reader.initialOffset())
    posts.put(20)
    first, end = rest(reader, begin)
    posts.split()
    posts.put(20)
    second, end = rest(reader, end)
    posts.merge()
    posts.put(20)
    third, end = rest(reader, end)
    posts.kinesis.expire_iterators()
    posts.put(20)
    fourth, end = rest(reader, end)
    found = [in_order(several) for several in (first, second, third, fourth)]
    assert found == [up_to(20), up_to(40, 21), up_to(60, 41), up_to(80, 61)]
    assert taken(reader, end) == ([], end)


def test_the_next_batch_is_read_while_one_is_worked_on(posts):
    posts.put(20)
    reader = posts.reader()
    begin = reader.initialOffset()
    end = reader.latestOffset()
    posts.put(20)
    tasks = reader.partitions(begin, end)
    deadline = time.monotonic() + 5
    while len(list(files(tasks)[0].parent.iterdir())) < 2 and time.monotonic() < deadline:
        time.sleep(0.01)
    # What comes after it was read waits for the batch after that.
    posts.put(20)
    assert numbers(rows(reader, tasks)) == up_to(20)
    second, end = taken(reader, end)
    third, end = taken(reader, end)
    assert sorted(second + third) == up_to(60, 21)
    assert taken(reader, end) == ([], end)


def test_a_batch_that_is_planned_again_turns_nothing_back(posts):
    posts.put(10)
    reader = posts.reader(maxRecordsPerBatch="5")
    begin = stored(reader.initialOffset())
    end = stored(reader.latestOffset())
    first = reader.partitions(begin, end)
    later = stored(reader.latestOffset())
    assert numbers(rows(reader, reader.partitions(begin, end))) == numbers(rows(reader, first)) == up_to(5)
    posts.put(3)
    assert numbers(rows(reader, reader.partitions(end, later))) == up_to(10, 6)
    assert taken(reader, later)[0] == up_to(13, 11)


def test_a_batch_ends_at_its_limit_of_records(posts):
    posts.put(25)
    reader = posts.reader(maxRecordsPerBatch="10")
    end, found = reader.initialOffset(), []
    for _ in range(4):
        batch, end = taken(reader, end)
        found.append(batch)
    assert found == [up_to(10), up_to(20, 11), up_to(25, 21), []]


def test_the_pieces_of_a_file_give_every_record_once(posts):
    posts.put(12_000)
    reader = posts.reader()
    begin, end = reader.initialOffset(), reader.latestOffset()
    tasks = reader.partitions(begin, end)
    assert (len(files(tasks)), sum(len(task.ranges) for task in tasks), len(tasks) > 1) == (1, 3, os.cpu_count() > 1)
    assert numbers(rows(reader, tasks)) == up_to(12_000)


def test_files_are_removed_on_commit_and_on_stop(posts):
    posts.put(10)
    reader = posts.reader(maxRecordsPerBatch="5")
    begin, end = reader.initialOffset(), reader.latestOffset()
    done = files(reader.partitions(begin, end))
    later = reader.latestOffset()
    waiting = files(reader.partitions(end, later))
    reader.commit(stored(begin))
    assert [file.exists() for file in done + waiting] == [True, True]
    reader.commit(stored(end))
    assert [file.exists() for file in done + waiting] == [False, True]
    reader.stop()
    assert not waiting[0].parent.exists()
    reader.stop()


ASKED = """
import sys, time
from local.kinesis.kinesis_source import KinesisSource
reader = KinesisSource(dict(pair.split("=", 1) for pair in sys.argv[1:])).streamReader(None)
begin, end = reader.initialOffset(), reader.latestOffset()
print(reader.partitions(begin, end)[0].ranges[0].file, flush=True)
time.sleep(30)
"""


def test_files_are_removed_when_spark_ends_the_process(posts, tmp_path):
    posts.put(10)
    options = [f"{name.lower()}={value}" for name, value in posts.options.items()]
    environment = {**os.environ, "TMPDIR": str(tmp_path), "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"}
    command = [sys.executable, "-c", ASKED, *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        file = Path(process.stdout.readline().strip())
        assert (file.exists(), tmp_path in file.parents) == (True, True)
        process.terminate()
        assert process.wait(10) == -signal.SIGTERM
    assert list(tmp_path.iterdir()) == []


# Where it starts


@pytest.mark.parametrize("asked_first", ["initialOffset", "latestOffset"])
def test_latest_is_from_the_start_of_the_query_on(posts, clock, asked_first):
    clock.now = time.time() - 1
    posts.put(10)
    posts.split()
    reader = posts.reader(initialPosition="latest")
    clock.now = time.time() + 1
    getattr(reader, asked_first)()
    begin = reader.initialOffset()
    clock.now += 1
    posts.put(10)
    posts.split(SECOND, 2**126)
    posts.put(10)
    found, end = taken(reader, begin)
    again = posts.reader(initialPosition="latest")
    assert again.partitions(end, end) == []
    posts.put(10)
    assert (found, taken(again, end)[0]) == (up_to(30, 11), up_to(40, 31))


@pytest.mark.parametrize(("position", "first"), [("earliest", 1), ("trim_horizon", 1), ("22:30:00", 11)])
def test_a_start_that_is_named(posts, clock, position, first):
    posts.put(10)
    clock.now += HOUR
    posts.split()
    posts.put(10)
    if ":" in position:
        said = {"at_timestamp": f"2023-11-14 {position} +0000", "format": "yyyy-MM-dd HH:mm:ss ZZZ"}
        position = json.dumps(said)
    reader = posts.reader(initialPosition=position)
    found, end = taken(reader, reader.initialOffset())
    assert found == up_to(20, first)
    posts.merge()
    posts.put(10)
    assert in_order(rest(reader, end)[0]) == up_to(30, 21)


# After a stop or a death


def test_a_restart_goes_on_from_the_place_that_spark_kept(posts):
    posts.put(10)
    reader = posts.reader()
    _, end = taken(reader, reader.initialOffset())
    reader.stop()
    posts.put(10)
    posts.split()
    posts.put(10)
    again = posts.reader(initialPosition="latest")
    assert again.partitions(end, end) == []
    found, after = taken(again, end)
    assert (found, after["start"]) == (up_to(30, 11), TRIM_HORIZON)


@pytest.mark.parametrize("before", [0, 10])
def test_a_batch_that_is_run_again_has_the_same_records(posts, before):
    reader = posts.reader()
    begin = stored(reader.initialOffset())
    posts.put(before)
    if before:
        _, begin = taken(reader, begin)
        reader = posts.reader()
        assert reader.partitions(begin, begin) == []
    posts.put(10)
    posts.split()
    posts.put(10)
    posts.merge()
    posts.put(10)
    end = stored(reader.latestOffset())
    tasks = reader.partitions(begin, end)
    found = rows(reader, tasks)
    assert begin["shards"] == {FIRST: f"AFTER {posts.sequences[before]}" if before else TRIM_HORIZON}
    assert numbers(found) == up_to(before + 30, before + 1)
    reader.stop()

    posts.put(5)
    again = posts.reader(initialPosition="latest")
    assert again.partitions(end, end) == []
    more = again.partitions(begin, end)
    assert (rows(again, more), len(more)) == (found, 4)
    assert taken(again, end)[0] == up_to(before + 35, before + 31)


def test_a_batch_from_latest_on_is_run_again(posts, clock):
    clock.now = time.time() - 1
    posts.put(10)
    reader = posts.reader(initialPosition="latest")
    begin = reader.initialOffset()
    clock.now = time.time() + 1
    posts.put(10)
    posts.split()
    posts.put(10)
    end = reader.latestOffset()
    again = posts.reader(initialPosition="latest")
    assert numbers(rows(again, again.partitions(stored(begin), stored(end)))) == up_to(30, 11)


def test_a_batch_that_cannot_be_run_again_is_an_error(posts):
    posts.put(10)
    reader = posts.reader()
    begin, end = reader.initialOffset(), reader.latestOffset()
    posts.kinesis.lose("posts", FIRST, posts.sequences[10])
    again = posts.reader()
    message = (
        f"stream posts must still hold what follows the last read, got a gap in {FIRST}: the record "
        f"{posts.sequences[10]} is not there any more; what lies between may be lost: allow losses by name to go on "
        "with what is left"
    )
    with pytest.raises(StreamError) as error:
        rows(again, again.partitions(begin, end))
    assert str(error.value) == message
    careless = posts.reader(failOnDataLoss="false")
    assert rows(careless, careless.partitions(begin, end)) == []


def test_a_batch_that_passed_over_a_loss_is_run_again(posts, clock):
    posts.put(10)
    reader = posts.reader()
    _, begin = taken(reader, reader.initialOffset())
    posts.put(10)
    posts.split()
    clock.now += 25 * HOUR
    posts.put(10)
    strict = posts.reader()
    strict.partitions(begin, begin)
    with pytest.raises(StreamError, match=f"got a gap in {FIRST}: the shard is gone; "):
        strict.latestOffset()
    careless = posts.reader(failOnDataLoss="false")
    careless.partitions(begin, begin)
    end = careless.latestOffset()
    assert numbers(rows(careless, careless.partitions(begin, end))) == up_to(30, 21)
    again = posts.reader(failOnDataLoss="false")
    assert numbers(rows(again, again.partitions(stored(begin), stored(end)))) == up_to(30, 21)


def test_a_failure_while_the_next_batch_is_read_is_told_once_and_loses_nothing(posts):
    posts.put(10)
    reader = posts.reader()
    begin, end = reader.initialOffset(), reader.latestOffset()
    posts.put(10)
    posts.kinesis.throttle["GetRecords"] = 8
    assert numbers(rows(reader, reader.partitions(begin, end))) == up_to(10)
    with pytest.raises(ClientError, match="ProvisionedThroughputExceededException"):
        reader.latestOffset()
    assert taken(reader, end)[0] == up_to(20, 11)


def test_a_stream_that_was_made_again_is_an_error_that_says_so(posts):
    posts.put(10)
    reader = posts.reader()
    begin = stored(reader.initialOffset())
    _, end = taken(reader, begin)
    posts.client.delete_stream(StreamName="posts")
    posts.kinesis.create("posts")
    posts.put(10)
    for options in ({}, {"failOnDataLoss": "false"}):
        again = posts.reader(**options)
        again.partitions(end, end)
        with pytest.raises(StreamError, match="must be the one that was read before, got another of that name"):
            again.latestOffset()
        with pytest.raises(StreamError, match=f"got a gap in {FIRST}: the record .* is not there any more; "):
            rows(posts.reader(), posts.reader().partitions(begin, end))


# In a query


class Query:
    """Runs of one streaming query, and the batches they were given."""

    def __init__(self, spark, folder: Path, posts: Posts) -> None:
        spark.dataSource.register(KinesisSource)
        self._spark, self._folder, self._posts = spark, folder, posts
        self.batches: list[tuple[int, list[bytes]]] = []

    def run(self, fails: bool = False, meanwhile=lambda: None) -> None:
        """Takes all there is, does something, and takes all there is then."""

        def take(frame, number: int) -> None:
            found = sorted(frame.collect(), key=lambda row: int(row["sequenceNumber"]))
            self.batches.append((number, [bytes(row["data"]) for row in found]))
            if fails:
                raise ValueError("told to fail")

        source = self._spark.readStream.format("kinesis").options(**self._posts.options, minFetchPeriod="0.05").load()
        writer = source.writeStream.option("checkpointLocation", str(self._folder)).foreachBatch(take)
        query = writer.start()
        try:
            query.processAllAvailable()
            meanwhile()
            query.processAllAvailable()
        finally:
            query.stop()

    def data(self) -> list[bytes]:
        """What all batches were given."""
        return [data for _, batch in self.batches for data in batch]


def test_a_query_takes_all_once_though_it_failed_through_a_split_and_a_merge(interpreted, posts, tmp_path):
    for data in ODD:
        posts.client.put_record(StreamName="posts", Data=data, PartitionKey="k")
    posts.put(40)

    def meanwhile() -> None:
        posts.split()
        posts.put(100)
        posts.kinesis.expire_iterators()
        posts.merge()
        posts.put(100)

    query = Query(interpreted, tmp_path / "checkpoint", posts)
    with pytest.raises(StreamingQueryException, match="told to fail"):
        query.run(fails=True)
    posts.put(20)
    query.run(meanwhile=meanwhile)
    first, again, *_ = query.batches
    assert first == again == (0, [*ODD, *(str(n).encode() for n in up_to(40))])
    assert in_order([int(data) for data in query.data()[2 * len(first[1]) :]]) == up_to(260, 41)
