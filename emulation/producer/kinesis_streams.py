"""Lists, creates, describes and deletes the three Kinesis streams, through API Gateway or directly with boto3."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from emulation.emulation_errors import SendError
from emulation.producer.http_client import HttpClient
from emulation.producer.request_auth import NO_CREDENTIALS, open_aws_session
from pinterest_transforms.entities import ENTITIES
from pinterest_transforms.settings import Settings

if TYPE_CHECKING:
    from mypy_boto3_kinesis import KinesisClient

_SHARDS = 1
_METHODS = {"create": "POST", "describe": "GET", "delete": "DELETE"}
_EXISTS, _MISSING = "exists", "does not exist"
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


def manage_streams_by_api(http: HttpClient, url: str, settings: Settings, action: str) -> tuple[str, int]:
    """Manages the streams through the API.

    Args:
        http: the client.
        url: URL of the API.
        settings: the user id.
        action: ``list``, ``create``, ``describe`` or ``delete``.

    Returns:
        One line per stream, and the exit code: 1 if a stream to describe does not exist.

    Raises:
        SendError: the API reports an error or an invalid response; the message has the stream's name.
    """
    body = json.dumps({"ShardCount": _SHARDS}).encode() if action == "create" else b""

    def manage(name: str) -> str:
        response = _call_api(http, action, f"{url}/streams/{name}", body)
        if isinstance(response, str):
            return response
        return _describe_stream(json.loads(response)) if action == "describe" else f"{action}d"

    try:
        if action == "list":
            return _format_list(json.loads(_call_api(http, action, f"{url}/streams", b""))["StreamNames"], settings)
        return _manage_each(settings, action, manage)
    except (ValueError, KeyError, TypeError, AttributeError):
        raise SendError(f"{url}/streams must answer as Kinesis does, got something else") from None


def manage_streams(client: "KinesisClient", settings: Settings, action: str) -> tuple[str, int]:
    """Manages the streams with boto3; see ``manage_streams_by_api``."""
    if action == "list":
        with _convert_boto_errors():
            pages = client.get_paginator("list_streams").paginate()
            return _format_list([name for page in pages for name in page["StreamNames"]], settings)
    return _manage_each(settings, action, lambda name: _manage_stream(client, action, name))


def _manage_each(settings: Settings, action: str, manage: Callable[[str], str]) -> tuple[str, int]:
    """Manages one stream after the other; on an error the results so far are printed first."""
    results: list[str] = []
    names = [settings.stream(entity) for entity in ENTITIES]
    for name in names:
        try:
            results.append(manage(name))
        except SendError as error:
            for line in _format_lines(names, results):
                print(line, flush=True)
            raise SendError(f"{name}: {error}") from None
    return "\n".join(_format_lines(names, results)), 1 if action == "describe" and _MISSING in results else 0


def _format_lines(names: list[str], results: list[str]) -> list[str]:
    return [f"{name}: {result}" for name, result in zip(names, results, strict=False)]


def _manage_stream(client: "KinesisClient", action: str, name: str) -> str:
    from botocore.exceptions import ClientError  # noqa: PLC0415 - not needed for the API

    with _convert_boto_errors():
        try:
            if action == "describe":
                return _describe_stream(client.describe_stream(StreamName=name))  # type: ignore[arg-type]
            if action == "create":
                client.create_stream(StreamName=name, ShardCount=_SHARDS)
            else:
                client.delete_stream(StreamName=name)
        except ClientError as error:
            result = _EXPECTED_ERRORS.get((action, error.response["Error"]["Code"]))
            if not result:
                raise
            return result
    return f"{action}d"


@contextmanager
def _convert_boto_errors() -> Iterator[None]:
    from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError  # noqa: PLC0415 - as above

    try:
        yield
    except ClientError as error:
        raise SendError(f"Kinesis reports {error.response['Error']['Code']}") from None
    except NoCredentialsError:
        raise SendError(NO_CREDENTIALS) from None
    except BotoCoreError as error:
        raise SendError(f"Kinesis cannot be reached: {type(error).__name__}") from None


def _call_api(http: HttpClient, action: str, url: str, body: bytes) -> bytes | str:
    """The body of a response, or the result of an expected error."""
    method = _METHODS.get(action, "GET")
    response = http.request(method, url, body, {"Content-Type": "application/json"})
    if response.status == HTTPStatus.OK:
        return response.body or b"{}"
    if response.status == HTTPStatus.BAD_REQUEST:
        for (expected, code), result in _EXPECTED_ERRORS.items():
            if expected == action and code in response.text:
                return result
    got = f"{response.label}: {response.text}" if response.status else response.label
    raise SendError(f"{method} {url} must answer 200, got {got}")


def _format_list(names: list[str], settings: Settings) -> tuple[str, int]:
    """One line per stream of the user: whether it exists."""
    streams = [settings.stream(entity) for entity in ENTITIES]
    return "\n".join(_format_lines(streams, [_EXISTS if name in names else _MISSING for name in streams])), 0


def _describe_stream(response: dict[str, dict[str, object]]) -> str:
    description = response["StreamDescription"]
    shards = description.get("Shards")
    return f"{description.get('StreamStatus')}, {len(shards) if isinstance(shards, list) else 0} shard(s)"
