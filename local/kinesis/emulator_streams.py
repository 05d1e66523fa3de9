"""A stream in memory, by Kinesis' rules: which shard takes a record, and how shards are split and merged."""

import hashlib
import re
from bisect import bisect_right
from collections.abc import Iterable
from itertools import count

from local.kinesis.emulator_shards import JsonObject, KinesisError, PutEntry, Shard, invalid_argument

ACCOUNT, REGION = "000000000000", "eu-west-1"
HASH_KEYS = 2**128
RETENTION_HOURS, HOUR_MS = 24, 3_600_000
_SEQUENCE = re.compile(r"49(\d{19})(\d{25})(\d{10})", re.ASCII)


class EmulatorStream:
    """A stream: its shards, open and closed, and the count that numbers its records.

    Args:
        name: its name.
        serial: which stream of the server it is; with the time it identifies the stream among those of one name.
        shards: how many to begin with.
        now: the time, in ms.

    Attributes:
        shards: those that are not expired, in the order they were made.
        open_shards: those that take records, by hash key.
    """

    def __init__(self, name: str, serial: int, shards: int, now: int) -> None:
        self.name, self.created = name, now
        self.arn = f"arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/{name}"
        self.prefix = f"49{now % 10**13:013d}{serial % 10**6:06d}"
        self.shards: dict[str, Shard] = {}
        self._number, self._indices = 0, count()
        width = HASH_KEYS // shards
        for index in range(shards):
            self._open_shard(index * width, HASH_KEYS - 1 if index == shards - 1 else (index + 1) * width - 1, now)
        self._route()

    @property
    def next_number(self) -> int:
        """What the next record will be numbered."""
        return self._number + 1

    def trim(self, now: int) -> None:
        """Removes records that are older than the retention period, and closed shards that have none left."""
        horizon = now - RETENTION_HOURS * HOUR_MS
        for shard_id, shard in list(self.shards.items()):
            shard.trim(horizon)
            if shard.is_expired(horizon):
                del self.shards[shard_id]

    def shard(self, shard_id: str) -> Shard:
        """A shard by name.

        Raises:
            KinesisError: there is none, or it is expired.
        """
        if shard_id not in self.shards:
            message = f"Shard {shard_id} in stream {self.name} under account {ACCOUNT} does not exist"
            raise KinesisError("ResourceNotFoundException", message)
        return self.shards[shard_id]

    def put(self, entries: Iterable[PutEntry], now: int) -> list[dict[str, str]]:
        """Puts each record into the open shard that its hash key belongs to."""
        results = []
        for entry in entries:
            self._number += 1
            shard = self.open_shards[bisect_right(self._lows, entry.hash_key) - 1]
            results.append({"ShardId": shard.shard_id, "SequenceNumber": shard.put(self._number, now, entry)})
        return results

    def position(self, shard: Shard, sequence: str) -> int:
        """The position of a sequence number that was given out, whether or not its record is still there.

        Raises:
            KinesisError: it was never one of this shard of this stream.
        """
        parts = _SEQUENCE.fullmatch(sequence)
        number = int(parts[2]) if parts else -1
        last = self._number if shard.ended is None else shard.ended
        if not shard.began <= number <= last or sequence != shard.sequence(number):
            raise invalid_argument(
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
            raise invalid_argument(
                f"NewStartingHashKey {at} used in SplitShard() on shard {shard.shard_id} in stream {self.name} under "
                f"account {ACCOUNT} is not both greater than one plus the shard's StartingHashKey {shard.low} and "
                f"less than the shard's EndingHashKey {shard.high}."
            )
        self._close(now, shard)
        for low, high in ((shard.low, at - 1), (at, shard.high)):
            shard.children.append(self._open_shard(low, high, now, (shard,)))
        self._route()

    def merge(self, shard: Shard, other: Shard, now: int) -> None:
        """Closes two shards that are beside each other and opens one.

        Raises:
            KinesisError: one is closed, or they are not beside each other.
        """
        self._check_open(shard, other)
        low, high = sorted((shard, other), key=lambda each: each.low)
        if low.high + 1 != high.low:
            raise invalid_argument(
                f"Shards {shard.shard_id} and {other.shard_id} in stream {self.name} under account {ACCOUNT} are not "
                "an adjacent pair of shards eligible for merging"
            )
        self._close(now, shard, other)
        child = self._open_shard(low.low, high.high, now, (shard, other))
        shard.children.append(child)
        other.children.append(child)
        self._route()

    def describe(self) -> JsonObject:
        """What every description of the stream has."""
        return {
            "StreamName": self.name,
            "StreamARN": self.arn,
            "StreamStatus": "ACTIVE",
            "StreamModeDetails": {"StreamMode": "PROVISIONED"},
            "StreamCreationTimestamp": self.created / 1000,
            "RetentionPeriodHours": RETENTION_HOURS,
            "EnhancedMonitoring": [{"ShardLevelMetrics": []}],
            "EncryptionType": "NONE",
        }

    def _open_shard(self, low: int, high: int, now: int, parents: tuple[Shard, ...] = ()) -> Shard:
        self._number += 1
        shard = Shard(self.prefix, next(self._indices), low, high, self._number, now, parents)
        self.shards[shard.shard_id] = shard
        return shard

    def _close(self, now: int, *shards: Shard) -> None:
        for shard in shards:
            self._number += 1
            shard.ended, shard.closed = self._number, now

    def _check_open(self, *shards: Shard) -> None:
        for shard in shards:
            if shard.closed is not None:
                raise invalid_argument(
                    f"Shard {shard.shard_id} in stream {self.name} under account {ACCOUNT} has already been merged or "
                    "split, and thus is not eligible for merging or splitting."
                )

    def _route(self) -> None:
        self.open_shards = sorted((s for s in self.shards.values() if s.closed is None), key=lambda shard: shard.low)
        self._lows = [shard.low for shard in self.open_shards]


def compute_hash_key(partition_key: str) -> int:
    """Where Kinesis puts a partition key."""
    return int.from_bytes(hashlib.md5(partition_key.encode(), usedforsecurity=False).digest())
