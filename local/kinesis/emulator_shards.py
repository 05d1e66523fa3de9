"""A shard in memory, by Kinesis' rules: how its records are numbered, read, and when they are trimmed."""

from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from typing import NamedTuple

import orjson

READ_BYTES = 10 * 1024**2
# Not one dump of the whole: what orjson gives keeps kilobytes more than it shows for as long as it is kept.
_RECORD = b'{"SequenceNumber":"%b","ApproximateArrivalTimestamp":%d.%03d,"Data":%b,"PartitionKey":%b}'

JsonObject = dict[str, object]


class KinesisError(Exception):
    """A call that Kinesis refuses.

    Attributes:
        kind: the name of Kinesis' own exception, which clients know it by.
    """

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


def invalid_argument(message: str) -> KinesisError:
    """An argument that is none."""
    return KinesisError("InvalidArgumentException", message)


class PutEntry(NamedTuple):
    """A record as it was sent: its data is still base64, and no more than its length is looked at.

    Attributes:
        hash_key: where it goes.
        size: bytes of data and key, as Kinesis counts them.
    """

    data: str
    key: str
    hash_key: int
    size: int


@dataclass(frozen=True, slots=True)
class Page:
    """Records in a row, as ``GetRecords`` gives them.

    Attributes:
        records: a JSON object each.
        position: where to go on.
        at_tip: nothing comes after them for now; in a closed shard, ever.
        arrival: when the last of them arrived, in ms.
    """

    records: list[bytes]
    position: int
    at_tip: bool
    arrival: int


class Shard:
    """A range of hash keys and its records, oldest first.

    A record's number counts through its stream, so that of a child is always greater than all of its parents'.

    Attributes:
        prefix: what the stream's sequence numbers begin with.
        began, ended: the numbers it was opened and closed with.
        opened, closed: when that was, in ms.
        children: what it was split or merged into.
    """

    def __init__(
        self, prefix: str, index: int, low: int, high: int, began: int, opened: int, parents: tuple["Shard", ...] = ()
    ) -> None:
        self.prefix, self.index, self.low, self.high, self.parents = prefix, index, low, high, parents
        self.shard_id = f"shardId-{index:012d}"
        self.began, self.opened = began, opened
        self.ended: int | None = None
        self.closed: int | None = None
        self.children: list[Shard] = []
        # One entry a record: its number, when it arrived, the bytes up to its end, and its JSON object.
        self._numbers: list[int] = []
        self._arrivals: list[int] = []
        self._ends: list[int] = []
        self._rendered: list[bytes] = []
        self._dropped = self._latest = 0

    def sequence(self, number: int) -> str:
        """The sequence number, as Kinesis writes it, of a record of this shard."""
        return f"{self.prefix}{number:025d}{self.index:010d}"

    def put(self, number: int, now: int, entry: PutEntry) -> str:
        """Takes a record and gives its sequence number."""
        # A clock that is set back must not put the arrivals out of order: they are searched.
        self._latest = arrival = max(now, self._latest)
        sequence = self.sequence(number)
        self._ends.append((self._ends[-1] if self._ends else self._dropped) + entry.size)
        self._numbers.append(number)
        self._arrivals.append(arrival)
        written = (sequence.encode(), *divmod(arrival, 1000), orjson.dumps(entry.data), orjson.dumps(entry.key))
        self._rendered.append(_RECORD % written)
        return sequence

    def read(self, position: int, limit: int) -> Page:
        """The records from a position on, as many as one answer may have."""
        first = bisect_left(self._numbers, position)
        before = self._ends[first - 1] if first else self._dropped
        last = min(first + limit, bisect_right(self._ends, before + READ_BYTES, first))
        at_tip = last == len(self._numbers)
        if last == first:
            return Page([], position, at_tip, 0)
        after = self._numbers[last - 1] + 1
        return Page(self._rendered[first:last], after, at_tip, self._arrivals[last - 1])

    def position_at(self, moment: int) -> int | None:
        """The number of the first record that arrived then or later, in ms; None if there is none yet."""
        at = bisect_left(self._arrivals, moment)
        return self._numbers[at] if at < len(self._numbers) else None

    def drop_before(self, position: int) -> None:
        """Forgets the records before a position."""
        self._drop(bisect_left(self._numbers, position))

    def trim(self, horizon: int) -> None:
        """Forgets the records that arrived before a moment in ms."""
        if self._arrivals and self._arrivals[0] < horizon:
            self._drop(bisect_left(self._arrivals, horizon))

    def _drop(self, count: int) -> None:
        self._dropped = self._ends[count - 1] if count else self._dropped
        for column in (self._numbers, self._arrivals, self._ends, self._rendered):
            del column[:count]

    def is_expired(self, horizon: int) -> bool:
        """Whether it is closed and all it had is gone; one that had nothing goes when it was closed long enough ago."""
        if self.closed is None or self._numbers:
            return False
        return self._dropped > 0 or self.closed < horizon

    def describe(self) -> JsonObject:
        """How ``ListShards`` describes it."""
        named = dict(zip(("ParentShardId", "AdjacentParentShardId"), (p.shard_id for p in self.parents), strict=False))
        numbers = {"StartingSequenceNumber": self.sequence(self.began)}
        if self.ended is not None:
            numbers["EndingSequenceNumber"] = self.sequence(self.ended)
        return {"ShardId": self.shard_id, **named, "HashKeyRange": self._range(), "SequenceNumberRange": numbers}

    def describe_child(self) -> JsonObject:
        """How ``GetRecords`` describes it at the end of its parent."""
        return {
            "ShardId": self.shard_id,
            "ParentShards": [parent.shard_id for parent in self.parents],
            "HashKeyRange": self._range(),
        }

    def _range(self) -> JsonObject:
        return {"StartingHashKey": str(self.low), "EndingHashKey": str(self.high)}
