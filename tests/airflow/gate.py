"""A gate in front of the workspace emulator: passes calls on, notes them, and adds what the emulator does not have.

minilake 1.9.0 starts jobs, runs their tasks and tells their states. Not in it, and added here as Databricks has it:
- a call without the right token is refused (401);
- a GET may have its parameters in its body: the Airflow provider's trigger sends them so;
- ``idempotency_token`` of ``run-now``: the run that a token has started is given, instead of another one;
- ``error`` of a failed task's output: the last line that the task wrote.
And a test can have calls answered 503, as by a workspace that is away.
"""

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlencode, urlsplit

RUN_NOW, SUBMIT, GET_RUN, OUTPUT = (
    f"/api/2.2/jobs/{name}" for name in ("run-now", "runs/submit", "runs/get", "runs/get-output")
)
Answer = tuple[int, dict[str, object]]


@dataclass
class Gate:
    """The gate: where it is, what it has seen.

    Attributes:
        upstream: port of the emulator.
        token: the one that is let in.
        away: how many calls of a path are still answered 503.
        starts: body of every call that asked for a run.
        runs: ids of the runs that were started, in order.
        on_start: is told how many calls have asked for a run.
    """

    upstream: int
    token: str
    away: dict[str, int] = field(default_factory=dict)
    starts: list[dict[str, object]] = field(default_factory=list)
    runs: list[int] = field(default_factory=list)
    on_start: Callable[[int], object] = lambda _: None

    def __post_init__(self) -> None:
        """Listens on a free port of this machine."""
        self._lock, self._known = threading.Lock(), dict[object, Answer]()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"gate": self}))
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        """Stops listening."""
        self._server.shutdown()
        self._server.server_close()

    def answer(self, method: str, target: str, body: bytes, authorization: str) -> Answer:
        """Answers one call."""
        path = urlsplit(target).path
        if authorization != f"Bearer {self.token}":
            return 401, {"error_code": "UNAUTHENTICATED", "message": "the token must be the workspace's"}
        with self._lock:
            if self.away.get(path, 0) > 0:
                self.away[path] -= 1
                return 503, {"error_code": "TEMPORARILY_UNAVAILABLE", "message": "the workspace is away"}
            if path in (RUN_NOW, SUBMIT):
                return self._start(method, target, body)
        status, answer = self._pass_on(method, target, body)
        if path == OUTPUT and status == 200 and not answer.get("error") and answer.get("logs"):
            answer["error"] = str(answer["logs"]).strip().splitlines()[-1]
        return status, answer

    def _start(self, method: str, target: str, body: bytes) -> Answer:
        asked = json.loads(body)
        self.starts.append(asked)
        self.on_start(len(self.starts))
        token = asked.get("idempotency_token")
        if token in self._known:
            return self._known[token]
        status, answer = self._pass_on(method, target, body)
        if status == 200:
            self.runs.append(answer["run_id"])
            self._known[token] = (status, answer)
        return status, answer

    def _pass_on(self, method: str, target: str, body: bytes) -> Answer:
        if method == "GET" and body:
            target, body = f"{target}?{urlencode(json.loads(body))}", b""
        connection = HTTPConnection("127.0.0.1", self.upstream, timeout=60)
        try:
            connection.request(method, target, body, {"Content-Type": "application/json"})
            response = connection.getresponse()
            return response.status, json.loads(response.read() or b"{}")
        finally:
            connection.close()


class _Handler(BaseHTTPRequestHandler):
    gate: Gate
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        status, answer = self.gate.answer(self.command, self.path, body, self.headers.get("Authorization", ""))
        text = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - the name it has there
        """Nothing: a test's output is the test's."""
