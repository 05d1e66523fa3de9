"""What was read of the shards, in Arrow files, and which task reads what of them."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

import pyarrow as pa
from pyspark.sql.datasource import InputPartition

from local.kinesis.shard_reader import Place, sequence

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
_PIECE = 5_000
"""Records of one piece of a file, at most: a task takes whole pieces."""


@dataclass(frozen=True)
class Piece:
    """Records of one shard behind a place and up to a sequence number: batches of a file, or Kinesis again."""

    shard: str
    start: str
    until: str
    file: str = ""
    batches: tuple[int, ...] = ()


class Pieces(InputPartition):
    """What one task reads."""

    def __init__(self, pieces: Sequence[Piece]) -> None:
        super().__init__(None)
        self.pieces = tuple(pieces)


@dataclass(frozen=True)
class Ahead:
    """What was read between two places: shard, file and the records of each of its batches."""

    start: Place
    end: Place
    files: list[tuple[str, str, list[int]]]

    @property
    def records(self) -> int:
        """How many there are."""
        return sum(sum(sizes) for _, _, sizes in self.files)


class ArrowFile:
    """A file of one shard's records, written as they come.

    Attributes:
        path: where it stands.
        sizes: the records of each of its batches.
    """

    def __init__(self, path: Path, stream: str, shard: str) -> None:
        self.path, self.sizes = path, list[int]()
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
        for start in range(0, len(records), _PIECE):
            some = records[start : start + _PIECE]
            self._writer.write_batch(batch_of(some, self._stream, self._shard))
            self.sizes.append(len(some))


def batches_of(piece: Piece) -> Iterator[pa.RecordBatch]:
    """The records of a piece of a file."""
    with pa.memory_map(piece.file) as source:
        file = pa.ipc.open_file(source)
        yield from (file.get_batch(number) for number in piece.batches)


def tasks_of(done: Ahead) -> list[InputPartition]:
    """The pieces of the files, in as many tasks as there are processors, or in one where that is enough."""
    records = done.records
    each = _SMALL if records <= _SMALL else max(1, records // (os.cpu_count() or 1))
    tasks: list[list[Piece]] = []
    room = 0
    for shard, file, sizes in done.files:
        for number, size in enumerate(sizes):
            if room <= 0:
                tasks.append([])
                room = each
            tasks[-1].append(Piece(shard, done.start.get(shard, ""), sequence(done.end[shard]), file, (number,)))
            room -= size
    return [Pieces(pieces) for pieces in tasks]


def batch_of(records: Sequence["RecordTypeDef"], stream: str, shard: str) -> pa.RecordBatch:
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
