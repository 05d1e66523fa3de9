"""The Kinesis emulator by AWS's rules: retention, iterators that expire."""

from datetime import UTC, datetime

from local.kinesis.kinesis_emulator import serve_emulator
from tests.local.kinesis.kinesis_calls import HOUR, client_of, data, iterator, put, read, refused
from tests.support.controlled_kinesis import ControlledKinesis

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
    with serve_emulator(ControlledKinesis(clock=clock, iterator_seconds=99 * HOUR)) as served:
        served.create("posts")
        client = client_of(served.url)
        put(client, "a", "b", "c")
        kept = client.get_records(ShardIterator=iterator(client), Limit=1)["NextShardIterator"]
        clock.now += 25 * HOUR
        put(client, "d")
        answer = client.get_records(ShardIterator=kept)
    assert (data(answer), answer["MillisBehindLatest"]) == (["d"], 0)


# Iterators that are too old


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
