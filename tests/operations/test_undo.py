"""A run that was undone, on Delta: as if its records had never come, whatever is killed, rebuilt or read again."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from pyspark.sql import SparkSession

from pinterest_transforms.entities import GEO, PIN
from pinterest_transforms.errors import BusyError, UndoError
from pinterest_transforms.operations import undo
from pinterest_transforms.tables import raw_archive, writers
from pinterest_transforms.tables.locks import entity_lock
from tests.support.log_lines import log_lines
from tests.support.stream_places import MakeStreams, StreamPlace, geo
from tests.support.table_places import Place, dying_before, pin

CANARY = "c4n4ry"


@pytest.fixture(autouse=True)
def _interpreting(interpreted: SparkSession) -> None:
    """Every test here makes many plans of few records."""


def undo_run(place: Place, run_id: str, **how: bool) -> list[tuple[int, int]]:
    """Rows that the run had written, and how many of them another version took the place of."""
    entity = GEO if isinstance(place, StreamPlace) else PIN
    done = undo.undo_run(place.spark, place.settings, [entity], run_id, refresh=False, **how)
    return [(one.keys, one.restored) for one in done]


def refused(place: Place, run_id: str) -> str:
    before = place.content()
    with pytest.raises(UndoError) as error:
        undo_run(place, run_id)
    assert place.content() == before
    return str(error.value)


def content(place: Place) -> tuple[object, ...]:
    return place.rows(), place.sources(), place.noted()


def put(place: Place, *runs: str) -> None:
    """Files of up to three runs: a post changed, one new, one repaired, one rejected in the second; a later version."""
    lines = {
        "first": (0, pin(1, "a"), pin(2, "b"), "[1]"),
        "bad": (10, pin(1, CANARY), pin(2, CANARY, follower_count="lots"), pin(3, CANARY), f'["{CANARY}"]'),
        "later": (20, pin(1, "newer"), pin(4, "d")),
    }
    for run in runs:
        offset, *records = lines[run]
        place.put(offset, *records)


def land(place: Place, *runs: str) -> None:
    for run in runs:
        put(place, run)
        place.take(run_id=run)


def test_an_undone_run_of_the_batch_leg_never_came(make_place: Callable[..., Place]) -> None:
    place, replayed = make_place(), make_place()
    land(place, "first", "bad")
    with log_lines("json") as lines:
        with dying_before(writers, "restore_clean"):
            undo_run(place, "bad")
        land(place, "later")  # a run comes between
        assert undo_run(place, "bad") == [(2, 1)]
    assert CANARY not in "".join(lines)
    put(replayed, "first", "later")
    replayed.take()
    assert content(place) == content(replayed)
    assert refused(place, "bad") == "run bad was undone before"
    assert refused(place, "no") == f"run must be the run_id of a row of {place.settings.schema}.runs, got 'no'"
    marked = place.stored("runs").sort("started").select("run_id", "undone_at").rows()
    assert [(run, at is not None) for run, at in marked] == [("first", False), ("bad", True), ("later", False)]

    place.take(rebuild=True)
    assert content(place) == content(replayed)
    place.put(10, pin(3, "right"), age=-5)  # rewritten: that is another file
    place.take(run_id="again")
    assert place.titles()[3] == "right"
    assert [row["read"] for row in place.counted()] == [3, 4, 2, 5, 1]  # what was undone is new to nobody

    # What is needed must be there.
    with entity_lock(place.settings, PIN), pytest.raises(BusyError):
        undo_run(place, "later")
    file = place.put(0, pin(1, "a"), pin(2, "b"), "[1]", age=-5)
    key = "topics/abc.pin/partition=0/abc.pin+0+0000000000.json"
    # Of the two keys one was new: but who could tell?
    gone = (
        f"run later: 2 keys of abc.pin may have other versions in landing files such as {key}, which are gone or were "
        "rewritten since they were read; allow_losses makes them of what is left"
    )
    assert refused(place, "later") == gone
    file.unlink()
    assert refused(place, "later") == gone
    assert undo_run(place, "later", allow_losses=True) == [(2, 0)]
    assert place.titles() == {2: "b", 3: "right"}


def take_three(place: StreamPlace, *runs: str) -> None:
    lines = {
        "first": (geo(1, "a"), geo(2, "b"), "[1]"),
        "bad": (geo(1, CANARY), geo(2, CANARY, latitude=400), geo(3, CANARY), f'["{CANARY}"]'),
        "later": (geo(1, "newer"), geo(4, "d")),
    }
    for run in runs:
        place.put(*lines[run])
        place.take(run_id=run)


def test_an_undone_run_of_the_stream_leg_never_came(make_streams: MakeStreams) -> None:
    place = make_streams(GEO)
    take_three(place, "first", "bad", "later")
    raw_archive.record_purge(place.spark, place.settings, GEO, datetime(2020, 1, 1, tzinfo=UTC))
    assert refused(place, "bad") == (
        "run bad: 1 keys of streaming-abc-geo may have other versions in raw records from before 2020-01-01, which "
        "were purged; allow_losses makes them of what is left"
    )
    assert undo_run(place, "bad", allow_losses=True) == [(2, 1)]
    first = [row for row in place.noted() if row[4] == "[1]"]

    def check() -> None:
        assert place.countries() == {1: "newer", 2: "b", 4: "d"}
        assert place.noted() == first
        assert not [data for _, data in place.raw() if CANARY.encode() in data]

    check()
    place.take(new_checkpoint=True, run_id="again")  # everything comes once more
    check()
    place.take(rebuild=True, run_id="rebuilt")
    check()
