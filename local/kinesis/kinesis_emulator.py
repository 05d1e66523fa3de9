"""Kinesis on loopback and in memory, for tests and benchmarks: AWS's rules where moto has others.

As a process of its own it prints its port, and ends when its standard input does::

    python -m local.kinesis.kinesis_emulator --streams posts users --shards 2

Unlike Kinesis it makes and deletes streams at once, lets any credentials in, and takes writes without a limit.
"""

import argparse
import asyncio
import re
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import orjson
from aiohttp import web

from local.kinesis.emulator_request import MEDIA_TYPE, Asked, asked_of, filter_of, fits
from local.kinesis.emulator_shards import (
    ACCOUNT,
    HASH_KEYS,
    Described,
    KinesisError,
    Shard,
    Stream,
    invalid,
    parts_of,
    token,
)
from local.runtime.argument_types import whole_number

_NAME = re.compile(r"[a-zA-Z0-9_.-]{1,128}", re.ASCII)
_BODY_BYTES = 32 * 1024**2
_HOURS = (24, 8760)
_THROTTLED = "ProvisionedThroughputExceededException"


class KinesisStandIn:
    """Streams in memory, and what a test may do to them while they are served.

    Args:
        clock: seconds since 1970; all times and ages are by it.
        iterator_seconds: how long an iterator or a ``NextToken`` is good for.
        page_size: how many shards or streams a list gives at most.
        limits: whether a shard gives five ``GetRecords`` and 2 MiB a second, as in Kinesis.

    Attributes:
        url: where it is served.
        calls: how often each operation was called, whatever it was answered.
        throttle: how many of the next calls of an operation are refused as too many.
        fail: how many of the next calls of an operation are answered with 500.
        reset: how many of the next calls of an operation have their connection cut, before anything is done.
    """

    def __init__(
        self,
        *,
        clock: Callable[[], float] = time.time,
        iterator_seconds: float = 300.0,
        page_size: int = 1000,
        limits: bool = False,
    ) -> None:
        self.clock, self.iterator_seconds, self.page_size, self.limits = clock, iterator_seconds, page_size, limits
        self.url = ""
        self.calls: Counter[str] = Counter()
        self.throttle: Counter[str] = Counter()
        self.fail: Counter[str] = Counter()
        self.reset: Counter[str] = Counter()
        self._streams: dict[str, Stream] = {}
        self._made = self._generation = 0
        # A test's controls come from another thread than the calls.
        self._lock = threading.Lock()
        operations = (
            *(self._create_stream, self._delete_stream, self._list_streams, self._describe_stream),
            *(self._describe_stream_summary, self._list_shards, self._put_record, self._put_records),
            *(self._get_shard_iterator, self._get_records, self._split_shard, self._merge_shards),
            *(self._increase_stream_retention_period, self._decrease_stream_retention_period),
        )
        self._operations: dict[str, Callable[[Asked], Described | bytes]] = {
            operation.__name__.title().replace("_", ""): operation for operation in operations
        }

    def create(self, name: str, shards: int = 1) -> None:
        """Makes a stream.

        Raises:
            KinesisError: there is one of that name, or that cannot be a name.
        """
        with self._lock:
            self._create_stream(Asked({"StreamName": name, "ShardCount": shards}))

    def expire_iterators(self) -> None:
        """All iterators that were given out until now are expired."""
        self._generation += 1

    def lose(self, stream: str, shard: str, until_sequence: str) -> None:
        """Trims a shard's records up to that one and including it, however young they are.

        Raises:
            KinesisError: there is no such stream, shard or sequence number.
        """
        with self._lock:
            found = self._stream(Asked({"StreamName": stream}))
            place = found.shard(shard, self._now())
            place.drop_before(found.position(place, until_sequence) + 1)

    def answer(self, operation: str, body: bytes) -> tuple[int, bytes]:
        """Status and body that a call is answered with."""
        try:
            if _spent(self.fail, operation):
                return 500, orjson.dumps({"__type": "InternalFailure", "message": "told to fail"})
            if _spent(self.throttle, operation):
                raise KinesisError(_THROTTLED, "Rate exceeded: told to throttle")
            if operation not in self._operations:
                raise KinesisError("UnknownOperationException", f"no such operation here: {operation!r}")
            with self._lock:
                said = self._operations[operation](asked_of(body))
        except KinesisError as error:
            return 400, orjson.dumps({"__type": error.kind, "message": str(error)})
        return 200, said if isinstance(said, bytes) else orjson.dumps(said)

    async def serve(self, request: web.Request) -> web.Response:
        """Answers one request of Kinesis' JSON protocol."""
        operation = request.headers.get("X-Amz-Target", "").rpartition(".")[2]
        body = await request.read()
        self.calls[operation] += 1
        if _spent(self.reset, operation):
            if request.transport is not None:
                request.transport.abort()
            return web.Response()
        status, said = self.answer(operation, body)
        return web.Response(status=status, body=said, content_type=MEDIA_TYPE)

    async def start(self) -> web.AppRunner:
        """Begins to serve on a free loopback port; the runner's ``cleanup`` ends it."""
        app = web.Application(client_max_size=_BODY_BYTES)
        app.router.add_post("/", self.serve)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        return runner

    def _now(self) -> int:
        return round(self.clock() * 1000)

    def _is_over(self, issued: int) -> bool:
        return self._now() - issued >= self.iterator_seconds * 1000

    def _stream(self, asked: Asked) -> Stream:
        """The stream that a call names, without what is too old."""
        name = asked.text("StreamName", "") or asked.text("StreamARN", "").rpartition("/")[2]
        if not name:
            raise invalid("StreamName or StreamARN must be given")
        return self._found(name)

    def _found(self, name: str, prefix: str | None = None) -> Stream:
        stream = self._streams.get(name)
        if stream is None or prefix not in (None, stream.prefix):
            raise KinesisError("ResourceNotFoundException", f"Stream {name} under account {ACCOUNT} not found.")
        stream.trim(self._now())
        return stream

    def _create_stream(self, asked: Asked) -> Described:
        name, shards = asked.text("StreamName"), asked.whole("ShardCount", 1, 10_000, 1)
        if not _NAME.fullmatch(name):
            raise KinesisError("ValidationException", f"StreamName must be 1 to 128 of a-zA-Z0-9_.-, got {name!r}")
        if name in self._streams:
            raise KinesisError("ResourceInUseException", f"Stream {name} under account {ACCOUNT} already exists.")
        self._made += 1
        self._streams[name] = Stream(name, self._made, shards, self._now())
        return {}

    def _delete_stream(self, asked: Asked) -> Described:
        del self._streams[self._stream(asked).name]
        return {}

    def _list_streams(self, asked: Asked) -> Described:
        after = asked.text("NextToken", "") or asked.text("ExclusiveStartStreamName", "")
        names = sorted(name for name in self._streams if name > after)
        shown = names[: min(self.page_size, asked.whole("Limit", 1, 10_000, 100))]
        more = {"NextToken": shown[-1]} if len(shown) < len(names) else {}
        return {"StreamNames": shown, "HasMoreStreams": bool(more), **more}

    def _describe_stream(self, asked: Asked) -> Described:
        stream, after = self._stream(asked), asked.text("ExclusiveStartShardId", "")
        shards = [shard for shard in stream.listed(self._now()) if shard.shard_id > after]
        shown = shards[: min(self.page_size, asked.whole("Limit", 1, 10_000, 100))]
        described = {"Shards": [shard.described() for shard in shown], "HasMoreShards": len(shown) < len(shards)}
        return {"StreamDescription": stream.summary() | described}

    def _describe_stream_summary(self, asked: Asked) -> Described:
        stream = self._stream(asked)
        counted = {"OpenShardCount": len(stream.open_shards()), "ConsumerCount": 0}
        return {"StreamDescriptionSummary": stream.summary() | counted}

    def _list_shards(self, asked: Asked) -> Described:
        now, limit = self._now(), asked.whole("MaxResults", 1, 10_000, self.page_size)
        said = asked.text("NextToken", "")
        if said and asked.text("StreamName", ""):
            raise invalid("NextToken and StreamName cannot be provided together.")
        if said:
            stream, after, kind, moment = self._resumed(said)
        else:
            stream, after = self._stream(asked), asked.text("ExclusiveStartShardId", "")
            kind, moment, after_too = filter_of(asked.inner("ShardFilter"))
            after = max(after, after_too)
        if kind == "AT_TRIM_HORIZON":
            moment = max(stream.horizon(now), stream.created)
        shards = [s for s in stream.listed(now) if s.shard_id > after and fits(s, kind, moment)]
        shown = shards[: min(self.page_size, limit)]
        more: Described = {}
        if len(shown) < len(shards):
            more["NextToken"] = token("shards", stream.name, stream.prefix, shown[-1].shard_id, kind, moment, now)
        return {"Shards": [shard.described() for shard in shown], **more}

    def _resumed(self, said: str) -> tuple[Stream, str, str, int]:
        """What a list of shards goes on with: stream, last shard, filter and its moment."""
        match parts_of(said):
            case ["shards", str(name), str(prefix), str(after), str(kind), int(moment), int(issued)]:
                if self._is_over(issued):
                    raise KinesisError("ExpiredNextTokenException", "NextToken expired")
                return self._found(name, prefix), after, kind, moment
        raise invalid("NextToken is invalid.")

    def _put_record(self, asked: Asked) -> Described:
        stream = self._stream(asked)
        return {**stream.put([asked.entry()], self._now())[0]}

    def _put_records(self, asked: Asked) -> Described:
        stream = self._stream(asked)
        return {"FailedRecordCount": 0, "Records": stream.put(asked.entries(), self._now())}

    def _iterator(self, stream: Stream, shard: Shard, position: int) -> str:
        return token("iterator", stream.name, stream.prefix, shard.shard_id, position, self._now(), self._generation)

    def _get_shard_iterator(self, asked: Asked) -> Described:
        stream, kind = self._stream(asked), asked.text("ShardIteratorType")
        shard = stream.shard(asked.text("ShardId"), self._now())
        if kind == "TRIM_HORIZON":
            position = 0
        elif kind == "LATEST":
            position = stream.next_number
        elif kind == "AT_TIMESTAMP":
            moment = asked.moment("Timestamp")
            if moment > self._now():
                raise invalid(
                    "The timestampInMillis parameter cannot be greater than the currentTimestampInMillis. "
                    f"timestampInMillis: {moment}, currentTimestampInMillis: {self._now()}"
                )
            found = shard.position_at(moment)
            position = stream.next_number if found is None else found
        elif kind in ("AT_SEQUENCE_NUMBER", "AFTER_SEQUENCE_NUMBER"):
            position = stream.position(shard, asked.text("StartingSequenceNumber")) + (kind == "AFTER_SEQUENCE_NUMBER")
        else:
            raise KinesisError("ValidationException", f"ShardIteratorType must be one of Kinesis' five, got {kind!r}")
        return {"ShardIterator": self._iterator(stream, shard, position)}

    def _get_records(self, asked: Asked) -> bytes:
        limit, now = asked.whole("Limit", 1, 10_000, 10_000), self._now()
        stream, shard, position = self._at(asked.text("ShardIterator"))
        if self.limits and not shard.quota.has_room(now):
            message = f"Rate exceeded for shard {shard.shard_id} in stream {stream.name} under account {ACCOUNT}."
            raise KinesisError(_THROTTLED, message)
        page = shard.read(position, limit)
        if self.limits:
            shard.quota.took(page.size)
        # Zero means that all was read, so what is not is a millisecond behind at least.
        rest: Described = {"MillisBehindLatest": 0 if page.at_tip else max(1, now - page.arrival)}
        if page.at_tip and shard.closed is not None:
            rest["ChildShards"] = [child.described_child() for child in shard.children]
        else:
            rest["NextShardIterator"] = self._iterator(stream, shard, page.position)
        # The brackets go onto the first and the last record: megabytes are then copied once.
        said = page.records or [b""]
        said[0] = b'{"Records":[' + said[0]
        said[-1] += b"]," + orjson.dumps(rest)[1:]
        return b",".join(said)

    def _at(self, iterator: str) -> tuple[Stream, Shard, int]:
        """Where an iterator is."""
        match parts_of(iterator):
            case ["iterator", str(name), str(prefix), str(shard), int(position), int(issued), int(generation)]:
                if self._is_over(issued) or generation < self._generation:
                    raise KinesisError(
                        "ExpiredIteratorException",
                        f"Iterator expired. The iterator was created at time {issued} while right now it is "
                        f"{self._now()} which is further in the future than the tolerated delay of "
                        f"{round(self.iterator_seconds * 1000)} milliseconds.",
                    )
                stream = self._found(name, prefix)
                if shard in stream.shards:
                    return stream, stream.shards[shard], position
        raise invalid("Invalid ShardIterator.")

    def _split_shard(self, asked: Asked) -> Described:
        stream, now = self._stream(asked), self._now()
        shard = stream.shard(asked.text("ShardToSplit"), now)
        stream.split(shard, asked.whole("NewStartingHashKey", 0, HASH_KEYS - 1), now)
        return {}

    def _merge_shards(self, asked: Asked) -> Described:
        stream, now = self._stream(asked), self._now()
        shard, other = (stream.shard(asked.text(name), now) for name in ("ShardToMerge", "AdjacentShardToMerge"))
        stream.merge(shard, other, now)
        return {}

    def _increase_stream_retention_period(self, asked: Asked) -> Described:
        stream, hours = self._stream(asked), asked.whole("RetentionPeriodHours", *_HOURS)
        if hours < stream.retention_hours:
            raise invalid(f"RetentionPeriodHours must be {stream.retention_hours} at least to increase it, got {hours}")
        stream.retention_hours = hours
        return {}

    def _decrease_stream_retention_period(self, asked: Asked) -> Described:
        stream, hours = self._stream(asked), asked.whole("RetentionPeriodHours", *_HOURS)
        if hours > stream.retention_hours:
            raise invalid(f"RetentionPeriodHours must be {stream.retention_hours} at most to decrease it, got {hours}")
        stream.retention_hours = hours
        return {}


