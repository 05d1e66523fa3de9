"""HTTP requests over persistent connections."""

import ipaddress
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from urllib.parse import urlsplit

import orjson
import requests
from requests import exceptions as errors
from urllib3 import Retry
from urllib3.exceptions import HTTPError, InvalidHeader, MaxRetryError, ProtocolError, ReadTimeoutError

from emulation.emulation_errors import SendError
from emulation.producer.request_auth import RequestAuth
from pinterest_transforms.error_format import shorten

NO_CONNECTION = "no connection"
"""Label of requests that did not reach the server."""

_RETRY = Retry()
_MAX_TEXT = 200
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
    """Sends requests over a persistent connection per thread; proxies and certificates are those of the environment.

    Redirects are not followed: the API sends none.

    Args:
        auth: authentication of every request.
        timeout: seconds that the server may be silent, and that its whole body may take.
    """

    def __init__(self, auth: RequestAuth, *, timeout: float) -> None:
        self._auth, self._timeout = auth, timeout
        self._local = threading.local()

    def request(self, method: str, url: str, body: bytes, headers: Mapping[str, str]) -> HttpResponse:
        """Sends a request once and reads the whole response.

        Raises:
            SendError: the server's certificate is not trusted, or the URL or proxy is invalid.
        """
        if not hasattr(self._local, "session"):
            self._local.session = _open_session(url, self._auth)
        timeouts = (min(_CONNECT_TIMEOUT, self._timeout), self._timeout)
        try:
            with self._local.session.request(
                method, url, data=body, headers=dict(headers), timeout=timeouts, allow_redirects=False, stream=True
            ) as received:
                content = _read_body(received, time.monotonic() + self._timeout)
        except (OSError, HTTPError) as error:
            return HttpResponse(0, _find_reason(error, url).encode())
        # The server may echo credentials.
        for secret in self._auth.secrets:
            content = content.replace(secret.encode(), b"***")
        return HttpResponse(received.status_code, content, _parse_retry_after(received.headers.get("Retry-After", "")))


def _open_session(url: str, auth: RequestAuth) -> requests.Session:
    """A session with the environment's proxies and certificates, which requests would look up for each request."""
    session = requests.Session()
    environment = session.merge_environment_settings(url, {}, None, None, None)
    session.auth, session.proxies, session.verify = auth, environment["proxies"], environment["verify"]
    session.trust_env = False
    return session


def _read_body(response: requests.Response, deadline: float) -> bytes:
    """The whole body; a socket's time-out limits single reads only.

    Raises:
        HTTPError: it is incomplete, late, or larger than any response of the API.
    """
    body = bytearray()
    while chunk := response.raw.read1(_CHUNK_SIZE, decode_content=True):
        body += chunk
        if time.monotonic() > deadline:
            raise TimeoutError
        if len(body) > _MAX_BODY:
            raise ProtocolError
    return bytes(body)


def _find_reason(error: Exception, url: str) -> str:
    """Why there is no response.

    Raises:
        SendError: no other request can succeed.
    """
    host = urlsplit(url).hostname
    if "CERTIFICATE_VERIFY_FAILED" in str(error):
        raise SendError(f"TLS with {host} failed: its certificate is not trusted") from None
    if isinstance(error, errors.ConnectionError):
        return NO_CONNECTION if isinstance(error.args[0], MaxRetryError) else "connection lost"
    if isinstance(error, errors.Timeout | TimeoutError | ReadTimeoutError):
        return "time-out"
    if isinstance(error, HTTPError):
        return "incomplete response"
    # The URL, the proxy or the file of certificates; the text of another error than the last may have a header.
    text = type(error).__name__ if isinstance(error, errors.RequestException) else str(error)
    raise SendError(f"request to {host} cannot be made: {shorten(text)}") from None


def _parse_retry_after(value: str) -> float:
    """Seconds of a Retry-After header, which is a number or a date; 0 for anything else."""
    try:
        return _RETRY.parse_retry_after(value)
    except (InvalidHeader, ValueError, OverflowError):
        return 0.0
