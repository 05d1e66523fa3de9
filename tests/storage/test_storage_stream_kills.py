"""kill -9 at any moment of a stream's micro-batch, and what a checkpoint may lose: nothing lost, nothing double.

Here a kill is an exception at that moment.
"""

import json
import shutil
import time
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from pyspark.sql import functions as F
from storage_places import Killed, counts, dying
from stream_places import (  # noqa: F401 - three are fixtures
    SHARD,
    STREAM,
    MakeStreams,
    StreamPlace,
    geo,
    made_streams,
    made_tables,
    stream_place,
)

from pinterest_transforms import quality
from pinterest_transforms.entities import GEO
from pinterest_transforms.errors import StreamError
from pinterest_transforms.ingest.checkpoint_state import CheckpointState
from pinterest_transforms.quality import NOT_AN_OBJECT, UNUSABLE
from pinterest_transforms.storage import batches, merging, quarantine, raw

Kill = Callable[..., None]


@pytest.fixture
def kill(monkeypatch: pytest.MonkeyPatch) -> Kill:
    """Runs the work and kills it before or after a step; `when` says which call of it, by its arguments."""

    def run_and_kill(
        place: StreamPlace,
        owner: object,
        step: str,
        *,
        after: bool,
        when: Callable[..., bool] = lambda *_: True,
        **how: object,
    ) -> None:
        dies = dying(monkeypatch, owner, step, after=after, when=when)
        with dies, pytest.raises((Killed, StreamError)) as error:
            place.take(run_id="killed", **how)
        assert Killed in (type(error.value), type(error.value.__cause__))

    return run_and_kill


def is_last(guard: CheckpointState) -> bool:
    """True where a micro-batch saves its guard at its end."""
    return bool(guard.seen.get("read"))


def rejected(raw_text: str, position: int, reason: str = NOT_AN_OBJECT) -> tuple[object, ...]:
    return (STREAM, "rejected", reason, "", raw_text, None, SHARD, position)


def repaired(record: dict[str, object], position: int) -> tuple[object, ...]:
    return (STREAM, "repaired", UNUSABLE, "coordinates", json.dumps(record), None, SHARD, position)


def row(read: int, merged: int, rejected: int = 0, repaired: int = 0, **unknown: int) -> dict[str, object]:
    return counts(read, merged, rejected, repaired, STREAM, **unknown)


def test_killed_at_every_step_and_run_again(place: StreamPlace, kill: Kill):
    bad = geo(2, "x", latitude=400)
    first = [geo(1, "a"), geo(1, "b"), bad, "[]", geo(9, "n", board="walls")]
    at = place.put(*first)
    kill(place, raw, "keep", after=False)
    assert (place.raw(), place.rows(), place.noted(), place.counted()) == ([], {}, [], [])
    kill(place, raw, "keep", after=True)
    assert [position for position, _ in place.raw()] == at
    kill(place, merging, "write_clean", after=True)  # into an empty table
    assert place.countries() == {1: "b", 2: "x", 9: "n"}
    at += place.put(geo(10, "meanwhile"))  # the batch in hand ends before it
    kill(place, batches, "_write_run", after=False)
    assert place.counted() == []
    place.take()
    numbers = [row(5, 3, rejected=1, repaired=1, board=1), row(1, 1)]
    noted = [rejected("[]", at[3]), repaired(bad, at[2])]
    assert [position for position, _ in place.raw()] == at
    assert place.countries() == {1: "b", 2: "x", 9: "n", 10: "meanwhile"}
    assert (place.counted(), place.noted()) == (numbers, noted)

    worse = geo(4, "four", latitude=-400)
    at += place.put(geo(1, "c"), geo(2, "y"), geo(3, "new"), "rubbish", worse)
    kill(place, quarantine, "write", after=True)
    kill(place, batches, "_write_run", after=True)
    kill(place, CheckpointState, "save", after=True, when=is_last)
    place.take()
    assert [position for position, _ in place.raw()] == at
    assert place.countries() == {1: "c", 2: "y", 3: "new", 4: "four", 9: "n", 10: "meanwhile"}
    assert place.counted() == [*numbers, row(5, 4, rejected=1, repaired=1)]
    assert place.noted() == sorted([*noted, rejected("rubbish", at[9]), repaired(worse, at[10])], key=repr)


def test_a_checkpoint_that_has_lost_what_it_said_last(place: StreamPlace):
    at = place.put(geo(1, "a"), "[]", geo(1, "b"), geo(2, "x", latitude=400))
    place.take()
    everything, numbers = place.everything(), [row(4, 2, rejected=1, repaired=1)]
    assert place.countries() == {1: "b", 2: "x"}
    place.forget_last("commits")
    place.take()
    assert (place.everything(), place.counted()) == (everything, numbers)

    place.forget_last("commits", "offsets")
    at += place.put(geo(1, "c"), "rubbish", geo(3, "new"))
    place.take()
    assert [position for position, _ in place.raw()] == at
    assert place.countries() == {1: "c", 2: "x", 3: "new"}
    assert place.sources() == {1: (SHARD, at[4]), 2: (SHARD, at[3]), 3: (SHARD, at[6])}
    assert [noted[4] for noted in place.noted() if noted[1] == "rejected"] == ["[]", "rubbish"]
    assert len(place.noted()) == 3
    assert place.counted() == [row(7, 4, rejected=2, repaired=1)]  # the batch, with what it has more than before


