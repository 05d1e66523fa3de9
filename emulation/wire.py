"""One HTTP request: kept connections, a deadline for all of it, and every way it can fail in a word."""

import email.utils
import ipaddress
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from http import HTTPStatus
from types import TracebackType
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp

from emulation.access import Access
from emulation.outgoing import NO_CONNECTION, SendError, one_line

_LOOPBACK_NAMES = ("localhost",)
_TEXT_LIMIT = 200


@dataclass(frozen=True, slots=True)
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
    """Keeps connections to one address.

    Every request has a deadline for all of it, from the connection to the last byte: an answer that trickles in is
    cut off as a late one is. Redirects are not followed: a POST that is redirected is an answer nobody expects.
    """

    def __init__(self, access: Access, *, connections: int, seconds: float) -> None:
        self._access = access
        self._connections, self._seconds = connections, seconds
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> "Http":
        connector = aiohttp.TCPConnector(limit=self._connections)
        # Not trust_env: it looks for a proxy, and for a password in .netrc that nobody gave, before every request.
        self._session = aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=self._seconds))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def request(self, method: str, url: str, body: bytes, headers: Mapping[str, str]) -> Reply:
        """Sends a request and reads the whole answer.

        Raises:
            SendError: the certificate of the other side is not valid.
        """
        reply = await self._once(method, url, body, headers)
        if reply.code == HTTPStatus.FORBIDDEN and b"expired" in reply.body.lower() and await self._access.renew():
            return await self._once(method, url, body, headers)
        return reply

    async def _once(self, method: str, url: str, body: bytes, headers: Mapping[str, str]) -> Reply:
        if self._session is None:
            raise RuntimeError("the session must be open, got one that is not")
        shown = await self._access.headers(method, url, body, headers)
        proxy = proxy_of(*urlsplit(url)[:2])
        try:
            async with self._session.request(
                method, url, data=body, headers=shown, proxy=proxy, allow_redirects=False
            ) as response:
                content = await response.read()
                return Reply(response.status, self._masked(content), _asked(response.headers.get("Retry-After", "")))
        except (aiohttp.ClientConnectorCertificateError, aiohttp.ClientConnectorSSLError) as error:
            raise SendError(f"TLS with {urlsplit(url).hostname} failed: {type(error).__name__}") from None
        except TimeoutError:
            return Reply(0, b"time-out")
        except aiohttp.ClientConnectorError:
            return Reply(0, NO_CONNECTION.encode())
        except aiohttp.ClientPayloadError:
            return Reply(0, b"cut off")
        except (aiohttp.ClientError, OSError):
            return Reply(0, b"connection lost")

    def _masked(self, content: bytes) -> bytes:
        """What came back, without the credentials it may repeat."""
        for secret in self._access.secrets:
            content = content.replace(secret.encode(), b"***")
        return content


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
