"""What a reader of shards gives: all there is, once, and the versions of a key in order; its limits."""

import time

from local.kinesis.shard_reader import Limits
from tests.local.kinesis.kinesis_calls import FIFTH, FIRST, FOURTH, SECOND, SIXTH, THIRD, up_to
from tests.local.kinesis.shards.shard_reads import at_most, in_goes, numbers

# All, once, in order


def test_many_shards_are_read_once(make):
    posts = make(12)
    posts.put(600)
    reader = posts.reader()
    taken, place = reader.read(reader.find_first_offsets())
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
    taken, place = reader.read(reader.find_first_offsets())
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
    first = reader.find_first_offsets()
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
    place, goes, waited = reader.find_first_offsets(), [], 0
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
    taken, place = reader.read(reader.find_first_offsets())
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
    before, place = reader.read(reader.find_first_offsets())
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
    taken, place = reader.read(reader.find_first_offsets())
    assert sorted(numbers(taken)) == up_to(10)
    assert place[FIRST] == "ENDED"


def test_odd_data_comes_through_unchanged(make):
    posts = make()
    odd = [b"", bytes(range(256)), b"\xff\xfe\x00", "№ 1 ✓".encode(), b"x" * (2**20 - 3)]
    for data in odd:
        posts.client.put_record(StreamName="posts", Data=data, PartitionKey="ж/")
    reader = posts.reader()
    taken, _ = reader.read(reader.find_first_offsets())
    assert [(record["PartitionKey"], record["Data"]) for record in taken[FIRST]] == [("ж/", data) for data in odd]


# Limits, and how far it is to the tip


def test_a_go_ends_at_its_limit_of_records(make):
    posts = make()
    posts.put(25)
    reader = posts.reader(limits=at_most(10))
    goes, _ = in_goes(reader, reader.find_first_offsets())
    assert [numbers(taken) for taken in goes] == [up_to(10), up_to(20, 11), up_to(25, 21)]


def test_a_go_ends_at_its_limit_of_bytes(make):
    posts = make()
    posts.put(2, size=2**20 - 5)
    reader = posts.reader(limits=Limits(records=1, bytes=2**40, pause=0))
    assert numbers(reader.read(reader.find_first_offsets())[0]) == [1]
    posts.put(24, size=2**20 - 5)
    reader = posts.reader(limits=Limits(bytes=15 * 2**20, pause=0))
    goes, _ = in_goes(reader, reader.find_first_offsets())
    assert [len(numbers(taken)) for taken in goes] == [20, 6]


def test_a_go_ends_after_its_time(make):
    posts = make()
    posts.put(12)
    reader = posts.reader(limits=Limits(seconds=0))
    first = reader.find_first_offsets()
    assert reader.read(first) == ({}, first)


def test_calls_of_a_shard_keep_their_distance(make):
    posts = make()
    posts.put(12)
    reader = posts.reader(pause=0.05)
    _, place = reader.read(reader.find_first_offsets())
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

    def get_records(self, **request):
        self._calls += 1
        if self._calls % 2:
            return {"Records": [], "NextShardIterator": request["ShardIterator"], "MillisBehindLatest": 5}
        return self._client.get_records(**request)


def test_empty_pages_are_no_end(make):
    posts = make()
    posts.put(20)
    posts.client = Sparse(posts.client)
    reader = posts.reader()
    taken, place = reader.read(reader.find_first_offsets())
    posts.put(5)
    more, after = posts.reader().read(place)
    assert (numbers(taken), numbers(more)) == (up_to(20), up_to(25, 21))
    again = list(posts.reader().read_range(FIRST, place[FIRST], after[FIRST].split()[1]))
    assert again == more[FIRST]
