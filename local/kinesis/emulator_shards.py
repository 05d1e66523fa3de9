"""Streams and shards in memory, by Kinesis' rules: where a record goes, what it is numbered, and when it is gone."""

import base64
import hashlib
import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import orjson

ACCOUNT, REGION = "000000000000", "eu-west-1"
HASH_KEYS = 2**128
READ_BYTES = 10 * 1024**2
HOUR_MS = 3_600_000
# Kinesis' own limits of what is read from a shard.
_READS_A_SECOND, _BYTES_A_SECOND = 5, 2 * 1024**2
# Not one dump of the whole: what orjson gives keeps kilobytes more than it shows for as long as it is kept.
_RECORD = b'{"SequenceNumber":"%b","ApproximateArrivalTimestamp":%d.%03d,"Data":%b,"PartitionKey":%b}'
_SEQUENCE = re.compile(r"49(\d{19})(\d{25})(\d{10})", re.ASCII)

Described = dict[str, object]


class KinesisError(Exception):
    """A call that Kinesis refuses.

    Attributes:
        kind: the name of Kinesis' own exception, which clients know it by.
    """

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


def invalid(message: str) -> KinesisError:
    """An argument that is none."""
    return KinesisError("InvalidArgumentException", message)


class Entry(NamedTuple):
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
        size: their bytes as Kinesis counts them.
        position: where to go on.
        at_tip: nothing comes after them for now; in a closed shard, ever.
        arrival: when the last of them arrived, in ms.
    """

    records: list[bytes]
    size: int
    position: int
    at_tip: bool
    arrival: int


@dataclass
class ReadQuota:
    """What may still be read from a shard: five calls and 2 MiB a second; a large answer is paid for in seconds."""

    began: int = 0
    calls: int = 0
    size: int = 0

    def has_room(self, now: int) -> bool:
        """Whether one more call may be answered; counts nothing."""
        if now - self.began >= max(1000, self.size * 1000 // _BYTES_A_SECOND):
            self.began, self.calls, self.size = now, 0, 0
        return self.calls < _READS_A_SECOND and self.size < _BYTES_A_SECOND

    def took(self, size: int) -> None:
        """Counts an answered call."""
        self.calls, self.size = self.calls + 1, self.size + size


class Shard:
    """A range of hash keys and its records, oldest first.

    A record's number counts through its stream, so that of a child is always greater than all of its parents'.

    Attributes:
        prefix: what the stream's sequence numbers begin with.
        began, ended: the numbers it was opened and closed with.
        opened, closed: when that was, in ms.
        children: what it was split or merged into.
        quota: what may still be read where limits are on.
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
        self.quota = ReadQuota()
        # One entry a record: its number, when it arrived, the bytes up to its end, and its JSON object.
        self._numbers: list[int] = []
        self._arrivals: list[int] = []
        self._ends: list[int] = []
        self._rendered: list[bytes] = []
        self._dropped = self._latest = 0

    def sequence(self, number: int) -> str:
        """The sequence number, as Kinesis writes it, of a record of this shard."""
        return f"{self.prefix}{number:025d}{self.index:010d}"

    def put(self, number: int, now: int, entry: Entry) -> str:
        """Takes a record and gives its sequence number."""
        # A clock that is set back must not put the arrivals out of order: they are searched.
        self._latest = arrival = max(now, self._latest)
        said = self.sequence(number)
        self._ends.append((self._ends[-1] if self._ends else self._dropped) + entry.size)
        self._numbers.append(number)
        self._arrivals.append(arrival)
        written = (said.encode(), *divmod(arrival, 1000), orjson.dumps(entry.data), orjson.dumps(entry.key))
        self._rendered.append(_RECORD % written)
        return said

    def read(self, position: int, limit: int) -> Page:
        """The records from a position on, as many as one answer may have."""
        first = bisect_left(self._numbers, position)
        before = self._ends[first - 1] if first else self._dropped
        last = min(first + limit, bisect_right(self._ends, before + READ_BYTES, first))
        at_tip = last == len(self._numbers)
        if last == first:
            return Page([], 0, position, at_tip, 0)
        after = self._numbers[last - 1] + 1
        return Page(self._rendered[first:last], self._ends[last - 1] - before, after, at_tip, self._arrivals[last - 1])

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

    def described(self) -> Described:
        """How ``ListShards`` describes it."""
        named = dict(zip(("ParentShardId", "AdjacentParentShardId"), (p.shard_id for p in self.parents), strict=False))
        numbers = {"StartingSequenceNumber": self.sequence(self.began)}
        if self.ended is not None:
            numbers["EndingSequenceNumber"] = self.sequence(self.ended)
        return {"ShardId": self.shard_id, **named, "HashKeyRange": self._range(), "SequenceNumberRange": numbers}

    def described_child(self) -> Described:
        """How ``GetRecords`` describes it at the end of its parent."""
        return {
            "ShardId": self.shard_id,
            "ParentShards": [parent.shard_id for parent in self.parents],
            "HashKeyRange": self._range(),
        }

    def _range(self) -> Described:
        return {"StartingHashKey": str(self.low), "EndingHashKey": str(self.high)}