def _spent(control: Counter[str], operation: str) -> bool:
    """Whether a control applies to this call; it then applies to one call less."""
    left = control.get(operation, 0)
    if left > 0:
        control[operation] = left - 1
    return left > 0


@contextmanager
def serving(stand_in: KinesisStandIn | None = None) -> Iterator[KinesisStandIn]:
    """Serves a stand-in on a free loopback port, in a thread; stopped at the end."""
    kinesis, loop, ready = stand_in or KinesisStandIn(), asyncio.new_event_loop(), threading.Event()

    def run() -> None:
        runner = loop.run_until_complete(kinesis.start())
        ready.set()
        loop.run_forever()
        loop.run_until_complete(runner.cleanup())
        loop.close()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    if not ready.wait(10):
        raise RuntimeError("the stand-in must be served within 10 seconds")
    try:
        yield kinesis
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)


async def _until_told(kinesis: KinesisStandIn) -> None:
    runner = await kinesis.start()
    print(kinesis.url.rpartition(":")[2], flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await runner.cleanup()


def main(arguments: Sequence[str] | None = None) -> None:
    """Serves until standard input ends."""
    parser = argparse.ArgumentParser(prog="python -m local.kinesis.kinesis_emulator", description="Kinesis in memory.")
    parser.add_argument("--streams", nargs="+", default=[], metavar="NAME", help="streams to begin with")
    parser.add_argument(
        "--shards", type=whole_number(1, 10_000), default=1, metavar="N", help="shards of each of them (default 1)"
    )
    parser.add_argument("--limits", action="store_true", help="read no more from a shard than Kinesis lets")
    asked = parser.parse_args(arguments)
    kinesis = KinesisStandIn(limits=asked.limits)
    try:
        for name in asked.streams:
            kinesis.create(name, asked.shards)
    except KinesisError as error:
        parser.error(str(error))
    asyncio.run(_until_told(kinesis))


if __name__ == "__main__":
    main()
