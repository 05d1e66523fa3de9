"""A run that was undone, on Delta: as if its records had never come, whatever is killed, rebuilt or read again."""

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


def test_an_undone_run_of_the_batch_leg_never_came(place: Place) -> None:
    """It has a post changed, one new, one repaired, one rejected; a run after it has a later version."""
    place.put(0, pin(1, "a"), pin(2, "b"), "[1]")
    place.take(run_id="first")
    first = place.noted()
    place.put(10, pin(1, CANARY), pin(2, CANARY, follower_count="lots"), f'["{CANARY}"]')
    place.put(13, pin(3, CANARY))
    place.take(run_id="bad")
    with log_lines("json") as lines:
        with dying_before(writers, "restore_clean"):
            undo_run(place, "bad")
        place.put(20, pin(1, "newer"), pin(4, "d"))
        place.take(run_id="later")  # a run comes between
        assert undo_run(place, "bad") == [(2, 1)]
    assert CANARY not in "".join(lines)
    assert place.titles() == {1: "newer", 2: "b", 4: "d"}
    assert place.sources() == {1: ("0", 20), 2: ("0", 1), 4: ("0", 21)}
    assert place.noted() == first
    assert refused(place, "bad") == "run bad was undone before"
    assert refused(place, "no") == f"run must be the run_id of a row of {place.settings.schema}.runs, got 'no'"
    marked = place.stored("runs").sort("started").select("run_id", "undone_at").rows()
    assert [(run, at is not None) for run, at in marked] == [("first", False), ("bad", True), ("later", False)]

    place.put(13, pin(3, "right"), age=-5)  # rewritten: that is another file
    place.take(rebuild=True)
    assert place.titles() == {1: "newer", 2: "b", 3: "right", 4: "d"}
    assert place.sources() == {1: ("0", 20), 2: ("0", 1), 3: ("0", 13), 4: ("0", 21)}
    assert place.noted() == first
    assert [row["read"] for row in place.counted()] == [3, 4, 2, 6]  # what was undone is new to nobody

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
    assert undo_run(place, "later", allow_losses=True) == [(2, 0)]
    assert place.titles() == {2: "b", 3: "right"}


def test_an_undone_run_of_the_stream_leg_never_came(make_streams: MakeStreams) -> None:
    place = make_streams(GEO)
    place.put(geo(1, "a"), geo(2, "b"), "[1]")
    place.take(run_id="first")
    first = place.noted()
    place.put(geo(1, CANARY), geo(2, CANARY, latitude=400), geo(3, CANARY), f'["{CANARY}"]')
    place.take(run_id="bad")
    raw_archive.record_purge(place.spark, place.settings, GEO, datetime(2020, 1, 1, tzinfo=UTC))
    assert refused(place, "bad") == (
        "run bad: 1 keys of streaming-abc-geo may have other versions in raw records from before 2020-01-01, which "
        "were purged; allow_losses makes them of what is left"
    )
    assert undo_run(place, "bad", allow_losses=True) == [(3, 2)]
    assert place.countries() == {1: "a", 2: "b"}
    place.put(geo(1, "newer"), geo(4, "d"))
    place.take(new_checkpoint=True, run_id="later")  # everything comes once more
    assert place.countries() == {1: "newer", 2: "b", 4: "d"}
    assert place.noted() == first
    assert not [data for _, data in place.raw() if CANARY.encode() in data]  # nor would a rebuild bring it back
