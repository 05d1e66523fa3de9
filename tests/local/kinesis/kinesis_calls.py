"""Calls of the Kinesis emulator as boto3 makes them, a clock for it, and names of its shards."""

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

HOUR = 3600
BEGAN = 1_700_000_000.123
TOP = 2**128 - 1
FIRST, SECOND, THIRD, FOURTH, FIFTH, SIXTH = (f"shardId-{n:012d}" for n in range(6))


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = BEGAN

    def __call__(self) -> float:
        return self.now


def client_of(url: str):
    return boto3.client(
        "kinesis",
        endpoint_url=url,
        region_name="eu-west-1",
        aws_access_key_id="none",
        aws_secret_access_key="none",
        config=Config(retries={"total_max_attempts": 1}, connect_timeout=5, read_timeout=5),
    )


def put(client, *data: str, stream: str = "posts") -> list[str]:
    """Sequence numbers of records that go where they may."""
    said = client.put_records(StreamName=stream, Records=[{"Data": d.encode(), "PartitionKey": d} for d in data])
    assert said["FailedRecordCount"] == 0
    return [record["SequenceNumber"] for record in said["Records"]]


def iterator(client, kind: str = "TRIM_HORIZON", shard: str = FIRST, stream: str = "posts", **more) -> str:
    said = client.get_shard_iterator(StreamName=stream, ShardId=shard, ShardIteratorType=kind, **more)
    return said["ShardIterator"]


def data(answer) -> list[str]:
    return [record["Data"].decode() for record in answer["Records"]]


def read(client, kind: str = "TRIM_HORIZON", shard: str = FIRST, stream: str = "posts", **more) -> list[str]:
    return data(client.get_records(ShardIterator=iterator(client, kind, shard, stream, **more)))


def refused(kind: str, match: str = ""):
    return pytest.raises(ClientError, match=rf"(?s)\({kind}\).*{match}")


def shards(client, **more):
    return client.list_shards(StreamName="posts", **more)["Shards"]


def ids(found) -> list[str]:
    return [shard["ShardId"] for shard in found]


def split(client, shard: str = FIRST, at: int = 2**127) -> None:
    client.split_shard(StreamName="posts", ShardToSplit=shard, NewStartingHashKey=str(at))


def up_to(last: int, first: int = 1) -> list[int]:
    return list(range(first, last + 1))
