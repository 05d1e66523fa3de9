"""Asks a gateway of a template, before servers that note what comes and answer what they are told to."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import aiohttp
from aiohttp import web
from botocore.credentials import Credentials
from yarl import URL

from infrastructure.templates import get_template_path
from local.runtime.part_process import HOST
from local.stack.api_gateway.api_gateway import build_app
from local.stack.api_gateway.integrations import Integrations
from local.stack.api_gateway.rest_api import Api, read_api

REGION, KEY = "us-east-1", "a-key"
CREDENTIALS = Credentials("local", "a-secret")
API = get_template_path("api")
PARAMETERS = {"UserId": "abc123", "Access": "API_KEY"}


@dataclass
class Came:
    """A request that came out of the gateway; names of its headers in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Said:
    """The gateway's answer."""

    status: int
    body: bytes
    headers: dict[str, str]


@dataclass
class Request:
    """A request to the gateway; its path has the stage."""

    method: str
    path: str
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=lambda: {"x-api-key": KEY})
    prepare: Callable[[str, "Request"], dict[str, str]] | None = None


def ask(
    *requests: Request,
    template: Path = API,
    answer: tuple[int, bytes] | None = (200, b"{}"),
    **parameters: str,
) -> tuple[list[Said], list[Came]]:
    """What the gateway says to requests, one after another, and what it has sent on.

    Args:
        requests: to the gateway.
        template: of the API.
        answer: what the server behind says to everything; None for one that says nothing within the time.
        parameters: of the template.
    """
    return asyncio.run(_asked(requests, template, answer, {**PARAMETERS, **parameters}))


async def _asked(
    requests: Sequence[Request], template: Path, answer: tuple[int, bytes] | None, parameters: dict[str, str]
) -> tuple[list[Said], list[Came]]:
    came: list[Came] = []

    async def take(request: web.Request) -> web.Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        came.append(Came(request.method, request.raw_path, headers, await request.read()))
        if answer is None:
            await asyncio.sleep(30)
        status, body = answer or (200, b"")
        return web.Response(status=status, body=body, content_type="application/json", headers={"X-Behind": "b"})

    behind = web.Application(client_max_size=32 * 1024**2)
    behind.router.add_route("*", "/{path:.*}", take)
    behind_runner, behind_url = await _served(behind)
    async with aiohttp.ClientSession() as client:
        integrations = Integrations(client, behind_url, behind_url, CREDENTIALS, REGION)
        runner, url = await _served(build_app(_api(template, tuple(parameters.items())), integrations, KEY))
        said = [await _said(client, url, request) for request in requests]
        await runner.cleanup()
        await behind_runner.cleanup()
    return said, came


@cache
def _api(template: Path, parameters: tuple[tuple[str, str], ...]) -> Api:
    return read_api(template, dict(parameters))


async def _said(client: aiohttp.ClientSession, url: str, request: Request) -> Said:
    headers = request.prepare(url, request) if request.prepare else request.headers
    where = URL(url + request.path, encoded=True)
    kind = "application/vnd.kafka.json.v2+json" if "/topics/" in request.path else "application/json"
    headers = {"Content-Type": kind, **headers}
    async with client.request(request.method, where, data=request.body, headers=headers) as answer:
        return Said(answer.status, await answer.read(), dict(answer.headers))


async def _served(app: web.Application) -> tuple[web.AppRunner, str]:
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, HOST, 0).start()
    return runner, f"http://{HOST}:{runner.addresses[0][1]}"
