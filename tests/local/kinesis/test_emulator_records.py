"""The Kinesis emulator by AWS's rules: records are put, numbered and read."""

import base64
import hashlib
from datetime import UTC, datetime

from tests.local.kinesis.kinesis_calls import (
    FIRST,
    SECOND,
    THIRD,
    TOP,
    data,
    iterator,
    put,
    read,
    refused,
    shards,
    split,
)

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
