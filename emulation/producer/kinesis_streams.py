"""The three Kinesis streams: list, create, describe, delete; through the API or directly."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from emulation.producer.http_client import Http
from emulation.producer.request_auth import NO_CREDENTIALS, aws_session
from emulation.producer.send_result import SendError
from pinterest_transforms.entities import ENTITIES
from pinterest_transforms.settings import Settings

if TYPE_CHECKING:
    from mypy_boto3_kinesis import KinesisClient

_SHARDS = 1
_METHODS = {"create": "POST", "describe": "GET", "delete": "DELETE"}
_THERE, _NOT_THERE = "there", "not there"
_NO_MISTAKE = {
    ("create", "ResourceInUseException"): f"already {_THERE}",
    ("describe", "ResourceNotFoundException"): _NOT_THERE,
    ("delete", "ResourceNotFoundException"): _NOT_THERE,
}
"""What Kinesis says of a stream that is as it was wanted, or that there is nothing to say of."""


def direct_client() -> "KinesisClient":
    """A client as boto3's own settings make it; retries are the sender's.

    Raises:
        SendError: region, credentials or address are not there, or cannot be used.
    """
    from botocore.config import Config  # noqa: PLC0415 - half a second to import, and only wanted here
    from botocore.exceptions import BotoCoreError  # noqa: PLC0415

    session, _ = aws_session()
    quick = Config(retries={"total_max_attempts": 1}, connect_timeout=5, read_timeout=30, max_pool_connections=32)
    try:
        client = session.client("kinesis", config=quick)
        urlsplit(client.meta.endpoint_url).port  # noqa: B018 - reading it checks it
    except BotoCoreError as error:
        raise SendError(f"{error}") from None
    except ValueError:
        raise SendError("AWS_ENDPOINT_URL must be http(s)://host[:port], got something else") from None
    return client


def manage_api(http: Http, url: str, settings: Settings, what: str) -> tuple[str, int]:
    """Does it through the API.

    Returns:
        What came back, in words, and the exit code: 1 where a stream that was to be described is not there.

    Raises:
        SendError: the API refuses, or answers something else; it names the stream.
    """
    body = json.dumps({"ShardCount": _SHARDS}).encode() if what == "create" else b""

    def does(name: str) -> str:
        answer = _call(http, what, f"{url}/streams/{name}", body)
        if isinstance(answer, str):
            return answer
        return _described(json.loads(answer)) if what == "describe" else f"{what}d"

    try:
        if what == "list":
            return _listed(json.loads(_call(http, what, f"{url}/streams", b""))["StreamNames"], settings)
        return _each(settings, what, does)
    except (ValueError, KeyError, TypeError, AttributeError):
        raise SendError(f"{url}/streams must answer as Kinesis does, got something else") from None


def manage_direct(client: "KinesisClient", settings: Settings, what: str) -> tuple[str, int]:
    """Does it with boto3; see ``manage_api``."""
    if what == "list":
        return _listed(_names_there(client), settings)
    return _each(settings, what, lambda name: _managed(client, what, name))


def _each(settings: Settings, what: str, does: Callable[[str], str]) -> tuple[str, int]:
    """Does it with one stream after the other; where one is refused, what was done before it is told first."""
    said: list[str] = []
    names = [settings.stream(entity) for entity in ENTITIES]
    for name in names:
        try:
            said.append(does(name))
        except SendError as error:
            for line in _lines(names, said):
                print(line, flush=True)
            raise SendError(f"{name}: {error}") from None
    return "\n".join(_lines(names, said)), 1 if what == "describe" and _NOT_THERE in said else 0


def _lines(names: list[str], said: list[str]) -> list[str]:
    return [f"{name}: {each}" for name, each in zip(names, said, strict=False)]


def _names_there(client: "KinesisClient") -> list[str]:
    with _told():
        return [name for page in client.get_paginator("list_streams").paginate() for name in page["StreamNames"]]


def _managed(client: "KinesisClient", what: str, name: str) -> str:
    from botocore.exceptions import ClientError  # noqa: PLC0415 - not where the API is used

    with _told():
        try:
            if what == "describe":
                return _described(client.describe_stream(StreamName=name))  # type: ignore[arg-type]
            if what == "create":
                client.create_stream(StreamName=name, ShardCount=_SHARDS)
            else:
                client.delete_stream(StreamName=name)
        except ClientError as error:
            said = _NO_MISTAKE.get((what, error.response["Error"]["Code"]))
            if not said:
                raise
            return said
    return f"{what}d"


@contextmanager
def _told() -> Iterator[None]:
    """Turns an error of boto3 into one line."""
    from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError  # noqa: PLC0415 - as above

    try:
        yield
    except ClientError as error:
        raise SendError(f"Kinesis refuses: {error.response['Error']['Code']}") from None
    except NoCredentialsError:
        raise SendError(NO_CREDENTIALS) from None
    except BotoCoreError as error:
        raise SendError(f"Kinesis cannot be reached: {type(error).__name__}") from None


def _call(http: Http, what: str, url: str, body: bytes) -> bytes | str:
    """The API's answer as it is, or what it says of a stream."""
    method = _METHODS.get(what, "GET")
    reply = http.request(method, url, body, {"Content-Type": "application/json"})
    if reply.code == HTTPStatus.OK:
        return reply.body or b"{}"
    if reply.code == HTTPStatus.BAD_REQUEST:
        for (how, code), said in _NO_MISTAKE.items():
            if how == what and code in reply.text:
                return said
    got = f"{reply.name}: {reply.text}" if reply.code else reply.name
    raise SendError(f"{method} {url} must answer 200, got {got}")


def _listed(names: list[str], settings: Settings) -> tuple[str, int]:
    """Which of the three are there."""
    three = [settings.stream(entity) for entity in ENTITIES]
    return "\n".join(_lines(three, [_THERE if name in names else _NOT_THERE for name in three])), 0


def _described(answer: dict[str, dict[str, object]]) -> str:
    found = answer["StreamDescription"]
    shards = found.get("Shards")
    return f"{found.get('StreamStatus')}, {len(shards) if isinstance(shards, list) else 0} shard(s)"
