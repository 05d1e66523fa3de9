"""The sink's files: what is in one, when it is finished, what it is called."""

import json
from collections import deque

import pytest

from local.stack.s3_sink import PartitionFiles, S3Sink
from local.stack.stack_part import StackError

TOPIC = "abc.pin"


def take(files: PartitionFiles, offsets: range, now: float = 0.0):
    return [done for offset in offsets for done in files.take(TOPIC, 1, offset, b'{"index": %d}' % offset, now)]


def test_a_file_is_finished_at_flush_size_and_named_by_its_first_offset() -> None:
    files = PartitionFiles(3, 0)

    done = take(files, range(50, 57))

    assert [(file.key, file.start, file.next_offset) for file in done] == [
        ("topics/abc.pin/partition=1/abc.pin+1+0000000050.json", 50, 53),
        ("topics/abc.pin/partition=1/abc.pin+1+0000000053.json", 53, 56),
    ]
    assert done[0].body == b'{"index":50}\n{"index":51}\n{"index":52}\n'


def test_the_clock_finishes_what_is_open_so_that_the_last_record_lands() -> None:
    files = PartitionFiles(1_000, 2_000)

    assert take(files, range(2), now=1_000.0) == []
    assert files.pop_due(1_001.9) == []
    assert [file.next_offset for file in files.pop_due(1_002.0)] == [2]
    assert files.pop_due(1_010.0) == []


def test_an_open_file_of_the_last_turn_is_finished_before_the_next_record() -> None:
    files = PartitionFiles(1_000, 2_000)
    take(files, range(2), now=1_000.0)

    assert [(file.start, file.next_offset) for file in take(files, range(2, 3), now=1_003.0)] == [(0, 2)]
    assert [file.start for file in files.pop_due(1_004.0)] == [2]


def test_offsets_with_gaps_and_null_values_are_committed_and_make_no_line() -> None:
    files = PartitionFiles(2, 0)
    files.take(TOPIC, 0, 4, b"1", 0.0)
    files.take(TOPIC, 0, 7, None, 0.0)

    (done,) = files.take(TOPIC, 0, 9, b"2", 0.0)

    assert (done.start, done.next_offset, done.body) == (4, 10, b"1\n2\n")


def test_records_read_again_begin_a_new_file_and_none_is_twice_in_it() -> None:
    files = PartitionFiles(3, 0)
    take(files, range(2))

    (done,) = take(files, range(3))

    assert done.body.count(b"\n") == 3


def test_a_partition_that_is_somebody_elses_leaves_nothing_behind() -> None:
    files = PartitionFiles(3, 1)
    take(files, range(2))

    files.forget(TOPIC, 1)

    assert files.pop_due(9.0) == []


@pytest.mark.parametrize("text", ["a\nb", 'quo"te', "🙂", "Москва", "\u2028", "nbsp\u00a0"])
def test_a_value_is_one_line_whatever_it_holds(text: str) -> None:
    value = json.dumps({"title": text}, indent=2).encode()

    (done,) = PartitionFiles(1, 0).take(TOPIC, 0, 0, value, 0.0)

    assert done.body.count(b"\n") == 1
    assert json.loads(done.body) == {"title": text}


@pytest.mark.parametrize("value", [b"", b"{", b"\xff", b'{"a":1} rubbish', b'"\\ud800"'])
def test_a_value_that_is_no_json_stops_the_sink_with_its_place(value: bytes) -> None:
    with pytest.raises(StackError) as told:
        PartitionFiles(1, 0).take(TOPIC, 2, 33, value, 0.0)

    assert str(told.value) == "a record's value must be JSON, got other bytes in abc.pin-2 at 33"


class _Message:
    def __init__(self, offset: int) -> None:
        self._offset = offset

    def error(self) -> None:
        return None

    def topic(self) -> str:
        return TOPIC

    def partition(self) -> int:
        return 0

    def offset(self) -> int:
        return self._offset

    def value(self) -> bytes:
        return b"%d" % self._offset


class _Consumer:
    def __init__(self, messages: list[_Message], told: list[str]) -> None:
        self._messages, self._told = deque([messages]), told

    def consume(self, *_: object) -> list[_Message]:
        return self._messages.popleft() if self._messages else []

    def commit(self, *, offsets: list, asynchronous: bool) -> None:
        assert not asynchronous
        self._told.append(f"committed {offsets[0].topic}-{offsets[0].partition} up to {offsets[0].offset}")


def test_it_is_committed_only_after_the_object_is_there() -> None:
    told: list[str] = []
    consumer = _Consumer([_Message(offset) for offset in range(5)], told)
    sink = S3Sink(consumer, PartitionFiles(2, 0), lambda key, _: told.append(f"put {key[-15:]}"))

    sink.step()

    assert told == [
        "put 0000000000.json",
        "committed abc.pin-0 up to 2",
        "put 0000000002.json",
        "committed abc.pin-0 up to 4",
    ]
