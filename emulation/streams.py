"""The three Kinesis streams: list, create, describe, delete; through the API or directly."""

import asyncio
import json
from collections.abc import Callable
from http import HTTPStatus
from typing import TYPE_CHECKING

from emulation.outgoing import SendError
from emulation.wire import Http
from pinterest_transforms.entities import ENTITIES
from pinterest_transforms.settings import Settings

if TYPE_CHECKING:
    from mypy_boto3_kinesis import KinesisClient

_SHARDS = 1
_METHODS = {"create": "POST", "describe": "GET", "delete": "DELETE"}


def direct_client() -> "KinesisClient":
    """A client as boto3's own settings make it; retries are the sender's.

    Raises:
        SendError: no region is set.
    """
    import boto3  # noqa: PLC0415 - half a second to import, and only wanted here
    from botocore.config import Config  # noqa: PLC0415
    from botocore.exceptions import BotoCoreError  # noqa: PLC0415

    quick = Config(retries={"total_max_attempts": 1}, connect_timeout=5, read_timeout=30, max_pool_connections=32)
    try:
        return boto3.client("kinesis", config=quick)
    except BotoCoreError as error:
        raise SendError(f"{error}") from None


async def manage_api(http: Http, url: str, settings: Settings, what: str) -> str:
    """Does it through the API; what came back, in words."""
    if what == "list":
        return _listed(json.loads(await _call(http, "GET", f"{url}/streams", b""))["StreamNames"], settings)
    body = json.dumps({"ShardCount": _SHARDS}).encode() if what == "create" else b""
    lines = []
    for name in _names(settings):
        answer = await _call(http, _METHODS[what], f"{url}/streams/{name}", body)
        lines.append(f"{name}: {_described(json.loads(answer)) if what == 'describe' else what + 'd'}")
    return "\n".join(lines)


async def manage_direct(client: "KinesisClient", settings: Settings, what: str) -> str:
    """Does it with boto3; what came back, in words."""
    return await asyncio.to_thread(_manage, client, settings, what)


def _manage(client: "KinesisClient", settings: Settings, what: str) -> str:
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - not where the API is used

    does: dict[str, Callable[[str], str]] = {
        "create": lambda name: str(client.create_stream(StreamName=name, ShardCount=_SHARDS) and "created"),
        "describe": lambda name: _described(client.describe_stream(StreamName=name)),  # type: ignore[arg-type]
        "delete": lambda name: str(client.delete_stream(StreamName=name) and "deleted"),
    }
    try:
        if what == "list":
            pages = client.get_paginator("list_streams").paginate()
            return _listed([name for page in pages for name in page["StreamNames"]], settings)
        return "\n".join(f"{name}: {does[what](name)}" for name in _names(settings))
    except ClientError as error:
        raise SendError(f"Kinesis refuses: {error.response['Error']['Code']}") from None
    except BotoCoreError as error:
        raise SendError(f"Kinesis cannot be reached: {type(error).__name__}") from None


async def _call(http: Http, method: str, url: str, body: bytes) -> bytes:
    reply = await http.request(method, url, body, {"Content-Type": "application/json"})
    if reply.code != HTTPStatus.OK:
        raise SendError(f"{method} {url} must answer 200, got {reply.name}: {reply.text}")
    return reply.body or b"{}"


def _names(settings: Settings) -> list[str]:
    return [settings.stream(entity) for entity in ENTITIES]


def _listed(names: list[str], settings: Settings) -> str:
    """Which of the three are there."""
    return "\n".join(f"{name}: {'there' if name in names else 'not there'}" for name in _names(settings))


def _described(answer: dict[str, dict[str, object]]) -> str:
    found = answer["StreamDescription"]
    shards = found.get("Shards")
    return f"{found.get('StreamStatus')}, {len(shards) if isinstance(shards, list) else 0} shard(s)"
