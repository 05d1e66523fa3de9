"""Emulates API Gateway: executes the integrations of the CloudFormation template that is deployed.

    python -m local.stack.api_gateway.api_gateway --port 8080 --access API_KEY
        --proxy http://127.0.0.1:8082 --kinesis http://127.0.0.1:4567

Stage, methods, mapping templates, selection patterns, models and resource policy are the template's.
Throttling, caches, quotas of usage plans, logs and binary bodies are left out. The API key stands in
``PINTEREST_API_KEY``; signatures are checked with the credentials that boto3 finds.

Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/rest-api-develop.html
"""

import argparse
import asyncio
import json
import os
import sys
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import aiohttp
from aiohttp import web

from emulation.cli.number_arguments import int_between
from infrastructure.templates import get_template_path
from local.stack.api_gateway.integrations import HttpResponse, Integrations
from local.stack.api_gateway.mapping_templates import MappingContext
from local.stack.api_gateway.request_checks import (
    ApiRequest,
    DeniedError,
    check_body,
    check_key,
    check_policy,
    check_signature,
)
from local.stack.api_gateway.rest_api import Api, read_api
from local.stack.stack_part import HOST, end_with_parent
from pinterest_transforms.errors import PinterestError, SettingsError
from pinterest_transforms.settings import DEFAULT_USER_ID

if TYPE_CHECKING:
    from botocore.credentials import Credentials

_BODY_BYTES = 10 * 1024**2
_KEY_VARIABLE = "PINTEREST_API_KEY"


class Gateway:
    """Serves one API."""

    def __init__(self, api: Api, integrations: Integrations, key: str, credentials: "Credentials", region: str) -> None:
        self._api, self._integrations = api, integrations
        self._key, self._credentials, self._region = key, credentials, region

    def app(self) -> web.Application:
        """Takes every request, and handles it by the template."""
        app = web.Application(client_max_size=_BODY_BYTES)
        app.router.add_route("*", "/{path:.*}", self.serve)
        return app

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Answers one request."""
        try:
            answer = await self._respond(request)
        except DeniedError as denied:
            answer = HttpResponse(denied.status, json.dumps(denied.body).encode(), {"Content-Type": "application/json"})
        except web.HTTPRequestEntityTooLarge:
            answer = HttpResponse(413, b'{"message":"Request Too Long"}', {"Content-Type": "application/json"})
        return web.Response(status=answer.status, body=answer.body, headers=answer.headers)

    async def _respond(self, request: web.Request) -> HttpResponse:
        raw = request.rel_url.raw_path
        _, stage, *rest = raw.split("/", 2)
        if stage != self._api.stage:
            raise DeniedError(403, "Forbidden")
        request_data = ApiRequest(
            method=request.method,
            url=f"{request.scheme}://{request.host}{request.raw_path}",
            path="/" + "".join(rest),
            headers={name.lower(): value for name, value in request.headers.items()},
            body=await request.read(),
        )
        found = self._api.find(request_data.method, request_data.path)
        if found is None:
            raise DeniedError(403, "Missing Authentication Token")
        check_signature(request_data, found.method, self._credentials, self._region)
        check_policy(request_data, self._api)
        check_key(request_data, found.method, self._key)
        context = MappingContext(
            content=request_data.body,
            path=found.path_parameters,
            query=dict(request.rel_url.query),
            header=request_data.headers,
            variables={
                "httpMethod": request_data.method,
                "path": raw,
                "resourcePath": found.method.path,
                "stage": stage,
                "requestId": str(uuid.uuid4()),
            },
        )
        check_body(request_data, found.method, context.content_type)
        return await self._integrations.execute(found, context)


async def _serve(options: argparse.Namespace, api: Api) -> None:
    import boto3  # noqa: PLC0415 - takes a while, and errors of options come before

    session = boto3.Session()
    credentials, region = session.get_credentials(), session.region_name
    if credentials is None or not region:
        raise SettingsError("AWS credentials and region must be given, got none")
    async with aiohttp.ClientSession() as client:
        integrations = Integrations(client, options.proxy, options.kinesis, credentials, region)
        gateway = Gateway(api, integrations, os.environ.get(_KEY_VARIABLE, ""), credentials, region)
        runner = web.AppRunner(gateway.app(), access_log=None)
        await runner.setup()
        await web.TCPSite(runner, HOST, options.port).start()
        await asyncio.Event().wait()


def main(arguments: Sequence[str] | None = None) -> int:
    """Serves until it is ended."""
    parser = argparse.ArgumentParser(
        prog="python -m local.stack.api_gateway.api_gateway", description="API Gateway, from its template."
    )
    parser.add_argument("--port", required=True, type=int_between(0, 65_535), help="its loopback port")
    parser.add_argument("--proxy", required=True, metavar="URL", help="the REST proxy")
    parser.add_argument("--kinesis", required=True, metavar="URL", help="endpoint of Kinesis")
    parser.add_argument("--template", type=Path, default=get_template_path("api"), metavar="FILE")
    parser.add_argument("--user-id", default=DEFAULT_USER_ID, metavar="ID", help="whose API (%(default)s)")
    parser.add_argument("--stage", default="prod", metavar="NAME", help="(%(default)s)")
    parser.add_argument("--access", choices=["API_KEY", "IAM"], default="API_KEY", help="(%(default)s)")
    options = parser.parse_args(arguments)
    end_with_parent()
    try:
        if options.access == "API_KEY" and not os.environ.get(_KEY_VARIABLE):
            raise SettingsError(f"{_KEY_VARIABLE} must be set, got nothing")
        parameters = {"UserId": options.user_id, "StageName": options.stage, "Access": options.access}
        asyncio.run(_serve(options, read_api(options.template, parameters)))
    except PinterestError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
