"""The Kinesis emulator by AWS's rules, as boto3 sees it."""

import base64
import hashlib
import subprocess
import sys
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import boto3
import orjson
import pytest
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.exceptions import ConnectionError as BotoConnectionError

from local.kinesis.emulator_shards import KinesisError
from local.kinesis.kinesis_emulator import KinesisEmulator, main, serve_emulator

ROOT = Path(__file__).parents[3]
HOUR = 3600
TOP = 2**128 - 1
FIRST, SECOND, THIRD = (f"shardId-{n:012d}" for n in range(3))


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 1_700_000_000.123

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


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def served(clock):
    with serve_emulator(KinesisEmulator(clock=clock)) as kinesis:
        kinesis.create("posts")
        yield kinesis


@pytest.fixture
def client(served):
    return client_of(served.url)


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


# Streams


def test_streams_are_made_listed_described_and_deleted(client):
    client.create_stream(StreamName="users", ShardCount=3)
    assert client.list_streams()["StreamNames"] == ["posts", "users"]
    client.get_waiter("stream_exists").wait(StreamName="users")

    client.delete_stream(StreamName="posts")
    assert client.list_streams()["StreamNames"] == ["users"]
    with refused("ResourceNotFoundException", "Stream posts under account 000000000000 not found"):
        client.describe_stream_summary(StreamName="posts")


def test_a_summary_says_what_a_reader_needs(client):
    split(client)
    found = client.describe_stream_summary(StreamName="posts")["StreamDescriptionSummary"]
    assert found["StreamARN"] == "arn:aws:kinesis:eu-west-1:000000000000:stream/posts"
    assert found["StreamCreationTimestamp"] == datetime(2023, 11, 14, 22, 13, 20, 123000, UTC)
    assert (found["RetentionPeriodHours"], found["OpenShardCount"], found["StreamStatus"]) == (24, 2, "ACTIVE")
    by_arn = client.describe_stream_summary(StreamARN=found["StreamARN"])["StreamDescriptionSummary"]
    assert by_arn == found


def test_a_stream_is_described_shard_by_shard(client):
    client.create_stream(StreamName="users", ShardCount=3)
    found = client.describe_stream(StreamName="users", Limit=2)["StreamDescription"]
    assert (ids(found["Shards"]), found["HasMoreShards"]) == ([FIRST, SECOND], True)
    rest = client.describe_stream(StreamName="users", ExclusiveStartShardId=SECOND)["StreamDescription"]
    assert (ids(rest["Shards"]), rest["HasMoreShards"]) == ([THIRD], False)


def test_streams_are_listed_in_pages(client, served):
    served.create("a")
    served.create("z")
    found = client.list_streams(Limit=2)
    assert (found["StreamNames"], found["HasMoreStreams"]) == (["a", "posts"], True)
    assert client.list_streams(NextToken=found["NextToken"])["StreamNames"] == ["z"]
    assert client.list_streams(ExclusiveStartStreamName="posts")["StreamNames"] == ["z"]


def test_a_stream_is_made_once(client):
    with refused("ResourceInUseException", "Stream posts under account 000000000000 already exists"):
        client.create_stream(StreamName="posts")


@pytest.mark.parametrize(
    "call",
    [
        lambda c: c.put_record(StreamName="no", Data=b"", PartitionKey="k"),
        lambda c: put(c, "a", stream="no"),
        lambda c: c.list_shards(StreamName="no"),
        lambda c: c.describe_stream(StreamName="no"),
        lambda c: c.delete_stream(StreamName="no"),
        lambda c: iterator(c, stream="no"),
        lambda c: c.split_shard(StreamName="no", ShardToSplit=FIRST, NewStartingHashKey="9"),
        lambda c: c.increase_stream_retention_period(StreamName="no", RetentionPeriodHours=48),
    ],
)
def test_an_unknown_stream_is_not_found(client, call):
    with refused("ResourceNotFoundException", "Stream no under account"):
        call(client)


def test_an_unknown_shard_is_not_found(client):
    with refused("ResourceNotFoundException", f"Shard {THIRD} in stream posts under account 000000000000 does not"):
        iterator(client, shard=THIRD)


# Putting


