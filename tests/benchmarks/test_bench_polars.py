"""The Polars cleaning is a check of the library's, so it is held against the contract itself."""

import json
from datetime import datetime
from pathlib import Path

import polars as pl
import pytest

from benchmarks.harness.compare import differences
from benchmarks.peers import polars_odd as odd
from benchmarks.peers.polars_clean import clean_topic
from pinterest_transforms.entities import GEO, PIN, USER, Entity
from pinterest_transforms.settings import landing_key


def landed(root: Path, entity: Entity, files: dict[tuple[int, int], list[str | bytes]]) -> Path:
    """A topic's folder with these lines, by partition and start offset."""
    for (partition, offset), lines in files.items():
        file = root / landing_key(f"abc.{entity.name}", partition, offset)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"".join((line if isinstance(line, bytes) else line.encode()) + b"\n" for line in lines))
    return root / "topics" / f"abc.{entity.name}"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("9k", 9000),
        ("1.1k", 1100),
        ("2M", 2_000_000),
        ("1b", 1_000_000_000),
        ("1,234", 1234),
        ("12", 12),
        ("7.0", 7),
        ("3B", None),
        ("lots", None),
        ("1.5", None),
        ("12,34", None),
        ("9 k", None),
        ("-1", None),
    ],
)
def test_follower_counts(tmp_path: Path, text: str, expected: int | None) -> None:
    folder = landed(tmp_path, PIN, {(0, 0): [json.dumps({"index": 1, "follower_count": text})]})
    assert clean_topic(folder, PIN).frame["follower_count"].to_list() == [expected]
    assert odd.followers(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2020-08-28 03:52:47", datetime(2020, 8, 28, 3, 52, 47)),
        ("2020-08-28T03:52:47", datetime(2020, 8, 28, 3, 52, 47)),
        ("2020:08:28 03:52:47", datetime(2020, 8, 28, 3, 52, 47)),
        ("08/28/2020, 03:52:47", datetime(2020, 8, 28, 3, 52, 47)),
        ("2020-08-28T03:52:47.25+01:30", datetime(2020, 8, 28, 2, 22, 47, 250_000)),
        ("2020-08-28T03:52:47Z", datetime(2020, 8, 28, 3, 52, 47)),
        ("03:52:47", None),
        ("2020-02-30 03:52:47", None),
        ("2020-08-28 24:00:00", None),
        ("1899-12-31 23:59:59", None),
        ("2101-01-01 00:00:00", None),
    ],
)
def test_moments(tmp_path: Path, text: str, expected: datetime | None) -> None:
    folder = landed(tmp_path, USER, {(0, 0): [json.dumps({"ind": 1, "first_name": "A", "date_joined": text})]})
    assert clean_topic(folder, USER).frame["date_joined"].to_list() == [expected]
    assert odd.instant(text) == expected


def test_the_latest_position_wins_whatever_the_files_are_called(tmp_path: Path) -> None:
    files = {(0, 9): ['{"ind": 7, "country": "third"}'], (0, 10): ['{"ind": "7", "country": "last"}']}
    first = ['{"ind": 7, "country": "first"}', "", '{"ind": 7.0, "country": "second"}']
    cleaned = clean_topic(landed(tmp_path, GEO, {**files, (0, 0): first}), GEO)
    assert cleaned.frame.select("ind", "country").rows() == [(7, "last")]
    assert (cleaned.lines, cleaned.rejected) == (4, 0)


def test_what_is_no_record_is_rejected(tmp_path: Path) -> None:
    good = '{"ind": 5, "country": " x\u00a0", "latitude": 10, "longitude": 400}'
    bad = ['{"ind": 1, "cou', '{"ind": 1}{"ind": 2}', f"[{good}]", '{"ind": 1, "ind": 1, "country": "a"}', "null", "7"]
    bad += ['{"country": "a"}', '{"ind": -1, "country": "a"}', '{"ind": 7.5, "country": "a"}', '{"ind": 3, "age": 4}']
    bad += ['{"ind": 9223372036854775808, "country": "a"}', f"{good} rest", '{"ind": 4}', '{"ind": 8, "country": b}']
    cleaned = clean_topic(landed(tmp_path, GEO, {(0, 0): [good, *bad, b'{"ind": 6, "country": "\xe3"}']}), GEO)
    assert cleaned.frame.rows() == [(5, "x", None, None)]
    assert (cleaned.lines, cleaned.rejected) == (16, 15)


def test_odd_records_are_kept(tmp_path: Path) -> None:
    lines = [
        '{"index": 1, "title": {"a": "b"}, "category": "art"}',
        '{"index": 2, "title": "a } b", "save_location": "Local save in /data/art"}',
        '{"index" : 3, "title": "[x] \\u00e9", "board": 1}',
        '{"index": 4, "title": null}',
        '{"index": 5, "title": ["x"], "image_src": "Image src error."}',
        '{"index": 6, "title": "No Title Data Available", "description": "\u3000Untitled "}',
    ]
    found = clean_topic(landed(tmp_path, PIN, {(0, 0): lines}), PIN).frame.sort("ind")
    assert found["ind"].to_list() == [1, 2, 3, 4, 5, 6]
    assert found["title"].to_list() == [None, "a } b", "[x] é", None, None, None]
    assert found["save_location"].to_list() == [None, "/data/art", None, None, None, None]
    assert found["image_src"].null_count() == found["description"].null_count() == 6


def test_a_difference_is_seen() -> None:
    right = pl.DataFrame({"ind": [1, 2, 3], "country": ["a", None, "c"]})
    assert differences(right.reverse(), right) == {}
    wrong = pl.DataFrame({"ind": [1, 2, 2, 4], "country": ["b", None, "x", "c"]})
    expected = {"rows more than keys": 1, "keys that only ours has": 1, "keys that only Polars has": 1, "country": 2}
    assert differences(wrong, right) == expected
