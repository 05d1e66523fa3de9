"""The order of a micro-batch's effects, and what a run says and forgets. No Spark."""

from pathlib import Path
from unittest.mock import Mock

import pytest

from pinterest_transforms.ingest import landing_batches, micro_batch
from pinterest_transforms.ingest.checkpoint_state import CheckpointState, load_state
from pinterest_transforms.ingest.ingested_files import IngestedFiles
from pinterest_transforms.ingest.micro_batch import (
    Counts,
    MicroBatch,
    begin_rebuild,
    begin_run,
    process_micro_batch,
    process_stream_batch,
)
from tests.ingest.memory_tables import Process, Record, process  # noqa: F401 - a fixture
from tests.ingest.worlds import LandingWorld


def test_the_effects_of_a_batch_are_in_their_order(monkeypatch: pytest.MonkeyPatch):
    """State before anything is written, raw records before what is made of them, the run's row after all tables."""
    done = Mock()
    done.counts, done.read_clean_version.return_value, done.write_clean.return_value = Counts(3, 3, 1), 0, 2
    monkeypatch.setattr(micro_batch, "flush_to_disk", done.flush_to_disk)
    monkeypatch.setattr(CheckpointState, "save", done.save)
    state = CheckpointState("", has_quarantined=False, progress={"arrived": 9.0})
    begin_run(state, "run")
    for number in (0, 1):
        done.reset_mock()
        process_stream_batch(done, state, MicroBatch("run", number, archive=True))
        order = ["read_clean_version", "save", "archive_raw", "write_quarantine", "write_clean", "append_run"]
        assert [name for name, *_ in done.mock_calls] == [*order, "flush_to_disk", "save"]
    assert [state.progress[name] for name in ("batches", "read", "rejected", "arrived")] == [2, 6, 2, 9]


@pytest.mark.parametrize(
    ("number", "seconds", "archive", "there"),
    [(1, 9.5, True, False), (1, 9, True, True), (0, 9.5, True, True), (1, 9.5, False, True)],
    ids=["later than all that were read", "as late as the last one", "a replay", "a landing"],
)
def test_only_what_may_be_there_is_looked_for(number: int, seconds: float, archive: bool, there: bool):
    effects, state = Mock(), CheckpointState("", before={"0": 3}, has_quarantined=True, progress={"arrived": 9.0})
    effects.counts, effects.read_clean_version.return_value, effects.write_clean.return_value = (
        Counts(2, 2, 1, first_arrival=round(seconds * 1e6)),
        0,
        1,
    )
    state.save = Mock()  # type: ignore[method-assign]
    process_micro_batch(effects, state, MicroBatch("run", number, archive=archive))
    assert [name.kwargs for name in effects.archive_raw.mock_calls] == [{"may_exist": there}] * archive
    effects.write_quarantine.assert_called_once_with(may_exist=there)


def test_a_batch_that_comes_again_leaves_what_is_known_of_a_later_one():
    """A checkpoint that has lost its last notes gives batches 3 to 5 again: 5 had begun at version 7."""
    effects, state = Mock(), CheckpointState("", before={"5": 7})
    effects.counts, effects.read_clean_version.return_value, effects.write_clean.return_value = Counts(1, 1), 9, 1
    state.save = Mock()  # type: ignore[method-assign]
    for number in (3, 4, 5):
        process_micro_batch(effects, state, MicroBatch("run", number))
    assert [call.args for call in effects.write_clean.mock_calls] == [(9,), (9,), (7,)]


def test_a_rebuild_of_a_stream_forgets_what_its_tables_held(tmp_path: Path):
    """Of tables that were made again there is none of the commits that the last run left."""
    state = CheckpointState(f"{tmp_path}.json", tables={"pins": "0"}, commits={"pins": "7:a"}, before={"4": 7})
    begin_rebuild(state, {"pins": "1"})
    assert load_state(str(tmp_path)) == state
    assert (state.tables, state.commits, state.rebuild, state.progress) == ({"pins": "1"}, {}, True, {"begun": 4.0})
    state.before = {"-1": 7}  # killed, and asked for again: the stream's own batch is still the one that was begun
    begin_rebuild(state, {"pins": "1"})
    assert (state.next_batch_id, state.progress) == (-2, {"begun": 4.0})


def test_offsets_that_go_back_are_told_unless_everything_is_read_again(
    process: Process,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
):
    world, log = LandingWorld(process), Mock()
    monkeypatch.setattr(landing_batches, "_LOG", log)
    for start in (10, 0):
        world.starts[0] = start
        world.put(0, [Record(0, "", "")])
        assert world.run()
    [told] = log.warning.call_args_list
    assert told.args[2].startswith("offsets of partition 0 go back from 10 to 0: ")
    world.lose_checkpoint()
    world.landing.state = state = world.open_state(reset=False)
    state.last_offsets = {"0": 10}  # as `ingest_landing` finds them in the clean table
    landing_batches.ingest_listed(world.landing, state, IngestedFiles(str(world.checkpoint)))
    assert (world.landing.reads, log.warning.call_count) == (3, 1)
    world.close()