def test_a_record_comes_back_as_it_was_put(client):
    content = bytes(range(256))
    said = client.put_record(StreamName="posts", Data=content, PartitionKey='ключ "1"\\')
    assert said["ShardId"] == FIRST
    answer = client.get_records(ShardIterator=iterator(client))
    assert answer["Records"] == [
        {
            "SequenceNumber": said["SequenceNumber"],
            "ApproximateArrivalTimestamp": datetime(2023, 11, 14, 22, 13, 20, 123000, UTC),
            "Data": content,
            "PartitionKey": 'ключ "1"\\',
        }
    ]


def test_the_md5_of_the_key_says_which_shard(client):
    client.create_stream(StreamName="users", ShardCount=3)
    ranges = [s["HashKeyRange"] for s in client.list_shards(StreamName="users")["Shards"]]
    third = 113427455640312821154458202477256070485
    assert [(int(r["StartingHashKey"]), int(r["EndingHashKey"])) for r in ranges] == [
        (0, third - 1),
        (third, 2 * third - 1),
        (2 * third, TOP),
    ]
    keys = [f"key {n}" for n in range(30)]
    said = client.put_records(StreamName="users", Records=[{"Data": b"", "PartitionKey": k} for k in keys])
    hashes = [int.from_bytes(hashlib.md5(k.encode(), usedforsecurity=False).digest(), "big") for k in keys]
    expected = [f"shardId-{min(2, value // third):012d}" for value in hashes]
    assert [r["ShardId"] for r in said["Records"]] == expected
    assert set(expected) == {FIRST, SECOND, THIRD}


def test_an_explicit_hash_key_comes_before_the_partition_key(client):
    split(client)
    for key, shard in ((0, SECOND), (2**127 - 1, SECOND), (2**127, THIRD), (TOP, THIRD)):
        said = client.put_record(StreamName="posts", Data=b"x", PartitionKey="k", ExplicitHashKey=str(key))
        assert said["ShardId"] == shard
    with refused("InvalidArgumentException", f"ExplicitHashKey must be 0 to {TOP}, got '{TOP + 1}'"):
        client.put_record(StreamName="posts", Data=b"x", PartitionKey="k", ExplicitHashKey=str(TOP + 1))


def test_too_much_is_refused_and_nothing_of_it_is_taken(client):
    with refused("ValidationException", "Records must be 1 to 500, got 501"):
        put(client, *["a"] * 501)
    with refused("ValidationException", "Data and PartitionKey must be at most 1048576 bytes, got 1048577"):
        client.put_records(
            StreamName="posts",
            Records=[{"Data": b"a", "PartitionKey": "k"}, {"Data": bytes(2**20), "PartitionKey": "k"}],
        )
    with refused("InvalidArgumentException", "Records must be at most 10485760 bytes, got 11534336"):
        client.put_records(StreamName="posts", Records=[{"Data": bytes(2**20 - 1), "PartitionKey": "k"}] * 11)
    assert read(client) == []


# Sequence numbers


def test_sequence_numbers_have_56_digits_and_grow(client):
    numbers = put(client, "a", "b", "c") + put(client, "d")
    assert [(len(n), n.isdigit(), n[:2]) for n in numbers] == [(56, True, "49")] * 4
    assert sorted(map(int, numbers)) == [int(n) for n in numbers]
    assert len(set(numbers)) == 4


def test_a_childs_sequence_numbers_are_greater_than_its_parents(client):
    before = put(client, "a")
    split(client)
    between = [int(n) for n in put(client, *"abcdefgh")]
    client.merge_shards(StreamName="posts", ShardToMerge=SECOND, AdjacentShardToMerge=THIRD)
    after = int(put(client, "a")[0])

    ranges = [shard["SequenceNumberRange"] for shard in shards(client)]
    begun = [int(r["StartingSequenceNumber"]) for r in ranges]
    ended = [int(r["EndingSequenceNumber"]) for r in ranges[:3]]
    assert "EndingSequenceNumber" not in ranges[3]
    assert begun[0] < int(before[0]) < ended[0] < min(begun[1:3])
    assert min(begun[1:3]) < min(between) <= max(between) < min(ended[1:3]) <= max(ended[1:3]) < begun[3] < after
    assert len({*begun, *ended, *between}) == 15


