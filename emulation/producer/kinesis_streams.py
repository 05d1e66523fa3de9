"""Creates, describes and deletes the three Kinesis streams, through API Gateway or directly with boto3."""

from collections.abc import Callable
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from emulation.emulation_errors import SendError
from emulation.producer.http_client import HttpClient
from emulation.producer.request_auth import open_aws_session
from pinterest_transforms.entities import ENTITIES
from pinterest_transforms.settings import Settings

if TYPE_CHECKING:
    from mypy_boto3_kinesis import KinesisClient

_SHARDS = 1
_METHODS = {"create": "POST", "describe": "GET", "delete": "DELETE"}
_MISSING = "does not exist"
_EXPECTED_ERRORS = {
    ("create", "ResourceInUseException"): "already exists",
    ("describe", "ResourceNotFoundException"): _MISSING,
    ("delete", "ResourceNotFoundException"): _MISSING,
}
"""Errors of Kinesis that are results here: create and delete are idempotent."""


def open_kinesis_client() -> "KinesisClient":
    """A client with boto3's configuration, without retries, which the producer does.

    Raises:
        SendError: region, credentials or endpoint are missing or invalid.
    """
    from botocore.config import Config  # noqa: PLC0415 - takes half a second, needed for boto3 only
    from botocore.exceptions import BotoCoreError  # noqa: PLC0415

    session, _ = open_aws_session()
    config = Config(retries={"total_max_attempts": 1}, connect_timeout=5, read_timeout=30, max_pool_connections=32)
    try:
        client = session.client("kinesis", config=config)
        urlsplit(client.meta.endpoint_url).port  # noqa: B018 - parses it
    except BotoCoreError as error:
        raise SendError(f"{error}") from None
    except ValueError:
        raise SendError("AWS_ENDPOINT_URL must be http(s)://host[:port], got something else") from None
    return client


def manage_streams(manage: Callable[[str, str], str], settings: Settings, action: str) -> tuple[str, int]:
    """Manages one stream after the other; on an error the results so far are printed first.

    Args:
        manage: does an action to a stream, and returns the result in words.
        settings: the user id.
        action: ``create``, ``describe`` or ``delete``.

    Returns:
        One line per stream, and the exit code: 1 if a stream to describe does not exist.

    Raises:
        SendError: Kinesis or the API reports an error; the message has the stream's name.
    """
    results: dict[str, str] = {}
    for entity in ENTITIES:
        name = settings.stream(entity)
        try:
            results[name] = manage(action, name)
        except SendError as error:
            for done, result in results.items():
                print(f"{done}: {result}", flush=True)
            raise SendError(f"{name}: {error}") from None
    is_missing = action == "describe" and _MISSING in results.values()
    return "\n".join(f"{name}: {result}" for name, result in results.items()), int(is_missing)


def manage_by_api(http: HttpClient, url: str, action: str, name: str) -> str:
    """Manages a stream through the API."""
    method, address = _METHODS[action], f"{url}/streams/{name}"
    body = b'{"ShardCount": %d}' % _SHARDS if action == "create" else b""
    response = http.request(method, address, body, {"Content-Type": "application/json"})
    if response.status == HTTPStatus.BAD_REQUEST:
        for (expected, code), result in _EXPECTED_ERRORS.items():
            if expected == action and code in response.text:
                return result
    if response.status != HTTPStatus.OK:
        got = f"{response.label}: {response.text}" if response.status else response.label
        raise SendError(f"{method} {address} must answer 200, got {got}")
    return _format_result(action, response.json)


def manage_directly(client: "KinesisClient", action: str, name: str) -> str:
    """Manages a stream with boto3."""
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - not needed for the API

    given = {"StreamName": name, **({"ShardCount": _SHARDS} if action == "create" else {})}
    try:
        return _format_result(action, getattr(client, f"{action}_stream")(**given))
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if result := _EXPECTED_ERRORS.get((action, code)):
            return result
        raise SendError(f"Kinesis reports {code}") from None
    except BotoCoreError as error:
        raise SendError(f"Kinesis cannot be reached: {type(error).__name__}") from None


def _format_result(action: str, response: dict[str, object]) -> str:
    if action != "describe":
        return f"{action}d"
    match response:
        case {"StreamDescription": {"StreamStatus": status, "Shards": [*shards]}}:
            return f"{status}, {len(shards)} shard(s)"
    raise SendError("a description must be as Kinesis gives it, got something else")
