"""One HTTP request: kept connections, a deadline for all of it, and every way it can fail in a word."""

import email.utils
import ipaddress
import os
import re
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from http import HTTPStatus
from pathlib import Path
from types import TracebackType
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import orjson
import requests
from requests import exceptions as errors

from emulation.producer.http_deadline import Deadline, open_session
from emulation.producer.request_auth import Access
from emulation.producer.send_result import NO_CONNECTION, SendError, one_line

_LOOPBACK_NAMES = ("localhost",)
_TEXT_LIMIT = 200
_PAGE = re.compile(rb"\s*<(?:!|html|head|body|\?xml)", re.IGNORECASE)
_CONNECT = 10.0
"""Seconds in which another machine answers that it is there."""
_GLANCE = 0.1
"""Seconds between two looks at the deadlines."""
_PIECE, _LONGEST = 2**16, 2**24
"""Bytes that are read at once, and that no answer of the API has."""


@dataclass(frozen=True)
class Reply:
    """What came back.

    Attributes:
        code: the status; 0 where there was no whole answer.
        body: the answer's body; where there was none, what went wrong.
        wait: seconds the other side asks for before the next request.
    """

    code: int
    body: bytes
    wait: float = 0.0

    @property
    def name(self) -> str:
        """What to count it under."""
        return str(self.code) if self.code else self.body.decode()

    @cached_property
    def json(self) -> dict[str, object]:
        """The body as a JSON object; empty where it is none."""
        try:
            found = orjson.loads(self.body)
        except ValueError:
            found = None
        return found if isinstance(found, dict) else {}

    @property
    def page(self) -> bool:
        """Whether it is a page for people: the API answers with none."""
        return bool(_PAGE.match(self.body))

    @property
    def text(self) -> str:
        """The start of the body on one line, without control characters, for a reason."""
        return one_line(self.body[: 4 * _TEXT_LIMIT].decode("utf-8", "replace"), _TEXT_LIMIT)


def checked_url(url: str, *, plain_http: bool = False) -> str:
    """The address, if it is one that may be used.

    Raises:
        SendError: it is none, or plain http to another machine and nobody asked for that.
    """
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        parts.port  # noqa: B018 - reading it checks it
    except ValueError:
        host = ""
    if not host or parts.scheme not in ("http", "https") or parts.username or parts.query or parts.fragment:
        raise SendError("url must be http(s)://host[:port][/stage], without user, query or fragment")
    if parts.scheme == "http" and not plain_http and not _is_loopback(host):
        raise SendError(f"url must begin with https, got http to {host}: --plain-http sends unencrypted")
    return url.rstrip("/")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host in _LOOPBACK_NAMES


class Http:
    """Requests to one address, a kept connection for each thread that makes them.

    Every request has a deadline for all of it, from the connection to the last byte: an answer that trickles in is
    cut off as a late one is. Redirects are not followed: a POST that is redirected is an answer nobody expects.
    """

    def __init__(self, access: Access, *, seconds: float) -> None:
        self._access, self._seconds = access, seconds
        self._own = threading.local()
        self._deadlines: list[Deadline] = []
        self._over = threading.Event()

    def __enter__(self) -> "Http":
        threading.Thread(target=self._watch, daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._over.set()
        for deadline in self._deadlines:
            deadline.cut()

    def _watch(self) -> None:
        while not self._over.wait(min(_GLANCE, self._seconds / 10)):
            for deadline in tuple(self._deadlines):
                deadline.check()

    def request(self, method: str, url: str, body: bytes, headers: Mapping[str, str]) -> Reply:
        """Sends a request and reads the whole answer.

        Raises:
            SendError: the certificate of the other side is not valid, or the address or the proxy is none.
        """
        reply = self._once(method, url, body, headers)
        if reply.code == HTTPStatus.FORBIDDEN and b"expired" in reply.body.lower() and self._access.renew():
            return self._once(method, url, body, headers)
        return reply

    def _session(self, url: str) -> tuple[requests.Session, Deadline]:
        """Those of the thread that asks."""
        if not hasattr(self._own, "session"):
            self._own.session = open_session(proxy_of(*urlsplit(url)[:2]), trusted_certificates())
            self._own.deadline = Deadline()
            self._deadlines.append(self._own.deadline)
        return self._own.session, self._own.deadline

    def _once(self, method: str, url: str, body: bytes, headers: Mapping[str, str]) -> Reply:
        session, deadline = self._session(url)
        shown = self._access.headers(method, url, body, headers)
        limits = (min(_CONNECT, self._seconds), self._seconds)
        deadline.start(self._seconds)
        try:
            with session.request(
                method, url, data=body, headers=shown, timeout=limits, allow_redirects=False, stream=True
            ) as answer:
                wait = _asked(answer.headers.get("Retry-After", ""))
                reply = Reply(answer.status_code, self._masked(_content(answer)), wait)
        except errors.RequestException as error:
            deadline.check()
            reply = _failed(error, url, connected=deadline.connected)
        finally:
            deadline.stop()
        # Where the end of the connection is the end of the answer, one that was cut off looks whole.
        return Reply(0, b"time-out") if deadline.expired and deadline.connected else reply

    def _masked(self, content: bytes) -> bytes:
        """What came back, without the credentials it may repeat."""
        for secret in self._access.secrets:
            content = content.replace(secret.encode(), b"***")
        return content


def _content(answer: requests.Response) -> bytes:
    """The whole body.

    Raises:
        RequestException: it does not come, or is longer than any answer of the API.
    """
    pieces, size = [], 0
    for piece in answer.iter_content(_PIECE):
        pieces.append(piece)
        size += len(piece)
        if size > _LONGEST:
            raise errors.ContentDecodingError(f"an answer must have at most {_LONGEST} bytes")
    return b"".join(pieces)


def _failed(error: errors.RequestException, url: str, *, connected: bool) -> Reply:
    """What a request without a whole answer comes to.

    Raises:
        SendError: the next one would fare no better.
    """
    if isinstance(error, errors.SSLError) and not connected:
        raise SendError(f"TLS with {urlsplit(url).hostname} failed: {type(error).__name__}") from None
    if isinstance(error, errors.InvalidProxyURL) or "SOCKS" in str(error):
        raise SendError("proxy of the environment must be http(s)://host:port, got something else") from None
    if isinstance(error, ValueError) and not isinstance(error, errors.ContentDecodingError):
        raise SendError(f"request to {urlsplit(url).hostname} cannot be made: {type(error).__name__}") from None
    if not connected:
        return Reply(0, NO_CONNECTION.encode())
    if isinstance(error, errors.Timeout):
        return Reply(0, b"time-out")
    cut_off = isinstance(error, errors.ChunkedEncodingError | errors.ContentDecodingError)
    return Reply(0, b"cut off" if cut_off else b"connection lost")


def trusted_certificates() -> str | None:
    """File or folder of certificates that the environment names, by the names that curl, OpenSSL and requests know.

    Raises:
        SendError: there is nothing.
    """
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"):
        if given := os.environ.get(name):
            if not Path(given).exists():
                raise SendError(f"{name} must be a file or folder of certificates, got {given}")
            return given
    return None


@cache
def proxy_of(scheme: str, place: str) -> str | None:
    """The proxy that the environment names for a host and port."""
    return None if proxy_bypass(place) else getproxies().get(scheme)


def _asked(retry_after: str) -> float:
    """Seconds of a Retry-After header: a number or a date; 0 for anything else."""
    if retry_after.isascii() and retry_after.strip().isdigit():
        return float(retry_after)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(retry_after).timestamp() - time.time())
    except (ValueError, TypeError):
        return 0.0
