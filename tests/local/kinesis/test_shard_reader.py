"""What a reader of shards gives: 1..N, all there, once, and the versions of a key in order."""

import time
from collections import defaultdict
from dataclasses import dataclass, field
from types import SimpleNamespace

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError, EndpointConnectionError

from local.kinesis import shard_reader
from local.kinesis.kinesis_emulator import KinesisEmulator, serve_emulator
from local.kinesis.kinesis_options import open_client, validate_options
from local.kinesis.shard_reader import Limits, ShardReader, is_ended
from pinterest_transforms.errors import StreamError

HOUR = 3600
BEGAN = 1_700_000_000.0
FIRST, SECOND, THIRD, FOURTH, FIFTH, SIXTH = (f"shardId-{n:012d}" for n in range(6))
KEYS = 7


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = BEGAN

    def __call__(self) -> float:
        return self.now


class Listing(ShardReader):
    """A reader that gives what it takes as lists by shard."""

    def read(self, place):
        taken = {}
        after = super().read(place, lambda shard, records: taken.setdefault(shard, []).extend(records))
        return taken, after


@dataclass
class Posts:
    """The stream ``posts``: what is put into it, in numbers from 1 on, and what is done to its shards."""

    kinesis: KinesisEmulator
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


@pytest.fixture(autouse=True)
def waits(monkeypatch):
    """The seconds that the client would have waited between its tries."""
    waited: list[float] = []
    monkeypatch.setattr("botocore.endpoint.time", SimpleNamespace(sleep=waited.append))
    return waited


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def make(clock):
    """Posts by number of shards."""
    with serve_emulator(KinesisEmulator(clock=clock)) as kinesis:

        def made(count: int = 1) -> Posts:
            kinesis.create("posts", count)
            return Posts(kinesis, client_at(kinesis.url))

        yield made


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


def up_to(last: int, first: int = 1) -> list[int]:
    return list(range(first, last + 1))


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
        rf"\Astream posts must still hold what follows the last read, got a gap in {shard}: {what}; "
        r"what lies between may be lost: allow losses by name to go on with what is left\Z"
    )


def forgotten(sequence: str) -> str:
    return f"Kinesis has forgotten the last record that was read, {sequence}"


ANOTHER = r"\Astream posts must be the one that was read before, got another of that name, or none: .*"


# All, once, in order


def test_many_shards_are_read_once(make):
    posts = make(12)
    posts.put(600)
    reader = posts.reader()
    taken, place = reader.read(reader.first_offsets())
    assert sorted(numbers(taken)) == up_to(600)
    assert place == {
        f"shardId-{n:012d}": f"AFTER {taken[f'shardId-{n:012d}'][-1]['SequenceNumber']}"
        if f"shardId-{n:012d}" in taken
        else "TRIM_HORIZON"
        for n in range(12)
    }
    assert reader.read(place) == ({}, place)
    posts.put(10)
    again, place = reader.read(place)
    assert sorted(numbers(again)) == up_to(610, 601)
    assert posts.reader().read(place) == ({}, place)


def test_shards_are_listed_in_pages(make):
    posts = make(7)
    posts.kinesis.page_size = 2
    posts.put(100)
    posts.split(FIRST)
    posts.put(100)
    reader = posts.reader()
    taken, place = reader.read(reader.first_offsets())
    assert sorted(numbers(taken)) == up_to(200)
    assert sorted(place) == [f"shardId-{n:012d}" for n in range(9)]


def test_children_are_read_after_their_parents(make):
    posts = make()
    posts.put(20)
    posts.split(FIRST)
    posts.put(20)
    posts.merge(SECOND, THIRD)
    posts.put(20)
    reader = posts.reader()
    first = reader.first_offsets()
    taken, place = reader.read(first)
    assert first == {FIRST: "TRIM_HORIZON"}
    parent, *children, grandchild = taken
    assert (parent, set(children), grandchild) == (FIRST, {SECOND, THIRD}, FOURTH)
    assert sorted(numbers(taken)) == up_to(60)
    assert place == {
        **{shard: f"ENDED {taken[shard][-1]['SequenceNumber']}" for shard in (FIRST, SECOND, THIRD)},
        FOURTH: f"AFTER {posts.sequences[60]}",
    }


def test_a_child_of_a_merge_waits_for_both_parents(make):
    posts = make(2)
    posts.put(40)
    posts.merge(FIRST, SECOND)
    posts.put(3)
    reader = posts.reader(limits=at_most(4))
    place, goes, waited = reader.first_offsets(), [], 0
    while THIRD not in place:
        waited += any(at.startswith("ENDED") for at in place.values())
        taken, place = reader.read(place)
        goes.append(taken)
    assert [at.split()[0] for at in (place[FIRST], place[SECOND])] == ["ENDED", "ENDED"]
    assert waited > 1
    more, _ = in_goes(reader, place)
    assert sorted(numbers(*goes, *more)) == up_to(43)
    assert [numbers({THIRD: taken[THIRD]}) for taken in [*goes, *more] if THIRD in taken] == [[41, 42, 43]]


