"""Executes integrations: maps a request, sends it to its backend, and maps the response."""

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

import aiohttp
from aiohttp import web
from yarl import URL

from local.stack.api_gateway.mapping_templates import MappingContext, MappingError, render_mapping
from local.stack.api_gateway.request_checks import DeniedError
from local.stack.api_gateway.rest_api import Integration

if TYPE_CHECKING:
    from botocore.credentials import Credentials

_ARN = re.compile(r"\Aarn:[\w-]+:apigateway:[\w-]+:(?P<service>[\w-]+):action/(?P<action>.+)\Z")
_TARGETS = {"kinesis": "Kinesis_20131202"}
_HOP_BY_HOP = {"connection", "content-length", "content-encoding", "date", "host", "server", "transfer-encoding"}
# Of a caller these go no further than the gateway.
_OWN = {"authorization", "x-api-key", "x-amz-date", "x-amz-security-token"}
_DEFAULT_MS = 29_000


@dataclass
class _BackendRequest:
    """A request on its way out."""

    method: str
    url: str
    headers: dict[str, str]
    query: dict[str, str]
    body: bytes


class Integrations:
    """Executes integrations: HTTP_PROXY, which a VPC link takes to the load balancer, and AWS, which is Kinesis."""

    def __init__(
        self, session: aiohttp.ClientSession, proxy: str, kinesis: str, credentials: "Credentials", region: str
    ) -> None:
        """Says where things are here.

        Args:
            session: client of both.
            proxy: address of the REST proxy, in place of the one that the template names.
            kinesis: address of Kinesis.
            credentials: those that requests to AWS are signed with.
            region: of AWS.
        """
        self._session, self._proxy, self._kinesis = session, proxy.rstrip("/"), kinesis.rstrip("/")
        self._credentials, self._region = credentials, region

    async def execute(self, integration: Integration, context: MappingContext) -> web.Response:
        """The answer to a request.

        Raises:
            DeniedError: there is none: the template refuses it, or the other side is not there.
        """
        if integration["Type"] == "HTTP_PROXY":
            return await self._forward(integration, context)
        return await self._call_service(integration, context)

    async def _forward(self, integration: Integration, context: MappingContext) -> web.Response:
        """The request as it is, but for what a template makes of it, to another address; its answer as it is."""
        body = _map_body(integration, context)
        headers = {n.lower(): v for n, v in context.header.items() if n.lower() not in _HOP_BY_HOP | _OWN}
        method = integration["IntegrationHttpMethod"]
        method = context.variables["httpMethod"] if method == "ANY" else method
        request = _BackendRequest(method, integration["Uri"], headers, dict(context.query), body)
        _map_parameters(integration, request, context)
        request.url = self._proxy + _build_path(integration, urlsplit(request.url).path, context)
        return await self._send(integration, request)

    async def _call_service(self, integration: Integration, context: MappingContext) -> web.Response:
        arn = _ARN.match(integration["Uri"])
        if arn is None or arn["service"] not in _TARGETS:
            raise DeniedError(500, "Internal server error")
        headers = {
            "content-type": context.content_type,
            "x-amz-target": f"{_TARGETS[arn['service']]}.{arn['action']}",
        }
        body = _map_body(integration, context)
        request = _BackendRequest(integration["IntegrationHttpMethod"], f"{self._kinesis}/", headers, {}, body)
        _map_parameters(integration, request, context)
        self._sign(request, arn["service"])
        answer = await self._send(integration, request)
        return web.Response(
            status=_map_status(integration, answer.status), body=answer.body, content_type="application/json"
        )

    def _sign(self, request: _BackendRequest, service: str) -> None:
        from botocore.auth import SigV4Auth  # noqa: PLC0415 - takes a while, and only wanted here
        from botocore.awsrequest import AWSRequest  # noqa: PLC0415

        signed = AWSRequest(method=request.method, url=request.url, data=request.body, headers=request.headers)
        SigV4Auth(self._credentials, service, self._region).add_auth(signed)
        request.headers = dict(signed.headers.items())

    async def _send(self, integration: Integration, request: _BackendRequest) -> web.Response:
        timeout = aiohttp.ClientTimeout(total=float(integration.get("TimeoutInMillis", _DEFAULT_MS)) / 1000)
        try:
            async with self._session.request(
                request.method,
                # As it is: encoded again, a slash in a name would become one of the path.
                URL(request.url, encoded=True).update_query(request.query),
                data=request.body,
                headers=request.headers,
                timeout=timeout,
                allow_redirects=False,
            ) as answer:
                kept = {n: v for n, v in answer.headers.items() if n.lower() not in _HOP_BY_HOP}
                return web.Response(status=answer.status, body=await answer.read(), headers=kept)
        except TimeoutError:
            raise DeniedError(504, "Endpoint request timed out") from None
        except aiohttp.ClientError:
            raise DeniedError(504, "Network error communicating with endpoint") from None


def _build_path(integration: Integration, path: str, context: MappingContext) -> str:
    """The path of the request: the template's override, else the integration's, which over a VPC link has the stage.

    Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/private-integration.html
    """
    whole = context.request_override.get("path")
    if isinstance(whole, str):
        return quote(whole, safe="/")
    private = integration.get("ConnectionType") == "VPC_LINK"
    return f"/{context.variables['stage']}{path}" if private else path


def _map_parameters(integration: Integration, request: _BackendRequest, context: MappingContext) -> None:
    """Fills path, query and headers by the integration's parameters."""
    path: dict[str, str] = {}
    places = {"path": path, "querystring": request.query, "header": request.headers}
    for name, source in integration.get("RequestParameters", {}).items():
        _, _, place, last = name.split(".", 3)
        value = _find_source(source, context)
        if value is not None:
            places[place][last.lower() if place == "header" else last] = value
    for name, value in path.items():
        # All the rest of a path keeps its slashes.
        request.url = request.url.replace(f"{{{name}}}", quote(value, safe="/" if name == "proxy" else ""))


def _find_source(source: str, context: MappingContext) -> str | None:
    """What a parameter is mapped from: a text in quotes, or a part of the request."""
    if source.startswith("'"):
        return source[1:-1]
    _, _, place, name = source.split(".", 3)
    found = {"path": context.path, "querystring": context.query, "header": context.header}[place]
    return found.get(name)


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


def _map_status(integration: Integration, status: int) -> int:
    """The status of the first response whose pattern fits, else of the one without a pattern."""
    responses = integration.get("IntegrationResponses", ())
    for response in responses:
        if (pattern := response.get("SelectionPattern")) and re.fullmatch(pattern, str(status)):
            return int(response["StatusCode"])
    for response in responses:
        if not response.get("SelectionPattern"):
            return int(response["StatusCode"])
    raise DeniedError(500, "Internal server error")
