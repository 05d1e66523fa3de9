"""A fake of the API and of Kinesis on loopback, with a scripted response per request."""

# ruff: noqa: ARG001 - scripts take what they are called with

import asyncio
import base64
import json
import threading
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

from aiohttp import web

Taken = list[tuple[str, int, object]]
Script = Callable[["Server", web.Request, str, list[dict]], Awaitable[web.StreamResponse]]


class Server:
    """Received requests and stored records.

    Attributes:
        taken: topic or stream, key and value of every stored record, in order.
        requests: number of records of each request.
        script: responses to the next requests, one each; then ``usual``.
        streams: names of existing streams.
        refused: names of streams whose creation fails.
    """

    def __init__(self) -> None:
        self.taken: Taken = []
        self.requests: list[int] = []
        self.headers: list[dict[str, str]] = []
        self.script: deque[Script] = deque()
        self.usual: Script = accept
        self.streams: set[str] = set()
        self.refused: set[str] = set()
        self.url = ""

    async def records(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        target = request.match_info["target"]
        found = [
            {"key": r.get("key", r.get("partition-key")), "value": r.get("value", r.get("data"))}
            for r in body["records"]
        ]
        self.requests.append(len(found))
        self.headers.append(dict(request.headers))
        script = self.script.popleft() if self.script else self.usual
        return await script(self, request, target, found)

    async def kinesis(self, request: web.Request) -> web.StreamResponse:
        """Kinesis' protocol, for boto3."""
        body, what = await request.json(), request.headers["X-Amz-Target"].rpartition(".")[2]
        self.headers.append(dict(request.headers))
        if what != "PutRecords":
            return _managed(self, what, body.get("StreamName", ""))
        found = [{"key": r["PartitionKey"], "value": json.loads(base64.b64decode(r["Data"]))} for r in body["Records"]]
        self.requests.append(len(found))
        script = self.script.popleft() if self.script else self.usual
        return await script(self, request, body["StreamName"], found)

    def take(self, target: str, records: list[dict]) -> None:
        self.taken += [(target, int(r["key"]), r["value"]) for r in records]


def answer(request: web.Request, errors: list[object]) -> web.Response:
    """The response of the proxy or Kinesis with an error code or None per record."""
    if "/topics/" in request.path:
        said = [{"partition": 0, "offset": n, "error_code": e, "error": e and "told"} for n, e in enumerate(errors)]
        return web.json_response({"offsets": said})
    said = [{"ErrorCode": e, "ErrorMessage": "told"} if e else {"ShardId": "0", "SequenceNumber": "1"} for e in errors]
    return web.json_response({"FailedRecordCount": sum(e is not None for e in errors), "Records": said})


async def accept(server: Server, request: web.Request, target: str, records: list[dict]) -> web.StreamResponse:
    server.take(target, records)
    return answer(request, [None] * len(records))


def status(code: int, body: str = "", headers: dict[str, str] | None = None) -> Script:
    """Responds with a status and stores nothing."""

    async def script(server: Server, request: web.Request, target: str, records: list[dict]) -> web.StreamResponse:
        return web.Response(status=code, text=body, headers=headers)

    return script


def each(errors: Callable[[dict], object]) -> Script:
    """Responds 200 with an error code per record; stores those without one."""

    async def script(server: Server, request: web.Request, target: str, records: list[dict]) -> web.StreamResponse:
        said = [errors(record) for record in records]
        server.take(target, [r for r, e in zip(records, said, strict=True) if e is None])
        return answer(request, said)

    return script


def at_most(bytes_: int) -> Script:
    """Responds 413 to a larger body."""

    async def script(server: Server, request: web.Request, target: str, records: list[dict]) -> web.StreamResponse:
        if (request.content_length or 0) > bytes_:
            return web.Response(status=413, text="too large")
        return await accept(server, request, target, records)

    return script


async def reset(server: Server, request: web.Request, target: str, records: list[dict]) -> web.StreamResponse:
    """Closes the connection and stores nothing."""
    request.transport.abort()
    return web.Response()


async def take_and_reset(server: Server, request: web.Request, target: str, records: list[dict]) -> web.StreamResponse:
    server.take(target, records)
    return await reset(server, request, target, records)


def take_and_hang(seconds: float) -> Script:
    """Stores all and responds late."""

    async def script(server: Server, request: web.Request, target: str, records: list[dict]) -> web.StreamResponse:
        server.take(target, records)
        await asyncio.sleep(seconds)
        return answer(request, [None] * len(records))

    return script


def trickle(pause: float) -> Script:
    """Stores all and responds one byte at a time."""

    async def script(server: Server, request: web.Request, target: str, records: list[dict]) -> web.StreamResponse:
        server.take(target, records)
        response = web.StreamResponse()
        await response.prepare(request)
        for byte in json.dumps({"offsets": []}).encode() * 100:
            await response.write(bytes([byte]))
            await asyncio.sleep(pause)
        return response

    return script


def respond_with(text: str) -> Script:
    """Stores all and responds 200 with a text."""

    async def script(server: Server, request: web.Request, target: str, records: list[dict]) -> web.StreamResponse:
        server.take(target, records)
        return web.Response(text=text)

    return script


def _managed(server: Server, what: str, name: str) -> web.Response:
    """Kinesis' response to a call on a stream."""
    if what == "CreateStream":
        if name in server.refused | server.streams:
            kind = "LimitExceededException" if name in server.refused else "ResourceInUseException"
            return web.json_response({"__type": kind}, status=400)
        server.streams.add(name)
    elif name not in server.streams:
        return web.json_response({"__type": "ResourceNotFoundException"}, status=400)
    elif what == "DeleteStream":
        server.streams.remove(name)
    else:
        return web.json_response({"StreamDescription": {"StreamStatus": "ACTIVE", "Shards": [{}]}})
    return web.json_response({})


async def _streams(server: Server, request: web.Request) -> web.StreamResponse:
    what = {"POST": "CreateStream", "DELETE": "DeleteStream", "GET": "DescribeStream"}[request.method]
    return _managed(server, what, request.match_info["target"])


@contextmanager
def serve_api() -> Iterator[Server]:
    """Runs a server on a free loopback port in a thread."""
    server, loop, ready, stop = Server(), asyncio.new_event_loop(), threading.Event(), asyncio.Event()
    app = web.Application(client_max_size=100_000_000)
    app.router.add_post("/s/topics/{target}", server.records)
    app.router.add_put("/s/streams/{target}/records", server.records)
    app.router.add_post("/", server.kinesis)
    for add in (app.router.add_get, app.router.add_post, app.router.add_delete):
        add("/s/streams/{target}", lambda request: _streams(server, request))
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1, handler_cancellation=True)

    async def serve() -> None:
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        server.url = f"http://127.0.0.1:{runner.addresses[0][1]}/s"
        ready.set()
        await stop.wait()
        await runner.cleanup()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()), daemon=True)
    thread.start()
    assert ready.wait(10)
    try:
        yield server
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(10)
        assert not thread.is_alive()
        loop.close()
