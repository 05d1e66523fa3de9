"""The ``kinesis`` source after a stop, a death or a failure: the same micro-batch again."""

import time

import pytest
from botocore.exceptions import ClientError

from local.kinesis.shard_reader import TRIM_HORIZON
from pinterest_transforms.errors import StreamError
from tests.local.kinesis.kinesis_calls import FIRST, HOUR, up_to
from tests.local.kinesis.source_reads import numbers, rows, stored, taken


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
    assert rows(again, again.partitions(begin, end)) == found
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
        f"stream posts must still hold all records after the last read one, got a gap in {FIRST}: the record "
        f"{posts.sequences[10]} is not there any more; records may be lost: set allow_losses=true to continue with "
        "the rest"
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
