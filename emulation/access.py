"""How a request shows who sends it: not at all, with an API key, or signed for AWS IAM (SigV4)."""

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

from emulation.outgoing import SendError

if TYPE_CHECKING:
    from botocore.credentials import Credentials


class Access(Protocol):
    """Adds what the other side wants to see."""

    secrets: tuple[str, ...]

    async def headers(self, method: str, url: str, body: bytes, headers: Mapping[str, str]) -> Mapping[str, str]:
        """The request's headers."""

    async def renew(self) -> bool:
        """Looks for newer credentials, after the other side said that these have ended; True if there may be some."""


class NoAccess:
    """Anybody may."""

    secrets: tuple[str, ...] = ()

    async def renew(self) -> bool:
        """There is nothing to renew."""
        return False

    async def headers(self, method: str, url: str, body: bytes, headers: Mapping[str, str]) -> Mapping[str, str]:  # noqa: ARG002
        """The headers as they are."""
        return headers


class ApiKey:
    """A key of API Gateway."""

    def __init__(self, key: str) -> None:
        if not key or not key.isascii() or not key.isprintable():
            raise SendError("API key must be printable ASCII: set PINTEREST_API_KEY")
        self._key = key
        self.secrets: tuple[str, ...] = (key,)

    async def renew(self) -> bool:
        """A key does not end."""
        return False

    async def headers(self, method: str, url: str, body: bytes, headers: Mapping[str, str]) -> Mapping[str, str]:  # noqa: ARG002
        """The headers and the key."""
        return {**headers, "x-api-key": self._key}


class SignedForAws:
    """A signature with the credentials that boto3 finds; short-lived ones are refreshed by it when they end."""

    secrets: tuple[str, ...] = ()

    def __init__(self, region: str) -> None:
        self._given = region
        self._region, self._credentials = self._found()

    def _found(self) -> "tuple[str, Credentials]":
        import boto3  # noqa: PLC0415 - half a second to import, and only wanted here

        session = boto3.Session(region_name=self._given or None)
        credentials = session.get_credentials()
        if credentials is None:
            raise SendError("AWS credentials must be where boto3 looks (environment, profile, role), found none")
        if not session.region_name:
            raise SendError("AWS region must be given: set AWS_REGION")
        return session.region_name, credentials

    async def renew(self) -> bool:
        """Looks where boto3 looks: a file or a role may have new ones."""
        self._region, self._credentials = await asyncio.to_thread(self._found)
        return True

    async def headers(self, method: str, url: str, body: bytes, headers: Mapping[str, str]) -> Mapping[str, str]:
        """The headers and a signature over all of the request."""
        from botocore.auth import SigV4Auth  # noqa: PLC0415 - as above
        from botocore.awsrequest import AWSRequest  # noqa: PLC0415

        # Asking may fetch new ones over the network.
        frozen = await asyncio.to_thread(self._credentials.get_frozen_credentials)
        self.secrets = tuple(filter(None, (frozen.secret_key, frozen.token, frozen.access_key)))
        request = AWSRequest(method=method, url=url, data=body, headers=dict(headers))
        SigV4Auth(frozen, "execute-api", self._region).add_auth(request)
        return dict(request.headers.items())
