"""kill -9 at any moment, then run again: nothing lost, nothing double. Here a kill is an exception at that moment.

`test_storage_processes` kills real processes.
"""

from collections.abc import Callable

import pytest
from pyspark.errors import StreamingQueryException
from pyspark.sql import functions as F
from storage_places import Killed, Place, counts, dying, pin

from pinterest_transforms import quality
from pinterest_transforms.entities import PIN
from pinterest_transforms.ingest.checkpoint_state import CheckpointState
from pinterest_transforms.ingest.ingested_files import IngestedFiles
from pinterest_transforms.quality import NOT_AN_OBJECT, OTHER_KIND, UNUSABLE
from pinterest_transforms.storage import landing, merging, quarantine

Kill = Callable[..., None]


@pytest.fixture
def kill(monkeypatch: pytest.MonkeyPatch) -> Kill:
    """Runs the work and kills it before or after a step; `when` says which call of it, by its arguments."""

    def run_and_kill(
        place: Place, owner: object, step: str, *, after: bool, when: Callable[..., bool] = lambda *_: True, **how: bool
    ) -> None:
        dies = dying(monkeypatch, owner, step, after=after, when=when)
        with dies, pytest.raises((Killed, StreamingQueryException)):
            place.take(run_id="killed", **how)

    return run_and_kill


def test_killed_at_every_step_and_run_again(place: Place, kill: Kill):
    first = [pin(1, "a"), pin(1, "b"), pin(2, "x", follower_count="lots"), "[]", pin(9, "n", board="walls")]
    place.put(0, *first)
    kill(place, merging, "write_clean", after=True)  # into an empty table
    assert place.titles() == {1: "b", 2: "x", 9: "n"}
    assert place.counted() == []
    place.put(0, *first, pin(10, "grown"))  # the sink has gone on before the next run
    place.take()
    wanted = {1: "b", 2: "x", 9: "n", 10: "grown"}
    assert place.titles() == wanted
    numbers = [counts(6, 4, rejected=1, repaired=1, board=1)]
    assert place.counted() == numbers

    second = [pin(1, "c"), pin(2, "y"), pin(3, "new"), "rubbish", pin(4, "four", follower_count="few"), pin(2, "z")]
    place.put(100, *second)
    kill(place, merging, "newest", after=False)
    kill(place, merging, "write_clean", after=True)
    kill(place, quarantine, "write", after=True)
    assert place.counted() == numbers
    kill(place, landing, "take_batch", after=True)
    kill(place, IngestedFiles, "add", after=True)
    kill(place, CheckpointState, "save", after=False, when=lambda guard: not guard.again)
    place.take()
    wanted |= {1: "c", 2: "z", 3: "new", 4: "four"}
    numbers += [counts(6, 4, rejected=1, repaired=1)]
    noted = [
        ("abc.pin", "rejected", NOT_AN_OBJECT, "", "[]", None, "0", 3),
        ("abc.pin", "rejected", NOT_AN_OBJECT, "", "rubbish", None, "0", 103),
        ("abc.pin", "repaired", UNUSABLE, "follower_count", f"{line(2, 'x', 'lots')}", None, "0", 2),
        ("abc.pin", "repaired", UNUSABLE, "follower_count", f"{line(4, 'four', 'few')}", None, "0", 104),
    ]
    assert (place.titles(), place.counted(), place.noted()) == (wanted, numbers, noted)

    place.put(100, *second, pin(11, "rewritten"))
    kill(place, landing, "take_batch", after=True)
    place.put(0, *first, pin(10, "grown"), pin(12, "meanwhile"))
    place.take()
    wanted |= {11: "rewritten", 12: "meanwhile"}
    numbers += [counts(7, 1, rejected=1, repaired=1), counts(7, 1, rejected=1, repaired=1, board=1)]
    assert (place.titles(), place.counted(), place.noted()) == (wanted, numbers, noted)

    before = place.content()
    place.take()
    assert place.content() == before


def test_what_a_killed_run_began_is_finished_before_anything_new(place: Place, kill: Kill):
    place.put(0, pin(1, "a"))
    place.take()
    place.put(0, pin(1, "a"), pin(2, "grown"))
    kill(place, merging, "write_clean", after=True, when=lambda *given: given[5] is None and bool(place.counted()))
    place.put(100, pin(3, "new"))
    place.take()
    assert place.titles() == {1: "a", 2: "grown", 3: "new"}
    assert place.counted() == [counts(1, 1), counts(2, 1), counts(1, 1)]


