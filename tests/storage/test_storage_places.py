"""Where each line stands: numbers of lines in files that are read in pieces, begin with empty lines, or overlap."""

import pytest
from pyspark.sql import Row
from storage_places import Place, counts, pin

from pinterest_transforms.storage import places

TOPIC = "abc.pin"
FILE = "file:///x/topics/abc.pin/partition={}/abc.pin+{}+{:010d}.json"


def piece(partition: int, start: int, block: int, first: int, lines: int) -> Row:
    return Row(path=FILE.format(partition, partition, start), block=block, first=first, lines=lines)


def test_pieces_of_a_file_are_numbered_one_after_another() -> None:
    tally = [piece(0, 100, 64, 7 << 33, 5), piece(0, 100, 0, 10, 3), piece(1, 0, 0, 13, 4)]
    found = places.pieces(tally, TOPIC)
    firsts = (10, 7 << 33, 13)
    numbers = [(shard, first + delta, lines) for (*_, shard, delta, lines), first in zip(found, firsts, strict=True)]
    assert numbers == [("0", 100, 3), ("0", 103, 5), ("1", 0, 4)]
    assert not places.overlap(found, tally)


@pytest.mark.parametrize(("start", "partition", "expected"), [(102, 0, True), (103, 0, False), (102, 1, False)])
def test_files_overlap_if_two_lines_can_have_one_position(start: int, partition: int, expected: bool) -> None:
    tally = [piece(0, 100, 0, 0, 3), piece(partition, start, 0, 3, 3)]
    assert places.overlap(places.pieces(tally, TOPIC), tally) is expected


def test_a_path_with_escapes_gives_the_objects_key() -> None:
    path = "file:///a%20b/topics/abc.pin/hour=10%3A00%20h/abc.pin+7+0000000000.json.gz"
    tally = [Row(path=path, block=0, first=0, lines=1)]
    key = "topics/abc.pin/hour=10:00 h/abc.pin+7+0000000000.json.gz"
    assert places.pieces(tally, TOPIC)[0][2:4] == (key, "7")


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
    assert [row[7] for row in place.noted()] == [453]
    assert place.counted() == [counts(451, 450, rejected=1)]


def test_where_positions_meet_the_greater_text_wins(place: Place) -> None:
    place.put(0, pin(1, "a"), pin(2, "z"), pin(3, "c"))
    place.put(1, pin(2, "b"), pin(3, "d"))
    place.take()
    assert place.titles() == {1: "a", 2: "z", 3: "d"}
    assert place.counted() == [counts(5, 3)]
