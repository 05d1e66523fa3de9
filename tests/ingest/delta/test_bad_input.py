"""Bad input never stops a run and never vanishes: everything at once, in folders whose names are odd too.

The landing is inside a folder that looks like one: the last `topics/` counts.
"""

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from pinterest_transforms.ingest import landing
from pinterest_transforms.json_parsing import GIVEN_TWICE, NO_KEY, NOT_AN_OBJECT, NOT_TEXT, OTHER_KIND, UNUSABLE
from pinterest_transforms.operations import summaries
from pinterest_transforms.schemas import SCHEMA_VERSION
from tests.support.log_lines import log_lines
from tests.support.table_places import WORK, Place, counts, pin, write

ODD_NAME = "topics/abc.pin/a [b], 'c' {d} \"e\" %20 ü+日本 *?"
LONG = "x" * 1_000_000
NOT_UTF8 = b'{"index": 4, "title": "caf\xe9 \xff"}'
ODD_LINES = [
    "",
    " \t",
    "[]",
    "5",
    "NaN",
    '{"index": 9',
    '{"index": 9}{"index": 10}',
    pin("11", "eleven"),
    pin(12.0, "twelve"),
    pin(-1, "minus one"),
    pin(None, "none"),
    {"ind": 13, "country": "Peru"},
    pin(14, {"text": "nested"}),
    pin(15, "fifteen", follower_count="lots"),
    pin(16, "sixteen", board="walls"),
    '{"index": 17, "index": 18, "title": "which?"}',
]


@pytest.fixture(scope="module")
def said() -> list[str]:
    """What the run says."""
    return []


@pytest.fixture(scope="module")
def taken(make_place: Callable[..., Place], said: list[str]) -> Place:
    """A place where all of it has been taken, in one run."""
    place = make_place(ODD_NAME, names=WORK)
    place.put(0, pin(1, "one"), pin(2, "two"), end="\r\n")
    place.put(100, "\ufeff" + '{"index": 3, "title": "three"}', end="")
    place.put(200, pin(5, "fünf"), NOT_UTF8, pin(7, "sieben"))
    place.put(300, pin(6, LONG), "y" * 1_000_000)
    place.put(400)
    folder = place.put(600, *ODD_LINES).parent
    write(folder / "extra.json", pin(20, "no offset"), pin(21, "nor here"))
    write(folder / "abc.geo+0+0000000700.json", pin(22, "another topic's name"))
    write(folder / "notes.txt", "not the sink's")
    write(folder / ".abc.pin+0+0000000800.json.tmp", pin(23, "half a file"))
    # checksums of another file, which Hadoop's own file system would compare
    write(folder / ".abc.pin+0+0000000000.json.crc", b"crc\0\0\0\2\0\1\2\3\4", end="")
    write(folder / "abc.pin+0+0000000000.keys.json", "1", "2")
    write(folder.parent / "tombstone/abc.pin+0+0000000900.json", "null")
    packed = "\n".join(map(json.dumps, (pin(30, "packed"), "", pin(31, "three")))).replace('""', "")
    write(folder.parent / "year=2026/hour=10/abc.pin+7+0000000040.json.gz", gzip.compress(packed.encode()), end="")
    (folder.parent / "loop").symlink_to(".")
    assert landing.check_landing(place) == place.settings.landing
    with log_lines() as lines:
        place.take()
    said += lines
    return place


@pytest.mark.usefixtures("taken")
def test_files_that_are_no_records_are_named(said: list[str]):
    assert said == [
        "abc.pin: 3 files are not named <topic>+<partition>+<offset>.json or .json.gz and not taken: "
        "'partition=0/abc.geo+0+0000000700.json', 'partition=0/extra.json', 'partition=0/notes.txt'",
        "abc.pin: 7 new files",
    ]


def test_what_is_usable_is_in_the_clean_table(taken: Place):
    assert taken.titles() == {
        **{1: "one", 2: "two", 3: "three", 5: "fünf", 6: LONG, 7: "sieben"},
        **{11: "eleven", 12: "twelve", 14: None, 15: "fifteen", 16: "sixteen", 30: "packed", 31: "three"},
    }
    assert taken.sources()[3] == ("0", 100)
    assert taken.sources()[16] == ("0", 614)
    assert taken.sources()[31] == ("7", 42)
    sources = dict(taken.stored("pins").select("ind", "_source").rows())
    assert set(sources[16]) == {"shard", "position", "arrived", "file"}
    assert sources[16]["position"] == "614".zfill(20)
    assert sources[16]["file"] == "topics/abc.pin/partition=0/abc.pin+0+0000000600.json"