def test_a_stream_made_again_knows_none_of_the_old_numbers_and_iterators(client):
    old, kept = put(client, "a")[0], iterator(client)
    client.delete_stream(StreamName="posts")
    client.create_stream(StreamName="posts")
    assert put(client, "a")[0] != old
    with refused("InvalidArgumentException", "did not come from this stream"):
        iterator(client, "AFTER_SEQUENCE_NUMBER", StartingSequenceNumber=old)
    with refused("ResourceNotFoundException"):
        client.get_records(ShardIterator=kept)


def test_a_number_of_another_stream_or_shard_or_none_is_refused(client):
    client.create_stream(StreamName="users")
    of_users, of_first = put(client, "a", stream="users")[0], put(client, "a")[0]
    split(client)
    never = str(int(of_first) + 10**30)
    for shard, number in ((FIRST, of_users), (SECOND, of_first), (FIRST, never), (FIRST, "12"), (FIRST, "0")):
        with refused("InvalidArgumentException", f"{number} used .*{shard} in stream posts .*did not come from this"):
            iterator(client, "AT_SEQUENCE_NUMBER", shard, StartingSequenceNumber=number)


# Where an iterator begins


def test_iterators_begin_where_they_are_told(client):
    first, second, _ = put(client, "a", "b", "c")
    latest = iterator(client, "LATEST")
    assert read(client) == ["a", "b", "c"]
    assert read(client, "AT_SEQUENCE_NUMBER", StartingSequenceNumber=second) == ["b", "c"]
    assert read(client, "AFTER_SEQUENCE_NUMBER", StartingSequenceNumber=first) == ["b", "c"]
    put(client, "d")
    assert data(client.get_records(ShardIterator=latest)) == ["d"]
    # The number that a shard began with is one of its own.
    began = shards(client)[0]["SequenceNumberRange"]["StartingSequenceNumber"]
    assert read(client, "AT_SEQUENCE_NUMBER", StartingSequenceNumber=began) == ["a", "b", "c", "d"]


def test_a_timestamp_is_met_to_the_millisecond(client, clock):
    began = clock.now
    for n, name in enumerate("abc"):
        clock.now = began + n / 1000
        put(client, name)

    def since(ms: int) -> list[str]:
        return read(client, "AT_TIMESTAMP", Timestamp=datetime.fromtimestamp(round(began + ms / 1000, 3), UTC))

    assert [since(ms) for ms in (-5, 0, 1, 2)] == [["a", "b", "c"], ["a", "b", "c"], ["b", "c"], ["c"]]
    clock.now = began + 1
    later = iterator(client, "AT_TIMESTAMP", Timestamp=datetime.fromtimestamp(began + 1, UTC))
    put(client, "d")
    assert data(client.get_records(ShardIterator=later)) == ["d"]
    with refused("InvalidArgumentException", "cannot be greater than the currentTimestampInMillis"):
        since(2000)


def test_bad_iterator_types_are_refused(client):
    with refused("ValidationException", "ShardIteratorType must be one of Kinesis' five, got 'SOON'"):
        iterator(client, "SOON")
    with refused("InvalidArgumentException", "Timestamp must be seconds since 1970, got None"):
        iterator(client, "AT_TIMESTAMP")
    with refused("ValidationException", "StartingSequenceNumber must be a text, got None"):
        iterator(client, "AT_SEQUENCE_NUMBER")
    for none in ("none", "AAAA", base64.b64encode(b"[1]").decode()):
        with refused("InvalidArgumentException", "Invalid ShardIterator"):
            client.get_records(ShardIterator=none)


# Reading


def test_a_shard_is_read_page_by_page(client, clock):
    put(client, "a", "b")
    clock.now += 2
    put(client, "c")
    clock.now += 3
    answer = client.get_records(ShardIterator=iterator(client), Limit=1)
    assert (data(answer), answer["MillisBehindLatest"], "ChildShards" in answer) == (["a"], 5000, False)
    answer = client.get_records(ShardIterator=answer["NextShardIterator"], Limit=2)
    assert (data(answer), answer["MillisBehindLatest"]) == (["b", "c"], 0)
    answer = client.get_records(ShardIterator=answer["NextShardIterator"])
    assert (data(answer), answer["MillisBehindLatest"]) == ([], 0)
    put(client, "d")
    assert data(client.get_records(ShardIterator=answer["NextShardIterator"])) == ["d"]