class Stream:
    """A stream: its shards, open and closed, and the count that numbers its records.

    Args:
        name: its name.
        serial: which stream of the server it is; with the time it tells it from an earlier one of the same name.
        shards: how many to begin with.
        now: the time, in ms.
    """

    def __init__(self, name: str, serial: int, shards: int, now: int) -> None:
        self.name, self.created, self.retention_hours = name, now, 24
        self.arn = f"arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/{name}"
        self.prefix = f"49{now % 10**13:013d}{serial % 10**6:06d}"
        self.shards: dict[str, Shard] = {}
        self._number = 0
        width = HASH_KEYS // shards
        for index in range(shards):
            self._opened(index * width, HASH_KEYS - 1 if index == shards - 1 else (index + 1) * width - 1, now)
        self._route()

    @property
    def next_number(self) -> int:
        """What the next record will be numbered."""
        return self._number + 1

    def horizon(self, now: int) -> int:
        """The moment in ms before which everything is gone."""
        return now - self.retention_hours * HOUR_MS

    def trim(self, now: int) -> None:
        """Forgets what is older than the retention period."""
        for shard in self.shards.values():
            shard.trim(self.horizon(now))

    def listed(self, now: int) -> list[Shard]:
        """The shards that are not expired, in the order they were made."""
        return [shard for shard in self.shards.values() if not shard.is_expired(self.horizon(now))]

    def shard(self, shard_id: str, now: int) -> Shard:
        """A shard by name.

        Raises:
            KinesisError: there is none, or it is expired.
        """
        shard = self.shards.get(shard_id)
        if shard is None or shard.is_expired(self.horizon(now)):
            message = f"Shard {shard_id} in stream {self.name} under account {ACCOUNT} does not exist"
            raise KinesisError("ResourceNotFoundException", message)
        return shard

    def put(self, entries: Iterable[Entry], now: int) -> list[dict[str, str]]:
        """Puts each record into the open shard that its hash key belongs to."""
        said = []
        for entry in entries:
            self._number += 1
            shard = self._open[bisect_right(self._lows, entry.hash_key) - 1]
            said.append({"ShardId": shard.shard_id, "SequenceNumber": shard.put(self._number, now, entry)})
        return said

    def position(self, shard: Shard, sequence: str) -> int:
        """The position of a sequence number that was given out, whether or not its record is still there.

        Raises:
            KinesisError: it was never one of this shard of this stream.
        """
        parts = _SEQUENCE.fullmatch(sequence)
        number = int(parts[2]) if parts else -1
        last = self._number if shard.ended is None else shard.ended
        if not shard.began <= number <= last or sequence != shard.sequence(number):
            raise invalid(
                f"StartingSequenceNumber {sequence} used in GetShardIterator on shard {shard.shard_id} in stream "
                f"{self.name} under account {ACCOUNT} is invalid because it did not come from this stream."
            )
        return number

    def split(self, shard: Shard, at: int, now: int) -> None:
        """Closes a shard and opens two, the second of them from that hash key on.

        Raises:
            KinesisError: the shard is closed, or the key is not inside of it.
        """
        self._check_open(shard)
        if not shard.low + 1 < at < shard.high:
            raise invalid(
                f"NewStartingHashKey {at} used in SplitShard() on shard {shard.shard_id} in stream {self.name} under "
                f"account {ACCOUNT} is not both greater than one plus the shard's StartingHashKey {shard.low} and "
                f"less than the shard's EndingHashKey {shard.high}."
            )
        self._close(now, shard)
        for low, high in ((shard.low, at - 1), (at, shard.high)):
            shard.children.append(self._opened(low, high, now, (shard,)))
        self._route()

    def merge(self, shard: Shard, other: Shard, now: int) -> None:
        """Closes two shards that are beside each other and opens one.

        Raises:
            KinesisError: one is closed, or they are not beside each other.
        """
        self._check_open(shard, other)
        low, high = sorted((shard, other), key=lambda each: each.low)
        if low.high + 1 != high.low:
            raise invalid(
                f"Shards {shard.shard_id} and {other.shard_id} in stream {self.name} under account {ACCOUNT} are not "
                "an adjacent pair of shards eligible for merging"
            )
        self._close(now, shard, other)
        child = self._opened(low.low, high.high, now, (shard, other))
        shard.children.append(child)
        other.children.append(child)
        self._route()

    def summary(self) -> Described:
        """What every description of the stream has."""
        return {
            "StreamName": self.name,
            "StreamARN": self.arn,
            "StreamStatus": "ACTIVE",
            "StreamModeDetails": {"StreamMode": "PROVISIONED"},
            "StreamCreationTimestamp": self.created / 1000,
            "RetentionPeriodHours": self.retention_hours,
            "EnhancedMonitoring": [{"ShardLevelMetrics": []}],
            "EncryptionType": "NONE",
        }

    def open_shards(self) -> list[Shard]:
        """The shards that take records, by hash key."""
        return self._open

    def _opened(self, low: int, high: int, now: int, parents: tuple[Shard, ...] = ()) -> Shard:
        self._number += 1
        shard = Shard(self.prefix, len(self.shards), low, high, self._number, now, parents)
        self.shards[shard.shard_id] = shard
        return shard

    def _close(self, now: int, *shards: Shard) -> None:
        for shard in shards:
            self._number += 1
            shard.ended, shard.closed = self._number, now

    def _check_open(self, *shards: Shard) -> None:
        for shard in shards:
            if shard.closed is not None:
                raise invalid(
                    f"Shard {shard.shard_id} in stream {self.name} under account {ACCOUNT} has already been merged or "
                    "split, and thus is not eligible for merging or splitting."
                )

    def _route(self) -> None:
        self._open = sorted((s for s in self.shards.values() if s.closed is None), key=lambda shard: shard.low)
        self._lows = [shard.low for shard in self._open]


def hash_key_of(partition_key: str) -> int:
    """Where Kinesis puts a partition key."""
    return int.from_bytes(hashlib.md5(partition_key.encode(), usedforsecurity=False).digest())


def token(*parts: object) -> str:
    """An iterator or a ``NextToken``: all it stands for is in it, so that the server keeps none of them."""
    return base64.urlsafe_b64encode(orjson.dumps(parts)).decode()


def parts_of(said: str) -> list[object]:
    """What a token was made of; nothing if it is none."""
    try:
        found = orjson.loads(base64.urlsafe_b64decode(said))
    except ValueError:
        return []
    return found if isinstance(found, list) else []
