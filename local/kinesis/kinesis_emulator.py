"""Kinesis on loopback and in memory, by AWS's rules.

As a process it ends with the one that started it::

    python -m local.kinesis.kinesis_emulator --port 4567

Unlike Kinesis it makes and deletes streams at once, lets any credentials in, and has no rate limits.
"""

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

import orjson
from aiohttp import web

from local.kinesis.emulator_operations import KinesisOperations
from local.kinesis.emulator_request import MEDIA_TYPE, parse_request
from local.kinesis.emulator_shards import KinesisError
from local.runtime.part_process import HOST, build_part_parser, run_part, serve

_BODY_BYTES = 32 * 1024**2


class KinesisEmulator(KinesisOperations):
    """Streams in memory that are served over HTTP.

    Attributes:
        url: where it is served.
    """

    url = ""

    def answer(self, operation: str, body: bytes) -> tuple[int, bytes]:
        """Status and body that a call is answered with."""
        try:
            if operation not in self._operations:
                raise KinesisError("UnknownOperationException", f"no such operation here: {operation!r}")
            result = self._operations[operation](parse_request(body))
        except KinesisError as error:
            return 400, orjson.dumps({"__type": error.kind, "message": str(error)})
        return 200, result if isinstance(result, bytes) else orjson.dumps(result)

    async def serve(self, request: web.Request) -> web.Response:
        """Answers one request of Kinesis' JSON protocol."""
        operation = request.headers.get("X-Amz-Target", "").rpartition(".")[2]
        status, content = self.answer(operation, await request.read())
        return web.Response(status=status, body=content, content_type=MEDIA_TYPE)

    def build_app(self) -> web.Application:
        """Its one route."""
        app = web.Application(client_max_size=_BODY_BYTES)
        app.router.add_post("/", self.serve)
        return app


@contextmanager
def serve_emulator(emulator: KinesisEmulator | None = None) -> Iterator[KinesisEmulator]:
    """Serves an emulator on a free loopback port, in a thread; stopped at the end."""
    kinesis, loop = emulator or KinesisEmulator(), asyncio.new_event_loop()
    # Connections wait in it until they are served.
    server = socket.create_server((HOST, 0))
    kinesis.url = f"http://{HOST}:{server.getsockname()[1]}"

    def run() -> None:
        web.run_app(
            kinesis.build_app(),
            sock=server,
            loop=loop,
            handle_signals=False,
            access_log=None,
            print=None,
            shutdown_timeout=0.1,
        )

    def stop() -> NoReturn:
        raise web.GracefulExit

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield kinesis
    finally:
        loop.call_soon_threadsafe(stop)
        thread.join(10)


if __name__ == "__main__":
    parser = build_part_parser("local.kinesis.kinesis_emulator", "Kinesis in memory.")
    run_part(parser, lambda options: serve(KinesisEmulator().build_app(), options.port))
