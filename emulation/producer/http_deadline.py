"""Sessions of ``requests`` whose exchanges have a deadline for all of it, which the time-out of a socket is not."""

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
    """When the exchange of one thread must be over; its socket is shut down then, whatever it waits for.

    Attributes:
        expired: the exchange was cut off.
        connected: there was a connection for it.
    """

    def __init__(self) -> None:
        self.expired = self.connected = False
        self._lock = threading.Lock()
        self._at = math.inf
        self._connection: HTTPConnection | None = None
        self._socket: socket.socket | None = None

    def start(self, seconds: float) -> None:
        """An exchange begins, in the thread that calls this."""
        _thread.deadline = self
        self.expired, self._at = False, time.monotonic() + seconds

    def stop(self) -> None:
        """It is over: what comes next on its connection is another one."""
        with self._lock:
            self._at = math.inf

    def connecting(self, connection: HTTPConnection) -> None:
        """A connection is opened."""
        self.connected, self._connection, self._socket = False, connection, None

    def opened(self, connection: HTTPConnection) -> None:
        """It is open. Its socket is kept here: a connection that ends with its answer forgets it earlier."""
        self.connected, self._socket = True, connection.sock

    def check(self) -> None:
        """Cuts the exchange off where its time is over."""
        with self._lock:
            if time.monotonic() >= self._at:
                self.cut()

    def cut(self) -> None:
        """Shuts the socket down: whoever reads it, in another thread, is told that nothing follows."""
        self.expired = True
        found = self._socket or (self._connection and self._connection.sock)
        if found:
            with contextlib.suppress(OSError, TypeError):
                # Not the TLS socket's own way: that one takes its state from under who reads it.
                socket.socket.shutdown(found, socket.SHUT_RDWR)


class _Plain(HTTPConnection):
    def connect(self) -> None:
        _connect(self, super().connect)


class _Tls(HTTPSConnection):
    def connect(self) -> None:
        _connect(self, super().connect)


def _connect(connection: HTTPConnection, connect: Callable[[], None]) -> None:
    deadline: Deadline = _thread.deadline
    deadline.connecting(connection)
    connect()
    deadline.opened(connection)


class _PlainPool(HTTPConnectionPool):
    ConnectionCls = _Plain


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _Tls


class _Adapter(HTTPAdapter):
    """One connection, which tells the deadline of its thread about itself; no retries: the sender has its own."""

    def __init__(self) -> None:
        super().__init__(pool_connections=1, pool_maxsize=1, max_retries=0)

    def init_poolmanager(self, *sizes: int, **options: object) -> None:
        super().init_poolmanager(*sizes, **options)  # type: ignore[arg-type]
        _watch(self.poolmanager)

    def proxy_manager_for(self, proxy: str, **options: object) -> PoolManager:
        return _watch(super().proxy_manager_for(proxy, **options))


def _watch(manager: PoolManager) -> PoolManager:
    manager.pool_classes_by_scheme = {"http": _PlainPool, "https": _TlsPool}
    return manager


def open_session(proxy: str | None, certificates: str | None) -> requests.Session:
    """A session of one thread.

    Args:
        proxy: where requests go through; None for none.
        certificates: file or folder of the authorities to trust; None for those that ``requests`` brings.
    """
    session = requests.Session()
    # Else it looks for a proxy, and for a password in .netrc that nobody gave, before every request.
    session.trust_env = False
    session.verify = certificates or True
    session.proxies = {"http": proxy, "https": proxy} if proxy else {}
    for scheme in ("http://", "https://"):
        session.mount(scheme, _Adapter())
    return session
