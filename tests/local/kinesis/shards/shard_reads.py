"""A stream whose shards are read as lists, and what was read of them."""

from collections import defaultdict
from dataclasses import dataclass, field

from local.kinesis.kinesis_options import open_client, validate_options
from local.kinesis.shard_reader import Limits, ShardReader
from tests.support.controlled_kinesis import ControlledKinesis

KEYS = 7


class Listing(ShardReader):
    """A reader that gives what it takes as lists by shard."""

    def read(self, place):
        taken = {}
        after = super().read(place, lambda shard, records: taken.setdefault(shard, []).extend(records))
        return taken, after


@dataclass
class PostsStream:
    """The stream ``posts``: what is put into it, in numbers from 1 on, and what is done to its shards."""

    kinesis: ControlledKinesis
    client: object
    last: int = 0
    sequences: dict[int, str] = field(default_factory=dict)

    def put(self, count: int, size: int = 0) -> None:
        """So many records more; each seventh has the same key."""
        numbers = range(self.last + 1, self.last + count + 1)
        records = [{"Data": str(n).encode().ljust(size), "PartitionKey": f"key {n % KEYS}"} for n in numbers]
        each = 9 if size else 500
        for start in range(0, count, each):
            said = self.client.put_records(StreamName="posts", Records=records[start : start + each])["Records"]
            self.sequences.update(zip(numbers[start:], [one["SequenceNumber"] for one in said], strict=False))
        self.last += count

    def split(self, shard: str) -> None:
        """Splits a shard in the middle."""
        listed = self.client.describe_stream(StreamName="posts", Limit=1000)["StreamDescription"]["Shards"]
        keys = next(one["HashKeyRange"] for one in listed if one["ShardId"] == shard)
        middle = (int(keys["StartingHashKey"]) + int(keys["EndingHashKey"])) // 2 + 1
        self.client.split_shard(StreamName="posts", ShardToSplit=shard, NewStartingHashKey=str(middle))

    def merge(self, shard: str, other: str) -> None:
        """Merges two shards that are beside each other."""
        self.client.merge_shards(StreamName="posts", ShardToMerge=shard, AdjacentShardToMerge=other)

    def make_again(self, count: int = 1) -> None:
        """Deletes the stream and makes another of its name."""
        self.client.delete_stream(StreamName="posts")
        self.kinesis.create("posts", count)
        self.last = 0

    def reader(self, pause: float = 0.0, **more) -> Listing:
        """A reader, by default without pauses."""
        limits = more.pop("limits", Limits(pause=pause))
        return Listing(self.client, "posts", limits=limits, **more)


def client_at(url: str):
    options = {"streamName": "posts", "region": "eu-west-1", "endpoint": url}
    return open_client(validate_options({**options, "awsAccessKey": "a", "awsSecretKey": "b"}))


def at_most(records: int) -> Limits:
    return Limits(records=records, pause=0)


def numbers(*goes) -> list[int]:
    """The records of some goes in the order they were given; those of a key must be in order, and none twice."""
    found = [record for taken in goes for records in taken.values() for record in records]
    by_key = defaultdict(list)
    for record in found:
        by_key[record["PartitionKey"]].append(int(record["Data"]))
    assert all(several == sorted(set(several)) for several in by_key.values())
    return [int(record["Data"]) for record in found]


def in_goes(reader: ShardReader, place: dict[str, str]) -> tuple[list, dict[str, str]]:
    """What is read until a go brings nothing and changes nothing."""
    goes = []
    while True:
        taken, after = reader.read(place)
        if not taken and after == place:
            return goes, place
        goes.append(taken)
        place = after


def gap(shard: str, what: str) -> str:
    return (
        rf"\Astream posts must still hold all records after the last read one, got a gap in {shard}: {what}; "
        r"records may be lost: set allow_losses=true to continue with the rest\Z"
    )


def forgotten(sequence: str) -> str:
    return f"Kinesis has forgotten the last record that was read, {sequence}"


ANOTHER = r"\Astream posts must be the one that was read before, got another of that name, or none: .*"
