"""The operations of Kinesis over streams in memory, by AWS's rules."""

import re
import time
from collections.abc import Callable

import orjson

from local.kinesis.emulator_request import EmulatorRequest, decode_token, encode_token
from local.kinesis.emulator_shards import JsonObject, KinesisError, Shard, invalid_argument
from local.kinesis.emulator_streams import ACCOUNT, HASH_KEYS, EmulatorStream

_NAME = re.compile(r"[a-zA-Z0-9_.-]{1,128}", re.ASCII)


class KinesisOperations:
    """Streams in memory, and a method for each operation that is known, by the operation's name.

    Args:
        clock: seconds since 1970; all times and ages are by it.
        iterator_seconds: how long an iterator or a ``NextToken`` is good for.
        page_size: how many shards a list gives at most.
    """

    def __init__(
        self, clock: Callable[[], float] = time.time, iterator_seconds: float = 300.0, page_size: int = 1000
    ) -> None:
        self.clock, self.iterator_seconds, self.page_size = clock, iterator_seconds, page_size
        self._streams: dict[str, EmulatorStream] = {}
        self._made = self._generation = 0
        operations = (
            *(self._create_stream, self._delete_stream, self._list_streams, self._describe_stream),
            *(self._describe_stream_summary, self._list_shards, self._put_record, self._put_records),
            *(self._get_shard_iterator, self._get_records, self._split_shard, self._merge_shards),
        )
        self._operations: dict[str, Callable[[EmulatorRequest], JsonObject | bytes]] = {
            operation.__name__.title().replace("_", ""): operation for operation in operations
        }

    def _now(self) -> int:
        return round(self.clock() * 1000)

    def _is_over(self, issued: int) -> bool:
        return self._now() - issued >= self.iterator_seconds * 1000

    def _named_stream(self, request: EmulatorRequest) -> EmulatorStream:
        """The stream that a call names, without expired records."""
        name = request.text("StreamName", "") or request.text("StreamARN", "").rpartition("/")[2]
        if not name:
            raise invalid_argument("StreamName or StreamARN must be given")
        return self._find_stream(name)

    def _find_stream(self, name: str, prefix: str | None = None) -> EmulatorStream:
        stream = self._streams.get(name)
        if stream is None or prefix not in (None, stream.prefix):
            raise KinesisError("ResourceNotFoundException", f"Stream {name} under account {ACCOUNT} not found.")
        stream.trim(self._now())
        return stream

    def _create_stream(self, request: EmulatorRequest) -> JsonObject:
        name, shards = request.text("StreamName"), request.integer("ShardCount", 1, 10_000, 1)
        if not _NAME.fullmatch(name):
            raise KinesisError("ValidationException", f"StreamName must be 1 to 128 of a-zA-Z0-9_.-, got {name!r}")
        if name in self._streams:
            raise KinesisError("ResourceInUseException", f"Stream {name} under account {ACCOUNT} already exists.")
        self._made += 1
        self._streams[name] = EmulatorStream(name, self._made, shards, self._now())
        return {}

    def _delete_stream(self, request: EmulatorRequest) -> JsonObject:
        del self._streams[self._named_stream(request).name]
        return {}

    def _list_streams(self, _request: EmulatorRequest) -> JsonObject:
        return {"StreamNames": sorted(self._streams), "HasMoreStreams": False}

    def _describe_stream(self, request: EmulatorRequest) -> JsonObject:
        stream = self._named_stream(request)
        shards = [shard.describe() for shard in stream.shards.values()]
        return {"StreamDescription": stream.describe() | {"Shards": shards, "HasMoreShards": False}}

    def _describe_stream_summary(self, request: EmulatorRequest) -> JsonObject:
        stream = self._named_stream(request)
        counted = {"OpenShardCount": len(stream.open_shards), "ConsumerCount": 0}
        return {"StreamDescriptionSummary": stream.describe() | counted}

    def _list_shards(self, request: EmulatorRequest) -> JsonObject:
        token = request.text("NextToken", "")
        if token and request.text("StreamName", ""):
            raise invalid_argument("NextToken and StreamName cannot be provided together.")
        if token:
            stream, after = self._resume(token)
        else:
            stream, after = self._named_stream(request), request.text("ExclusiveStartShardId", "")
        found = [shard for shard in stream.shards.values() if shard.shard_id > after]
        shown = found[: min(self.page_size, request.integer("MaxResults", 1, 10_000, 10_000))]
        more: JsonObject = {}
        if len(shown) < len(found):
            more["NextToken"] = encode_token("shards", stream.name, stream.prefix, shown[-1].shard_id, self._now())
        return {"Shards": [shard.describe() for shard in shown], **more}

    def _resume(self, token: str) -> tuple[EmulatorStream, str]:
        match decode_token(token):
            case ["shards", str(name), str(prefix), str(after), int(issued)]:
                if self._is_over(issued):
                    raise KinesisError("ExpiredNextTokenException", "NextToken expired")
                return self._find_stream(name, prefix), after
        raise invalid_argument("NextToken is invalid.")

    def _put_record(self, request: EmulatorRequest) -> JsonObject:
        stream = self._named_stream(request)
        return {**stream.put([request.entry()], self._now())[0]}

    def _put_records(self, request: EmulatorRequest) -> JsonObject:
        stream = self._named_stream(request)
        return {"FailedRecordCount": 0, "Records": stream.put(request.entries(), self._now())}

    def _iterator(self, stream: EmulatorStream, shard: Shard, position: int) -> str:
        return encode_token(
            "iterator", stream.name, stream.prefix, shard.shard_id, position, self._now(), self._generation
        )

    def _get_shard_iterator(self, request: EmulatorRequest) -> JsonObject:
        stream, kind = self._named_stream(request), request.text("ShardIteratorType")
        shard = stream.shard(request.text("ShardId"))
        if kind == "TRIM_HORIZON":
            position = 0
        elif kind == "LATEST":
            position = stream.next_number
        elif kind == "AT_TIMESTAMP":
            moment = request.timestamp_ms("Timestamp")
            if moment > self._now():
                raise invalid_argument(
                    "The timestampInMillis parameter cannot be greater than the currentTimestampInMillis. "
                    f"timestampInMillis: {moment}, currentTimestampInMillis: {self._now()}"
                )
            found = shard.position_at(moment)
            position = stream.next_number if found is None else found
        elif kind in ("AT_SEQUENCE_NUMBER", "AFTER_SEQUENCE_NUMBER"):
            position = stream.position(shard, request.text("StartingSequenceNumber")) + (
                kind == "AFTER_SEQUENCE_NUMBER"
            )
        else:
            raise KinesisError("ValidationException", f"ShardIteratorType must be one of Kinesis' five, got {kind!r}")
        return {"ShardIterator": self._iterator(stream, shard, position)}

    def _get_records(self, request: EmulatorRequest) -> bytes:
        limit, now = request.integer("Limit", 1, 10_000, 10_000), self._now()
        stream, shard, position = self._find_position(request.text("ShardIterator"))
        found, at_tip = shard.read(position, limit)
        # Zero means that all was read; otherwise it is at least a millisecond.
        rest: JsonObject = {"MillisBehindLatest": 0 if at_tip else max(1, now - found[-1].arrived)}
        if at_tip and shard.closed is not None:
            rest["ChildShards"] = [child.describe_child() for child in shard.children]
        else:
            rest["NextShardIterator"] = self._iterator(stream, shard, found[-1].number + 1 if found else position)
        # The brackets go onto the first and the last record: megabytes are then copied once.
        records = [record.rendered for record in found] or [b""]
        records[0] = b'{"Records":[' + records[0]
        records[-1] += b"]," + orjson.dumps(rest)[1:]
        return b",".join(records)

    def _find_position(self, iterator: str) -> tuple[EmulatorStream, Shard, int]:
        match decode_token(iterator):
            case ["iterator", str(name), str(prefix), str(shard), int(position), int(issued), int(generation)]:
                stream = self._find_stream(name, prefix)
                if self._is_over(issued) or generation < self._generation or shard not in stream.shards:
                    raise KinesisError(
                        "ExpiredIteratorException",
                        f"Iterator expired. The iterator was created at time {issued} while right now it is "
                        f"{self._now()} which is further in the future than the tolerated delay of "
                        f"{round(self.iterator_seconds * 1000)} milliseconds.",
                    )
                return stream, stream.shards[shard], position
        raise invalid_argument("Invalid ShardIterator.")

    def _split_shard(self, request: EmulatorRequest) -> JsonObject:
        stream, now = self._named_stream(request), self._now()
        shard = stream.shard(request.text("ShardToSplit"))
        stream.split(shard, request.integer("NewStartingHashKey", 0, HASH_KEYS - 1), now)
        return {}

    def _merge_shards(self, request: EmulatorRequest) -> JsonObject:
        stream, now = self._named_stream(request), self._now()
        shard, other = (stream.shard(request.text(name)) for name in ("ShardToMerge", "AdjacentShardToMerge"))
        stream.merge(shard, other, now)
        return {}
