"""The Kinesis emulator by AWS's rules: retention, iterators that expire, limits of a shard."""

from datetime import UTC, datetime

from local.kinesis.kinesis_emulator import KinesisEmulator, serve_emulator
from tests.local.kinesis.kinesis_calls import FIRST, HOUR, SECOND, client_of, data, iterator, put, read, refused

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
