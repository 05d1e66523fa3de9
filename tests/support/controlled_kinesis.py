"""The Kinesis emulator with what a test may do to its streams and calls while they are served."""

import threading
from collections import Counter

import orjson
from aiohttp import web

from local.kinesis.emulator_request import EmulatorRequest
from local.kinesis.kinesis_emulator import KinesisEmulator


class ControlledKinesis(KinesisEmulator):
    """An emulator whose next calls fail as often as told.

    Attributes:
        calls: how often each operation was called, whatever it was answered.
        throttle: how many of the next calls of an operation are refused as too many.
        fail: how many of the next calls of an operation are answered with 500.
        reset: how many of the next calls of an operation have their connection cut, before anything is done.
    """

    def __init__(self, **given: object) -> None:
        super().__init__(**given)
        self.calls, self.throttle, self.fail, self.reset = Counter(), Counter(), Counter(), Counter()
        # The controls come from another thread than the calls.
        self._lock = threading.Lock()

    def create(self, name: str, shards: int = 1) -> None:
        """Makes a stream."""
        with self._lock:
            self._create_stream(EmulatorRequest({"StreamName": name, "ShardCount": shards}))

    def expire_iterators(self) -> None:
        """All iterators that were given out until now are expired."""
        self._generation += 1

    def lose(self, stream: str, shard: str, until_sequence: str) -> None:
        """Trims a shard's records up to that one and including it, however young they are."""
        with self._lock:
            found = self._find_stream(stream)
            place = found.shard(shard)
            del place.records[: place.find(found.position(place, until_sequence) + 1)]

    def answer(self, operation: str, body: bytes) -> tuple[int, bytes]:
        if _use_control(self.fail, operation):
            return 500, orjson.dumps({"__type": "InternalFailure", "message": "requested by fail"})
        if _use_control(self.throttle, operation):
            refused = {"__type": "ProvisionedThroughputExceededException", "message": "requested by throttle"}
            return 400, orjson.dumps(refused)
        with self._lock:
            return super().answer(operation, body)

    async def serve(self, request: web.Request) -> web.Response:
        operation = request.headers["X-Amz-Target"].rpartition(".")[2]
        self.calls[operation] += 1
        if _use_control(self.reset, operation):
            await request.read()
            request.transport.abort()
            return web.Response()
        return await super().serve(request)


def _use_control(control: Counter[str], operation: str) -> bool:
    """Whether a control applies to this call; it then applies to one call less."""
    left = control.get(operation, 0)
    if left > 0:
        control[operation] = left - 1
    return left > 0