def test_a_reader_with_records_before_it_is_never_at_zero(client):
    put(client, "a", "b")
    assert client.get_records(ShardIterator=iterator(client), Limit=1)["MillisBehindLatest"] == 1


def test_an_answer_has_10_000_records_at_most(client):
    for _ in range(21):
        put(client, *["a"] * 500)
    answer = client.get_records(ShardIterator=iterator(client))
    assert (len(answer["Records"]), answer["MillisBehindLatest"]) == (10_000, 1)
    assert len(client.get_records(ShardIterator=answer["NextShardIterator"])["Records"]) == 500
    with refused("InvalidArgumentException", "Limit must be 1 to 10000, got 10001"):
        client.get_records(ShardIterator=iterator(client), Limit=10_001)


def test_an_answer_has_10_mib_at_most(client):
    for _ in range(2):
        client.put_records(StreamName="posts", Records=[{"Data": bytes(2**20 - 1), "PartitionKey": "k"}] * 7)
    answer = client.get_records(ShardIterator=iterator(client))
    assert len(answer["Records"]) == 10
    assert len(client.get_records(ShardIterator=answer["NextShardIterator"])["Records"]) == 4


# Split and merge


def test_a_closed_parent_is_read_to_its_end_and_names_its_children(client):
    put(client, "a", "b")
    split(client, at=2**126)
    put(client, "c")
    answer = client.get_records(ShardIterator=iterator(client), Limit=1)
    assert (data(answer), "ChildShards" in answer) == (["a"], False)
    answer = client.get_records(ShardIterator=answer["NextShardIterator"])
    assert (data(answer), "NextShardIterator" in answer, answer["MillisBehindLatest"]) == (["b"], False, 0)
    assert answer["ChildShards"] == [
        {
            "ShardId": SECOND,
            "ParentShards": [FIRST],
            "HashKeyRange": {"StartingHashKey": "0", "EndingHashKey": str(2**126 - 1)},
        },
        {
            "ShardId": THIRD,
            "ParentShards": [FIRST],
            "HashKeyRange": {"StartingHashKey": str(2**126), "EndingHashKey": str(TOP)},
        },
    ]
    assert sorted(read(client, shard=SECOND) + read(client, shard=THIRD)) == ["c"]
    ended = client.get_records(ShardIterator=iterator(client, "LATEST"))
    assert (data(ended), "NextShardIterator" in ended, ids(ended["ChildShards"])) == ([], False, [SECOND, THIRD])


def test_merged_shards_name_one_child_with_both_parents(client):
    split(client)
    client.merge_shards(StreamName="posts", ShardToMerge=THIRD, AdjacentShardToMerge=SECOND)
    for parent in (SECOND, THIRD):
        children = client.get_records(ShardIterator=iterator(client, shard=parent))["ChildShards"]
        assert [(c["ShardId"], c["ParentShards"]) for c in children] == [("shardId-000000000003", [THIRD, SECOND])]
        assert children[0]["HashKeyRange"] == {"StartingHashKey": "0", "EndingHashKey": str(TOP)}
    found = shards(client)
    assert [(s.get("ParentShardId"), s.get("AdjacentParentShardId")) for s in found] == [
        (None, None),
        (FIRST, None),
        (FIRST, None),
        (THIRD, SECOND),
    ]
    assert ["EndingSequenceNumber" in s["SequenceNumberRange"] for s in found] == [True, True, True, False]


def test_an_iterator_from_before_a_split_reads_on(client):
    latest = iterator(client, "LATEST")
    put(client, "a")
    split(client)
    put(client, "b")
    answer = client.get_records(ShardIterator=latest)
    assert (data(answer), ids(answer["ChildShards"])) == (["a"], [SECOND, THIRD])


def test_what_cannot_be_split_or_merged_is_refused(client):
    split(client)
    with refused("InvalidArgumentException", f"Shard {FIRST} .*has already been merged or split"):
        split(client)
    with refused("InvalidArgumentException", "is not both greater than one plus"):
        split(client, THIRD, at=5)
    split(client, SECOND, at=2**126)
    with refused("InvalidArgumentException", "are not an adjacent pair of shards eligible for merging"):
        client.merge_shards(StreamName="posts", ShardToMerge="shardId-000000000003", AdjacentShardToMerge=THIRD)


