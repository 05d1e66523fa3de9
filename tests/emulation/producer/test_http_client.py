"""One request: who sends it, through which proxy, and how long it may take."""

import datetime as dt
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from emulation.emulation_errors import SendError
from emulation.producer.http_client import HttpClient
from emulation.producer.request_auth import RequestAuth
from emulation.producer.retry_policy import RetryPolicy
from tests.emulation import fake_api_server as api
from tests.emulation.fake_api_server import Server
from tests.emulation.producer_runs import records, send


def test_netrc_is_ignored(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("default login canary password canary\n")
    monkeypatch.setenv("NETRC", str(netrc))
    assert send(server, tmp_path, records(1)).counts.acknowledged == 1
    assert "Authorization" not in server.headers[0]


def test_a_proxy_of_the_environment_is_used(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "")
    monkeypatch.setenv("http_proxy", server.url)
    monkeypatch.setattr(server, "url", "http://nowhere.invalid/s")
    assert send(server, tmp_path, records(1)).counts.acknowledged == 1


Answer = Callable[[socket.socket], object]
OK = b"HTTP/1.1 200 OK\r\n"


@contextmanager
def answering(*answers: Answer, certificate: Path | None = None) -> Iterator[str]:
    """A server that gives one answer a connection, the last one again and again; its address."""
    listener = socket.create_server(("127.0.0.1", 0))
    over = threading.Event()

    def serve() -> None:
        left = list(answers)
        while not over.is_set():
            connection, _ = listener.accept()
            answer = left.pop(0) if len(left) > 1 else left[0]
            threading.Thread(target=one, args=(connection, answer), daemon=True).start()

    def one(connection: socket.socket, answer: Answer) -> None:
        with connection, suppress(OSError):
            if certificate:
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                context.load_cert_chain(certificate)
                connection = context.wrap_socket(connection, server_side=True)
            answer(connection)

    server = threading.Thread(target=serve, daemon=True)
    server.start()
    yield f"{'https' if certificate else 'http'}://127.0.0.1:{listener.getsockname()[1]}"
    over.set()
    with suppress(OSError):
        socket.create_connection(listener.getsockname()).close()
    # Joined before the listener is closed: accept() on a closed socket raises in the thread.
    server.join(timeout=5)
    listener.close()


def trickling(head: bytes, text: bytes = b" ") -> Answer:
    """Sends something at once, and then a little now and then, so that no single wait is long."""

    def answer(connection: socket.socket) -> None:
        connection.recv(2**16)
        connection.sendall(head)
        for _ in range(200):
            connection.sendall(text)
            time.sleep(0.05)

    return answer


def saying(text: bytes) -> Answer:
    """Says that, and ends the connection."""

    def answer(connection: socket.socket) -> None:
        connection.recv(2**16)
        connection.sendall(text)

    return answer


def silent(_connection: socket.socket) -> None:
    time.sleep(10)


def endless(connection: socket.socket) -> None:
    connection.recv(2**16)
    connection.sendall(OK + b"\r\n")
    while True:
        connection.sendall(bytes(2**20))


FAILING = {
    "trickles in a body of known length": (trickling(OK + b"Content-Length: 1000\r\n\r\n"), "time-out"),
    "trickles in chunks": (trickling(OK + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"), "time-out"),
    "trickles in a body that ends with the connection": (trickling(OK + b"\r\n"), "time-out"),
    "accepts and is silent": (silent, "time-out"),
    "ends in the body": (saying(OK + b"Content-Length: 1000\r\n\r\n{}"), "incomplete response"),
    "ends in a chunk": (saying(OK + b"Transfer-Encoding: chunked\r\n\r\nff\r\n{}"), "incomplete response"),
    "says that it is packed and is not": (saying(OK + b"Content-Encoding: gzip\r\n\r\n{}"), "incomplete response"),
    "never ends": (endless, "incomplete response"),
    "ends without a word": (saying(b""), "connection lost"),
    "speaks something else": (saying(b"220 mail ready\r\n"), "connection lost"),
}


def test_a_response_that_is_late_or_incomplete_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "*")
    body = b"x" * 100

    def check(what: str) -> None:
        answer, name = FAILING[what]
        with answering(answer, saying(OK + b"Content-Length: 2\r\n\r\n{}")) as url:
            http, began = HttpClient(RequestAuth(), timeout=0.5), time.monotonic()
            reply = http.request("POST", url, body, {})
            assert (what, reply.status, reply.label) == (what, 0, name)
            assert time.monotonic() - began < 2
            assert http.request("POST", url, body, {}).json == {}

    # Those that wait for their time-out wait together.
    with ThreadPoolExecutor(len(FAILING)) as pool:
        list(pool.map(check, FAILING))


def test_a_server_that_does_not_read_times_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "*")
    with answering(silent) as url:
        http, began = HttpClient(RequestAuth(), timeout=0.5), time.monotonic()
        assert http.request("POST", url, bytes(2**25), {}).label == "connection lost"
        # A server without TLS, silent in the middle of what should be its hello.
        assert http.request("POST", url.replace("http:", "https:"), b"", {}).label == "time-out"
        assert time.monotonic() - began < 3


def test_connections_are_persistent(server: Server, tmp_path: Path) -> None:
    opened: set[object] = set()

    async def look(server, request, target, found):
        opened.add(request.transport)
        return await api.accept(server, request, target, found)

    server.usual = look
    send(server, tmp_path, records(5000), RetryPolicy(max_in_flight=2))
    assert len(server.requests) == 10
    assert len(opened) <= 2


def certificate_for(host: str, file: Path) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    now = dt.datetime.now(dt.UTC)
    names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(host))])
    made = x509.CertificateBuilder(
        name, name, key.public_key(), x509.random_serial_number(), now, now + dt.timedelta(1)
    )
    made = made.add_extension(names, critical=False).add_extension(x509.BasicConstraints(ca=True, path_length=0), True)
    signed = made.sign(key, hashes.SHA256())
    plain = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file.write_bytes(plain + signed.public_bytes(serialization.Encoding.PEM))
    return file


def test_tls_is_verified(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "*")
    good, other = (certificate_for(host, tmp_path / host) for host in ("127.0.0.1", "127.0.0.9"))
    ok = saying(OK + b"Content-Length: 2\r\n\r\n{}")

    def ask(certificate: Path) -> int:
        with answering(ok, certificate=certificate) as url:
            return HttpClient(RequestAuth(), timeout=5).request("POST", url, b"", {}).status

    untrusted = r"^TLS with 127\.0\.0\.1 failed: its certificate is not trusted$"
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
        with pytest.raises(SendError, match=untrusted):
            ask(good)
        with monkeypatch.context() as trusting:
            trusting.setenv(name, str(good))
            assert ask(good) == 200
            trusting.setenv(name, str(other))
            with pytest.raises(SendError, match=untrusted):
                ask(other)
            trusting.setenv(name, "/nowhere")
            with pytest.raises(SendError, match=r"^request to 127\.0\.0\.1 cannot be made: .*bundle.*: /nowhere$"):
                ask(good)


@pytest.mark.parametrize("proxy", ["http://", "socks5://127.0.0.1:1"])
def test_an_invalid_proxy_is_one_line(proxy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "")
    monkeypatch.setenv("http_proxy", proxy)
    with pytest.raises(SendError, match=r"^request to h cannot be made: Invalid(ProxyURL|Schema)$"):
        HttpClient(RequestAuth(), timeout=5).request("POST", "http://h", b"", {})
