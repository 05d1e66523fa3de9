"""Which records an undo takes, where histories of a search do not go: rows of an older library, several runs in one."""

from unittest.mock import Mock, call

import pytest

from pinterest_transforms.errors import UndoError
from pinterest_transforms.ingest.micro_batch import RecordRange
from pinterest_transforms.operations.undo_plan import RecordedBatch, UndoPlan, apply_undo, order_batches, plan_undo


def positions(shard: str, first: int, last: int) -> RecordRange:
    return RecordRange(shard, "", f"{first:03d}", f"{last:03d}")


def batch(run_id: str, *ranges: RecordRange, query: str = "q") -> RecordedBatch:
    return RecordedBatch(run_id, query, ranges)


def test_a_run_that_goes_on_after_another_one_owns_what_it_read_itself() -> None:
    batches = [
        batch("a", positions("0", 1, 9), positions("1", 2, 4)),
        batch("a", positions("0", 12, 19)),
        batch("b", positions("0", 20, 25)),
        batch("a", positions("0", 30, 31)),
        batch("c", positions("0", 0, 40), positions("1", 0, 9), query="new"),
    ]
    assert plan_undo("t", batches, "a").ranges == (
        positions("0", 1, 19),
        positions("0", 30, 31),
        positions("1", 2, 4),
    )
    # Read again, by a new checkpoint: what no earlier one had read. Positions between two reads had no record.
    assert plan_undo("t", batches, "c").ranges == (
        positions("0", 0, 0),
        positions("0", 32, 40),
        positions("1", 0, 1),
        positions("1", 5, 9),
    )


def test_a_new_checkpoint_owns_what_stands_before_or_behind_what_others_read() -> None:
    """A batch that a kill has left is read again: what the one before it has read stays read."""
    first, before, behind = positions("0", 10, 19), positions("1", 1, 3), positions("2", 30, 39)
    batches = [
        batch("a", first, positions("1", 10, 19), positions("2", 10, 19)),
        batch("a", positions("0", 12, 15)),
        batch("c", first, before, behind, query="new"),
    ]
    assert plan_undo("t", batches, "a").ranges == (first, positions("1", 10, 19), positions("2", 10, 19))
    assert plan_undo("t", batches, "c").ranges == (before, behind)


def test_two_rebuilds_after_the_clock_was_set_back_come_after_the_run_whose_files_they_read_again() -> None:
    """By their times they would come first, and own what the first run has brought."""
    file = RecordRange("0", "f", "001", "009", arrived=5)
    by_time = [batch("second rebuild", file, query="c"), batch("rebuild", file, query="b"), batch("first", file)]
    for queries in (["q", "b", "c"], ["b", "c"]):  # of a checkpoint that is not known, the order is that of the times
        batches = order_batches(by_time, queries)
        assert [one.run_id for one in batches] == ["first", "rebuild", "second rebuild"]
        assert [plan_undo("t", batches, one.run_id).ranges for one in batches] == [(file,), (), ()]


@pytest.mark.parametrize("run_id", ["old", "first"])
def test_a_run_among_rows_that_do_not_say_what_they_read_is_refused(run_id: str) -> None:
    old = RecordedBatch("old", "q", None)
    batches = [old, batch("first", positions("0", 1, 2), query="new"), batch("next", positions("0", 3, 4), query="new")]
    assert plan_undo("t", batches, "next").ranges == (positions("0", 3, 4),)
    behind_old = [old, batch("before", positions("0", 1, 2)), batch(run_id, positions("0", 3, 4))]  # in one checkpoint
    for given in (batches, [old, batch(run_id, positions("0", 1, 2))], behind_old):
        with pytest.raises(UndoError) as error:
            plan_undo("t", given, run_id)
        assert str(error.value) == (
            f"run {run_id}: runs of t must say which records they have read, got some of an older library version, or "
            "the first one after them: runs after the next rebuild can be undone"
        )


def test_files_that_are_gone_or_were_rewritten_are_missing() -> None:
    files = {name: RecordRange("0", name, "001", "002", arrived=5) for name in ("same", "rewritten", "gone")}
    assert UndoPlan((), files).find_missing({"same": 5, "rewritten": 6}) == [files["rewritten"], files["gone"]]


def test_an_undo_is_noted_before_anything_goes_and_marked_when_answers_are_right() -> None:
    """A run that comes after a kill must not read the records again; one that is marked is never undone again."""
    done = Mock()
    apply_undo([done.one, done.two], done.refresh)
    assert done.mock_calls == [
        *(call.one.note_undone(), call.two.note_undone()),
        *(call.one.restore_clean(), call.one.remove_quarantined(), call.one.remove_raw()),
        *(call.two.restore_clean(), call.two.remove_quarantined(), call.two.remove_raw()),
        *(call.refresh(), call.one.mark_undone(), call.two.mark_undone()),
    ]
