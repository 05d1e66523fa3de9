"""``kinesis`` as a streaming source on one machine: the columns and options of the platform's own, over boto3.

The driver's reader reads ahead to find out where a micro-batch ends, since Kinesis does not say; what it has read
stands in Arrow files until the batch is done, and tasks read those. A batch that is run again after a death reads
Kinesis again, between the two places that Spark has kept.
"""

import contextlib
import json
import os
import re
import signal
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, cast

import pyarrow as pa
from pyspark.sql.datasource import DataSource, DataSourceStreamReader, InputPartition
from pyspark.sql.types import StructType

from local.shards import AT_TIMESTAMP, TRIM_HORIZON, Limits, Place, ShardReader, sequence
from pinterest_transforms.errors import StreamError

if TYPE_CHECKING:
    from mypy_boto3_kinesis import KinesisClient
    from mypy_boto3_kinesis.type_defs import RecordTypeDef

SCHEMA = (
    "partitionKey STRING, data BINARY, stream STRING, shardId STRING, sequenceNumber STRING, "
    "approximateArrivalTimestamp TIMESTAMP"
)
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
"""Records that one task takes at least, and that are one piece of a file."""
_OPTIONS = {
    "streamname": "",
    "initialposition": "latest",
    "region": "",
    "endpoint": "",
    "awsaccesskey": "",
    "awssecretkey": "",
    "failondataloss": "true",
    "maxrecordsperbatch": "100000",
    "minfetchperiod": "0.2",
}


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
        return KinesisReader(checked_options(self.options))


def checked_options(given: Mapping[str, str]) -> dict[str, str]:
    """Every option by its lower-case name, the ones not given with their defaults.

    Raises:
        StreamError: one is not known here, or cannot be used.
    """
    names = {name.lower(): value for name, value in given.items()}
    if "servicecredential" in names:
        raise StreamError("serviceCredential must be left out on one machine: credentials are what boto3 finds")
    unknown = sorted(set(names) - set(_OPTIONS))
    if unknown:
        raise StreamError(f"options of kinesis must be among {', '.join(_OPTIONS)}, got {', '.join(unknown)}")
    options = {**_OPTIONS, **names}
    if not options["streamname"] or "," in options["streamname"]:
        raise StreamError(f"streamName must be the name of one stream, got {options['streamname']!r}")
    if not re.fullmatch(r"[1-9][0-9]{0,8}", options["maxrecordsperbatch"]):
        raise StreamError(f"maxRecordsPerBatch must be a whole number from 1 on, got {options['maxrecordsperbatch']!r}")
    if not re.fullmatch(r"[0-9]{1,4}(\.[0-9]+)?", options["minfetchperiod"]):
        raise StreamError(f"minFetchPeriod must be seconds, got {options['minfetchperiod']!r}")
    if options["failondataloss"].lower() not in ("true", "false"):
        raise StreamError(f"failOnDataLoss must be true or false, got {options['failondataloss']!r}")
    start_of(options["initialposition"])
    return options


def start_of(position: str) -> str:
    """An initial position as a place in a shard. ``latest`` is from now on.

    Raises:
        StreamError: it is none.
    """
    if position.lower() in ("trim_horizon", "earliest"):
        return TRIM_HORIZON
    if position.lower() == "latest":
        return f"{AT_TIMESTAMP} {datetime.now(UTC).timestamp()}"
    with contextlib.suppress(ValueError, KeyError, TypeError):
        found = json.loads(position)
        if found["format"] == "yyyy-MM-dd HH:mm:ss ZZZ":
            return f"{AT_TIMESTAMP} {datetime.strptime(found['at_timestamp'], '%Y-%m-%d %H:%M:%S %z').timestamp()}"
    raise StreamError(
        "initialPosition must be latest, trim_horizon, earliest or "
        '{"at_timestamp": "2026-01-31 12:00:00 +0000", "format": "yyyy-MM-dd HH:mm:ss ZZZ"}, got ' + repr(position)
    )


def client_of(options: Mapping[str, str]) -> "KinesisClient":
    """A client that repeats what is throttled or fails, with waits that grow."""
    import boto3  # noqa: PLC0415 - half a second to import, in every task
    from botocore.config import Config  # noqa: PLC0415

    patient = Config(
        retries={"mode": "standard", "total_max_attempts": 8},
        connect_timeout=5,
        read_timeout=30,
        max_pool_connections=16,
    )
    keys = {"aws_access_key_id": options["awsaccesskey"], "aws_secret_access_key": options["awssecretkey"]}
    named = {"region_name": options["region"], "endpoint_url": options["endpoint"], **keys}
    given = {name: value for name, value in named.items() if value}
    return boto3.client("kinesis", config=patient, **given)  # type: ignore[call-overload, no-any-return]


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
class _Ahead:
    """What was read between two places: shard, file and the records of each of its batches."""

    start: Place
    end: Place
    files: list[tuple[str, str, list[int]]]

    @property
    def records(self) -> int:
        """How many there are."""
        return sum(sum(sizes) for _, _, sizes in self.files)


