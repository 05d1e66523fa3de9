"""Authentication of API Gateway requests: none, an API key, or AWS IAM (Signature Version 4)."""

import os
from typing import TYPE_CHECKING

from requests import PreparedRequest
from requests.auth import AuthBase

from emulation.emulation_errors import SendError
from pinterest_transforms.error_format import shorten

if TYPE_CHECKING:
    from boto3 import Session
    from botocore.credentials import Credentials


def open_aws_session() -> "tuple[Session, Credentials]":
    """A session with a region, and the credentials that boto3 finds: environment, profile, role.

    boto3 reads ``AWS_DEFAULT_REGION`` only; ``AWS_REGION``, which AWS's other tools read, is accepted too.

    Raises:
        SendError: region or credentials are missing, or cannot be read.
    """
    import boto3  # noqa: PLC0415 - takes half a second, needed for AWS only
    from botocore.exceptions import BotoCoreError  # noqa: PLC0415

    try:
        session = boto3.Session(region_name=os.environ.get("AWS_DEFAULT_REGION") or os.environ.get("AWS_REGION"))
        if not session.region_name:
            raise SendError("AWS region must be given, got none: set AWS_REGION or AWS_DEFAULT_REGION")
        credentials = session.get_credentials()
    except BotoCoreError as error:
        raise SendError(shorten(error)) from None
    if credentials is None:
        raise SendError("AWS credentials must be given, got none")
    return session, credentials


class RequestAuth(AuthBase):
    """No authentication; subclasses add headers.

    Attributes:
        secrets: values to redact in responses.
    """

    secrets: tuple[str, ...] = ()

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        """The request with authentication."""
        return request


class ApiKeyAuth(RequestAuth):
    """An API key of API Gateway."""

    def __init__(self, key: str) -> None:
        if not key:
            raise SendError("PINTEREST_API_KEY must be set, got nothing")
        if not key.isascii() or not key.isprintable():
            raise SendError("PINTEREST_API_KEY must be printable ASCII, got other characters")
        self.secrets = (key,)

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        """The request with ``x-api-key``."""
        request.headers["x-api-key"] = self.secrets[0]
        return request


class IamAuth(RequestAuth):
    """Signature Version 4 with the credentials that boto3 finds; boto3 refreshes temporary ones."""

    def __init__(self) -> None:
        session, self._credentials = open_aws_session()
        self._region = session.region_name

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        """The request with a signature of its body, and of the headers that no proxy changes."""
        from botocore.auth import SigV4Auth  # noqa: PLC0415 - as above
        from botocore.awsrequest import AWSRequest  # noqa: PLC0415

        frozen = self._credentials.get_frozen_credentials()
        self.secrets = tuple(filter(None, (frozen.secret_key, frozen.token, frozen.access_key)))
        headers = {name: request.headers[name] for name in ("Content-Type", "Accept") if name in request.headers}
        signed = AWSRequest(method=request.method, url=request.url, data=request.body, headers=headers)
        SigV4Auth(frozen, "execute-api", self._region).add_auth(signed)
        request.headers.update(signed.headers.items())
        return request
