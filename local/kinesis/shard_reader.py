"""Reads the shards of a Kinesis stream: which of them, from where, up to where. No Spark here.

Offsets are where to go on in each shard, as plain JSON: Spark keeps them in a checkpoint. Children of a shard are read
after all of their parents have been read to the end, so that the versions of a key stay in order.
"""

import time
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from pinterest_transforms.errors import StreamError

if TYPE_CHECKING:
    from mypy_boto3_kinesis import KinesisClient
    from mypy_boto3_kinesis.type_defs import GetRecordsOutputTypeDef, RecordTypeDef, ShardTypeDef

TRIM_HORIZON, AT_TIMESTAMP, AFTER, ENDED = "TRIM_HORIZON", "AT_TIMESTAMP", "AFTER", "ENDED"
ShardOffsets = dict[str, str]
"""By shard: ``TRIM_HORIZON``, ``AT_TIMESTAMP <epoch seconds>``, ``AFTER <sequence number>``, or ``ENDED`` with the
sequence number of its last record, if it had any."""

_MOST_A_CALL = 10_000
_LISTED_EVERY = 1.0
"""Seconds between two looks for shards that have come up."""


def is_ended(at: str) -> bool:
    """True of the place in a shard that was read to its end."""
    return at.startswith(ENDED)


def get_sequence_number(at: str) -> str:
    """The sequence number of the last record that was read; empty for none."""
    kind, _, value = at.partition(" ")
    return value if kind in (AFTER, ENDED) else ""


@dataclass(frozen=True)
class Limits:
    """How much is read at a time.

    Attributes:
        records: of all shards together, about so many records in one go.
        bytes: and about so many bytes.
        seconds: and for about so long.
        pause: seconds between two calls to one shard: Kinesis allows five a second to all readers together.
    """

    records: int = 250_000
    bytes: int = 256 * 1024 * 1024
    seconds: float = 10.0
    pause: float = 0.2


@dataclass
class _Shard:
    """One shard that is being read.

    Attributes:
        iterator: where the next call goes on; None for a shard that is read to its end.
        wanted: the record that must come first, else records were lost; empty once that is seen or nothing is wanted.
        after: place behind what was read.
        called: when it was last called.
    """

    iterator: str | None
    wanted: str
    after: str
    called: float = 0.0


