"""Delivery status of the records of a run: counts, the file of failed records, and the cursor.

A record is in the failed file before the cursor passes it, so a kill loses nothing: records in flight are sent again.
"""

import json
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from emulation.emulation_errors import SendError
from emulation.producer.cursor import Cursor
from emulation.producer.state_files import open_file, write_all
from emulation.source.source_records import SourceRecord, describe_key_error, encode_record
from pinterest_transforms.entities import entity_named
from pinterest_transforms.error_format import shorten
from pinterest_transforms.errors import PinterestError

_MAX_REASON = 80
_READ_BATCH = 500
_HEADER = b'{"entity": '


@dataclass
class DeliveryCounts:
    """Counts of a run.

    Attributes:
        sent: records read from the source.
        acknowledged: records that the sink acknowledged.
        failed: records in the failed file.
        retried: number of records sent again, each time.
        codes: requests by status code or error.
        reasons: failed records by the start of the reason.
    """

    sent: int = 0
    acknowledged: int = 0
    failed: int = 0
    retried: int = 0
    codes: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)

    def __str__(self) -> str:
        """The counts of records in one line."""
        numbers = {name: getattr(self, name) for name in ("sent", "acknowledged", "retried", "failed")}
        return ", ".join(f"{name} {number:,}" for name, number in numbers.items())

    @property
    def pending(self) -> int:
        """Records neither acknowledged nor failed."""
        return self.sent - self.acknowledged - self.failed


class DeliveryLog(AbstractContextManager["DeliveryLog"]):
    """Records the delivery status of one run.

    Attributes:
        counts: the counts so far.
        cursor: the position before which every post is settled.
        failed: the file of failed records.
        complete: set to true when all posts are settled.
    """

    def __init__(self, cursor: Cursor, failed: Path) -> None:
        self.counts = DeliveryCounts()
        self.cursor = cursor
        self.failed = failed
        # By number of the post: its key, and its pending records.
        self._keys: dict[int, int | None] = {}
        self._pending: Counter[int] = Counter()
        self._next = cursor.settled
        self._file: BinaryIO | None = None
        self.complete = False

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        try:
            self.save()
        except SendError:
            # The error that ended the run is more telling.
            if kind is None:
                raise
        finally:
            self.cursor.close(complete=kind is None and self.complete)
            if self._file is not None:
                self._file.close()

    def start(self, record: SourceRecord) -> None:
        """Counts a record read from the source."""
        self.counts.sent += 1
        # A post deleted from the source since it was drawn leaves a gap in the numbers.
        while self._next <= record.post:
            self._keys[self._next] = record.key
            self._next += 1
        self._pending[record.post] += 1

    def acknowledge(self, record: SourceRecord) -> None:
        """Counts a record as acknowledged."""
        self.counts.acknowledged += 1
        self._pending[record.post] -= 1

    def fail(self, record: SourceRecord, reason: str) -> None:
        """Writes a record into the failed file."""
        if self._file is None:
            self._file = _open_lines(self.failed)
        head = json.dumps({"entity": record.entity.name, "key": record.key, "reason": reason}, ensure_ascii=False)
        write_all(self._file, head[:-1].encode() + b', "value": ' + record.value + b"}\n")
        self.counts.failed += 1
        self.counts.reasons[shorten(reason, _MAX_REASON)] += 1
        self._pending[record.post] -= 1

    def save(self) -> None:
        """Moves the cursor to the first post that is not settled."""
        moved = False
        while (post := self.cursor.settled) in self._keys and self._pending[post] == 0:
            key = self._keys.pop(post)
            del self._pending[post]
            # Rows without a key come last: the last key stays that of the last post.
            self.cursor.settled, moved = post + 1, True
            self.cursor.last_key = self.cursor.last_key if key is None else key
        if moved:
            self.cursor.save()


def _open_lines(path: Path) -> BinaryIO:
    """Opens a file to append lines; a truncated last line, left by a kill or a full disk, is terminated first."""
    file = open_file(path, "a+b")
    if file.tell():
        file.seek(-1, os.SEEK_END)
        if file.read(1) != b"\n":
            write_all(file, b"\n")
    return file


def read_failed_records(file: Path, truncated: list[int]) -> Iterator[Sequence[SourceRecord]]:
    """The records of a failed file, in its order.

    Args:
        file: the failed file.
        truncated: receives the numbers of truncated lines, left by a kill or full disk; they are skipped.

    Raises:
        SendError: the file cannot be read, or has a line that is no failed record.
    """
    try:
        with file.open("rb") as lines:
            parsed = (_parse_failed(line, number, file, truncated) for number, line in enumerate(lines) if line.strip())
            records = (record for record in parsed if record)
            while batch := list(islice(records, _READ_BATCH)):
                yield batch
    except OSError as error:
        raise SendError(f"{file} cannot be read: {error.strerror}") from None


def _parse_failed(line: bytes, number: int, file: Path, truncated: list[int]) -> SourceRecord | None:
    line = line.strip(b"\0\r\n")
    try:
        found = json.loads(line)
        value, error = encode_record(found["value"])
        key = None if found["key"] is None else int(found["key"])
        if key is None:
            error = str(found.get("reason") or describe_key_error(None))
        return SourceRecord(entity_named(found["entity"]), key, value, number, error)
    except (ValueError, KeyError, TypeError, AttributeError, PinterestError) as failure:
        is_no_json = isinstance(failure, json.JSONDecodeError | UnicodeDecodeError)
        if is_no_json and _HEADER.startswith(line[: len(_HEADER)]):
            truncated.append(number + 1)
            return None
        raise SendError(f"line {number + 1} of {file} must have entity, key and value of a failed record") from None
