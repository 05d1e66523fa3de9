"""A small workspace on loopback: keeps what it is given, records every call, and fails when it is told to."""

# ruff: noqa: N815 - the handler's names are http.server's

import json
import re
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

from fake_routes import ROUTES, Body, error, not_found

__all__ = ["TOKEN", "Call", "Fake", "error", "fake_workspace"]

TOKEN = "dapi-canary-0123456789abcdef"


@dataclass(frozen=True)
class Call:
    """One request."""

    method: str
    path: str
    query: dict[str, str]
    body: Body


@dataclass
class Fake:
    """What the workspace has, and what was asked of it."""

    host: str = ""
    calls: list[Call] = field(default_factory=list)
    tokens: set[str] = field(default_factory=set)
    scopes: dict[str, dict[str, str]] = field(default_factory=dict)
    credentials: dict[str, Body] = field(default_factory=dict)
    locations: dict[str, Body] = field(default_factory=dict)
    profiles: list[str] = field(default_factory=list)
    grants: dict[str, dict[str, list[str]]] = field(default_factory=dict)
    principals: set[str] = field(default_factory=set)
    warehouses: list[Body] = field(default_factory=lambda: [{"id": "w1", "name": "small"}])
    tables: dict[str, tuple[list[str], list[list[str | None]]]] = field(default_factory=dict)
    statements: list[str] = field(default_factory=list)
    slow_statements: int = 0
    jobs: dict[int, str] = field(default_factory=dict)
    run: deque[Body] = field(default_factory=deque)
    outputs: dict[int, str] = field(default_factory=dict)
    cancelled: list[int] = field(default_factory=list)
    failures: list[tuple[str, str, int, Body, dict[str, str], int]] = field(default_factory=list)

    def fail(
        self, method: str, path: str, status: int, body: Body, headers: dict[str, str] | None = None, times: int = 99
    ) -> None:
        """The next calls of that method and path are answered so."""
        self.failures.append((method, path, status, body, headers or {}, times))

    @property
    def writes(self) -> list[Call]:
        """The calls that change something."""
        reads = ("/api/2.0/sql/statements",)
        changing = [call for call in self.calls if call.method != "GET" and call.path not in reads]
        return changing + [
            call for call in self.calls if str(call.body.get("statement", "")).startswith(("DROP", "ALTER"))
        ]


def answered(fake: Fake, call: Call) -> tuple[int, Body, dict[str, str]]:
    for at, (method, path, status, body, headers, times) in enumerate(fake.failures):
        if method == call.method and path in call.path and times:
            fake.failures[at] = (method, path, status, body, headers, times - 1)
            return status, body, headers
    for pattern, route in ROUTES:
        match = re.fullmatch(pattern, call.path)
        if match:
            return *route(*match.groups(), fake, call), {}
    return *not_found(call.path), {}


class Handler(BaseHTTPRequestHandler):
    disable_nagle_algorithm = True
    protocol_version = "HTTP/1.1"
    fake: Fake

    def _serve(self) -> None:
        url = urlsplit(self.path)
        text = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        call = Call(self.command, unquote(url.path), query, json.loads(text) if text else {})
        if "well-known" not in call.path:
            self.fake.calls.append(call)
            self.fake.tokens.add(self.headers.get("Authorization", ""))
        status, body, headers = answered(self.fake, call)
        payload = json.dumps(body).encode()
        self.send_response(status)
        for name, value in {**headers, "Content-Type": "application/json", "Content-Length": str(len(payload))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(payload)

    do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = _serve

    def log_message(self, *args: object) -> None:
        """Nothing: tests look at what a command prints."""


@contextmanager
def fake_workspace() -> Iterator[Fake]:
    """Serves until the block ends."""
    fake = Fake()
    handler = type("Bound", (Handler,), {"fake": fake})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        fake.host = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield fake
        finally:
            server.shutdown()
            thread.join()
