"""``requests`` sessions with a deadline for the whole exchange; a socket timeout limits single reads only."""

import contextlib
import math
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import requests
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase
from requests.utils import get_environ_proxies
from urllib3 import HTTPConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection

from emulation.emulation_errors import SendError

_thread = threading.local()


class DeadlineSession(requests.Session):
    """A session of one thread. At the deadline of an exchange its socket is shut down.

    Proxies and certificates are those of the environment, looked up once, not before each request.

    Attributes:
        expired: the exchange was aborted.
        connected: a connection was established.
    """

    def __init__(self, auth: AuthBase, url: str) -> None:
        super().__init__()
        self.auth, self.trust_env = auth, False
        self.proxies = get_environ_proxies(url)
        self.verify = _find_certificates() or True
        for scheme in ("http://", "https://"):
            self.mount(scheme, _Adapter(pool_connections=1, pool_maxsize=1))
        self.expired = self.connected = False
        self._lock = threading.Lock()
        self._at = math.inf
        self._connection: HTTPConnection | None = None
        self._socket: socket.socket | None = None

    @contextlib.contextmanager
    def limit(self, seconds: float) -> Iterator[None]:
        """Limits the exchange of the calling thread in this context."""
        _thread.session = self
        self.expired, self._at = False, time.monotonic() + seconds
        try:
            yield
        except OSError:
            self.check()  # the socket's own time-out may come just before the watcher
            raise
        finally:
            with self._lock:  # the connection's next exchange has another deadline
                self._at = math.inf

    def check(self) -> None:
        """Aborts the exchange after its deadline."""
        with self._lock:
            if time.monotonic() >= self._at:
                self.abort()

    def connect(self, connection: HTTPConnection, connect: Callable[[], None]) -> None:
        """Opens a connection, and stores its socket: a connection closed by its response drops it earlier."""
        self.connected, self._connection, self._socket = False, connection, None
        connect()
        self.connected, self._socket = True, connection.sock

    def abort(self) -> None:
        """Shuts the socket down, which ends a read in another thread."""
        self.expired = True
        found = self._socket or (self._connection and self._connection.sock)
        if found:
            with contextlib.suppress(OSError, TypeError):
                # Not SSLSocket.shutdown: it drops the TLS state that another thread is reading with.
                socket.socket.shutdown(found, socket.SHUT_RDWR)


def _find_certificates() -> str | None:
    """File or folder of trusted certificates from the variables of requests, curl and OpenSSL.

    Raises:
        SendError: the path does not exist.
    """
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"):
        if path := os.environ.get(name):
            if not Path(path).exists():
                raise SendError(f"{name} must be a file or folder of certificates, got {path}")
            return path
    return None


class _HttpConnection(HTTPConnection):
    def connect(self) -> None:
        _thread.session.connect(self, super().connect)


class _HttpsConnection(HTTPSConnection):
    def connect(self) -> None:
        _thread.session.connect(self, super().connect)


class _Adapter(HTTPAdapter):
    """Its connections belong to the session of their thread; without retries, which the producer does."""

    def get_connection_with_tls_context(self, *given: object, **named: object) -> HTTPConnectionPool:
        pool = super().get_connection_with_tls_context(*given, **named)  # type: ignore[arg-type]
        pool.ConnectionCls = _HttpsConnection if pool.scheme == "https" else _HttpConnection
        return pool