def test_a_file_that_is_gone_between_a_kill_and_the_next_run_counts_for_nothing(place: Place, kill: Kill):
    gone = place.put(0, pin(1, "a"), pin(2, "a"), pin(3, "a"))
    place.put(100, pin(4, "a"))
    kill(place, merging, "write_clean", after=True)
    gone.unlink()
    place.take()
    assert place.titles() == {1: "a", 2: "a", 3: "a", 4: "a"}
    assert place.counted() == [counts(1, 1)]


def test_a_rebuild_after_files_were_joined(place: Place, monkeypatch: pytest.MonkeyPatch):
    first, second = [pin(1, "a"), "rubbish"], [pin(2, "forbidden"), "[]"]
    place.put(0, *first)
    joined = place.put(2, *second)
    place.take()
    noted = place.noted()
    joined.unlink()
    place.put(0, *first, *second)
    place.take(rebuild=True)
    assert (place.titles(), place.noted()) == ({1: "a", 2: "forbidden"}, noted)

    rejections = quality.rejection_reasons
    forbidden = F.col("given_title") == "forbidden"
    monkeypatch.setattr(
        quality, "rejection_reasons", lambda: F.when(forbidden, F.array(F.lit("forbidden"))).otherwise(rejections())
    )
    place.put(0, *first, second[0])
    joined = place.put(3, second[1])
    place.take(rebuild=True)
    assert place.titles() == {1: "a"}
    assert len(place.noted()) == 3


def line(key: int, title: str, followers: str) -> str:
    return f'{{"index": {key}, "title": "{title}", "follower_count": "{followers}"}}'


def test_a_rebuild_after_rules_have_changed(place: Place, kill: Kill, monkeypatch: pytest.MonkeyPatch):
    rejections = quality.rejection_reasons
    stranger = '{"index": 3, "note": "of no kind that was known"}'
    place.put(0, pin(1, "older"), pin(2, "Spam"), stranger, pin(4, "four", follower_count="lots"))
    place.put(100, pin(1, "forbidden"), "rubbish")
    gone = place.put(200, pin(5, "of a file that is gone"), "[]", pin(4, "a later four"))
    place.take()
    assert place.titles() == {1: "forbidden", 2: "Spam", 4: "a later four", 5: "of a file that is gone"}
    assert [row[4] for row in place.noted()][:3] == [stranger, "[]", "rubbish"]
    gone.unlink()

    def changed():
        kept = F.array_remove(rejections(), OTHER_KIND)
        return F.when(F.col("given_title") == "forbidden", F.array(F.lit("forbidden"))).otherwise(kept)

    monkeypatch.setitem(PIN.placeholders, "title", (*PIN.placeholders["title"], "Spam"))
    monkeypatch.setattr(quality, "rejection_reasons", changed)
    kill(place, quarantine, "write", after=False, rebuild=True)
    place.take()  # goes on with the rebuild, though not asked to
    assert place.titles() == {1: "older", 2: None, 3: None, 4: "a later four", 5: "of a file that is gone"}
    assert place.noted() == [
        ("abc.pin", "rejected", "forbidden", "", '{"index": 1, "title": "forbidden"}', None, "0", 100),
        ("abc.pin", "rejected", NOT_AN_OBJECT, "", "[]", None, "0", 201),
        ("abc.pin", "rejected", NOT_AN_OBJECT, "", "rubbish", None, "0", 101),
        ("abc.pin", "repaired", UNUSABLE, "follower_count", line(4, "four", "lots"), None, "0", 3),
    ]
    numbers = [counts(9, 4, rejected=3, repaired=1, note=1), counts(6, 3, rejected=2, repaired=1, note=1)]
    assert place.counted() == numbers

    before = place.content()
    place.take()
    assert place.content() == before

    monkeypatch.setattr(quality, "rejection_reasons", lambda: F.array(F.lit("everything")))
    place.take(rebuild=True)
    assert place.titles() == {4: "a later four", 5: "of a file that is gone"}
    assert len(place.noted()) == 7
    assert place.counted() == [*numbers, counts(6, 0, rejected=6, note=1)]
