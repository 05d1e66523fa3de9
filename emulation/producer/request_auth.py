"""How a request shows who sends it: not at all, with an API key, or signed for AWS IAM (SigV4)."""

import os
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

from emulation.producer.send_result import SendError, one_line

if TYPE_CHECKING:
    from boto3 import Session
    from botocore.credentials import Credentials

NO_CREDENTIALS = "AWS credentials must be given, got none"
_TEXT_LIMIT = 200


def aws_session() -> "tuple[Session, Credentials]":
    """A session with a region, and the credentials that boto3 finds: environment, profile, role.

    boto3 itself knows ``AWS_DEFAULT_REGION`` alone; every other tool of AWS knows ``AWS_REGION`` too.

    Raises:
        SendError: there is no region, there are no credentials, or they cannot be read.
    """
    import boto3  # noqa: PLC0415 - half a second to import, and only wanted here
    from botocore.exceptions import BotoCoreError  # noqa: PLC0415

    try:
        session = boto3.Session(region_name=os.environ.get("AWS_DEFAULT_REGION") or os.environ.get("AWS_REGION"))
        if not session.region_name:
            raise SendError("AWS region must be given, got none: set AWS_REGION or AWS_DEFAULT_REGION")
        credentials = session.get_credentials()
    except BotoCoreError as error:
        raise SendError(one_line(str(error), _TEXT_LIMIT)) from None
    if credentials is None:
        raise SendError(NO_CREDENTIALS)
    return session, credentials


class Access(Protocol):
    """Adds what the other side wants to see."""

    secrets: tuple[str, ...]

    def headers(self, method: str, url: str, body: bytes, headers: Mapping[str, str]) -> Mapping[str, str]:
        """The request's headers."""

    def renew(self) -> bool:
        """Looks for newer credentials, after the other side said that these have ended; True if there may be some."""


class NoAccess:
    """Anybody may."""

    secrets: tuple[str, ...] = ()

    def renew(self) -> bool:
        """There is nothing to renew."""
        return False

    def headers(self, method: str, url: str, body: bytes, headers: Mapping[str, str]) -> Mapping[str, str]:  # noqa: ARG002
        """The headers as they are."""
        return headers


class ApiKey:
    """A key of API Gateway."""

    def __init__(self, key: str) -> None:
        if not key:
            raise SendError("PINTEREST_API_KEY must be set, got nothing")
        if not key.isascii() or not key.isprintable():
            raise SendError("PINTEREST_API_KEY must be printable ASCII, got other characters")
        self._key = key
        self.secrets: tuple[str, ...] = (key,)

    def renew(self) -> bool:
        """A key does not end."""
        return False

    def headers(self, method: str, url: str, body: bytes, headers: Mapping[str, str]) -> Mapping[str, str]:  # noqa: ARG002
        """The headers and the key."""
        return {**headers, "x-api-key": self._key}


class SignedForAws:
    """A signature with the credentials that boto3 finds; short-lived ones are refreshed by it when they end."""

    secrets: tuple[str, ...] = ()

    def __init__(self) -> None:
        session, self._credentials = aws_session()
        self._region = session.region_name
        self._lock = threading.Lock()

    def renew(self) -> bool:
        """Looks where boto3 looks: a file or a role may have new ones."""
        with self._lock:
            _, self._credentials = aws_session()
        return True

    def headers(self, method: str, url: str, body: bytes, headers: Mapping[str, str]) -> Mapping[str, str]:
        """The headers and a signature over all of the request."""
        from botocore.auth import SigV4Auth  # noqa: PLC0415 - as above
        from botocore.awsrequest import AWSRequest  # noqa: PLC0415

        frozen = self._credentials.get_frozen_credentials()
        self.secrets = tuple(filter(None, (frozen.secret_key, frozen.token, frozen.access_key)))
        request = AWSRequest(method=method, url=url, data=body, headers=dict(headers))
        SigV4Auth(frozen, "execute-api", self._region).add_auth(request)
        return dict(request.headers.items())