def test_the_rest_is_in_quarantine_with_every_reason_and_its_text(taken: Place):
    rejected = [
        (NOT_TEXT, NOT_UTF8.decode("utf-8", "replace"), NOT_UTF8, "0", 201),
        (NOT_AN_OBJECT, "y" * 1_000_000, None, "0", 301),
        (NOT_AN_OBJECT, "[]", None, "0", 602),
        (NOT_AN_OBJECT, "5", None, "0", 603),
        (NOT_AN_OBJECT, "NaN", None, "0", 604),
        (NOT_AN_OBJECT, '{"index": 9', None, "0", 605),
        (NOT_AN_OBJECT, '{"index": 9}{"index": 10}', None, "0", 606),
        (NO_KEY, '{"index": -1, "title": "minus one"}', None, "0", 609),
        (NO_KEY, '{"index": null, "title": "none"}', None, "0", 610),
        (OTHER_KIND, '{"ind": 13, "country": "Peru"}', None, "0", 611),
        (GIVEN_TWICE, '{"index": 17, "index": 18, "title": "which?"}', None, "0", 615),
    ]
    repaired = [
        ("title", '{"index": 14, "title": {"text": "nested"}}', None, "0", 612),
        ("follower_count", '{"index": 15, "title": "fifteen", "follower_count": "lots"}', None, "0", 613),
    ]
    wanted = [("abc.pin", "rejected", reason, "", *rest) for reason, *rest in rejected]
    wanted += [("abc.pin", "repaired", UNUSABLE, column, *rest) for column, *rest in repaired]
    assert taken.read_quarantine() == sorted(wanted, key=repr)


def test_every_record_is_counted_once_and_blank_lines_are_none(taken: Place):
    # of the odd line with another kind's field, the field is unknown here
    assert taken.counted() == [counts(24, 13, rejected=11, repaired=2, board=1, country=1)]


def test_a_second_run_reads_nothing_and_changes_nothing(taken: Place):
    before = taken.content()
    taken.take(run_id="again")
    assert taken.content() == before


def test_the_summary_says_what_was_rejected_and_why(taken: Place):
    reasons = [tuple(row) for row in summaries.read_rejected_by_reason(taken).collect()]
    assert reasons[0] == ("abc.pin", NOT_AN_OBJECT, 6)
    assert sum(row[2] for row in reasons) == 11
    unknown = [tuple(row) for row in summaries.read_unknown_fields(taken).collect()]
    assert unknown == [("abc.pin", "board", 1), ("abc.pin", "country", 1)]
    assert [row["read"] for row in summaries.read_runs(taken, "run").collect()] == [24]
    assert summaries.read_runs(taken, "another").collect() == []
    shown = summaries.read_quarantine(taken, "abc.pin").collect()
    assert len(shown) == 13
    assert max(len(row["raw"]) for row in shown) == 200
    assert summaries.read_quarantine(taken, "abc.geo", "abc.pin", limit=3).collect() == shown[:3]
    totals = [tuple(row) for row in summaries.read_quarantine_totals(taken).collect()]
    rejected = [(topic, "rejected", reason, records) for topic, reason, records in reasons]
    assert totals == [*rejected, *(("abc.pin", "repaired", column, 1) for column in ("follower_count", "title"))]


def test_the_summary_says_how_fresh_the_data_is(taken: Place):
    newest = max(path.stat().st_mtime for path in Path(taken.settings.landing).rglob("abc.pin+*.json"))
    each = summaries.read_freshness(taken).collect()
    assert [(one["topic"], one["rows"]) for one in each] == [("abc.pin", 13), ("abc.geo", 0), ("abc.user", 0)]
    assert [one["latest_post"] for one in each] == [None, None, None]
    assert abs(each[0]["latest_arrival"].timestamp() - newest) < 5
    assert [one["latest_arrival"] for one in each[1:]] == [None, None]


def test_the_summary_names_each_table_and_its_versions(taken: Place):
    found = {row["table"]: tuple(row)[1:] for row in summaries.read_versions(taken).collect()}
    assert found == {
        "pins": (13, 1, SCHEMA_VERSION),
        "geolocations": (0, 0, SCHEMA_VERSION),
        "users": (0, 0, SCHEMA_VERSION),
        "quarantine": (13, 1, SCHEMA_VERSION),
        "runs": (1, 1, SCHEMA_VERSION),
    }
