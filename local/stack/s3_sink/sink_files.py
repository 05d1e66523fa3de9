"""The files of the sink: their records, when they are finished, and their object keys."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field

from pinterest_transforms.errors import PinterestError
from pinterest_transforms.settings import landing_key

PutObject = Callable[[str, bytes], None]
"""Writes an object: its key, its content."""


class SinkError(PinterestError):
    """A record is not one that the sink can write."""


@dataclass
class SinkFile:
    """Records of a partition that go into one object.

    Attributes:
        topic: whose records they are.
        partition: of the topic.
        start: offset of the first record.
        turn: which multiple of ``rotate.schedule.interval.ms`` it was begun in.
        next_offset: offset behind the last record.
        lines: the records.
    """

    topic: str
    partition: int
    start: int
    turn: int
    next_offset: int
    lines: list[bytes] = field(default_factory=list)

    @property
    def key(self) -> str:
        """Key of its object."""
        return landing_key(self.topic, self.partition, self.start)

    @property
    def body(self) -> bytes:
        """Content of its object: each record on a line."""
        return b"".join(line + b"\n" for line in self.lines)


class PartitionFiles:
    """The file that each partition is at."""

    def __init__(self, flush_size: int, rotate_ms: int) -> None:
        """Takes Confluent's settings.

        Args:
            flush_size: records of a file at most.
            rotate_ms: a file is finished when the clock passes a multiple of it, in ms since 1970; 0 for never.
        """
        self._flush_size, self._rotate_ms = flush_size, rotate_ms
        self._open: dict[tuple[str, int], SinkFile] = {}

    def take(self, topic: str, partition: int, offset: int, value: bytes | None, now: float) -> list[SinkFile]:
        """Adds the next record of a partition; returns the files that it finished.

        A null value, which JSON lines have no line for, is passed over (``behavior.on.null.values=ignore``).

        Raises:
            SinkError: the value is no JSON (``errors.tolerance=none``).
        """
        place, finished = (topic, partition), self.due(now)
        file = self._open.get(place)
        if file is not None and offset < file.next_offset:
            # After a rebalance the consumer goes back to what was committed: so does the file.
            file = None
        if value is None:
            if file is not None:
                file.next_offset = offset + 1
            return finished
        line = _build_line(topic, partition, offset, value)
        if file is None:
            file = self._open[place] = SinkFile(topic, partition, offset, self._turn(now), offset)
        file.lines.append(line)
        file.next_offset = offset + 1
        if len(file.lines) >= self._flush_size:
            finished.append(self._open.pop(place))
        return finished

    def due(self, now: float) -> list[SinkFile]:
        """Files that the clock, in seconds since 1970, has finished."""
        turn = self._turn(now)
        return [self._open.pop(place) for place, file in list(self._open.items()) if file.turn != turn]

    def forget(self, topic: str, partition: int) -> None:
        """Drops the file of a partition that is somebody else's now."""
        self._open.pop((topic, partition), None)

    def _turn(self, now: float) -> int:
        return round(now * 1000) // self._rotate_ms if self._rotate_ms else 0


def _build_line(topic: str, partition: int, offset: int, value: bytes) -> bytes:
    """The value on one line, as the sink's converter serializes it."""
    try:
        return json.dumps(json.loads(value), ensure_ascii=False, separators=(",", ":")).encode()
    except (ValueError, RecursionError):
        raise SinkError(f"a record's value must be JSON, got other bytes in {topic}-{partition} at {offset}") from None
