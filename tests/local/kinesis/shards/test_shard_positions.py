"""Where a reader of shards starts, and what it reads again between two positions."""

import pytest

from pinterest_transforms.errors import StreamError
from tests.local.kinesis.kinesis_calls import BEGAN, FIFTH, FIRST, FOURTH, HOUR, SECOND, THIRD, up_to
from tests.local.kinesis.shards.shard_reads import at_most, forgotten, gap, numbers

# Where it starts


@pytest.mark.parametrize(("hours", "first"), [(-1, 1), (0, 1), (1, 11), (2, 21), (2.5, 31), (3, 31), (4, 41)])
def test_a_start_in_the_middle_of_a_resharded_history(make, clock, hours, first):
    posts = make()
    steps = [lambda: None, lambda: posts.split(FIRST), lambda: posts.merge(SECOND, THIRD), lambda: posts.split(FOURTH)]
    for hour, step in enumerate(steps):
        clock.now = BEGAN + hour * HOUR
        step()
        posts.put(10)
    clock.now = BEGAN + 5 * HOUR
    reader = posts.reader(start=f"AT_TIMESTAMP {BEGAN + hours * HOUR}")
    taken, place = reader.read(reader.find_first_offsets())
    posts.put(10)
    posts.split(FIFTH)
    posts.put(10)
    more, _ = posts.reader(start=reader.start).read(place)
    assert sorted(numbers(taken)) == up_to(40, first)
    assert sorted(numbers(more)) == up_to(60, 41)


def test_a_start_at_a_time_is_met_to_the_millisecond(make, clock):
    posts = make()
    for _ in range(3):
        posts.put(1)
        clock.now += 0.001
    reader = posts.reader(start=f"AT_TIMESTAMP {BEGAN + 0.001}")
    assert numbers(reader.read(reader.find_first_offsets())[0]) == [2, 3]


def test_a_start_ahead_of_kinesis_is_refused(make):
    posts = make()
    reader = posts.reader(start=f"AT_TIMESTAMP {BEGAN + 60}")
    with pytest.raises(StreamError, match=rf"\Aa start must not be ahead of Kinesis' clock, got {BEGAN + 60}: "):
        reader.read(reader.find_first_offsets())


def test_a_start_at_the_trim_horizon_takes_what_is_left(make, clock):
    posts = make()
    posts.put(10)
    posts.split(FIRST)
    clock.now += 25 * HOUR
    posts.put(10)
    reader = posts.reader()
    first = reader.find_first_offsets()
    assert first == {SECOND: "TRIM_HORIZON", THIRD: "TRIM_HORIZON"}
    assert sorted(numbers(reader.read(first)[0])) == up_to(20, 11)


# Once more, between two places


@pytest.mark.parametrize(("start", "first"), [(0, 1), (7, 8), (19, 20)])
@pytest.mark.parametrize("ended", [False, True])
def test_what_was_read_is_read_again_between_two_places(make, start, first, ended):
    posts = make()
    posts.put(20)
    if ended:
        posts.split(FIRST)
    else:
        posts.put(10)
    place = f"AFTER {posts.sequences[start]}" if start else "TRIM_HORIZON"
    found = list(posts.reader(limits=at_most(6)).read_range(FIRST, place, posts.sequences[20]))
    assert numbers({FIRST: found}) == up_to(20, first)


@pytest.mark.parametrize("start", [0, 7])
@pytest.mark.parametrize("after", [0, 5])
@pytest.mark.parametrize("ended", [False, True])
def test_a_record_that_cannot_be_read_again_is_an_error(make, start, after, ended):
    posts = make()
    posts.put(20)
    until = posts.sequences[20]
    posts.put(after)
    if ended:
        posts.split(FIRST)
    place = f"AFTER {posts.sequences[start]}" if start else "TRIM_HORIZON"
    posts.kinesis.lose("posts", FIRST, until)
    what = forgotten(posts.sequences[7]) if start else f"the record {until} is not there any more"
    if ended and not after:
        what = "the shard is gone"
    with pytest.raises(StreamError, match=gap(FIRST, what)):
        list(posts.reader().read_range(FIRST, place, until))
    assert list(posts.reader(losses=True).read_range(FIRST, place, until)) == []


def test_what_is_left_is_read_again_where_losses_are_allowed(make):
    posts = make()
    posts.put(20)
    posts.kinesis.lose("posts", FIRST, posts.sequences[12])
    place = f"AFTER {posts.sequences[7]}"
    found = list(posts.reader(losses=True).read_range(FIRST, place, posts.sequences[15]))
    assert numbers({FIRST: found}) == [13, 14, 15]
    with pytest.raises(StreamError, match=gap(FIRST, forgotten(posts.sequences[7]))):
        list(posts.reader().read_range(FIRST, place, posts.sequences[15]))


def test_iterators_that_expire_while_it_is_read_again(make):
    posts = make()
    posts.put(20)
    found = []
    for record in posts.reader(limits=at_most(4)).read_range(FIRST, "TRIM_HORIZON", posts.sequences[20]):
        found.append(record)
        posts.kinesis.expire_iterators()
    assert numbers({FIRST: found}) == up_to(20)
