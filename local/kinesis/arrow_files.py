"""Records of the shards in Arrow files, and the tasks that read them."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

import pyarrow as pa
from pyspark.sql.datasource import InputPartition

from local.kinesis.shard_reader import ShardOffsets

if TYPE_CHECKING:
    from mypy_boto3_kinesis.type_defs import RecordTypeDef

_ARROW = pa.schema(
    [
        ("partitionKey", pa.string()),
        ("data", pa.binary()),
        ("stream", pa.string()),
        ("shardId", pa.string()),
        ("sequenceNumber", pa.string()),
        ("approximateArrivalTimestamp", pa.timestamp("us", tz="UTC")),
    ]
)
_SMALL = 2_000
"""So many records are not worth a second task."""
_BATCH_RECORDS = 5_000
"""Records of one piece of a file, at most: a task takes whole pieces."""


@dataclass(frozen=True)
class RecordRange:
    """Some batches of a file."""

    file: str
    batches: tuple[int, ...]


class KinesisInputPartition(InputPartition):
    """The records that one task reads."""

    def __init__(self, ranges: Sequence[RecordRange]) -> None:
        super().__init__(None)
        self.ranges = tuple(ranges)


@dataclass(frozen=True)
class ReadAhead:
    """What was read between two places: files, and the records of each of their batches."""

    start: ShardOffsets
    end: ShardOffsets
    files: list[tuple[str, list[int]]]

    @property
    def records(self) -> int:
        """How many there are."""
        return sum(sum(batch_sizes) for _, batch_sizes in self.files)


class ArrowFile:
    """A file of one shard's records, written as they come.

    Attributes:
        path: where it stands.
        batch_sizes: the records of each of its batches.
    """

    def __init__(self, path: Path, stream: str, shard: str) -> None:
        self.path, self.batch_sizes = path, list[int]()
        self._stream, self._shard = stream, shard
        self._sink = pa.OSFile(str(path), "wb")
        self._writer = pa.ipc.new_file(self._sink, _ARROW)

    def __enter__(self) -> "ArrowFile":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._writer.close()
        self._sink.close()

    def add(self, records: Sequence["RecordTypeDef"]) -> None:
        """Writes records, in order."""
        for start in range(0, len(records), _BATCH_RECORDS):
            some = records[start : start + _BATCH_RECORDS]
            self._writer.write_batch(build_batch(some, self._stream, self._shard))
            self.batch_sizes.append(len(some))


def read_batches(record_range: RecordRange) -> Iterator[pa.RecordBatch]:
    """The records of a piece of a file."""
    with pa.memory_map(record_range.file) as source:
        file = pa.ipc.open_file(source)
        yield from (file.get_batch(number) for number in record_range.batches)


def plan_tasks(done: ReadAhead) -> list[InputPartition]:
    """The pieces of the files, in as many tasks as there are processors, or in one where that is enough."""
    records = done.records
    each = _SMALL if records <= _SMALL else max(1, records // (os.cpu_count() or 1))
    tasks: list[list[RecordRange]] = []
    room = 0
    for file, batch_sizes in done.files:
        for number, size in enumerate(batch_sizes):
            if room <= 0:
                tasks.append([])
                room = each
            tasks[-1].append(RecordRange(file, (number,)))
            room -= size
    return [KinesisInputPartition(ranges) for ranges in tasks]


def build_batch(records: Sequence["RecordTypeDef"], stream: str, shard: str) -> pa.RecordBatch:
    """Records of a shard in the columns of the source."""
    columns = [
        [record["PartitionKey"] for record in records],
        [record["Data"] for record in records],
        [stream] * len(records),
        [shard] * len(records),
        [record["SequenceNumber"] for record in records],
        [record["ApproximateArrivalTimestamp"] for record in records],
    ]
    return pa.record_batch(
        [pa.array(values, field.type) for values, field in zip(columns, _ARROW, strict=True)], schema=_ARROW
    )
