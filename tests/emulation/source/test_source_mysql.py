"""MySQL 8 as PyMySQL meets it without TLS: its login, which MariaDB has not, played by a few lines of its protocol.

Source: MySQL's client/server protocol, handshake version 10 and the exchange of ``caching_sha2_password``.
"""

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import suppress

import pytest
import sqlalchemy as sa
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from emulation.emulation_errors import SourceError
from emulation.source.database import connect
from emulation.source.table_reader import TableReader
from pinterest_transforms.entities import USER
from tests.emulation.emulation_commands import ROOT

PLUGIN = b"caching_sha2_password\0"
SALT = b"abcdefghijklmnopqrst"
# Long password, database, protocol 4.1, transactions, secure connection, plugins.
CAPABILITIES = 0x1 | 0x8 | 0x200 | 0x2000 | 0x8000 | 0x80000
OK = b"\0\0\0\x02\0\0\0"
ANSWERS = {"isolation": b"REPEATABLE-READ", "version": b"8.4.3"}
END = b"\xfe\0\0\x02\0"


class MySql8:
    """A server for one connection: it lets in who knows the password, and answers every query with one text."""

    def __init__(self) -> None:
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.password = b""
        self.queries: list[str] = []
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._listener.close()
        self._thread.join(10)

    def _serve(self) -> None:
        with suppress(OSError):
            self._client, _ = self._listener.accept()
            self._client.settimeout(10)
            with self._client:
                self._let_in()
                while (packet := self._receive())[0] == 3:
                    self.queries.append(packet[1:].decode())
                    self._answer(self.queries[-1])

    def _let_in(self) -> None:
        low, high = struct.pack("<I", CAPABILITIES)[:2], struct.pack("<I", CAPABILITIES)[2:]
        told = b"\x0a8.4.3\0" + bytes(4) + SALT[:8] + b"\0" + low + b"\x2d\x02\0" + high + b"\x15" + bytes(10)
        self._send(0, told + SALT[8:] + b"\0" + PLUGIN)
        assert PLUGIN in self._receive()
        # The server does not know the password's hash yet: all of it, please.
        self._send(2, b"\x01\x04")
        assert self._receive() == b"\x02"
        public = self._key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        self._send(4, b"\x01" + public)
        sha1 = hashes.SHA1()  # noqa: S303 - as the protocol has it
        mixed = self._key.decrypt(self._receive(), padding.OAEP(padding.MGF1(sha1), sha1, None))
        self.password = bytes(byte ^ SALT[n % len(SALT)] for n, byte in enumerate(mixed))
        self._send(6, OK)

    def _answer(self, query: str) -> None:
        if not query.startswith(("SELECT", "SHOW")):
            self._send(1, OK)
            return
        text = next((said for part, said in ANSWERS.items() if part in query.lower()), b"0")
        column = b"\x03def\0\0\0\x03ind\0\x0c\x2d\0" + struct.pack("<I", 80) + b"\xfd\0\0\0\0\0"
        for number, packet in enumerate((b"\x01", column, END, bytes([len(text)]) + text, END), 1):
            self._send(number, packet)

    def _send(self, number: int, packet: bytes) -> None:
        self._client.sendall(struct.pack("<I", len(packet))[:3] + bytes([number]) + packet)

    def _receive(self) -> bytes:
        head = self._client.recv(4, socket.MSG_WAITALL)
        if not head:
            raise ConnectionError
        return self._client.recv(int.from_bytes(head[:3], "little"), socket.MSG_WAITALL)


@pytest.fixture
def server() -> Iterator[MySql8]:
    server = MySql8()
    yield server
    server.close()


def test_mysql_8_login_without_tls_and_utc_session(server: MySql8) -> None:
    engine = connect(f"mysql+pymysql://me:c4n4ry@127.0.0.1:{server.port}/posts?charset=latin1")
    with engine.connect() as connection:
        assert connection.execute(sa.text("SELECT 1")).scalar_one() == "0"
    assert server.password == b"c4n4ry\0"
    assert "SET time_zone = '+00:00'" in server.queries
    assert server.queries[0] == "SET NAMES utf8mb4"
    engine.dispose()


@pytest.mark.parametrize("backend", ["mysql", "mariadb"])
def test_mysql_8_login_without_cryptography_is_one_line(server: MySql8, monkeypatch, backend: str) -> None:
    monkeypatch.setattr("pymysql._auth._have_cryptography", False)
    engine = connect(f"{backend}+pymysql://me:c4n4ry@127.0.0.1:{server.port}/posts")
    with pytest.raises(SourceError) as raised:
        TableReader(engine, USER).read_keys()
    assert str(raised.value) == (
        f"database {backend}+pymysql://me:***@127.0.0.1:{server.port}/posts cannot be used: "
        "'cryptography' package is required for sha256_password or caching_sha2_password auth methods"
    )


def test_client_requirements_include_the_login_packages() -> None:
    pinned = (ROOT / "requirements" / "client.txt").read_text(encoding="utf-8").splitlines()
    assert {line.split("==")[0] for line in pinned if "==" in line} >= {
        "cryptography",
        "pymysql",
        "sqlalchemy",
        "pyyaml",
    }
