"""HTTP requests over persistent connections, with a deadline for the whole exchange."""

import email.utils
import ipaddress
import re
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from http import HTTPStatus
from types import TracebackType
from urllib.parse import urlsplit

import orjson
import requests
from requests import exceptions as errors

from emulation.emulation_errors import SendError, shorten
from emulation.producer.http_deadline import DeadlineSession
from emulation.producer.request_auth import RequestAuth

NO_CONNECTION = "no connection"
"""Label of requests that did not reach the server."""

_MAX_TEXT = 200
_HTML = re.compile(rb"\s*<(?:!|html|head|body|\?xml)", re.IGNORECASE)
_CONNECT_TIMEOUT = 10.0
_CHUNK_SIZE, _MAX_BODY = 2**16, 2**24
"""Bytes per read, and more bytes than any response of the API has."""


@dataclass(frozen=True)
class HttpResponse:
    """A response, or the reason why there is none.

    Attributes:
        status: the status code; 0 without a complete response.
        body: the body; without a response, the reason.
        retry_after: seconds of the Retry-After header.
    """

    status: int
    body: bytes
    retry_after: float = 0.0

    @property
    def label(self) -> str:
        """The status or reason that the response is counted under."""
        return str(self.status) if self.status else self.body.decode()

    @cached_property
    def json(self) -> dict[str, object]:
        """The body's JSON object; empty if it has none."""
        try:
            found = orjson.loads(self.body)
        except ValueError:
            found = None
        return found if isinstance(found, dict) else {}

    @property
    def is_html(self) -> bool:
        """Whether the body is an HTML page, which the API never returns."""
        return bool(_HTML.match(self.body))

    @property
    def text(self) -> str:
        """The start of the body on one line."""
        return shorten(self.body[: 4 * _MAX_TEXT].decode("utf-8", "replace"), _MAX_TEXT)


def validate_url(url: str, *, plain_http: bool = False) -> str:
    """The API's URL without a trailing slash.

    Raises:
        SendError: it is missing or invalid, or http to another machine and ``plain_http`` is not set.
    """
    if not url:
        raise SendError("url must be given: --url, or PINTEREST_API_URL")
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        parts.port  # noqa: B018 - parses it
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
        return host == "localhost"


class HttpClient:
    """Sends requests to one URL over a persistent connection per thread.

    Each request has a deadline from the connection to the last byte. Redirects are not followed: the API sends none.
    """

    def __init__(self, auth: RequestAuth, *, timeout: float) -> None:
        self._auth, self._timeout = auth, timeout
        self._local = threading.local()
        self._sessions: list[DeadlineSession] = []
        self._closed = threading.Event()

    def __enter__(self) -> "HttpClient":
        threading.Thread(target=self._check_deadlines, daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._closed.set()
        for session in self._sessions:
            session.abort()

    def _check_deadlines(self) -> None:
        while not self._closed.wait(min(0.1, self._timeout / 10)):
            for session in tuple(self._sessions):
                session.check()

    def request(self, method: str, url: str, body: bytes, headers: Mapping[str, str]) -> HttpResponse:
        """Sends a request and reads the whole response; once more after expired credentials were refreshed.

        Raises:
            SendError: the server's certificate is not trusted, or the URL or proxy is invalid.
        """
        response = self._request_once(method, url, body, headers)
        if response.status == HTTPStatus.FORBIDDEN and b"expired" in response.body.lower() and self._auth.refresh():
            return self._request_once(method, url, body, headers)
        return response

    def _request_once(self, method: str, url: str, body: bytes, headers: Mapping[str, str]) -> HttpResponse:
        if not hasattr(self._local, "session"):
            self._local.session = DeadlineSession(self._auth, url)
            self._sessions.append(self._local.session)
        session: DeadlineSession = self._local.session
        timeouts = (min(_CONNECT_TIMEOUT, self._timeout), self._timeout)
        try:
            with (
                session.limit(self._timeout),
                session.request(
                    method, url, data=body, headers=dict(headers), timeout=timeouts, allow_redirects=False, stream=True
                ) as received,
            ):
                retry_after = _parse_retry_after(received.headers.get("Retry-After", ""))
                response = HttpResponse(received.status_code, self._redact(_read_body(received)), retry_after)
        except errors.RequestException as error:
            response = _convert_error(error, url, connected=session.connected)
        # Without a length, an aborted response looks complete.
        return HttpResponse(0, b"time-out") if session.expired and session.connected else response

    def _redact(self, content: bytes) -> bytes:
        """The body without credentials that the server may echo."""
        for secret in self._auth.secrets:
            content = content.replace(secret.encode(), b"***")
        return content


def _read_body(response: requests.Response) -> bytes:
    """The whole body.

    Raises:
        RequestException: it is incomplete, or larger than any response of the API.
    """
    body = bytearray()
    for chunk in response.iter_content(_CHUNK_SIZE):
        body += chunk
        if len(body) > _MAX_BODY:
            raise errors.ContentDecodingError(f"a response must have at most {_MAX_BODY} bytes")
    return bytes(body)


def _convert_error(error: errors.RequestException, url: str, *, connected: bool) -> HttpResponse:
    """The response of a failed request.

    Raises:
        SendError: no other request can succeed.
    """
    host = urlsplit(url).hostname
    if isinstance(error, errors.SSLError) and not connected:
        raise SendError(f"TLS with {host} failed: {type(error).__name__}") from None
    if isinstance(error, errors.InvalidProxyURL) or "SOCKS" in str(error):
        raise SendError("proxy of the environment must be http(s)://host:port, got something else") from None
    if isinstance(error, ValueError) and not isinstance(error, errors.ContentDecodingError):
        raise SendError(f"request to {host} cannot be made: {type(error).__name__}") from None
    if not connected:
        return HttpResponse(0, NO_CONNECTION.encode())
    if isinstance(error, errors.Timeout):
        return HttpResponse(0, b"time-out")
    truncated = isinstance(error, errors.ChunkedEncodingError | errors.ContentDecodingError)
    return HttpResponse(0, b"incomplete response" if truncated else b"connection lost")


def _parse_retry_after(value: str) -> float:
    """Seconds of a Retry-After header, which is a number or a date; 0 for anything else."""
    if value.isascii() and value.strip().isdigit():
        return float(value)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - time.time())
    except (ValueError, TypeError):
        return 0.0
