"""Failures that a reader of shards does not notice, and those that are errors."""

import time

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError, EndpointConnectionError

from local.kinesis.kinesis_emulator import serve_emulator
from local.kinesis.shard_reader import ShardReader
from pinterest_transforms.errors import StreamError
from tests.local.kinesis.kinesis_calls import FIRST, SECOND, THIRD, up_to
from tests.local.kinesis.shards.shard_reads import ANOTHER, at_most, client_at, forgotten, gap, in_goes, numbers
from tests.support.controlled_kinesis import ControlledKinesis

# What passes, and what does not


def test_expired_iterators_are_asked_for_again(make):
    posts = make(2)
    posts.put(40)
    reader = posts.reader(limits=at_most(10))
    taken, place = reader.read(reader.find_first_offsets())
    posts.kinesis.expire_iterators()
    more, place = reader.read(place)
    posts.kinesis.expire_iterators()
    posts.put(20)
    rest, place = in_goes(reader, place)
    posts.kinesis.expire_iterators()
    assert reader.read(place) == ({}, place)
    assert sorted(numbers(taken, more, *rest)) == up_to(60)
    assert posts.kinesis.calls["GetShardIterator"] == 8


def test_an_expired_iterator_of_a_shard_without_records_is_asked_for_again(make):
    posts = make()
    reader = posts.reader()
    taken, place = reader.read(reader.find_first_offsets())
    posts.kinesis.expire_iterators()
    posts.put(5)
    more, _ = reader.read(place)
    assert (taken, place, numbers(more)) == ({}, {FIRST: "TRIM_HORIZON"}, up_to(5))


@pytest.mark.parametrize("control", ["throttle", "fail", "reset"])
@pytest.mark.parametrize("operation", ["ListShards", "GetShardIterator", "GetRecords"])
def test_what_passes_within_the_retries_is_not_noticed(make, waits, control, operation):
    posts = make()
    posts.put(10)
    posts.split(FIRST)
    posts.put(10)
    getattr(posts.kinesis, control)[operation] = 7
    reader = posts.reader()
    taken, _ = reader.read(reader.find_first_offsets())
    assert sorted(numbers(taken)) == up_to(20)
    assert len(waits) == 7


@pytest.mark.parametrize(
    ("control", "error"),
    [
        ("throttle", pytest.raises(ClientError, match="ProvisionedThroughputExceededException")),
        ("fail", pytest.raises(ClientError, match="InternalFailure")),
        ("reset", pytest.raises(ConnectionClosedError)),
    ],
)
@pytest.mark.parametrize("operation", ["ListShards", "GetShardIterator", "GetRecords"])
def test_what_does_not_pass_is_an_error_and_nothing_is_lost(make, control, error, operation):
    posts = make()
    posts.put(30)
    reader = posts.reader(limits=at_most(10))
    taken, place = reader.read(reader.find_first_offsets())
    posts.kinesis.expire_iterators()
    getattr(posts.kinesis, control)[operation] = 8
    with error:
        posts.reader().read(place)
    assert getattr(posts.kinesis, control)[operation] == 0

    if operation != "ListShards":  # the first reader knows the shards for a second
        getattr(posts.kinesis, control)[operation] = 8
        with error:
            reader.read(place)
    on, _ = in_goes(reader, place)
    anew, _ = posts.reader().read(place)
    assert numbers(taken, *on) == numbers(taken, anew) == up_to(30)


def test_an_error_in_the_middle_of_a_go_loses_nothing_of_the_other_shards(make):
    posts = make(4)
    posts.put(40)
    reader = posts.reader()
    taken, place = reader.read(reader.find_first_offsets())
    last = place[SECOND].split()[1]
    posts.put(40)
    posts.kinesis.lose("posts", SECOND, last)
    strict = posts.reader()
    for _ in range(2):
        with pytest.raises(StreamError, match=gap(SECOND, forgotten(last))):
            strict.read(place)
    # The reader that was never stopped has seen that record.
    more, _ = reader.read(place)
    assert sorted(numbers(taken, more)) == up_to(80)


def test_an_endpoint_that_is_gone_is_an_error_within_seconds(make, waits):
    posts = make()
    with serve_emulator(ControlledKinesis()) as kinesis:
        url = kinesis.url
    reader = ShardReader(client_at(url), "posts")
    began = time.monotonic()
    with pytest.raises(EndpointConnectionError, match=f'Could not connect to the endpoint URL: "{url}/"'):
        reader.find_first_offsets()
    assert len(waits) == 7
    assert time.monotonic() - began + sum(waits) < 8
    assert posts.reader().find_first_offsets() == {FIRST: "TRIM_HORIZON"}


# Another stream of that name


@pytest.mark.parametrize("losses", [False, True])
@pytest.mark.parametrize("running", [False, True])
def test_a_stream_that_was_made_again_is_an_error_that_says_so(make, losses, running):
    posts = make(2)
    posts.put(20)
    reader = posts.reader(losses=losses)
    _, place = reader.read(reader.find_first_offsets())
    posts.make_again(2)
    posts.put(20)
    with pytest.raises(StreamError, match=ANOTHER):
        (reader if running else posts.reader(losses=losses)).read(place)


def test_a_stream_that_was_made_again_with_fewer_shards_is_an_error_that_says_so(make):
    posts = make()
    posts.put(20)
    posts.split(FIRST)
    reader = posts.reader()
    _, place = reader.read(reader.find_first_offsets())
    assert place == {FIRST: f"ENDED {posts.sequences[20]}", SECOND: "TRIM_HORIZON", THIRD: "TRIM_HORIZON"}
    posts.make_again()
    posts.put(20)
    for losses in (False, True):
        with pytest.raises(StreamError, match=f"{ANOTHER}{FIRST} was read to its end and is open"):
            posts.reader(losses=losses).read(place)
