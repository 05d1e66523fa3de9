"""Lines of erased posts in files: which they are, and that the place of every other line stays the same."""

import gzip
import os
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pinterest_transforms.ingest.excluded_records import (
    blank_file,
    blank_lines,
    count_lines,
    range_row,
    remove_lines,
    select_overlapping,
)
from pinterest_transforms.ingest.micro_batch import RecordRange


@pytest.mark.parametrize(
    ("line", "is_named"),
    [
        ('{"index": 17}', True),
        ('{"title": "a", "ind":"17"}', True),
        ('{"ind" : 0017.00, "a": 1}', True),
        ('{"a": 1} {"ind": 17}', True),
        ('{"ind": 17', True),
        ('{"ind": 1.7e1}', True),
        ('{"index": 17e0}', True),
        ('{"ind": "+17"}', True),
        ('{"ind": "\u00a0\u300017"}', True),
        (r'{"ind": " \t\u00a0\n17"}', True),
        ('{"ind": 17e1}', False),
        ('{"ind": "-17"}', False),
        pytest.param(f'{{"ind": 17{"0" * 5000}}}', False, id="more digits than Python makes a whole number of"),
        ('{"ind": 170}', False),
        ('{"ind": 117}', False),
        ('{"ind": 17.5}', False),
        ('{"find": 17}', False),
        (r'{"ind": 1, "title": "\"ind\": 17"}', False),
        ("", False),
    ],
)
def test_a_line_is_found_by_the_key_it_names(line: str, is_named: bool) -> None:
    data = line.encode()
    assert blank_lines(data, {17}) == ((b" " * len(data), 1) if is_named else (data, 0))


def test_a_line_names_no_key_that_stands_on_the_next_one() -> None:
    data = b'{"country": "Peru", "ind":\n17}\n{"ind": 1}\n'
    assert blank_lines(data, {17}) == (data, 0)


@given(st.lists(st.tuples(st.integers(0, 5), st.sampled_from(["", "é", "\u2028"]))), st.sets(st.integers(0, 5)))
def test_every_other_line_stays_where_it_was(records: list[tuple[int, str]], keys: set[int]) -> None:
    lines = [f'{{"ind": {key}, "country": "{text}"}}'.encode() for key, text in records]
    data = b"\n".join(lines)
    blanked, count = blank_lines(data, keys)
    gone = [key in keys for key, _ in records]
    assert count == sum(gone)
    assert len(blanked) == len(data)
    after = blanked.split(b"\n") if lines else []
    assert [line if line.strip() else None for line in after] == [
        None if is_gone else line for line, is_gone in zip(lines, gone, strict=True)
    ]


@pytest.mark.parametrize("name", ["a.json", "a.json.gz"])
def test_a_file_of_the_landing_keeps_its_time(tmp_path: Path, name: str) -> None:
    file, content = tmp_path / name, b'{"ind": 17}\n{"ind": 1}\n'
    packed = name.endswith(".gz")
    file.write_bytes(gzip.compress(content) if packed else content)
    os.utime(file, ns=(10**18, 10**18))
    assert (count_lines(file, {17}), blank_file(file, {17}), blank_file(file, {17})) == (1, 1, 0)
    left = gzip.decompress(file.read_bytes()) if packed else file.read_bytes()
    assert left == b'           \n{"ind": 1}\n'
    assert file.stat().st_mtime_ns == 10**18
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_line_of_a_failed_file_goes(tmp_path: Path) -> None:
    file = tmp_path / "failed.jsonl"
    lines = [
        b'{"entity": "pin", "key": null, "reason": "r", "value": {"index": "17", "title": "x"}}\n',
        b'{"ind": 1}\n',
    ]
    file.write_bytes(b"".join(lines))
    assert remove_lines(file, {17}) == 1
    assert file.read_bytes() == lines[1]


def test_a_file_that_is_rewritten_stays_as_private_as_it_was(tmp_path: Path) -> None:
    for change in (blank_file, remove_lines):
        file = tmp_path / "failed.jsonl"
        file.write_bytes(b'{"ind": 17}\n{"ind": 1}\n')
        file.chmod(0o640)
        assert change(file, {17}) == 1
        assert stat.S_IMODE(file.stat().st_mode) == 0o640


def test_a_line_goes_from_the_file_that_a_link_leads_to(tmp_path: Path) -> None:
    file, link = tmp_path / "elsewhere" / "a.json", tmp_path / "a.json"
    file.parent.mkdir()
    file.write_bytes(b'{"ind": 17}\n{"ind": 1}\n')
    link.symlink_to(file)
    assert blank_file(link, {17}) == 1
    assert link.is_symlink()
    assert file.read_bytes() == b'           \n{"ind": 1}\n'


@pytest.mark.parametrize(
    ("shard", "file", "first", "last", "overlaps"),
    [
        ("0", "f", "10", "19", True),
        ("0", "f", "00", "10", True),  # its last record alone
        ("0", "f", "39", "50", True),  # its first one alone
        ("0", "f", "25", "26", True),
        ("0", "f", "00", "09", False),
        ("0", "f", "40", "50", False),
        ("1", "f", "10", "19", False),
        ("0", "g", "10", "19", False),
    ],
)
def test_undone_records_are_looked_for_where_some_may_have_been_read(
    shard: str, file: str, first: str, last: str, overlaps: bool
) -> None:
    undone = RecordRange(shard, file, first, last)
    read = [RecordRange("0", "f", *span) for span in (("20", "39"), ("10", "19"), ("15", "16"))]
    assert select_overlapping([undone], read) == [undone] * overlaps


def test_a_range_of_a_stream_has_neither_a_file_nor_its_time() -> None:
    stream = {"shard": "0", "file": None, "first": "1", "last": "2", "arrived": None}
    assert range_row(RecordRange("0", "", "1", "2")) == stream
    file = {**stream, "file": "f", "arrived": "1970-01-01T00:00:01.000005+00:00"}
    assert range_row(RecordRange("0", "f", "1", "2", 1_000_005)) == file