@dataclass
class ShardReader:
    """Reads all shards of one stream, one go after another.

    Attributes:
        client: a Kinesis client; it repeats throttled and failed calls itself.
        stream: name of the stream.
        start: place in a shard that nothing is known of: ``TRIM_HORIZON`` or ``AT_TIMESTAMP <epoch seconds>``.
        losses: whether records that Kinesis has forgotten may be passed over.
        limits: how much is read at a time.
    """

    client: "KinesisClient"
    stream: str
    start: str = TRIM_HORIZON
    losses: bool = False
    limits: Limits = field(default_factory=Limits)
    _shards: dict[str, _Shard] = field(default_factory=dict)
    _listed_at: float = 0.0

    def find_first_offsets(self) -> ShardOffsets:
        """Where a reader that knows nothing begins: the shards that no listed shard is a parent of, so the oldest."""
        return self._add_children({}, self._list_shards())

    def read(self, offsets: ShardOffsets, take: Callable[[str, list["RecordTypeDef"]], None]) -> ShardOffsets:
        """Reads on from offsets until nothing is left or the limits are reached.

        Args:
            offsets: where to go on.
            take: is given a shard and its next records, call by call: a record as it comes is ten times its bytes.

        Returns:
            The offsets behind what was taken.

        Raises:
            StreamError: records after the offsets are gone, or the offsets are of another stream.
        """
        offsets = dict(offsets)
        self._shards = {name: shard for name, shard in self._shards.items() if offsets.get(name) == shard.after}
        taken: set[str] = set()
        ended, records, size = time.monotonic() + self.limits.seconds, 0, 0
        behind = True
        with ThreadPoolExecutor(8) as pool:
            while behind and records < self.limits.records and size < self.limits.bytes and time.monotonic() < ended:
                offsets = self._add_new_shards(offsets, taken)
                unread = {name: at for name, at in offsets.items() if not is_ended(at)}
                behind = False
                for name, found, late in pool.map(self._call, unread, unread.values()):
                    if found:
                        taken.add(name)
                        take(name, found)
                        records, size = records + len(found), size + sum(len(one["Data"]) for one in found)
                    offsets[name] = self._shards[name].after
                    # Where a shard has ended, its children come next.
                    behind = behind or late or is_ended(offsets[name])
        return offsets

    def read_range(self, shard: str, start: str, until: str) -> Iterator["RecordTypeDef"]:
        """The records of a shard from an offset up to a sequence number, that one included.

        Raises:
            StreamError: one of them is gone.
        """
        self._shards.pop(shard, None)
        last = 0
        while not is_ended(start) and last < int(until):
            _, found, late = self._call(shard, start)
            start = self._shards[shard].after
            for record in found:
                last = int(record["SequenceNumber"])
                if last <= int(until):
                    yield record
                if last >= int(until):
                    break
            if not late:
                break
        if last != int(until):
            self._handle_loss(shard, f"the record {until} is not there any more")

    def _call(self, name: str, at: str) -> tuple[str, list["RecordTypeDef"], bool]:
        """One GetRecords: the shard, its records, and whether more are waiting."""
        shard = self._shards.get(name)
        if shard is None:
            shard = self._shards[name] = self._open_shard(name, at)
        if shard.iterator is None:
            return name, [], False
        wait = shard.called + self.limits.pause - time.monotonic()
        if wait > 0:
            time.sleep(wait)
        answer = self._get_records(name, shard)
        shard.called = time.monotonic()
        found = self._check_records(name, shard, answer)
        shard.iterator = answer.get("NextShardIterator")
        if found:
            shard.after = f"{AFTER} {found[-1]['SequenceNumber']}"
        if shard.iterator is None:
            shard.after, self._listed_at = f"{ENDED} {get_sequence_number(shard.after)}".rstrip(), 0.0
        return name, found, answer.get("MillisBehindLatest", 0) > 0

    def _get_records(self, name: str, shard: _Shard) -> "GetRecordsOutputTypeDef":
        """The answer of one call; an iterator that expired is requested again."""
        assert shard.iterator is not None  # noqa: S101 - the caller has looked
        most = min(_MOST_A_CALL, self.limits.records)
        try:
            return self.client.get_records(ShardIterator=shard.iterator, Limit=most)
        except self.client.exceptions.ExpiredIteratorException:
            again = self._open_shard(name, shard.after)
            shard.iterator, shard.wanted = again.iterator, again.wanted
            if shard.iterator is None:
                return cast("GetRecordsOutputTypeDef", {"Records": []})
            return self.client.get_records(ShardIterator=shard.iterator, Limit=most)
        except self.client.exceptions.ResourceNotFoundException as error:
            raise self._other_stream_error(str(error)) from None

    def _check_records(self, name: str, shard: _Shard, answer: "GetRecordsOutputTypeDef") -> list["RecordTypeDef"]:
        """The records without the one that was read before, which only proves that nothing is missing."""
        found = answer["Records"]
        if shard.wanted and (found or answer.get("MillisBehindLatest", 0) == 0 or not answer.get("NextShardIterator")):
            if found and found[0]["SequenceNumber"] == shard.wanted:
                found = found[1:]
            else:
                self._handle_loss(name, f"Kinesis has forgotten the last record that was read, {shard.wanted}")
            shard.wanted = ""
        return found

    def _handle_loss(self, name: str, what: str) -> None:
        if not self.losses:
            raise StreamError(
                f"stream {self.stream} must still hold all records after the last read one, got a gap in {name}: "
                f"{what}; records may be lost: set allow_losses=true to continue with the rest"
            )

    def _other_stream_error(self, found: str) -> StreamError:
        return StreamError(
            f"stream {self.stream} must be the one that was read before, got another of that name, or none: {found}"
        )

    def _open_shard(self, name: str, at: str) -> _Shard:
        """A shard to be read from a place on. Behind a record means at it: if it is there, nothing is missing."""
        kind, _, value = at.partition(" ")
        request: dict[str, object] = {"ShardIteratorType": kind}
        if kind == AT_TIMESTAMP:
            request["Timestamp"] = float(value)
        if kind == AFTER:
            request = {"ShardIteratorType": "AT_SEQUENCE_NUMBER", "StartingSequenceNumber": value}
        try:
            answer = self.client.get_shard_iterator(StreamName=self.stream, ShardId=name, **request)  # type: ignore[arg-type]
        except self.client.exceptions.InvalidArgumentException as error:
            if kind == AT_TIMESTAMP:
                raise StreamError(f"a start must not be ahead of Kinesis' clock, got {value}: {error}") from None
            raise self._other_stream_error(str(error)) from None
        except self.client.exceptions.ResourceNotFoundException:
            # All of the shard is older than what Kinesis keeps.
            self._handle_loss(name, "the shard is gone")
            return _Shard(None, "", f"{ENDED} {get_sequence_number(at)}".rstrip())
        return _Shard(answer["ShardIterator"], value if kind == AFTER else "", at)

    def _add_new_shards(self, offsets: ShardOffsets, taken: Container[str]) -> ShardOffsets:
        """The place with the shards that have come up; without ended ones that Kinesis has forgotten.

        The offset of what was just read must stay, or it could not be read again.
        """
        if time.monotonic() - self._listed_at < _LISTED_EVERY:
            return offsets
        shards_listed = self._list_shards()
        for shard in shards_listed:
            name, is_open = shard["ShardId"], "EndingSequenceNumber" not in shard["SequenceNumberRange"]
            if is_open and name not in self._shards and is_ended(offsets.get(name, "")):
                raise self._other_stream_error(f"{name} was read to its end and is open")
        there = {shard["ShardId"] for shard in shards_listed}
        kept = {name: at for name, at in offsets.items() if not is_ended(at) or name in there or name in taken}
        return self._add_children(kept, shards_listed)

    def _add_children(self, offsets: ShardOffsets, shards_listed: Sequence["ShardTypeDef"]) -> ShardOffsets:
        names = {shard["ShardId"] for shard in shards_listed}
        new = {}
        for shard in shards_listed:
            parents = {shard.get("ParentShardId"), shard.get("AdjacentParentShardId")} & names
            if shard["ShardId"] not in offsets and all(is_ended(offsets.get(str(parent), "")) for parent in parents):
                new[shard["ShardId"]] = self.start
        return {**offsets, **new}

    def _list_shards(self) -> list["ShardTypeDef"]:
        self._listed_at = time.monotonic()
        request: Mapping[str, str] = {"StreamName": self.stream}
        shards: list[ShardTypeDef] = []
        while True:
            answer = self.client.list_shards(**request)  # type: ignore[arg-type]
            shards += answer["Shards"]
            if not answer.get("NextToken"):
                return shards
            request = {"NextToken": answer["NextToken"]}
