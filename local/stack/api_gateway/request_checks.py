"""Checks of a request before its integration: API key, signature, resource policy, body."""

import hmac
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from aiohttp import web
from jsonschema import Draft4Validator  # type: ignore[import-untyped]

from infrastructure.checks.resource_policy import evaluate_policy
from local.stack.api_gateway.rest_api import Api, Method

if TYPE_CHECKING:
    from botocore.credentials import Credentials

_MAX_AGE = timedelta(minutes=5)
_SERVICE = "execute-api"


class DeniedError(Exception):
    """The request goes nowhere; it is answered with this status and body."""

    def __init__(self, status: int, message: str, *, name: str = "message") -> None:
        super().__init__(message)
        self.status, self.body = status, {name: message}


def check_key(request: web.Request, method: Method, key: str) -> None:
    """Checks the API key of a request where the method requires one.

    Raises:
        DeniedError: 403, it is missing or wrong.
    """
    given = request.headers.get("x-api-key", "")
    if method.key_required and not hmac.compare_digest(given.encode(), key.encode()):
        raise DeniedError(403, "Forbidden")


def check_signature(request: web.Request, body: bytes, method: Method, credentials: "Credentials", region: str) -> None:
    """Checks the signature (SigV4) of a request where the method requires IAM.

    Raises:
        DeniedError: 403, it is missing or wrong.
    """
    if method.authorization != "AWS_IAM":
        return
    header = request.headers.get("authorization", "")
    fields = dict(part.strip().partition("=")[::2] for part in header.partition(" ")[2].split(","))
    if not header.startswith("AWS4-HMAC-SHA256 ") or not {"Credential", "SignedHeaders", "Signature"} <= fields.keys():
        raise DeniedError(403, "Missing Authentication Token")
    when = request.headers.get("x-amz-date", "")
    scope = f"{credentials.access_key}/{when[:8]}/{region}/{_SERVICE}/aws4_request"
    if fields["Credential"] != scope:
        raise DeniedError(403, "The security token included in the request is invalid.")
    if not _is_recent(when):
        raise DeniedError(403, f"Signature expired: {when}")
    right = _signature(request, body, fields["SignedHeaders"].split(";"), when, credentials, region)
    if not hmac.compare_digest(right, fields["Signature"]):
        raise DeniedError(403, "The request signature we calculated does not match the signature you provided.")


def _is_recent(when: str) -> bool:
    try:
        signed = datetime.strptime(when, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        return False
    return abs(datetime.now(UTC) - signed) <= _MAX_AGE


def _signature(
    request: web.Request, body: bytes, names: Sequence[str], when: str, credentials: "Credentials", region: str
) -> str:
    from botocore.auth import SigV4Auth  # noqa: PLC0415 - takes a while, and only wanted here
    from botocore.awsrequest import AWSRequest  # noqa: PLC0415

    headers = {name: request.headers.get(name, "") for name in names}
    url = f"{request.scheme}://{request.host}{request.raw_path}"
    signed = AWSRequest(method=request.method, url=url, data=body, headers=headers)
    signed.context["timestamp"] = when
    auth = SigV4Auth(credentials, _SERVICE, region)
    signature: str = auth.signature(auth.string_to_sign(signed, auth.canonical_request(signed)), signed)
    return signature


def check_policy(request: web.Request, path: str, api: Api) -> None:
    """Checks that the resource policy of the API allows the request.

    Raises:
        DeniedError: 403, it does not.
    """
    if not api.policy:
        return
    if evaluate_policy(api.policy, api.stage, request.method, path) != "Allow":
        resource = f"{_SERVICE}:/{api.stage}/{request.method}{path}"
        message = f"User: anonymous is not authorized to perform: execute-api:Invoke on resource: {resource}"
        raise DeniedError(403, message, name="Message")


def check_body(body: bytes, method: Method, content_type: str) -> None:
    """Validates a body against its model (JSON Schema draft 4), where the method has a validator.

    Raises:
        DeniedError: 400, it does not.
    """
    if content_type not in method.schemas:
        return
    try:
        found = json.loads(body)
    except ValueError:
        raise DeniedError(400, "Invalid request body") from None
    if not Draft4Validator(method.schemas[content_type]).is_valid(found):
        raise DeniedError(400, "Invalid request body")
