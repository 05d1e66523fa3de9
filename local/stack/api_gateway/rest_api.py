"""The API that the CloudFormation template makes: methods, integrations and policy, as API Gateway has them."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TypedDict, cast
from urllib.parse import unquote

from infrastructure.checks.api import resolve_path
from infrastructure.checks.template_view import TemplateView, as_list, as_mapping, get_path
from infrastructure.templates import TemplateError, Value, load_template

_PARAMETER = re.compile(r"\{([\w.-]+)(\+?)\}")


class Response(TypedDict, total=False):
    """What becomes of an answer of an integration: one of ``IntegrationResponses``."""

    StatusCode: str
    SelectionPattern: str


class Integration(TypedDict, total=False):
    """Where a method's requests go, and how they are changed on the way."""

    Type: str
    ConnectionType: str
    IntegrationHttpMethod: str
    Uri: str
    PassthroughBehavior: str
    RequestParameters: Mapping[str, str]
    RequestTemplates: Mapping[str, str]
    IntegrationResponses: Sequence[Response]
    TimeoutInMillis: int


@dataclass(frozen=True)
class Method:
    """One method of one path.

    Attributes:
        path: of the resource, as ``/topics/{topic}``.
        http_method: ``ANY`` for all.
        authorization: ``NONE`` or ``AWS_IAM``.
        key_required: whether an API key is required.
        schemas: JSON schema of a body, by its content type; empty where bodies are not looked at.
        integration: where requests go.
    """

    path: str
    http_method: str
    authorization: str
    key_required: bool
    schemas: Mapping[str, Value]
    integration: Integration

    @cached_property
    def order(self) -> tuple[list[int], bool]:
        """A part's own name counts before a parameter in its place, that before one for all the rest of a path."""
        found = [_PARAMETER.fullmatch(part) for part in self.path.split("/")]
        return [1 + len(match[2]) if match else 0 for match in found], self.http_method == "ANY"

    def match(self, http_method: str, path: str) -> Mapping[str, str] | None:
        """The parameters of a path, if this method serves it."""
        if self.http_method not in (http_method, "ANY"):
            return None
        parts = [
            (r"(.+)" if match[2] else r"([^/]+)") if (match := _PARAMETER.fullmatch(part)) else re.escape(part)
            for part in self.path.split("/")
        ]
        names = [name for name, _ in _PARAMETER.findall(self.path)]
        found = re.fullmatch("/".join(parts), path)
        return dict(zip(names, map(unquote, found.groups()), strict=True)) if found else None


@dataclass(frozen=True)
class Api:
    """The API at one stage.

    Attributes:
        stage: first part of every path.
        policy: statements of the resource policy; empty for none.
        methods: in the order in which they are looked at.
    """

    stage: str
    policy: Sequence[Mapping[str, Value]]
    methods: Sequence[Method]

    def find(self, http_method: str, path: str) -> tuple[Method, Mapping[str, str]] | None:
        """The method that serves a path below the stage, and the path's parameters; None where there is none."""
        plain = "/" + "/".join(filter(None, path.split("/")))
        found = ((method, method.match(http_method, plain)) for method in self.methods)
        return next(((method, parameters) for method, parameters in found if parameters is not None), None)


def read_api(template: Path, parameters: Mapping[str, str]) -> Api:
    """The API of a template with one API and one stage.

    Args:
        template: its file.
        parameters: values of its parameters; those without one have the example values of the checks.

    Raises:
        TemplateError: the template cannot be read or evaluated, or maps answers in a way that is not known here.
    """
    view = TemplateView("api", load_template(template), parameters)
    ((_, api),) = view.find_resources("AWS::ApiGateway::RestApi")
    ((_, stage),) = view.find_resources("AWS::ApiGateway::Stage")
    methods = [_read_method(view, properties) for _, properties in view.find_resources("AWS::ApiGateway::Method")]
    statements = [as_mapping(entry) for entry in as_list(get_path(api, "Policy", "Statement"))]
    return Api(str(stage["StageName"]), statements, sorted(methods, key=lambda method: method.order))


def _read_method(view: TemplateView, properties: Mapping[str, Value]) -> Method:
    validators = dict(view.find_resources("AWS::ApiGateway::RequestValidator"))
    models = dict(view.find_resources("AWS::ApiGateway::Model"))
    schemas: dict[str, Value] = {}
    if validators.get(str(properties.get("RequestValidatorId")), {}).get("ValidateRequestBody"):
        for content_type, model in as_mapping(properties.get("RequestModels")).items():
            schemas[content_type] = models[str(model)]["Schema"]
    integration = cast(Integration, properties["Integration"])
    for response in integration.get("IntegrationResponses", ()):
        if others := sorted(response.keys() - Response.__annotations__.keys()):
            raise TemplateError(f"responses must have StatusCode and SelectionPattern alone, got {', '.join(others)}")
    return Method(
        path=resolve_path(view, str(properties["ResourceId"])) or "/",
        http_method=str(properties["HttpMethod"]),
        authorization=str(properties.get("AuthorizationType", "NONE")),
        key_required=properties.get("ApiKeyRequired") in (True, "true"),
        schemas=schemas,
        integration=integration,
    )
