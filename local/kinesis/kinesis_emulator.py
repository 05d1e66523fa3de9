"""Kinesis on loopback and in memory, by AWS's rules.

As a process it ends with the one that started it::

    python -m local.kinesis.kinesis_emulator --port 4567

Unlike Kinesis it makes and deletes streams at once, lets any credentials in, and has no rate limits.
"""

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import orjson
from aiohttp import web

from local.kinesis.emulator_operations import THROTTLED, KinesisOperations
from local.kinesis.emulator_request import MEDIA_TYPE, EmulatorRequest, parse_request
from local.kinesis.emulator_shards import KinesisError
from local.runtime.part_process import HOST, build_part_parser, run_part, serve

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

    def app(self) -> web.Application:
        """Its one route."""
        app = web.Application(client_max_size=_BODY_BYTES)
        app.router.add_post("/", self.serve)
        return app


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

    async def start() -> web.AppRunner:
        runner = web.AppRunner(kinesis.app(), access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, HOST, 0).start()
        kinesis.url = f"http://{HOST}:{runner.addresses[0][1]}"
        return runner

    def run() -> None:
        runner = loop.run_until_complete(start())
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


if __name__ == "__main__":
    parser = build_part_parser("local.kinesis.kinesis_emulator", "Kinesis in memory.")
    run_part(parser, lambda options: serve(KinesisEmulator().app(), options.port))
