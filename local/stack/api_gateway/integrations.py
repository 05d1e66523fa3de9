"""Executes integrations: maps a request, sends it to its backend, and maps the response."""

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

import aiohttp
from aiohttp import web
from yarl import URL

from infrastructure.checks.api import find_status
from local.stack.api_gateway.mapping_templates import MappingContext, MappingError, render_mapping
from local.stack.api_gateway.request_checks import DeniedError
from local.stack.api_gateway.rest_api import Integration

if TYPE_CHECKING:
    from botocore.credentials import Credentials

_KINESIS = re.compile(r"\Aarn:[\w-]+:apigateway:[\w-]+:kinesis:action/(?P<action>.+)\Z")
_HOP_BY_HOP = {"connection", "content-length", "content-encoding", "date", "host", "server", "transfer-encoding"}
# Of a caller these go no further than the gateway.
_OWN = {"authorization", "x-api-key", "x-amz-date", "x-amz-security-token"}
_DEFAULT_MS = 29_000


@dataclass(frozen=True)
class Integrations:
    """Executes integrations: HTTP_PROXY, which a VPC link takes to the load balancer, and AWS, which is Kinesis.

    Attributes:
        session: client of both.
        proxy: address of the REST proxy, in place of the one that the template names.
        kinesis: address of Kinesis.
        credentials: those that requests to AWS, and to the gateway, are signed with.
        region: of AWS.
    """

    session: aiohttp.ClientSession
    proxy: str
    kinesis: str
    credentials: "Credentials"
    region: str

    async def execute(self, integration: Integration, context: MappingContext) -> web.Response:
        """The answer to a request.

        Raises:
            DeniedError: there is none: the template refuses it, or the other side is not there.
        """
        if integration["Type"] == "HTTP_PROXY":
            return await self._forward(integration, context)
        return await self._call_kinesis(integration, context)

    async def _forward(self, integration: Integration, context: MappingContext) -> web.Response:
        """The request as it is, but for what a template makes of it, to another address; its answer as it is."""
        # First: the template may override the path.
        body = _map_body(integration, context)
        headers = {n.lower(): v for n, v in context.header.items() if n.lower() not in _HOP_BY_HOP | _OWN}
        headers |= _map_parameters(integration, context, "header")
        query = dict(context.query) | _map_parameters(integration, context, "querystring")
        method = integration["IntegrationHttpMethod"]
        method = context.variables["httpMethod"] if method == "ANY" else method
        # As it is: encoded again, a slash in a name would become one of the path.
        url = URL(self.proxy.rstrip("/") + _build_path(integration, context), encoded=True).update_query(query)
        return await self._send(integration, method, url, headers, body)

    async def _call_kinesis(self, integration: Integration, context: MappingContext) -> web.Response:
        from botocore.auth import SigV4Auth  # noqa: PLC0415 - takes a while, and only wanted here
        from botocore.awsrequest import AWSRequest  # noqa: PLC0415

        arn = _KINESIS.match(integration["Uri"])
        if arn is None:
            raise DeniedError(500, "Internal server error")
        headers = {"content-type": context.content_type, "x-amz-target": f"Kinesis_20131202.{arn['action']}"}
        headers |= _map_parameters(integration, context, "header")
        body = _map_body(integration, context)
        method, url = integration["IntegrationHttpMethod"], f"{self.kinesis.rstrip('/')}/"
        signed = AWSRequest(method, url, headers, body)
        SigV4Auth(self.credentials, "kinesis", self.region).add_auth(signed)
        answer = await self._send(integration, method, URL(url), dict(signed.headers.items()), body)
        status = find_status(integration.get("IntegrationResponses", ()), str(answer.status))
        if not status:
            raise DeniedError(500, "Internal server error")
        return web.Response(status=int(status), body=answer.body, content_type="application/json")

    async def _send(
        self, integration: Integration, method: str, url: URL, headers: dict[str, str], body: bytes
    ) -> web.Response:
        timeout = aiohttp.ClientTimeout(total=float(integration.get("TimeoutInMillis", _DEFAULT_MS)) / 1000)
        try:
            async with self.session.request(
                method, url, data=body, headers=headers, timeout=timeout, allow_redirects=False
            ) as answer:
                kept = {n: v for n, v in answer.headers.items() if n.lower() not in _HOP_BY_HOP}
                return web.Response(status=answer.status, body=await answer.read(), headers=kept)
        except TimeoutError:
            raise DeniedError(504, "Endpoint request timed out") from None
        except aiohttp.ClientError:
            raise DeniedError(504, "Network error communicating with endpoint") from None


def _build_path(integration: Integration, context: MappingContext) -> str:
    """The path of the request: the template's override, else the integration's, which over a VPC link has the stage.

    Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/private-integration.html
    """
    whole = context.request_override.get("path")
    if isinstance(whole, str):
        return quote(whole, safe="/")
    path = urlsplit(integration["Uri"]).path
    for name, value in _map_parameters(integration, context, "path").items():
        # All the rest of a path keeps its slashes.
        path = path.replace(f"{{{name}}}", quote(value, safe="/" if name == "proxy" else ""))
    private = integration.get("ConnectionType") == "VPC_LINK"
    return f"/{context.variables['stage']}{path}" if private else path


def _map_parameters(integration: Integration, context: MappingContext, place: str) -> dict[str, str]:
    """What the integration puts into a place of its request: a text in quotes, or a part of the caller's request."""
    request = {"path": context.path, "querystring": context.query, "header": context.header}
    found: dict[str, str] = {}
    for target, source in integration.get("RequestParameters", {}).items():
        _, _, target_place, target_name = target.split(".", 3)
        if target_place != place:
            continue
        name = target_name.lower() if place == "header" else target_name
        if source.startswith("'"):
            found[name] = source[1:-1]
            continue
        _, _, source_place, source_name = source.split(".", 3)
        if source_name in request[source_place]:
            found[name] = request[source_place][source_name]
    return found


def _map_body(integration: Integration, context: MappingContext) -> bytes:
    template = integration.get("RequestTemplates", {}).get(context.content_type)
    if template is None:
        if integration.get("PassthroughBehavior", "WHEN_NO_MATCH") != "WHEN_NO_MATCH":
            raise DeniedError(415, "Unsupported Media Type")
        return context.content
    try:
        return render_mapping(template, context).encode()
    except MappingError as error:
        raise DeniedError(400, f"Invalid request body: {error}") from None