def test_a_checkpoint_that_is_gone(place: StreamPlace):
    at = place.put(geo(1, "a"), "[]", geo(1, "b"))
    place.take()
    (_, source), arrived = place.raw()[-1], place.stored("abc_raw_table")["_source"].to_list()[-1]["arrived"]
    assert source == json.dumps(geo(1, "b")).encode()
    everything = place.everything()
    shutil.rmtree(place.checkpoint())
    with pytest.raises(StreamError) as error:
        place.take(initial_position="latest")
    assert str(error.value) == (
        f"stream {STREAM} has no checkpoint, and was read up to {arrived.isoformat(timespec='seconds')}: the initial "
        "position must be trim_horizon, got latest; allow_losses passes over what lies between"
    )
    place.put(geo(1, "later"))
    everything_then = place.everything()
    place.take(initial_position="latest", allow_losses=True)  # passes over it
    assert everything == everything_then == place.everything()
    assert place.counted() == [row(3, 1, rejected=1)]

    at += place.put(geo(2, "after it began"))
    place.take(initial_position="latest")  # has a checkpoint again
    assert place.countries() == {1: "b", 2: "after it began"}
    shutil.rmtree(place.checkpoint())
    place.take()  # finds what was passed over, and what is there
    assert place.countries() == {1: "later", 2: "after it began"}
    assert len(place.raw()) == 5
    assert place.noted() == [rejected("[]", at[1])]
    assert place.counted() == [row(3, 1, rejected=1), row(1, 1), row(5, 1, rejected=1)]


def test_a_checkpoint_that_is_gone_for_longer_than_the_stream_keeps_records(make_streams: MakeStreams):
    began, moved = time.time() - 30 * 3600, [0.0]
    place = make_streams(clock=lambda: began + moved[0])
    place.put(geo(1, "a"))
    place.take()
    everything = place.everything()
    moved[0] = 30 * 3600
    shutil.rmtree(place.checkpoint())
    place.put(geo(2, "b"))
    with pytest.raises(StreamError) as error:
        place.take()
    said = datetime.fromtimestamp(began, UTC).isoformat(timespec="seconds")
    assert str(error.value) == (
        f"stream {STREAM} must still hold what follows the last read of {said}, got records of the last 24 hours: "
        "what lies between may be lost; allow_losses goes on with what is left"
    )
    assert place.everything() == everything


def test_a_rebuild_after_rules_have_changed(place: StreamPlace, kill: Kill, monkeypatch: pytest.MonkeyPatch):
    rejections = quality.rejection_reasons
    at = place.put(geo(1, "older"), geo(2, "Spam"), geo(4, "four", latitude=400))
    place.take()
    at += place.put(geo(1, "forbidden"), "rubbish")
    kill(place, batches, "_write_run", after=True)  # kept, noted and counted; Spark does not know
    numbers = [row(3, 3, repaired=1), row(2, 1, rejected=1)]
    assert (place.countries(), place.counted()) == ({1: "forbidden", 2: "Spam", 4: "four"}, numbers)

    def changed():
        forbidden = F.col("given_country") == "forbidden"
        return F.when(forbidden, F.array(F.lit("forbidden"))).otherwise(rejections())

    monkeypatch.setitem(GEO.placeholders, "country", ("Spam",))
    monkeypatch.setattr(quality, "rejection_reasons", changed)
    kill(place, quarantine, "write", after=False, rebuild=True)
    place.take()  # goes on with the rebuild, though not asked to, and then with the batch that was killed
    everything = place.everything()
    assert place.countries() == {1: "older", 2: None, 4: "four"}
    noted = [
        rejected(json.dumps(geo(1, "forbidden")), at[3], "forbidden"),
        rejected("rubbish", at[4]),
        repaired(geo(4, "four", latitude=400), at[2]),
    ]
    assert place.noted() == noted
    assert [position for position, _ in place.raw()] == at
    numbers.append(row(5, 3, rejected=2, repaired=1))
    assert place.counted() == numbers

    # With no checkpoint at all, and killed: what the stream gives next is a batch of its own.
    shutil.rmtree(place.checkpoint())
    kill(place, quarantine, "write", after=False, rebuild=True)
    place.put(geo(5, "new"))
    place.take()
    assert place.countries() == {1: "older", 2: None, 4: "four", 5: "new"}
    assert (place.noted(), len(place.raw())) == (noted, 6)
    assert place.counted() == [*numbers, row(5, 3, rejected=2, repaired=1), row(6, 1, rejected=2, repaired=1)]
    assert everything[2] == place.raw()[:5]
    queries = place.stored("runs").select("query_id", "batch_id").rows()
    assert len(set(queries)) == len(queries)
    assert "" not in {query for query, _ in queries}