def test_shards_are_split_and_merged_in_the_middle_of_reading(make):
    posts = make(2)
    posts.put(60)
    reader = posts.reader(limits=at_most(10))
    taken, place = reader.read(reader.first_offsets())
    posts.split(FIRST)
    posts.put(30)
    more, place = reader.read(place)
    posts.merge(THIRD, FOURTH)
    posts.put(30)
    rest, place = in_goes(reader, place)
    assert 0 < len(numbers(taken, more)) < 60
    assert sorted(numbers(taken, more, *rest)) == up_to(120)
    assert sorted(place) == [FIRST, SECOND, THIRD, FOURTH, FIFTH]


def test_a_stream_that_is_resharded_twice_while_the_reader_is_stopped_is_read_on(make):
    posts = make()
    posts.put(30)
    reader = posts.reader(limits=at_most(10))
    before, place = reader.read(reader.first_offsets())
    posts.split(FIRST)
    posts.put(30)
    posts.split(SECOND)
    posts.put(30)
    posts.merge(THIRD, FIFTH)
    posts.put(30)
    after, place = posts.reader().read(place)
    assert numbers(before) == up_to(10)
    assert sorted(numbers(before, after)) == up_to(120)
    assert [at.split()[0] for at in map(place.get, (FIRST, SECOND, THIRD, FOURTH, FIFTH, SIXTH))] == [
        *("ENDED", "ENDED", "ENDED", "AFTER", "ENDED", "AFTER")
    ]


def test_an_empty_parent_ends_and_its_children_are_read(make):
    posts = make()
    posts.split(FIRST)
    posts.put(10)
    reader = posts.reader()
    taken, place = reader.read(reader.first_offsets())
    assert sorted(numbers(taken)) == up_to(10)
    assert place[FIRST] == "ENDED"


def test_odd_data_comes_through_unchanged(make):
    posts = make()
    odd = [b"", bytes(range(256)), b"\xff\xfe\x00", "№ 1 ✓".encode(), b"x" * (2**20 - 3)]
    for data in odd:
        posts.client.put_record(StreamName="posts", Data=data, PartitionKey="ж/")
    reader = posts.reader()
    taken, _ = reader.read(reader.first_offsets())
    assert [(record["PartitionKey"], record["Data"]) for record in taken[FIRST]] == [("ж/", data) for data in odd]


# Limits, and how far it is to the tip


def test_a_go_ends_at_its_limit_of_records(make):
    posts = make()
    posts.put(25)
    reader = posts.reader(limits=at_most(10))
    goes, _ = in_goes(reader, reader.first_offsets())
    assert [numbers(taken) for taken in goes] == [up_to(10), up_to(20, 11), up_to(25, 21)]


def test_a_go_ends_at_its_limit_of_bytes(make):
    posts = make()
    posts.put(2, size=2**20 - 5)
    reader = posts.reader(limits=Limits(records=1, bytes=2**40, pause=0))
    assert numbers(reader.read(reader.first_offsets())[0]) == [1]
    posts.put(24, size=2**20 - 5)
    reader = posts.reader(limits=Limits(bytes=15 * 2**20, pause=0))
    goes, _ = in_goes(reader, reader.first_offsets())
    assert [len(numbers(taken)) for taken in goes] == [20, 6]


def test_a_go_ends_after_its_time(make):
    posts = make()
    posts.put(12)
    reader = posts.reader(limits=Limits(seconds=0))
    first = reader.first_offsets()
    assert reader.read(first) == ({}, first)


def test_calls_of_a_shard_keep_their_distance(make):
    posts = make()
    posts.put(12)
    reader = posts.reader(pause=0.05)
    _, place = reader.read(reader.first_offsets())
    began = time.monotonic()
    for _ in range(4):
        assert reader.read(place) == ({}, place)
    assert time.monotonic() - began >= 0.15


class Sparse:
    """A client whose pages are empty every other time though more is waiting, as Kinesis' may be."""

    def __init__(self, client) -> None:
        self._client, self._calls = client, 0

    def __getattr__(self, name: str):
        return getattr(self._client, name)

    def get_records(self, **asked):
        self._calls += 1
        if self._calls % 2:
            return {"Records": [], "NextShardIterator": asked["ShardIterator"], "MillisBehindLatest": 5}
        return self._client.get_records(**asked)


def test_empty_pages_are_no_end(make):
    posts = make()
    posts.put(20)
    posts.client = Sparse(posts.client)
    reader = posts.reader()
    taken, place = reader.read(reader.first_offsets())
    posts.put(5)
    more, after = posts.reader().read(place)
    assert (numbers(taken), numbers(more)) == (up_to(20), up_to(25, 21))
    again = list(posts.reader().read_range(FIRST, place[FIRST], after[FIRST].split()[1]))
    assert again == more[FIRST]


# What passes, and what does not


