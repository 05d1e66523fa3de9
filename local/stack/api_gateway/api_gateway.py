"""Emulates API Gateway: executes the integrations of the CloudFormation template that is deployed.

    python -m local.stack.api_gateway.api_gateway --port 8080 --user-id abc --access API_KEY
        --proxy http://127.0.0.1:8082 --kinesis http://127.0.0.1:4567

Stage, methods, mapping templates, selection patterns, models and resource policy are the template's.
Throttling, caches, quotas of usage plans, logs and binary bodies are left out. The API key stands in
``PINTEREST_API_KEY``; signatures are checked with the credentials that boto3 finds.

Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/rest-api-develop.html
"""

import argparse
import os

import aiohttp
import boto3
from aiohttp import web

from infrastructure.templates import get_template_path
from local.runtime.part_process import build_part_parser, run_part, serve
from local.stack.api_gateway.integrations import Integrations
from local.stack.api_gateway.mapping_templates import MappingContext
from local.stack.api_gateway.request_checks import DeniedError, check_body, check_key, check_policy, check_signature
from local.stack.api_gateway.rest_api import Api, read_api
from pinterest_transforms.errors import SettingsError

_BODY_BYTES = 10 * 1024**2
_KEY_VARIABLE = "PINTEREST_API_KEY"


def build_app(api: Api, integrations: Integrations, key: str) -> web.Application:
    """Takes every request, and handles it by the template."""

    async def serve_request(request: web.Request) -> web.StreamResponse:
        try:
            return await _respond(request, api, integrations, key)
        except DeniedError as denied:
            return web.json_response(denied.body, status=denied.status)
        except web.HTTPRequestEntityTooLarge:
            return web.json_response({"message": "Request Too Long"}, status=413)

    app = web.Application(client_max_size=_BODY_BYTES)
    app.router.add_route("*", "/{path:.*}", serve_request)
    return app


async def _respond(request: web.Request, api: Api, integrations: Integrations, key: str) -> web.Response:
    _, stage, *rest = request.rel_url.raw_path.split("/", 2)
    if stage != api.stage:
        raise DeniedError(403, "Forbidden")
    path, body = "/" + "".join(rest), await request.read()
    found = api.find(request.method, path)
    if found is None:
        raise DeniedError(403, "Missing Authentication Token")
    method, path_parameters = found
    check_signature(request, body, method, integrations.credentials, integrations.region)
    check_policy(request, path, api)
    check_key(request, method, key)
    context = MappingContext(
        content=body,
        path=path_parameters,
        query=dict(request.rel_url.query),
        header=request.headers,
        variables={"httpMethod": request.method, "stage": stage},
    )
    check_body(body, method, context.content_type)
    return await integrations.execute(method.integration, context)


async def _open_gateway(options: argparse.Namespace) -> web.Application:
    session = boto3.Session()
    credentials, region = session.get_credentials(), session.region_name
    if credentials is None or not region:
        raise SettingsError("AWS credentials and region must be given, got none")
    key = os.environ.get(_KEY_VARIABLE, "")
    if options.access == "API_KEY" and not key:
        raise SettingsError(f"{_KEY_VARIABLE} must be set, got nothing")
    api = read_api(get_template_path("api"), {"UserId": options.user_id, "Access": options.access})
    client = aiohttp.ClientSession()
    app = build_app(api, Integrations(client, options.proxy, options.kinesis, credentials, region), key)
    app.on_cleanup.append(lambda _: client.close())
    return app


if __name__ == "__main__":
    parser = build_part_parser("local.stack.api_gateway.api_gateway", "API Gateway, from its template.")
    parser.add_argument("--proxy", required=True, metavar="URL", help="the REST proxy")
    parser.add_argument("--kinesis", required=True, metavar="URL", help="endpoint of Kinesis")
    parser.add_argument("--user-id", required=True, metavar="ID", help="whose API")
    parser.add_argument("--access", choices=["API_KEY", "IAM"], default="API_KEY", help="(%(default)s)")
    run_part(parser, lambda options: serve(_open_gateway(options), options.port))
