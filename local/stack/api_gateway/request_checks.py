"""Checks of a request before its integration: API key, signature, resource policy, throttling, body."""

import hmac
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from infrastructure.checks.resource_policy import evaluate_policy
from infrastructure.templates import Value
from local.stack.api_gateway.rest_api import Api, Method

if TYPE_CHECKING:
    from botocore.credentials import Credentials

_MAX_AGE = timedelta(minutes=5)
_SERVICE = "execute-api"
_KINDS: Mapping[str, type | tuple[type, ...]] = {
    "object": dict,
    "array": list,
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
}


@dataclass(frozen=True)
class ApiRequest:
    """A request as it came.

    Attributes:
        method: GET and so on.
        url: its whole address, the stage and the host that it asked for included.
        path: below the stage, as it came.
        headers: by their names in lower case.
        body: its bytes.
    """

    method: str
    url: str
    path: str
    headers: Mapping[str, str]
    body: bytes


class DeniedError(Exception):
    """The request goes nowhere; it is answered with this status and body."""

    def __init__(self, status: int, message: str, *, name: str = "message") -> None:
        super().__init__(message)
        self.status, self.body = status, {name: message}


class Throttle:
    """A bucket of tokens: as many requests at once as it holds, and as many a second as flow into it."""

    def __init__(self, rate: float, burst: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate, self._burst, self._clock = rate, burst, clock
        self._tokens, self._at = float(burst), clock()

    def check(self) -> None:
        """Takes a token.

        Raises:
            DeniedError: 429, there is none.
        """
        now = self._clock()
        self._tokens = min(self._burst, self._tokens + (now - self._at) * self._rate)
        self._at = now
        if self._tokens < 1:
            raise DeniedError(429, "Too Many Requests")
        self._tokens -= 1


def check_key(call: ApiRequest, method: Method, key: str) -> None:
    """Checks the API key of a request where the method requires one.

    Raises:
        DeniedError: 403, it is missing or wrong.
    """
    given = call.headers.get("x-api-key", "")
    if method.key_required and not hmac.compare_digest(given.encode(), key.encode()):
        raise DeniedError(403, "Forbidden")


def check_signature(call: ApiRequest, method: Method, credentials: "Credentials", region: str) -> None:
    """Checks the signature (SigV4) of a request where the method requires IAM.

    Raises:
        DeniedError: 403, it is missing or wrong.
    """
    if method.authorization != "AWS_IAM":
        return
    said = call.headers.get("authorization", "")
    fields = dict(part.strip().partition("=")[::2] for part in said.partition(" ")[2].split(","))
    if not said.startswith("AWS4-HMAC-SHA256 ") or not {"Credential", "SignedHeaders", "Signature"} <= fields.keys():
        raise DeniedError(403, "Missing Authentication Token")
    when = call.headers.get("x-amz-date", "")
    scope = f"{credentials.access_key}/{when[:8]}/{region}/{_SERVICE}/aws4_request"
    if fields["Credential"] != scope:
        raise DeniedError(403, "The security token included in the request is invalid.")
    if not _is_recent(when):
        raise DeniedError(403, f"Signature expired: {when}")
    right = _signature(call, fields["SignedHeaders"].split(";"), when, credentials, region)
    if not hmac.compare_digest(right, fields["Signature"]):
        raise DeniedError(403, "The request signature we calculated does not match the signature you provided.")


def _is_recent(when: str) -> bool:
    try:
        signed = datetime.strptime(when, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        return False
    return abs(datetime.now(UTC) - signed) <= _MAX_AGE


def _signature(call: ApiRequest, names: Sequence[str], when: str, credentials: "Credentials", region: str) -> str:
    """The signature that a request with these headers must have."""
    from botocore.auth import SigV4Auth  # noqa: PLC0415 - takes a while, and only wanted here
    from botocore.awsrequest import AWSRequest  # noqa: PLC0415

    headers = {name: call.headers.get(name, "") for name in names}
    request = AWSRequest(method=call.method, url=call.url, data=call.body, headers=headers)
    request.context["timestamp"] = when
    auth = SigV4Auth(credentials, _SERVICE, region)
    signature: str = auth.signature(auth.string_to_sign(request, auth.canonical_request(request)), request)
    return signature


def check_policy(call: ApiRequest, api: Api) -> None:
    """Checks that the resource policy of the API allows the request.

    Raises:
        DeniedError: 403, it does not.
    """
    if not api.policy:
        return
    if evaluate_policy(api.policy, api.stage, call.method, call.path) != "Allow":
        asked = f"{_SERVICE}:/{api.stage}/{call.method}{call.path}"
        told = f"User: anonymous is not authorized to perform: execute-api:Invoke on resource: {asked}"
        raise DeniedError(403, told, name="Message")


def check_body(call: ApiRequest, method: Method, content_type: str) -> None:
    """Validates a body against its model, where the method has a validator.

    Raises:
        DeniedError: 400, it does not.
    """
    if content_type not in method.schemas:
        return
    try:
        body = json.loads(call.body)
    except ValueError:
        raise DeniedError(400, "Invalid request body") from None
    if not _fits(body, method.schemas[content_type]):
        raise DeniedError(400, "Invalid request body")


def _fits(value: object, schema: Value) -> bool:
    """Whether a value fits a schema: of JSON Schema the words that the template uses."""
    if not isinstance(schema, dict):
        return True
    kind = schema.get("type")
    if kind is not None and not _is(value, str(kind)):
        return False
    if isinstance(value, dict):
        return _has_properties(value, schema)
    if isinstance(value, list):
        return _within(len(value), schema, "Items") and all(_fits(entry, schema.get("items")) for entry in value)
    size, ending = (len(value), "Length") if isinstance(value, str) else (value, "imum")
    return not isinstance(size, int | float) or _within(size, schema, ending)


def _has_properties(value: Mapping[str, object], schema: Mapping[str, Value]) -> bool:
    required, properties = schema.get("required", []), schema.get("properties", {})
    if not isinstance(required, list) or any(name not in value for name in required):
        return False
    return not isinstance(properties, dict) or all(_fits(value[n], s) for n, s in properties.items() if n in value)


def _is(value: object, kind: str) -> bool:
    return isinstance(value, _KINDS[kind]) and (kind == "boolean" or not isinstance(value, bool))


def _within(size: float, schema: Mapping[str, Value], ending: str) -> bool:
    least, most = schema.get(f"min{ending}"), schema.get(f"max{ending}")
    return (not isinstance(least, int) or size >= least) and (not isinstance(most, int) or size <= most)
