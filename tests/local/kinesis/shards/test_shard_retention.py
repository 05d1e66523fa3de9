"""What a reader of shards says of records and shards that Kinesis has forgotten."""

import pytest

from local.kinesis import shard_reader
from local.kinesis.kinesis_emulator import serve_emulator
from local.kinesis.shard_reader import is_ended
from pinterest_transforms.errors import StreamError
from tests.local.kinesis.kinesis_calls import BEGAN, FIFTH, FIRST, FOURTH, HOUR, SECOND, SIXTH, THIRD, up_to
from tests.local.kinesis.shards.shard_reads import PostsStream, at_most, client_at, forgotten, gap, numbers
from tests.support.controlled_kinesis import ControlledKinesis


def test_a_place_whose_last_record_is_forgotten_is_an_error_unless_losses_are_allowed(make, clock):
    posts = make()
    posts.put(3)
    reader = posts.reader()
    _, place = reader.read(reader.find_first_offsets())
    posts.put(2)
    clock.now += 25 * HOUR
    posts.put(4)
    with pytest.raises(StreamError, match=gap(FIRST, forgotten(posts.sequences[3]))):
        posts.reader().read(place)
    taken, after = posts.reader(losses=True).read(place)
    assert numbers(taken) == up_to(9, 6)
    assert after == {FIRST: f"AFTER {posts.sequences[9]}"}
    assert posts.reader().read(after) == ({}, after)


def test_a_place_whose_last_record_is_the_oldest_has_lost_nothing(make):
    posts = make()
    posts.put(5)
    reader = posts.reader(limits=at_most(3))
    _, place = reader.read(reader.find_first_offsets())
    posts.kinesis.lose("posts", FIRST, posts.sequences[2])
    assert numbers(posts.reader().read(place)[0]) == [4, 5]
    posts.kinesis.lose("posts", FIRST, posts.sequences[3])
    with pytest.raises(StreamError, match=gap(FIRST, forgotten(posts.sequences[3]))):
        posts.reader().read(place)


def test_a_stream_with_nothing_left_is_an_error_too(make, clock):
    posts = make()
    posts.put(3)
    reader = posts.reader()
    _, place = reader.read(reader.find_first_offsets())
    clock.now += 25 * HOUR
    with pytest.raises(StreamError, match=gap(FIRST, forgotten(posts.sequences[3]))):
        posts.reader().read(place)
    assert posts.reader(losses=True).read(place) == ({}, place)


@pytest.mark.parametrize("read_before", [0, 3])
def test_a_shard_that_vanished_is_an_error_unless_losses_are_allowed(make, clock, read_before):
    posts = make()
    posts.put(read_before)
    reader = posts.reader()
    _, place = reader.read(reader.find_first_offsets())
    assert place == {FIRST: f"AFTER {posts.sequences[3]}" if read_before else "TRIM_HORIZON"}
    posts.put(5)
    posts.split(FIRST)
    clock.now += 25 * HOUR
    posts.put(20)
    with pytest.raises(StreamError, match=gap(FIRST, "the shard is gone")):
        posts.reader().read(place)
    taken, after = posts.reader(losses=True).read(place)
    assert sorted(numbers(taken)) == up_to(25 + read_before, 6 + read_before)
    assert after[FIRST] == place[FIRST].replace("AFTER", "ENDED").replace("TRIM_HORIZON", "ENDED")
    assert sorted(posts.reader().read(after)[1]) == [SECOND, THIRD]


def test_children_that_vanished_with_their_parent_are_passed_over(make, clock):
    posts = make()
    posts.put(3)
    reader = posts.reader()
    _, place = reader.read(reader.find_first_offsets())
    posts.split(FIRST)
    posts.put(20)
    posts.split(SECOND)
    clock.now += 25 * HOUR
    posts.put(20)
    with pytest.raises(StreamError, match=gap(FIRST, "the shard is gone")):
        posts.reader().read(place)
    taken, after = posts.reader(losses=True).read(place)
    assert sorted(numbers(taken)) == up_to(43, 24)
    assert sorted(posts.reader().read(after)[1]) == [THIRD, FOURTH, FIFTH]


@pytest.mark.parametrize("losses", [False, True])
def test_a_shard_that_vanished_while_its_iterator_expired_is_no_failure_of_ours(make, clock, losses):
    posts = make()
    reader = posts.reader(losses=losses)
    _, place = reader.read(reader.find_first_offsets())
    posts.split(FIRST)
    posts.kinesis.expire_iterators()
    clock.now += 25 * HOUR
    posts.put(10)
    if losses:
        taken, after = reader.read(place)
        assert (sorted(numbers(taken)), sorted(after)) == (up_to(10), [SECOND, THIRD])
    else:
        with pytest.raises(StreamError, match=gap(FIRST, "the shard is gone")):
            reader.read(place)


def test_ended_shards_are_forgotten_once_kinesis_does_not_list_them(make, clock, monkeypatch):
    monkeypatch.setattr(shard_reader, "_LISTED_EVERY", 0.0)
    posts = make()
    reader = posts.reader()
    place, goes = reader.find_first_offsets(), []
    for parent in (FIRST, THIRD, FIFTH):
        posts.put(20)
        posts.split(parent)
        posts.put(20)
        taken, place = reader.read(place)
        goes.append(taken)
    assert len(place) == 7
    clock.now += 20 * HOUR
    posts.put(50)
    taken, place = reader.read(place)
    clock.now += 5 * HOUR
    assert reader.read(place)[0] == {}
    _, place = reader.read(place)
    assert sorted(numbers(*goes, taken)) == up_to(170)
    assert sorted(place) == [SECOND, FOURTH, SIXTH, "shardId-000000000006"]
    assert not any(map(is_ended, place.values()))


def test_the_place_keeps_a_shard_that_vanished_behind_the_reader_until_the_next_go():
    kinesis = ControlledKinesis()
    # With the second list of shards a day has gone by.
    kinesis.clock = lambda: BEGAN + (25 * HOUR if kinesis.calls["ListShards"] > 1 else 0)
    with serve_emulator(kinesis):
        kinesis.create("posts")
        posts = PostsStream(kinesis, client_at(kinesis.url))
        posts.put(5)
        posts.client.split_shard(StreamName="posts", ShardToSplit=FIRST, NewStartingHashKey=str(2**127))
        reader = posts.reader()
        taken, place = reader.read(reader.find_first_offsets())
        assert (numbers(taken), place[FIRST]) == (up_to(5), f"ENDED {posts.sequences[5]}")
        assert sorted(posts.reader().read(place)[1]) == [SECOND, THIRD]
