"""Kinesis on loopback and in memory, by AWS's rules.

As a process it prints its port, and ends when its standard input does::

    python -m local.kinesis.kinesis_emulator --port 4567

Unlike Kinesis it makes and deletes streams at once, lets any credentials in, and has no rate limits.
"""

import argparse
import asyncio
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import orjson
from aiohttp import web

from emulation.cli.number_arguments import int_between
from local.kinesis.emulator_operations import THROTTLED, KinesisOperations
from local.kinesis.emulator_request import MEDIA_TYPE, EmulatorRequest, parse_request
from local.kinesis.emulator_shards import KinesisError

_BODY_BYTES = 32 * 1024**2


class KinesisEmulator(KinesisOperations):
    """Streams in memory, and what a test may do to them while they are served.

    Args:
        clock: seconds since 1970; all times and ages are by it.
        iterator_seconds: how long an iterator or a ``NextToken`` is good for.
        page_size: how many shards or streams a list gives at most.

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
    ) -> None:
        super().__init__(clock, iterator_seconds, page_size)
        self.url = ""
        self.calls: Counter[str] = Counter()
        self.throttle: Counter[str] = Counter()
        self.fail: Counter[str] = Counter()
        self.reset: Counter[str] = Counter()
        # A test's controls come from another thread than the calls.
        self._lock = threading.Lock()

    def create(self, name: str, shards: int = 1) -> None:
        """Makes a stream.

        Raises:
            KinesisError: there is one of that name, or that cannot be a name.
        """
        with self._lock:
            self._create_stream(EmulatorRequest({"StreamName": name, "ShardCount": shards}))

    def expire_iterators(self) -> None:
        """All iterators that were given out until now are expired."""
        self._generation += 1

    def lose(self, stream: str, shard: str, until_sequence: str) -> None:
        """Trims a shard's records up to that one and including it, however young they are.

        Raises:
            KinesisError: there is no such stream, shard or sequence number.
        """
        with self._lock:
            found = self._named_stream(EmulatorRequest({"StreamName": stream}))
            place = found.shard(shard, self._now())
            place.drop_before(found.position(place, until_sequence) + 1)

    def answer(self, operation: str, body: bytes) -> tuple[int, bytes]:
        """Status and body that a call is answered with."""
        try:
            if _use_control(self.fail, operation):
                return 500, orjson.dumps({"__type": "InternalFailure", "message": "requested by fail"})
            if _use_control(self.throttle, operation):
                raise KinesisError(THROTTLED, "Rate exceeded: requested by throttle")
            if operation not in self._operations:
                raise KinesisError("UnknownOperationException", f"no such operation here: {operation!r}")
            with self._lock:
                result = self._operations[operation](parse_request(body))
        except KinesisError as error:
            return 400, orjson.dumps({"__type": error.kind, "message": str(error)})
        return 200, result if isinstance(result, bytes) else orjson.dumps(result)

    async def serve(self, request: web.Request) -> web.Response:
        """Answers one request of Kinesis' JSON protocol."""
        operation = request.headers.get("X-Amz-Target", "").rpartition(".")[2]
        body = await request.read()
        self.calls[operation] += 1
        if _use_control(self.reset, operation):
            if request.transport is not None:
                request.transport.abort()
            return web.Response()
        status, content = self.answer(operation, body)
        return web.Response(status=status, body=content, content_type=MEDIA_TYPE)

    async def start(self, port: int = 0) -> web.AppRunner:
        """Begins to serve on a loopback port, a free one for 0; the runner's ``cleanup`` ends it."""
        app = web.Application(client_max_size=_BODY_BYTES)
        app.router.add_post("/", self.serve)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port).start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        return runner


def _use_control(control: Counter[str], operation: str) -> bool:
    """Whether a control applies to this call; it then applies to one call less."""
    left = control.get(operation, 0)
    if left > 0:
        control[operation] = left - 1
    return left > 0


@contextmanager
def serve_emulator(emulator: KinesisEmulator | None = None) -> Iterator[KinesisEmulator]:
    """Serves an emulator on a free loopback port, in a thread; stopped at the end."""
    kinesis, loop, ready = emulator or KinesisEmulator(), asyncio.new_event_loop(), threading.Event()

    def run() -> None:
        runner = loop.run_until_complete(kinesis.start())
        ready.set()
        loop.run_forever()
        loop.run_until_complete(runner.cleanup())
        loop.close()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    if not ready.wait(10):
        raise RuntimeError("the emulator must be served within 10 seconds")
    try:
        yield kinesis
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)


async def _serve_until_input_ends(kinesis: KinesisEmulator, port: int) -> None:
    runner = await kinesis.start(port)
    print(kinesis.url.rpartition(":")[2], flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await runner.cleanup()


def main(arguments: Sequence[str] | None = None) -> None:
    """Serves until standard input ends."""
    parser = argparse.ArgumentParser(prog="python -m local.kinesis.kinesis_emulator", description="Kinesis in memory.")
    parser.add_argument(
        "--port", type=int_between(0, 65_535), default=0, help="its loopback port (default: a free one)"
    )
    options = parser.parse_args(arguments)
    asyncio.run(_serve_until_input_ends(KinesisEmulator(), options.port))


if __name__ == "__main__":
    main()
