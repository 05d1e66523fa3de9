"""Records of the shards in Arrow files, and the tasks that read them."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa
from pyspark.sql.datasource import InputPartition

from local.kinesis.shard_reader import ShardOffsets

if TYPE_CHECKING:
    from mypy_boto3_kinesis.type_defs import RecordTypeDef

FILE_RECORDS = 5_000
"""Records of a file, at most: a task takes whole files."""
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


@dataclass(frozen=True)
class ReadAhead:
    """What was read between two places: files, and the records of each."""

    start: ShardOffsets
    end: ShardOffsets
    files: list[tuple[str, int]]

    @property
    def records(self) -> int:
        """How many there are."""
        return sum(size for _, size in self.files)

    def plan_tasks(self) -> list[InputPartition]:
        """The files, in as many tasks as there are processors, or in one where that is enough."""
        tasks = 1 if self.records <= _SMALL else os.cpu_count() or 1
        files = [file for file, _ in self.files]
        return [InputPartition(files[first::tasks]) for first in range(min(tasks, len(files)))]


def write_file(path: str, records: Sequence["RecordTypeDef"], stream: str, shard: str) -> None:
    """Writes records of a shard, in order, in the columns of the source."""
    columns = [
        [record["PartitionKey"] for record in records],
        [record["Data"] for record in records],
        [stream] * len(records),
        [shard] * len(records),
        [record["SequenceNumber"] for record in records],
        [record["ApproximateArrivalTimestamp"] for record in records],
    ]
    arrays = [pa.array(values, field.type) for values, field in zip(columns, _ARROW, strict=True)]
    with pa.OSFile(path, "wb") as sink, pa.ipc.new_file(sink, _ARROW) as writer:
        writer.write_batch(pa.record_batch(arrays, schema=_ARROW))


def read_file(path: str) -> Iterator[pa.RecordBatch]:
    """The records of a file."""
    with pa.memory_map(path) as source:
        yield pa.ipc.open_file(source).get_batch(0)
