"""The ``kinesis`` source of one machine: as Spark calls it, and in a streaming query."""

import json
import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pyspark.errors import StreamingQueryException

from local.kinesis.kinesis_source import KinesisSource
from local.kinesis.shard_reader import TRIM_HORIZON
from tests.local.kinesis.kinesis_calls import FIRST, HOUR, SECOND, up_to
from tests.local.kinesis.source_reads import SourcePosts, files, in_order, numbers, rest, rows, stored, taken

ROOT = Path(__file__).parents[3]
ODD = [b"", bytes(range(256)), b"\xff\xfe\x00", "№ 1 ✓".encode(), b"x" * (2**20 - 3)]


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


def test_the_files_of_a_batch_give_every_record_once(posts):
    posts.put(12_000)
    reader = posts.reader()
    begin, end = reader.initialOffset(), reader.latestOffset()
    tasks = reader.partitions(begin, end)
    assert (len(files(tasks)), len(tasks) > 1) == (3, os.cpu_count() > 1)
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
print(reader.partitions(begin, end)[0].value[0], flush=True)
while True:
    time.sleep(0.1)  # a signal that comes just before a sleep is handled after it
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


# In a query


class Query:
    """Runs of one streaming query, and the batches they were given."""

    def __init__(self, spark, folder: Path, posts: SourcePosts) -> None:
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
