"""Rebuilds: of a landing whose rules or files have changed, and of a stream's raw records."""

import json
import shutil
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from pyspark.sql import Column
from pyspark.sql import functions as F

from pinterest_transforms import cleaning, json_parsing
from pinterest_transforms.entities import GEO, PIN
from pinterest_transforms.json_parsing import NOT_AN_OBJECT, OTHER_KIND, UNUSABLE
from pinterest_transforms.tables import raw_archive, writers
from tests.support.stream_places import SHARD, STREAM, MakeStreams, geo, geo_counts
from tests.support.table_places import Place, counts, dying_before, pin

rejections = json_parsing.rejection_reasons


def forbid(column: str, others: Callable[[], Column] = rejections) -> Callable[[], Column]:
    """Rules that reject one value, too."""
    return lambda: F.when(F.col(column) == "forbidden", F.array(F.lit("forbidden"))).otherwise(others())


def line(key: int, title: str, followers: str) -> str:
    return f'{{"index": {key}, "title": "{title}", "follower_count": "{followers}"}}'


def test_a_rebuild_after_rules_have_changed_and_files_were_joined(place: Place, monkeypatch: pytest.MonkeyPatch):
    stranger = '{"index": 3, "note": "of no kind that was known"}'
    first = [pin(1, "older"), pin(2, "Spam"), stranger, pin(4, "four", follower_count="lots")]
    second = [pin(1, "forbidden"), "rubbish"]
    gone = [place.put(0, pin(6, "by age"), age=90), place.put(200, pin(5, "a"), "[]", pin(4, "a later four"))]
    place.put(10, *first, age=60)
    gone.append(place.put(14, *second))
    place.take()
    assert place.titles() == {1: "forbidden", 2: "Spam", 4: "a later four", 5: "a", 6: "by age"}
    assert [row[4] for row in place.read_quarantine()][:3] == [stranger, "[]", "rubbish"]
    for file in gone:
        file.unlink()
    place.put(10, *first, *second, age=60)

    changed = forbid("title", lambda: F.array_remove(rejections(), OTHER_KIND))
    monkeypatch.setattr(cleaning, "_steps", cleaning._steps.__wrapped__)  # columns are built once a session
    monkeypatch.setitem(PIN.placeholders, "title", (*PIN.placeholders["title"], "Spam"))
    monkeypatch.setattr(json_parsing, "rejection_reasons", changed)
    place.take(rebuild=True)
    assert place.titles() == {1: "older", 2: None, 3: None, 4: "a later four", 5: "a", 6: "by age"}
    assert place.read_quarantine() == [
        ("abc.pin", "rejected", "forbidden", "", '{"index": 1, "title": "forbidden"}', None, "0", 14),
        ("abc.pin", "rejected", NOT_AN_OBJECT, "", "[]", None, "0", 201),
        ("abc.pin", "rejected", NOT_AN_OBJECT, "", "rubbish", None, "0", 15),
        ("abc.pin", "repaired", UNUSABLE, "follower_count", line(4, "four", "lots"), None, "0", 13),
    ]
    assert place.counted() == [
        counts(10, 5, rejected=3, repaired=1, note=1),
        counts(6, 3, rejected=2, repaired=1, note=1),
    ]


def test_a_rebuild_of_a_stream_that_is_killed_goes_on(make_streams: MakeStreams, monkeypatch: pytest.MonkeyPatch):
    """Of changed rules, and with no checkpoint at all: what the stream gives next is a batch of its own."""
    place, row = make_streams(GEO), geo_counts
    at = place.put(geo(1, "older"), geo(2, "Spam"), geo(4, "four", latitude=400), geo(1, "forbidden"), "rubbish")
    place.take()
    numbers = [row(5, 3, rejected=1, repaired=1)]
    assert (place.countries(), place.counted()) == ({1: "forbidden", 2: "Spam", 4: "four"}, numbers)

    monkeypatch.setattr(cleaning, "_steps", cleaning._steps.__wrapped__)
    monkeypatch.setitem(GEO.placeholders, "country", ("Spam",))
    monkeypatch.setattr(json_parsing, "rejection_reasons", forbid("country"))
    shutil.rmtree(place.checkpoint())
    # Of a table that is not empty, where raw records were purged: what was made of those stays.
    raw_archive.record_purge(place.for_entity(GEO), datetime(2020, 1, 1, tzinfo=UTC))
    with dying_before(writers, "write_quarantine"):
        place.take(rebuild=True)
    place.put(geo(5, "new"))
    place.take()  # goes on with the rebuild, though not asked to, and then reads the stream from its start
    assert place.countries() == {1: "older", 2: None, 4: "four", 5: "new"}
    assert place.read_quarantine() == [
        (STREAM, "rejected", "forbidden", "", json.dumps(geo(1, "forbidden")), None, SHARD, at[3]),
        (STREAM, "rejected", NOT_AN_OBJECT, "", "rubbish", None, SHARD, at[4]),
        (STREAM, "repaired", UNUSABLE, "coordinates", json.dumps(geo(4, "four", latitude=400)), None, SHARD, at[2]),
    ]
    assert [position for position, _ in place.raw()][:5] == at
    assert len(place.raw()) == 6
    assert place.counted() == [
        *numbers,
        row(5, 3, rejected=2, repaired=1),
        row(6, 1, rejected=2, repaired=1),
    ]
    assert [len(sources) for sources in place.stored("runs").sort("started")["sources"]] == [1, 0, 1]  # of the stream
    queries = place.stored("runs").select("query_id", "batch_id").rows()
    assert len(set(queries)) == len(queries)
    assert "" not in {query for query, _ in queries}
