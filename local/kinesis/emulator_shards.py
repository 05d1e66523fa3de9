"""A shard in memory, by Kinesis' rules: how its records are numbered, read, and when they are trimmed."""

from bisect import bisect_left
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


class StoredRecord(NamedTuple):
    """A record in its shard.

    Attributes:
        number: counts through the stream.
        arrived: when it came, in ms.
        size: bytes of data and key.
        rendered: its JSON object, as ``GetRecords`` gives it.
    """

    number: int
    arrived: int
    size: int
    rendered: bytes


class Shard:
    """A range of hash keys and its records, oldest first.

    A record's number counts through its stream, so that of a child is always greater than all of its parents'.

    Attributes:
        prefix: what the stream's sequence numbers begin with.
        began, ended: the numbers it was opened and closed with.
        opened, closed: when that was, in ms.
        children: what it was split or merged into.
        records: those that are still kept.
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
        self.records: list[StoredRecord] = []
        self._latest = 0

    def sequence(self, number: int) -> str:
        """The sequence number, as Kinesis writes it, of a record of this shard."""
        return f"{self.prefix}{number:025d}{self.index:010d}"

    def put(self, number: int, now: int, entry: PutEntry) -> str:
        """Takes a record and gives its sequence number."""
        # A clock that is set back must not put the arrivals out of order: they are searched.
        self._latest = arrival = max(now, self._latest)
        sequence = self.sequence(number)
        written = (sequence.encode(), *divmod(arrival, 1000), orjson.dumps(entry.data), orjson.dumps(entry.key))
        self.records.append(StoredRecord(number, arrival, entry.size, _RECORD % written))
        return sequence

    def read(self, position: int, limit: int) -> tuple[list[StoredRecord], bool]:
        """The records from a position on, as many as one answer may have, and whether they are all there are."""
        first, size, found = self.find(position), 0, list[StoredRecord]()
        for record in self.records[first : first + limit]:
            size += record.size
            if size > READ_BYTES:
                break
            found.append(record)
        return found, first + len(found) == len(self.records)

    def find(self, position: int) -> int:
        """The index of the first record with this number or a later one."""
        return bisect_left(self.records, position, key=lambda record: record.number)

    def position_at(self, moment: int) -> int | None:
        """The number of the first record that arrived then or later, in ms; None if there is none yet."""
        at = self._find_moment(moment)
        return self.records[at].number if at < len(self.records) else None

    def trim(self, horizon: int) -> None:
        """Forgets the records that arrived before a moment in ms."""
        del self.records[: self._find_moment(horizon)]

    def _find_moment(self, moment: int) -> int:
        return bisect_left(self.records, moment, key=lambda record: record.arrived)

    def is_expired(self, horizon: int) -> bool:
        """Whether it is closed and all it had is gone; one that had nothing goes when it was closed long enough ago."""
        if self.closed is None or self.records:
            return False
        return self._latest > 0 or self.closed < horizon

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
