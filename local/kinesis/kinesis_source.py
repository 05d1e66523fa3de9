"""``kinesis`` as a streaming source on one machine: the columns and options of the platform's own, over boto3.

The driver's reader reads ahead to find out where a micro-batch ends, since Kinesis does not report it; what it has read
stands in Arrow files until the batch is done, and tasks read those. For a batch that is run again after a death it
reads Kinesis again, between the two places that Spark has kept.
"""

import os
import signal
import tempfile
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, cast

import pyarrow as pa
from pyspark.sql.datasource import DataSource, DataSourceStreamReader, InputPartition
from pyspark.sql.types import StructType

from local.kinesis.arrow_files import FILE_RECORDS, ReadAhead, read_file, write_file
from local.kinesis.kinesis_options import open_client, parse_initial_position, validate_options
from local.kinesis.shard_reader import TRIM_HORIZON, Limits, ShardOffsets, ShardReader, get_sequence_number

if TYPE_CHECKING:
    from mypy_boto3_kinesis.type_defs import RecordTypeDef

SCHEMA = (
    "partitionKey STRING, data BINARY, stream STRING, shardId STRING, sequenceNumber STRING, "
    "approximateArrivalTimestamp TIMESTAMP"
)


class KinesisSource(DataSource):
    """The source as Spark finds it under its name."""

    @classmethod
    def name(cls) -> str:
        """What it is registered as."""
        return "kinesis"

    def schema(self) -> str:
        """The columns of the platform's own source."""
        return SCHEMA

    def streamReader(self, schema: StructType) -> "KinesisReader":  # noqa: N802, ARG002 - Spark's name and signature
        """A reader of the stream that the options name."""
        return KinesisReader(validate_options(self.options))


class KinesisReader(DataSourceStreamReader):
    """Reads one stream in the driver's Python; in each task a copy of it only reads files."""

    def __init__(self, options: dict[str, str]) -> None:
        self._options = options
        self._reader: ShardReader | None = None
        self._first: ShardOffsets | None = None
        self._offsets: ShardOffsets = {}
        self._start = ""
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._executor: ThreadPoolExecutor | None = None
        self._next: Future[ReadAhead] | None = None
        self._read_aheads: list[ReadAhead] = []
        self._files = 0

    def initialOffset(self) -> dict[str, object]:  # noqa: N802 - Spark's name
        """Where a query without a checkpoint begins; the same at every call."""
        if self._first is None:
            self._start = parse_initial_position(self._options["initialposition"])
            self._first = self._offsets = self._shards().find_first_offsets()
        return {"start": self._start, "shards": self._first}

    def latestOffset(self) -> dict[str, object]:  # noqa: N802 - Spark's name
        """Where the next micro-batch ends: reads up to there. Without a checkpoint, Spark calls this first."""
        if not self._start:
            self.initialOffset()
        # A failed read is raised once, then tried again.
        begun, self._next = self._next, None
        ahead = begun.result() if begun else ReadAhead(self._offsets, self._offsets, [])
        if ahead.records < int(self._options["maxrecordsperbatch"]) // 2:
            # What has come while the last batch was worked on belongs to this one, and not to the one after it.
            more = self._read_ahead(ahead.end)
            ahead = ReadAhead(self._offsets, more.end, ahead.files + more.files)
        if ahead.end != self._offsets:
            self._read_aheads.append(ahead)
            self._offsets = ahead.end
        return {"start": self._start, "shards": self._offsets}

    def partitions(self, start: dict[str, object], end: dict[str, object]) -> Sequence[InputPartition]:
        """The tasks of a micro-batch. On a restart Spark first gives the last committed offset as start and end."""
        before, until = cast(ShardOffsets, start["shards"]), cast(ShardOffsets, end["shards"])
        for ahead in self._read_aheads:
            if (ahead.start, ahead.end) == (before, until):
                if until == self._offsets:
                    # While the batch is worked on, the next one is read.
                    self._executor = self._executor or ThreadPoolExecutor(1)
                    self._next = self._next or self._executor.submit(self._read_ahead, until)
                return ahead.plan_tasks()
        self._start, self._offsets = str(end["start"]), until
        self._read_aheads.append(self._read_again(before, until))
        return self._read_aheads[-1].plan_tasks()

    def read(self, partition: InputPartition) -> Iterator[pa.RecordBatch]:
        """The records of a task, as Arrow batches."""
        for file in partition.value:
            yield from read_file(file)

    def commit(self, end: dict[str, object]) -> None:
        """Removes the files of the finished batches."""
        ends = [ahead.end for ahead in self._read_aheads]
        if end["shards"] in ends:
            done = ends.index(cast(ShardOffsets, end["shards"])) + 1
            for ahead in self._read_aheads[:done]:
                for file, _ in ahead.files:
                    Path(file).unlink(missing_ok=True)
            del self._read_aheads[:done]

    def stop(self) -> None:
        """Ends with the query."""
        if self._executor is not None:
            self._executor.shutdown(wait=True, cancel_futures=True)
        if self._folder is not None:
            self._folder.cleanup()
        if _is_main() and signal.getsignal(signal.SIGTERM) == self._handle_sigterm:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)

    def _make_folder(self) -> str:
        """The folder of the files. Spark ends a query's Python by a signal, without a call of ``stop``."""
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="kinesis-", ignore_cleanup_errors=True)
            if _is_main() and signal.getsignal(signal.SIGTERM) == signal.SIG_DFL:
                signal.signal(signal.SIGTERM, self._handle_sigterm)
        return self._folder.name

    def _handle_sigterm(self, number: int, _frame: FrameType | None) -> None:
        """Removes the files, and lets the signal do what it would have done."""
        if self._folder is not None:
            self._folder.cleanup()
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)

    def _shards(self) -> ShardReader:
        if self._reader is None:
            options = self._options
            limits = Limits(records=int(options["maxrecordsperbatch"]), pause=float(options["minfetchperiod"]))
            start = self._start or TRIM_HORIZON
            losses = options["failondataloss"].lower() == "false"
            self._reader = ShardReader(open_client(options), options["streamname"], start, losses, limits)
        return self._reader

    def _read_ahead(self, offsets: ShardOffsets) -> ReadAhead:
        reader = self._shards()
        reader.start = self._start
        files: list[tuple[str, int]] = []
        end = reader.read(offsets, lambda shard, records: files.extend(self._write_files(shard, records)))
        return ReadAhead(offsets, end, files)

    def _read_again(self, before: ShardOffsets, until: ShardOffsets) -> ReadAhead:
        """What stands between two places, by the sequence numbers."""
        files: list[tuple[str, int]] = []
        for shard, at in until.items():
            last = get_sequence_number(at)
            if last != get_sequence_number(before.get(shard, "")):
                records = list(self._shards().read_range(shard, before.get(shard, self._start), last))
                files += self._write_files(shard, records)
        return ReadAhead(before, until, files)

    def _write_files(self, shard: str, records: Sequence["RecordTypeDef"]) -> Iterator[tuple[str, int]]:
        for start in range(0, len(records), FILE_RECORDS):
            some = records[start : start + FILE_RECORDS]
            self._files += 1
            path = str(Path(self._make_folder(), f"{self._files}.arrow"))
            write_file(path, some, self._options["streamname"], shard)
            yield path, len(some)


def _is_main() -> bool:
    return threading.current_thread() is threading.main_thread()
