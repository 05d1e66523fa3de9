"""``requests`` sessions with a deadline for the whole exchange; a socket timeout limits single reads only."""

import contextlib
import math
import socket
import threading
import time
from collections.abc import Callable

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager
from urllib3.connection import HTTPConnection, HTTPSConnection

_thread = threading.local()


class Deadline:
    """Deadline of one thread's current exchange; at the deadline its socket is shut down.

    Attributes:
        expired: the exchange was aborted.
        connected: a connection was established.
    """

    def __init__(self) -> None:
        self.expired = self.connected = False
        self._lock = threading.Lock()
        self._at = math.inf
        self._connection: HTTPConnection | None = None
        self._socket: socket.socket | None = None

    def start(self, seconds: float) -> None:
        """Starts the deadline of an exchange of the calling thread."""
        _thread.deadline = self
        self.expired, self._at = False, time.monotonic() + seconds

    def stop(self) -> None:
        """Ends it: the connection's next exchange has another deadline."""
        with self._lock:
            self._at = math.inf

    def connect(self, connection: HTTPConnection, connect: Callable[[], None]) -> None:
        """Opens a connection, and stores its socket: a connection closed by its response drops it earlier."""
        self.connected, self._connection, self._socket = False, connection, None
        connect()
        self.connected, self._socket = True, connection.sock

    def check(self) -> None:
        """Aborts the exchange after its deadline."""
        with self._lock:
            if time.monotonic() >= self._at:
                self.abort()

    def abort(self) -> None:
        """Shuts the socket down, which ends a read in another thread."""
        self.expired = True
        found = self._socket or (self._connection and self._connection.sock)
        if found:
            with contextlib.suppress(OSError, TypeError):
                # Not SSLSocket.shutdown: it drops the TLS state that another thread is reading with.
                socket.socket.shutdown(found, socket.SHUT_RDWR)


class _HttpConnection(HTTPConnection):
    def connect(self) -> None:
        _thread.deadline.connect(self, super().connect)


class _HttpsConnection(HTTPSConnection):
    def connect(self) -> None:
        _thread.deadline.connect(self, super().connect)


class _HttpPool(HTTPConnectionPool):
    ConnectionCls = _HttpConnection


class _HttpsPool(HTTPSConnectionPool):
    ConnectionCls = _HttpsConnection


class _Adapter(HTTPAdapter):
    """One connection with the deadline of its thread; without retries, which the producer does."""

    def __init__(self) -> None:
        super().__init__(pool_connections=1, pool_maxsize=1, max_retries=0)

    def init_poolmanager(self, *sizes: int, **options: object) -> None:
        super().init_poolmanager(*sizes, **options)  # type: ignore[arg-type]
        _set_pools(self.poolmanager)

    def proxy_manager_for(self, proxy: str, **options: object) -> PoolManager:
        return _set_pools(super().proxy_manager_for(proxy, **options))


def _set_pools(manager: PoolManager) -> PoolManager:
    manager.pool_classes_by_scheme = {"http": _HttpPool, "https": _HttpsPool}
    return manager


def open_session(proxy: str | None, ca_bundle: str | None) -> requests.Session:
    """A session for one thread.

    Args:
        proxy: URL of the proxy; None for none.
        ca_bundle: file or folder of trusted CA certificates; None for those of ``requests``.
    """
    session = requests.Session()
    # Otherwise it looks for a proxy and a .netrc password before every request.
    session.trust_env = False
    session.verify = ca_bundle or True
    session.proxies = {"http": proxy, "https": proxy} if proxy else {}
    for scheme in ("http://", "https://"):
        session.mount(scheme, _Adapter())
    return session
