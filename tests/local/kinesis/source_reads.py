"""A stream that is read by the ``kinesis`` source as Spark calls it, micro-batch by micro-batch."""

import json
from pathlib import Path

from local.kinesis.kinesis_options import open_client, validate_options
from local.kinesis.kinesis_source import KinesisReader, KinesisSource
from tests.local.kinesis.kinesis_calls import FIRST, SECOND, THIRD
from tests.support.controlled_kinesis import ControlledKinesis


class SourcePosts:
    """The stream ``posts``, and readers of it that are stopped in the end."""

    def __init__(self, kinesis: ControlledKinesis) -> None:
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


def stored(offset):
    """An offset as Spark gives it back."""
    return json.loads(json.dumps(offset))


def rows(reader: KinesisReader, tasks) -> list[dict[str, object]]:
    """What the tasks of a batch give, shard by shard."""
    found = [row for task in tasks for batch in reader.read(task) for row in batch.to_pylist()]
    return sorted(found, key=lambda row: int(row["sequenceNumber"]))


def numbers(found) -> list[int]:
    return [int(row["data"]) for row in found]


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
    return sorted({Path(file) for task in tasks for file in task.value})