# Listing shards


def test_shards_are_listed_in_pages(client, served, clock):
    client.create_stream(StreamName="users", ShardCount=5)
    served.page_size = 2
    found, more = [], {"StreamName": "users"}
    pages = []
    while more:
        answer = client.list_shards(**more)
        pages.append(len(answer["Shards"]))
        found += ids(answer["Shards"])
        more = {"NextToken": answer["NextToken"]} if "NextToken" in answer else {}
    assert (pages, found) == ([2, 2, 1], [f"shardId-{n:012d}" for n in range(5)])

    assert ids(client.list_shards(StreamName="users", MaxResults=1)["Shards"]) == [FIRST]
    assert ids(client.list_shards(StreamName="users", ExclusiveStartShardId=FIRST)["Shards"]) == [SECOND, THIRD]
    token = client.list_shards(StreamName="users")["NextToken"]
    with refused("InvalidArgumentException", "NextToken and StreamName cannot be provided together"):
        client.list_shards(StreamName="users", NextToken=token)
    with refused("InvalidArgumentException", "NextToken is invalid"):
        client.list_shards(NextToken="none")
    clock.now += 300
    with refused("ExpiredNextTokenException"):
        client.list_shards(NextToken=token)


def test_shards_are_listed_by_filter(client, clock):
    began = clock.now
    clock.now = began + 10
    split(client)

    def listed(kind: str, **more) -> list[str]:
        return ids(shards(client, ShardFilter={"Type": kind, **more}))

    def at(seconds: int) -> datetime:
        return datetime.fromtimestamp(began + seconds, UTC)

    assert listed("AT_LATEST") == [SECOND, THIRD]
    assert listed("AT_TRIM_HORIZON") == [FIRST]
    assert listed("FROM_TRIM_HORIZON") == [FIRST, SECOND, THIRD]
    assert listed("AT_TIMESTAMP", Timestamp=at(5)) == [FIRST]
    assert listed("AT_TIMESTAMP", Timestamp=at(11)) == [SECOND, THIRD]
    assert listed("FROM_TIMESTAMP", Timestamp=at(5)) == [FIRST, SECOND, THIRD]
    assert listed("FROM_TIMESTAMP", Timestamp=at(11)) == [SECOND, THIRD]
    assert listed("AFTER_SHARD_ID", ShardId=SECOND) == [THIRD]


def test_a_closed_shard_is_listed_until_its_records_are_too_old(client, clock):
    put(client, "a")
    clock.now += HOUR
    split(client)
    clock.now += 23 * HOUR
    assert ids(shards(client)) == [FIRST, SECOND, THIRD]
    clock.now += 0.001
    assert ids(shards(client)) == [SECOND, THIRD]
    with refused("ResourceNotFoundException", f"Shard {FIRST} in stream posts"):
        iterator(client)
    assert [s["ParentShardId"] for s in shards(client)] == [FIRST, FIRST]


def test_a_closed_shard_that_had_no_record_is_listed_for_the_retention_period(client, clock):
    clock.now += HOUR
    split(client)
    clock.now += 24 * HOUR
    assert ids(shards(client)) == [FIRST, SECOND, THIRD]
    clock.now += 0.001
    assert ids(shards(client)) == [SECOND, THIRD]


# Retention


def test_records_are_gone_after_the_retention_period_and_their_numbers_still_valid(client, clock):
    first = put(client, "a", "b")[0]
    clock.now += HOUR
    put(client, "c")
    clock.now += 23 * HOUR
    assert read(client) == ["a", "b", "c"]
    clock.now += 0.001
    assert read(client) == ["c"]
    assert read(client, "AT_SEQUENCE_NUMBER", StartingSequenceNumber=first) == ["c"]
    assert read(client, "AFTER_SEQUENCE_NUMBER", StartingSequenceNumber=first) == ["c"]
    assert read(client, "AT_TIMESTAMP", Timestamp=datetime(2001, 1, 1, tzinfo=UTC)) == ["c"]
    put(client, "d")
    assert read(client) == ["c", "d"]


