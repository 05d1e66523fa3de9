"""Any order of arrivals, repeats, kills, lost state and rebuilds gives equal tables, and kills give equal numbers.

Thousands of histories in memory; `tests/ingest/delta` proves that each operation on Delta does what the ones here do.
"""

import os
from collections import Counter
from itertools import product
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from pinterest_transforms.errors import LandingError
from pinterest_transforms.ingest.checkpoint_state import load_state
from tests.ingest.memory_tables import Process, Record, process  # noqa: F401 - a fixture
from tests.ingest.worlds import LandingWorld, StreamWorld, World, check_tables, records

SEARCH = settings(
    max_examples=500,
    deadline=None,
    derandomize=True,
    # `mutations` asks only whether there is a failing history, not for the shortest one.
    phases=[Phase.generate] if "ONLY_SEARCH" in os.environ else list(Phase),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
KEYS = st.integers(0, 2)
LINES = st.lists(records(KEYS), min_size=1, max_size=4)
PART = st.integers(0, 1)
DEATHS = st.lists(st.integers(1, 30), max_size=3)
PUT = st.tuples(st.just("put"), PART, LINES)
LANDING = st.one_of(
    PUT,
    PUT,
    st.tuples(st.just("grow"), PART, LINES),
    st.tuples(st.just("rewrite"), st.integers(0, 5)),
)
STREAM = st.one_of(PUT, PUT)
LOST = st.sampled_from([("lose_checkpoint",)])
LOST_IN_STREAM = st.sampled_from([("lose_checkpoint",), ("forget_commit",), ("forget_batch",)])
RESIZE = st.tuples(st.just("resize"), st.integers(1, 4))
RULES = st.tuples(st.just("change_rules"), st.sampled_from(["good", "rejected"]))
RUN = st.tuples(st.just("run"), st.integers(0, 40), st.booleans())


def act(world: World, event: tuple[object, ...]) -> None:
    name, *given = event
    if name == "run":
        dies_at, rebuild = given
        world.run(dies_at, rebuild=rebuild and dies_at % 3 == 0)
    else:
        getattr(world, name)(*given)


def finished(world: World) -> None:
    if world.needs_rebuild:
        assert world.run(rebuild=True)
        world.needs_rebuild = False
    assert world.run()
    check_tables(world)
    if isinstance(world, StreamWorld):
        places = sorted(record.place for record in world.tables.raw)
        assert places == sorted(record.place for record in world.stream)
        world.check_counts()


def test_other_content_at_a_place_is_counted_once(process: Process):  # noqa: F811
    """A killed batch finds its own rows when it comes again, and a late file takes no offsets back."""
    for dies_at in range(1, 30):
        world = LandingWorld(process)
        for start, keys in ((0, (0, 1, 2)), (10, (3,)), (0, (0, 2, 2)), (10, (4,))):
            world.starts[0] = start
            world.put(0, [Record(0, "", "", key) for key in keys])
            world.run(dies_at)
            assert world.run()
        state = load_state(str(world.checkpoint))
        assert state is not None
        assert state.conflicts == 2
        world.close()


def test_a_file_that_is_gone_after_a_kill_counts_for_nothing(process: Process):  # noqa: F811
    for dies_at in range(1, 30):
        world = LandingWorld(process)
        world.put(0, [Record(0, "", "", key) for key in range(3)])
        world.put(1, [Record(0, "", "")])
        world.run(dies_at)
        begun = not world.tables.runs
        world.remove(0, 0)
        assert world.run()
        assert all(row["read"] == row["merged"] + row["already_there"] for row in world.tables.runs)
        assert all(row["already_there"] >= 0 for row in world.tables.runs)
        assert not begun or world.tables.numbers() == [(1, 1, 0, 0, 0, 0)]
        world.close()


def test_a_file_that_is_gone_since_it_was_listed_is_not_taken_for_ingested(process: Process):  # noqa: F811
    world = LandingWorld(process)
    for partition in (0, 1):
        world.put(partition, [Record(0, "", "")])
    world.landing.max_files = 1
    lines = world.landing.files.pop((0, 0))
    assert world.run()
    check_tables(world)
    world.landing.files[0, 0] = lines
    assert world.run()
    check_tables(world)
    world.close()


def test_a_file_that_cannot_be_ingested_stands_in_the_way_of_a_rebuild_alone(process: Process):  # noqa: F811
    """A rebuild without it would lose what was made of it."""
    world = LandingWorld(process)
    for partition in (0, 1):
        world.put(partition, [Record(0, "", "")])
    unusable = world.landing.why_unusable
    world.landing.why_unusable = lambda path, _: "too large" if "partition=1" in path else ""
    assert world.run()
    assert world.tables.numbers() == [(1, 1, 0, 0, 0, 0)]
    before = (world.clean(), world.tables.numbers(), world.landing.reads)
    for rebuild in (True, False):  # the second run goes on with it
        with pytest.raises(LandingError, match=r"^too large; nothing was read$"):
            world.run(rebuild=rebuild)
    assert (world.clean(), world.tables.numbers(), world.landing.reads) == before
    world.landing.why_unusable = unusable
    assert world.run()
    check_tables(world)
    world.close()


def test_a_killed_batch_goes_on_without_a_file_that_cannot_be_ingested_any_more(process: Process):  # noqa: F811
    for dies_at in range(1, 12):
        world = LandingWorld(process)
        for partition in (0, 1):
            world.put(partition, [Record(0, "", "")])
        world.run(dies_at)
        world.landing.why_unusable = lambda path, _: "too large" if "partition=1" in path else ""
        with patch.object(world.landing, "evaluate", wraps=world.landing.evaluate) as evaluated:
            assert world.run()
        assert [path for call in evaluated.call_args_list for path in call.args[0] if "partition=1" in path] == []
        world.close()


@pytest.mark.parametrize("make", [LandingWorld, StreamWorld])
def test_a_rebuild_of_which_nothing_is_left_empties_the_tables(process: Process, make: type[World]):  # noqa: F811
    world = make(process)
    world.put(0, [Record(0, "", "", 1), Record(0, "", "", 2, "rejected")])
    assert world.run()
    world.change_rules("blank")
    assert world.run(rebuild=True)
    check_tables(world)
    assert (world.clean(), world.quarantine(), world.is_rebuilding()) == ({}, [], False)
    world.close()


def test_a_batch_that_was_begun_before_a_rebuild_is_taken_for_begun_after_it(process: Process):  # noqa: F811
    for dies_at in range(30):
        world = StreamWorld(process)
        world.put(0, [Record(0, "", "", 1), Record(0, "", "", 2, "rejected")])
        world.run(dies_at)
        world.forget_commit()
        assert world.run(rebuild=True)
        finished(world)
        world.close()


def test_a_batch_that_has_grown_is_counted_again(process: Process):  # noqa: F811
    """A checkpoint lost its last offsets: the batch comes again, with more records."""
    world = StreamWorld(process)
    world.put(0, [Record(0, "", "", 1), Record(0, "", "", 2)])
    assert world.run()
    world.forget_batch()
    world.put(0, [Record(0, "", "", 1)])
    finished(world)
    assert world.tables.numbers() == [(3, 3, 0, 0, 0, 0)]
    world.close()


def test_what_arrives_after_a_killed_rebuild_is_merged(process: Process):  # noqa: F811
    """A rebuild replaces rows in its first batch only: a late file is no sign of a topic that was made again."""
    for dies_at in range(1, 30):
        world = LandingWorld(process)
        world.starts[0] = 10
        world.put(0, [Record(0, "", "", key) for key in range(3)])
        assert world.run()
        world.run(dies_at, rebuild=True)
        world.starts[0] = 0
        world.put(0, [Record(0, "", "", 3)])
        assert world.run()
        check_tables(world)
        world.close()


def test_the_oldest_files_are_ingested_first(process: Process):  # noqa: F811
    world = LandingWorld(process)
    world.landing.max_files = 1
    for partition in (1, 0, 1):
        world.put(partition, [Record(0, "", "")])
    assert world.run()
    assert [source.shard for row in world.tables.runs for source in row["ranges"]] == ["1", "0", "1"]
    world.close()


def test_a_rebuild_takes_all_files_at_once(process: Process):  # noqa: F811
    """Rows that its first batch replaces may come of files that only a second one would read."""
    world = LandingWorld(process)
    for _ in range(world.landing.max_files + 1):
        world.put(0, [Record(0, "", "")])
    assert world.run(rebuild=True)
    assert world.numbers() == [0]
    world.close()


def test_a_rebuild_ends(process: Process):  # noqa: F811
    """The run after it takes no more files at once than any other."""
    world = LandingWorld(process)
    world.put(0, [Record(0, "", "")])
    assert world.run(rebuild=True)
    for _ in range(world.landing.max_files + 1):
        world.put(0, [Record(0, "", "")])
    reads = world.landing.reads
    assert world.run()
    assert world.landing.reads == reads + 2
    world.close()


def test_a_killed_rebuild_goes_on_though_its_checkpoint_is_lost(process: Process):  # noqa: F811
    begun: Counter[type[World]] = Counter()
    for make, dies_at in product((LandingWorld, StreamWorld), range(1, 20)):
        world = make(process)
        world.put(0, [Record(0, "", "", key) for key in range(3)])
        assert world.run()
        world.change_rules("rejected")
        world.run(dies_at, rebuild=True)
        if world.is_rebuilding():
            begun[make] += 1
            world.lose_checkpoint()
            assert world.run()
            check_tables(world)
            # Of a stream, the rebuild and the batch that is read again have numbers of their own.
            assert world.numbers() == ([0] if make is LandingWorld else [-1, 0])
        world.close()
    assert min(begun[LandingWorld], begun[StreamWorld]) > 3


@SEARCH
@given(events=st.lists(st.one_of(LANDING, RUN, LOST, RULES), max_size=14))
def test_a_landing_gives_equal_tables_whatever_happens(process: Process, events):  # noqa: F811
    world = LandingWorld(process)
    try:
        for event in events:
            act(world, event)
        finished(world)
        numbers, reads = world.tables.numbers(), world.landing.reads
        finished(world)
        assert (world.tables.numbers(), world.landing.reads) == (numbers, reads)  # nothing is left to do
    finally:
        world.close()


@SEARCH
@given(events=st.lists(st.one_of(STREAM, RUN, LOST_IN_STREAM, RULES, RESIZE), max_size=14))
def test_a_stream_gives_equal_tables_whatever_happens(process: Process, events):  # noqa: F811
    world = StreamWorld(process)
    try:
        for event in events:
            act(world, event)
        finished(world)
    finally:
        world.close()


def compare_with_kills(world: type[World], process: Process, history: list[tuple[object, list[int]]]) -> None:  # noqa: F811
    killed, quiet = world(process), world(process)
    try:
        for arrivals, deaths in history:
            for event in arrivals:
                act(killed, event)
                act(quiet, event)
            for dies_at in deaths:
                killed.run(dies_at)
            assert killed.run()
            assert quiet.run()
            assert killed.tables.numbers() == quiet.tables.numbers()
        assert (killed.clean(), killed.quarantine()) == (quiet.clean(), quiet.quarantine())
    finally:
        killed.close()
        quiet.close()


@SEARCH
@given(history=st.lists(st.tuples(st.lists(LANDING, max_size=4), DEATHS), max_size=4))
def test_kills_do_not_change_what_a_landing_counts(process: Process, history):  # noqa: F811
    compare_with_kills(LandingWorld, process, history)


@SEARCH
@given(history=st.lists(st.tuples(st.lists(STREAM, max_size=4), DEATHS), max_size=4))
def test_kills_do_not_change_what_a_stream_counts(process: Process, history):  # noqa: F811
    compare_with_kills(StreamWorld, process, history)