def test_expired_iterators_are_asked_for_again(make):
    posts = make(2)
    posts.put(40)
    reader = posts.reader(limits=at_most(10))
    taken, place = reader.read(reader.first_offsets())
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
    taken, place = reader.read(reader.first_offsets())
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
    taken, _ = reader.read(reader.first_offsets())
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
    taken, place = reader.read(reader.first_offsets())
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
    taken, place = reader.read(reader.first_offsets())
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
    with serve_emulator(KinesisEmulator()) as kinesis:
        url = kinesis.url
    reader = ShardReader(client_at(url), "posts")
    began = time.monotonic()
    with pytest.raises(EndpointConnectionError, match=f'Could not connect to the endpoint URL: "{url}/"'):
        reader.first_offsets()
    assert len(waits) == 7
    assert time.monotonic() - began + sum(waits) < 8
    assert posts.reader().first_offsets() == {FIRST: "TRIM_HORIZON"}


# Retention


def test_a_place_whose_last_record_is_forgotten_is_an_error_unless_losses_are_allowed(make, clock):
    posts = make()
    posts.put(3)
    reader = posts.reader()
    _, place = reader.read(reader.first_offsets())
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
    _, place = reader.read(reader.first_offsets())
    posts.kinesis.lose("posts", FIRST, posts.sequences[2])
    assert numbers(posts.reader().read(place)[0]) == [4, 5]
    posts.kinesis.lose("posts", FIRST, posts.sequences[3])
    with pytest.raises(StreamError, match=gap(FIRST, forgotten(posts.sequences[3]))):
        posts.reader().read(place)


def test_a_stream_with_nothing_left_is_an_error_too(make, clock):
    posts = make()
    posts.put(3)
    reader = posts.reader()
    _, place = reader.read(reader.first_offsets())
    clock.now += 25 * HOUR
    with pytest.raises(StreamError, match=gap(FIRST, forgotten(posts.sequences[3]))):
        posts.reader().read(place)
    assert posts.reader(losses=True).read(place) == ({}, place)


@pytest.mark.parametrize("read_before", [0, 3])
def test_a_shard_that_vanished_is_an_error_unless_losses_are_allowed(make, clock, read_before):
    posts = make()
    posts.put(read_before)
    reader = posts.reader()
    _, place = reader.read(reader.first_offsets())
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
    _, place = reader.read(reader.first_offsets())
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
    _, place = reader.read(reader.first_offsets())
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
    place, goes = reader.first_offsets(), []
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
    kinesis = KinesisEmulator()
    # With the second list of shards a day has gone by.
    kinesis.clock = lambda: BEGAN + (25 * HOUR if kinesis.calls["ListShards"] > 1 else 0)
    with serve_emulator(kinesis):
        kinesis.create("posts")
        posts = Posts(kinesis, client_at(kinesis.url))
        posts.put(5)
        posts.client.split_shard(StreamName="posts", ShardToSplit=FIRST, NewStartingHashKey=str(2**127))
        reader = posts.reader()
        taken, place = reader.read(reader.first_offsets())
        assert (numbers(taken), place[FIRST]) == (up_to(5), f"ENDED {posts.sequences[5]}")
        assert sorted(posts.reader().read(place)[1]) == [SECOND, THIRD]


# Another stream of that name


@pytest.mark.parametrize("losses", [False, True])
@pytest.mark.parametrize("running", [False, True])
def test_a_stream_that_was_made_again_is_an_error_that_says_so(make, losses, running):
    posts = make(2)
    posts.put(20)
    reader = posts.reader(losses=losses)
    _, place = reader.read(reader.first_offsets())
    posts.make_again(2)
    posts.put(20)
    with pytest.raises(StreamError, match=ANOTHER):
        (reader if running else posts.reader(losses=losses)).read(place)


def test_a_stream_that_was_made_again_with_fewer_shards_is_an_error_that_says_so(make):
    posts = make()
    posts.put(20)
    posts.split(FIRST)
    reader = posts.reader()
    _, place = reader.read(reader.first_offsets())
    assert place == {FIRST: f"ENDED {posts.sequences[20]}", SECOND: "TRIM_HORIZON", THIRD: "TRIM_HORIZON"}
    posts.make_again()
    posts.put(20)
    for losses in (False, True):
        with pytest.raises(StreamError, match=f"{ANOTHER}{FIRST} was read to its end and is open"):
            posts.reader(losses=losses).read(place)


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
    taken, place = reader.read(reader.first_offsets())
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
    assert numbers(reader.read(reader.first_offsets())[0]) == [2, 3]


def test_a_start_ahead_of_kinesis_is_refused(make):
    posts = make()
    reader = posts.reader(start=f"AT_TIMESTAMP {BEGAN + 60}")
    with pytest.raises(StreamError, match=rf"\Aa start must not be ahead of Kinesis' clock, got {BEGAN + 60}: "):
        reader.read(reader.first_offsets())


def test_a_start_at_the_trim_horizon_takes_what_is_left(make, clock):
    posts = make()
    posts.put(10)
    posts.split(FIRST)
    clock.now += 25 * HOUR
    posts.put(10)
    reader = posts.reader()
    first = reader.first_offsets()
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