def test_an_iterator_whose_place_is_trimmed_goes_on_at_the_trim_horizon(clock):
    with serve_emulator(KinesisEmulator(clock=clock, iterator_seconds=99 * HOUR)) as served:
        served.create("posts")
        client = client_of(served.url)
        put(client, "a", "b", "c")
        kept = client.get_records(ShardIterator=iterator(client), Limit=1)["NextShardIterator"]
        clock.now += 25 * HOUR
        put(client, "d")
        answer = client.get_records(ShardIterator=kept)
    assert (data(answer), answer["MillisBehindLatest"]) == (["d"], 0)


def test_the_retention_period_grows_and_shrinks_and_brings_nothing_back(client, clock):
    def hours() -> int:
        return client.describe_stream_summary(StreamName="posts")["StreamDescriptionSummary"]["RetentionPeriodHours"]

    put(client, "a")
    clock.now += 25 * HOUR
    put(client, "b")
    client.increase_stream_retention_period(StreamName="posts", RetentionPeriodHours=48)
    assert (hours(), read(client)) == (48, ["b"])
    clock.now += 30 * HOUR
    assert read(client) == ["b"]
    client.decrease_stream_retention_period(StreamName="posts", RetentionPeriodHours=24)
    assert (hours(), read(client)) == (24, [])

    with refused("InvalidArgumentException", "RetentionPeriodHours must be 24 to 8760, got 23"):
        client.decrease_stream_retention_period(StreamName="posts", RetentionPeriodHours=23)
    with refused("InvalidArgumentException", "RetentionPeriodHours must be 24 at most to decrease it, got 48"):
        client.decrease_stream_retention_period(StreamName="posts", RetentionPeriodHours=48)
    client.increase_stream_retention_period(StreamName="posts", RetentionPeriodHours=8760)
    with refused("InvalidArgumentException", "RetentionPeriodHours must be 8760 at least to increase it, got 48"):
        client.increase_stream_retention_period(StreamName="posts", RetentionPeriodHours=48)


# Iterators that are too old, and limits


def test_an_iterator_expires(client, clock):
    kept = iterator(client)
    clock.now += 299.999
    assert data(client.get_records(ShardIterator=kept)) == []
    clock.now += 0.001
    with refused("ExpiredIteratorException", "the tolerated delay of 300000 milliseconds"):
        client.get_records(ShardIterator=kept)


def test_iterators_are_expired_on_demand(client, served):
    kept = iterator(client)
    served.expire_iterators()
    with refused("ExpiredIteratorException"):
        client.get_records(ShardIterator=kept)
    assert data(client.get_records(ShardIterator=iterator(client))) == []


def test_five_reads_a_second_a_shard(client, served, clock):
    client.create_stream(StreamName="users", ShardCount=2)
    served.limits = True
    kept, other = (iterator(client, shard=shard, stream="users") for shard in (FIRST, SECOND))
    for _ in range(5):
        client.get_records(ShardIterator=kept)
    with refused("ProvisionedThroughputExceededException", f"Rate exceeded for shard {FIRST} in stream users"):
        client.get_records(ShardIterator=kept)
    client.get_records(ShardIterator=other)
    clock.now += 1
    client.get_records(ShardIterator=kept)


def test_two_mib_a_second_a_shard(client, served, clock):
    for _ in range(2):
        client.put_records(StreamName="posts", Records=[{"Data": bytes(2**20 - 1), "PartitionKey": "k"}] * 6)
    served.limits = True
    kept = iterator(client)
    assert len(client.get_records(ShardIterator=kept, Limit=1)["Records"]) == 1
    assert len(client.get_records(ShardIterator=kept, Limit=1)["Records"]) == 1
    with refused("ProvisionedThroughputExceededException"):
        client.get_records(ShardIterator=kept, Limit=1)
    clock.now += 1
    assert len(client.get_records(ShardIterator=kept)["Records"]) == 10
    # 10 MiB are five seconds' worth.
    clock.now += 4.99
    with refused("ProvisionedThroughputExceededException"):
        client.get_records(ShardIterator=kept, Limit=1)
    clock.now += 0.01
    assert len(client.get_records(ShardIterator=kept, Limit=1)["Records"]) == 1


# Controls


