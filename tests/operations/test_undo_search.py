"""Undoing any run of a random history equals a replay without it. Thousands of histories in memory.

`test_undo` proves on Delta that each effect does what the one here does.
"""

import logging
import os
from contextlib import closing
from dataclasses import dataclass, replace

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from pinterest_transforms.ingest import landing_batches
from pinterest_transforms.ingest.checkpoint_state import load_state
from pinterest_transforms.ingest.landing_files import object_key
from pinterest_transforms.operations.undo_plan import RecordedBatch, UndoPlan, apply_undo, order_batches, plan_undo
from tests.ingest.memory_tables import TOPIC, Killed, Process, Record, Tables, holds, process  # noqa: F401 - a fixture
from tests.ingest.worlds import LandingWorld, StreamWorld, records

SEARCH = settings(
    max_examples=300,
    deadline=None,
    derandomize=True,
    phases=[Phase.generate] if "ONLY_SEARCH" in os.environ else list(Phase),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
PART = st.integers(0, 1)
# A file of blank lines alone leaves no row in `runs`, so that it seems to have been rewritten.
LINES = st.lists(records(st.integers(0, 2)), min_size=1, max_size=4).filter(
    lambda lines: any(line.kind != "blank" for line in lines)
)
PUT = st.tuples(st.just("put"), PART, LINES)
ARRIVALS = st.one_of(
    PUT,
    PUT,
    st.tuples(st.just("grow"), PART, LINES),
    st.tuples(st.just("rewrite"), st.integers(0, 5)),
)
HOW = st.sampled_from(["run", "run", "run", "rebuild", "lose_checkpoint"])
RUNS = st.lists(st.tuples(st.lists(ARRIVALS, max_size=3), HOW), min_size=1, max_size=6)
STREAM_RUNS = st.lists(st.tuples(st.lists(PUT, max_size=3), HOW), min_size=1, max_size=6)
DEATHS = st.lists(st.integers(1, 9), max_size=2)
World = LandingWorld | StreamWorld


@dataclass(frozen=True)
class MemoryUndo:
    """``undo_plan.UndoEffects`` on tables in memory."""

    world: World
    run_id: str
    plan: UndoPlan

    def note_undone(self) -> None:
        with self.world.process.effect():
            self.world.tables.undone += [one for one in self.plan.ranges if one not in self.world.tables.undone]

    def restore_clean(self) -> None:
        tables = self.world.tables
        with self.world.process.effect():
            found = latest(self.world, self.plan)
            keys = [key for key, record in tables.clean.items() if self._goes(record)]
            for key in keys:
                del tables.clean[key]
                if key in found:
                    tables.clean[key] = found[key]

    def remove_quarantined(self) -> None:
        tables = self.world.tables
        with self.world.process.effect():
            tables.quarantine = [(kind, record) for kind, record in tables.quarantine if not self._goes(record)]

    def remove_raw(self) -> None:
        with self.world.process.effect():
            self.world.tables.raw = [record for record in self.world.tables.raw if not self._goes(record)]

    def mark_undone(self) -> None:
        with self.world.process.effect():
            for row in self.world.tables.runs:
                row["undone"] = row["undone"] or row["run_id"] == self.run_id

    def _goes(self, record: Record) -> bool:
        return any(holds(one, record) for one in self.plan.ranges)


def latest(world: World, plan: UndoPlan) -> dict[int, Record]:
    """The latest versions of keys in what is there, without the run's own records."""
    tables, others = world.tables, world.tables.raw
    if isinstance(world, LandingWorld):
        others = [one for lines in world.landing.files.values() for one in lines if one.file in plan.files]
    rows = [tables.evaluate(one) for one in others if not any(holds(gone, one) for gone in plan.ranges)]
    return {record.key: record for record in sorted(rows) if record.usable}


def undo(world: World, run_id: str, dies_at: int = 0) -> bool:
    """Undoes a run; false if it was killed."""
    rows = world.tables.runs
    batches = [RecordedBatch(row["run_id"], row["query_id"], row["ranges"], row["undone"]) for row in rows]
    state = load_state(str(world.checkpoint))
    queries = [*state.earlier_queries, state.query_id]
    # The clock was set back before each new checkpoint.
    batches.sort(key=lambda batch: -queries.index(batch.query_id))
    plan = plan_undo(TOPIC, order_batches(batches, queries), run_id)
    if isinstance(world, LandingWorld):
        listed = world.landing.list_files().records
        assert plan.find_missing({object_key(path, TOPIC): stamp.modified for path, stamp in listed.items()}) == []
    world.process.start(dies_at)
    try:
        apply_undo([MemoryUndo(world, run_id, plan)], lambda: None)
    except Killed:
        return False
    finally:
        world.process.start(0)
    return True


@pytest.fixture(autouse=True)
def _silent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Thousands of warnings about files that were rewritten take longer than what they are about."""
    monkeypatch.setattr(landing_batches, "_LOG", logging.Logger("silent", logging.CRITICAL))


def name_runs(world: World, name: str) -> None:
    (world.landing if isinstance(world, LandingWorld) else world).run_id = name


def take(world: World, how: str) -> None:
    """One run, which may be a rebuild, or read everything again; a rebuild of a stream reads no stream."""
    if how == "lose_checkpoint":
        world.lose_checkpoint()
    if how == "rebuild" and (isinstance(world, LandingWorld) or world.tables.raw):
        assert world.run(rebuild=True)
    if how != "rebuild" or isinstance(world, StreamWorld):
        assert world.run()


def live(world: World, runs: list[tuple[list[tuple[object, ...]], str]]) -> list[list[Record]]:
    """Makes the history happen; gives what came with each run: records of the stream, versions of files."""
    came: list[list[Record]] = []
    known: dict[object, object] = {}
    for number, (arrivals, how) in enumerate(runs):
        for name, *values in arrivals:
            getattr(world, name)(*values)
        name_runs(world, f"run {number}")
        take(world, how)
        if isinstance(world, LandingWorld):
            new = {place: stamp for place, stamp in world.landing.stamps.items() if known.get(place) != stamp}
            known |= new
            came.append([record for place in new for record in world.landing.files[place]])
        else:
            came.append(world.stream[sum(map(len, came)) :])
    name_runs(world, "later")
    return came


def check_replay(world: World, came: list[list[Record]], undone: set[int]) -> None:
    """The tables are what a replay makes of everything that came with the other runs."""
    left = {one.place: one for number, found in enumerate(came) if number not in undone for one in found}
    latest_left = {record.key: record for record in sorted(left.values()) if record.usable}
    assert world.clean() == {key: (one.place, one.text, one.kind) for key, one in latest_left.items()}
    bad = sorted((one.kind, one.place, one.text) for one in left.values() if one.kind in ("rejected", "repaired"))
    assert world.quarantine() == bad
    if isinstance(world, StreamWorld):
        # A blank record of a batch that has no other is of no run.
        kept = sorted(one.place for one in world.tables.raw if one.kind != "blank")
        assert kept == sorted(place for place, one in left.items() if one.kind != "blank")
    named = {f"run {number}" for number in undone}
    assert all(row["undone"] == (row["run_id"] in named) for row in world.tables.runs)


def copied(tables: Tables) -> Tables:
    """The tables, to be changed without changing these."""
    rows = [dict(row) for row in tables.runs]
    changed = {name: value.copy() for name, value in vars(tables).items() if isinstance(value, dict | list)}
    return replace(tables, **{**changed, "runs": rows})


def use(world: World, tables: Tables) -> None:
    world.tables = tables
    if isinstance(world, LandingWorld):
        world.landing.tables = tables


def search(world: World, runs: list[tuple[list[tuple[object, ...]], str]], deaths: list[int], seed: int) -> None:
    """Undoes each run, killed or not, alone and before another one; then one of them, with more runs around it."""
    came = live(world, runs)
    for number in range(len(runs)):
        before = copied(world.tables)
        for undone in ([number], [number, (number + seed) % len(runs)]):
            for one in dict.fromkeys(undone):
                for dies_at in deaths:
                    undo(world, f"run {one}", dies_at)
                assert undo(world, f"run {one}")
            check_replay(world, came, set(undone))
            use(world, copied(before))
    number = seed % len(runs)
    for dies_at in deaths:
        if not undo(world, f"run {number}", dies_at):
            assert world.run()  # the next run comes before the undo is finished
    assert undo(world, f"run {number}")
    for how in ("run", "lose_checkpoint", "rebuild"):
        take(world, how)
        check_replay(world, came, {number})


@SEARCH
@given(runs=RUNS, deaths=DEATHS, seed=st.integers(0, 5))
def test_undoing_any_run_of_a_landing_equals_a_replay_without_it(process: Process, runs, deaths, seed):  # noqa: F811
    with closing(LandingWorld(process)) as world:
        search(world, runs, deaths, seed)


@SEARCH
@given(runs=STREAM_RUNS, deaths=DEATHS, seed=st.integers(0, 5))
def test_undoing_any_run_of_a_stream_equals_a_replay_without_it(process: Process, runs, deaths, seed):  # noqa: F811
    with closing(StreamWorld(process)) as world:
        search(world, runs, deaths, seed)