class KinesisReader(DataSourceStreamReader):
    """Reads one stream; lives in the driver's Python, and a copy without state in each task's."""

    def __init__(self, options: dict[str, str]) -> None:
        self._options = options
        self._reader: ShardReader | None = None
        self._first: Place | None = None
        self._place: Place = {}
        self._begins = ""
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._beside: ThreadPoolExecutor | None = None
        self._next: Future[_Ahead] | None = None
        self._aheads: list[_Ahead] = []
        self._files = 0

    def initialOffset(self) -> dict[str, object]:  # noqa: N802 - Spark's name
        """Where a query without a checkpoint begins; the same however often it is asked."""
        if self._first is None:
            self._begins = start_of(self._options["initialposition"])
            self._first = self._place = self._shards().first()
        return {"start": self._begins, "shards": self._first}

    def latestOffset(self) -> dict[str, object]:  # noqa: N802 - Spark's name
        """Where the next micro-batch ends: reads up to there. Without a checkpoint, Spark asks for this first."""
        if not self._begins:
            self.initialOffset()
        # One that failed is told of once; after that, it is read again.
        begun, self._next = self._next, None
        ahead = begun.result() if begun else _Ahead(self._place, self._place, [])
        if ahead.records < int(self._options["maxrecordsperbatch"]) // 2:
            # What has come while the last batch was worked on belongs to this one, and not to the one after it.
            more = self._read_ahead(ahead.end)
            ahead = _Ahead(self._place, more.end, ahead.files + more.files)
        if ahead.end != self._place:
            self._aheads.append(ahead)
            self._place = ahead.end
        return {"start": self._begins, "shards": self._place}

    def partitions(self, start: dict[str, object], end: dict[str, object]) -> Sequence[InputPartition]:
        """The tasks of a micro-batch. Spark also asks on a restart, with the last place it has committed twice."""
        before, until = cast(Place, start["shards"]), cast(Place, end["shards"])
        for ahead in self._aheads:
            if (ahead.start, ahead.end) == (before, until):
                if until == self._place:
                    # While the batch is worked on, the next one is read.
                    self._beside = self._beside or ThreadPoolExecutor(1)
                    self._next = self._next or self._beside.submit(self._read_ahead, until)
                return _tasks(ahead)
        self._begins, self._place = str(end["start"]), until
        return [
            Pieces([Piece(shard, before.get(shard, self._begins), sequence(at))])
            for shard, at in until.items()
            if sequence(at) != sequence(before.get(shard, ""))
        ]

    def read(self, partition: InputPartition) -> Iterator[pa.RecordBatch]:
        """The records of a task, as Arrow batches."""
        for piece in cast(Pieces, partition).pieces:
            if piece.file:
                with pa.memory_map(piece.file) as source:
                    file = pa.ipc.open_file(source)
                    yield from (file.get_batch(number) for number in piece.batches)
            else:
                records = list(self._shards().between(piece.shard, piece.start, piece.until))
                yield _batch(records, self._options["streamname"], piece.shard)

    def commit(self, end: dict[str, object]) -> None:
        """Removes the files of what is done."""
        ends = [ahead.end for ahead in self._aheads]
        if end["shards"] in ends:
            done = ends.index(cast(Place, end["shards"])) + 1
            for ahead in self._aheads[:done]:
                for _, file, _ in ahead.files:
                    Path(file).unlink(missing_ok=True)
            del self._aheads[:done]

    def stop(self) -> None:
        """Ends with the query."""
        if self._beside is not None:
            self._beside.shutdown(wait=True, cancel_futures=True)
        if self._folder is not None:
            self._folder.cleanup()
        if _is_main() and signal.getsignal(signal.SIGTERM) == self._killed:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)

    def _made(self) -> str:
        """The folder of the files. Spark ends a query's Python by a signal, without a call of ``stop``."""
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="kinesis-", ignore_cleanup_errors=True)
            if _is_main() and signal.getsignal(signal.SIGTERM) == signal.SIG_DFL:
                signal.signal(signal.SIGTERM, self._killed)
        return self._folder.name

    def _killed(self, number: int, _frame: FrameType | None) -> None:
        """Removes the files, and lets the signal do what it would have done."""
        if self._folder is not None:
            self._folder.cleanup()
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)

    def _shards(self) -> ShardReader:
        if self._reader is None:
            options = self._options
            limits = Limits(records=int(options["maxrecordsperbatch"]), pause=float(options["minfetchperiod"]))
            start = self._begins or TRIM_HORIZON
            losses = options["failondataloss"].lower() == "false"
            self._reader = ShardReader(client_of(options), options["streamname"], start, losses, limits)
        return self._reader

    def _read_ahead(self, place: Place) -> _Ahead:
        """Reads on from a place into files."""
        reader = self._shards()
        reader.start = self._begins
        taken, end = reader.read(place)
        files = []
        for shard, records in taken.items():
            self._files += 1
            path = Path(self._made(), f"{self._files}.arrow")
            sizes = []
            with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, _ARROW) as writer:
                for start in range(0, len(records), _PIECE):
                    some = records[start : start + _PIECE]
                    writer.write_batch(_batch(some, self._options["streamname"], shard))
                    sizes.append(len(some))
            files.append((shard, str(path), sizes))
        return _Ahead(place, end, files)


def _is_main() -> bool:
    """Whether signals may be taken here."""
    return threading.current_thread() is threading.main_thread()


def _tasks(done: _Ahead) -> list[InputPartition]:
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


def _batch(records: Sequence["RecordTypeDef"], stream: str, shard: str) -> pa.RecordBatch:
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