def test_calls_are_throttled_failed_and_cut_as_often_as_told(client, served):
    served.throttle["GetRecords"] = 2
    served.fail["PutRecords"] = 1
    served.reset["ListShards"] = 1
    kept = iterator(client)
    for _ in range(2):
        with refused("ProvisionedThroughputExceededException"):
            client.get_records(ShardIterator=kept)
    with refused("InternalFailure") as failed:
        put(client, "a")
    assert failed.value.response["ResponseMetadata"]["HTTPStatusCode"] == 500
    with pytest.raises((BotoConnectionError, BotoCoreError), match=r"closed|[Cc]onnection"):
        shards(client)

    put(client, "b")
    assert ids(shards(client)) == [FIRST]
    assert data(client.get_records(ShardIterator=kept)) == ["b"]
    assert served.calls == Counter(GetShardIterator=1, GetRecords=3, PutRecords=2, ListShards=2)


def test_records_are_lost_on_demand(client, served):
    first, second, _ = put(client, "a", "b", "c")
    served.lose("posts", FIRST, second)
    assert read(client) == ["c"]
    assert read(client, "AFTER_SEQUENCE_NUMBER", StartingSequenceNumber=first) == ["c"]
    with pytest.raises(KinesisError, match="did not come from this stream"):
        served.lose("posts", FIRST, "12")


# Protocol, speed, process


@pytest.mark.parametrize(
    ("operation", "body", "said"),
    [
        ("Dance", b"{}", ("UnknownOperationException", "no such operation here: 'Dance'")),
        ("ListShards", b"\xa1", ("SerializationException", "the body must be a JSON object")),
        ("ListShards", b"[]", ("SerializationException", "the body must be a JSON object")),
        ("ListShards", b"{}", ("InvalidArgumentException", "StreamName or StreamARN must be given")),
        ("ListShards", b'{"StreamName":1}', ("ValidationException", "StreamName must be a text, got 1")),
        ("CreateStream", b'{"StreamName":"a b"}', ("ValidationException", "StreamName must be 1 to 128 of a-zA-Z0-9_")),
        (
            "CreateStream",
            b'{"StreamName":"a","ShardCount":0}',
            ("InvalidArgumentException", "ShardCount must be 1 to 10000, got 0"),
        ),
        ("PutRecords", b'{"StreamName":"posts","Records":[1]}', ("SerializationException", "Records must be objects")),
        (
            "PutRecord",
            b'{"StreamName":"posts","PartitionKey":"k","Data":"abc"}',
            ("SerializationException", "Data must be base64"),
        ),
    ],
)
def test_bad_input_gets_one_clear_message(operation, body, said):
    kinesis = KinesisEmulator()
    kinesis.create("posts")
    status, answer = kinesis.answer(operation, body)
    found = orjson.loads(answer)
    assert (status, found["__type"]) == (400, said[0])
    assert found["message"].startswith(said[1])


def test_ten_thousand_records_are_answered_in_under_20_ms():
    kinesis = KinesisEmulator()
    kinesis.create("posts")
    record = {"Data": base64.b64encode(bytes(400)).decode(), "PartitionKey": "k"}
    body = orjson.dumps({"StreamName": "posts", "Records": [record] * 500})
    for _ in range(20):
        kinesis.answer("PutRecords", body)
    asked = {"StreamName": "posts", "ShardId": FIRST, "ShardIteratorType": "TRIM_HORIZON"}
    begun = orjson.loads(kinesis.answer("GetShardIterator", orjson.dumps(asked))[1])
    seconds = []
    for _ in range(10):
        began = time.perf_counter()
        _, answer = kinesis.answer("GetRecords", orjson.dumps(begun))
        seconds.append(time.perf_counter() - began)
    assert len(orjson.loads(answer)["Records"]) == 10_000
    assert min(seconds) < 0.02


def test_a_process_prints_its_port_and_ends_with_its_input():
    command = [sys.executable, "-m", "local.kinesis.kinesis_emulator", "--streams", "posts", "users", "--shards", "2"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT) as process:
        client = client_of(f"http://127.0.0.1:{int(process.stdout.readline())}")
        assert client.list_streams()["StreamNames"] == ["posts", "users"]
        assert ids(shards(client)) == [FIRST, SECOND]
        process.stdin.close()
        assert process.wait(10) == 0


def test_the_command_line_refuses_what_is_no_stream(capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["--streams", "a b"])
    assert "StreamName must be 1 to 128 of a-zA-Z0-9_.-, got 'a b'" in capsys.readouterr().err
