"""Where each line stands: numbers of lines in files that are read in splits, begin with empty lines, or overlap."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from pyspark.sql import Row

from pinterest_transforms.ingest.landing_reader import can_be_ordered, file_ranges, file_splits, has_overlapping_offsets
from pinterest_transforms.ingest.micro_batch import RecordRange
from tests.support.table_places import Place, counts, pin

TOPIC = "abc.pin"
FILE = "file:///x/topics/abc.pin/partition={}/abc.pin+{}+{:010d}.json"
ARRIVED = datetime(2026, 1, 2, tzinfo=UTC)


def split(partition: int, start: int, block: int, first: int, lines: int) -> Row:
    path = FILE.format(partition, partition, start)
    return Row(path=path, block=block, arrived=ARRIVED, first=first, lines=lines)


def test_splits_of_a_file_are_numbered_one_after_another() -> None:
    tally = [split(0, 100, 64, 7 << 33, 5), split(0, 100, 0, 10, 3), split(1, 0, 0, 13, 4)]
    found = file_splits(tally, TOPIC)
    numbers = [(one.shard, one.first_row, one.position, one.end) for one in found]
    assert numbers == [("0", 10, 100, 103), ("0", 7 << 33, 103, 108), ("1", 13, 0, 4)]
    assert not has_overlapping_offsets(found)
    assert can_be_ordered(found)


def test_files_of_one_object_key_have_one_range() -> None:
    """A landing was copied into its own topic; then the first file grew by a line."""
    inner = FILE.replace("/partition", "/topics/abc.pin/partition").format(0, 0, 5)
    tally = [
        Row(path=FILE.format(0, 0, 5), block=0, arrived=9, first=0, lines=3),
        Row(path=FILE.format(1, 1, 0), block=0, arrived=1, first=3, lines=4),
        Row(path=inner, block=0, arrived=2, first=7, lines=2),
    ]
    found = file_ranges(file_splits(tally, TOPIC))
    keys = [FILE.format(*place).removeprefix("file:///x/") for place in ((0, 0, 5), (1, 1, 0))]
    assert found == [
        RecordRange("0", keys[0], f"{5:020d}", f"{7:020d}", 9),
        RecordRange("1", keys[1], f"{0:020d}", f"{3:020d}", 1),
    ]


@pytest.mark.parametrize(("start", "partition", "expected"), [(102, 0, True), (103, 0, False), (102, 1, False)])
def test_files_overlap_if_two_lines_can_have_one_position(start: int, partition: int, expected: bool) -> None:
    found = file_splits([split(0, 100, 0, 0, 3), split(partition, start, 0, 3, 3)], TOPIC)
    assert has_overlapping_offsets(found) is expected
    assert can_be_ordered(found) is not expected


@pytest.mark.parametrize(("start", "expected"), [(2**62 - 5, True), (2**62 - 4, False)])
def test_an_order_must_fit_a_bigint(start: int, expected: bool) -> None:
    found = file_splits([split(0, 10**17, 0, 0, 3), split(1, 10**17, 0, 3, 3)], TOPIC)
    assert can_be_ordered([replace(one, position=start) for one in found]) is expected


def test_a_path_with_escapes_gives_the_objects_key() -> None:
    path = "file:///a%20b/topics/abc.pin/hour=10%3A00%20h/abc.pin+7+0000000000.json.gz"
    (found,) = file_splits([Row(path=path, block=0, arrived=ARRIVED, first=0, lines=1)], TOPIC)
    key = "topics/abc.pin/hour=10:00 h/abc.pin+7+0000000000.json.gz"
    assert (found.key, found.shard, found.arrived) == (key, "7", ARRIVED)


def test_a_file_that_is_read_in_many_pieces_keeps_its_lines_numbers(place: Place) -> None:
    place.put(50, "", "\r", *(pin(number, "t" * (number % 90)) for number in range(400)), "", "[]")
    place.put(0, *(pin(1000 + number, "x") for number in range(50)))
    limit = "spark.sql.files.maxPartitionBytes"
    before = place.spark.conf.get(limit)
    place.spark.conf.set(limit, "2048")
    try:
        place.take()
    finally:
        place.spark.conf.set(limit, str(before))
    wanted = {number: ("0", 52 + number) for number in range(400)} | {1000 + n: ("0", n) for n in range(50)}
    assert place.sources() == wanted
    assert [row[7] for row in place.read_quarantine()] == [453]
    assert place.counted() == [counts(451, 450, rejected=1)]


def test_where_positions_meet_the_greater_text_wins(place: Place) -> None:
    place.put(0, pin(1, "a"), pin(2, "z"), pin(3, "c"))
    place.put(1, pin(2, "b"), pin(3, "d"))
    place.take()
    assert place.titles() == {1: "a", 2: "z", 3: "d"}
    assert place.counted() == [counts(5, 3)]
