"""The API that the CloudFormation template makes: methods, integrations and policy, as API Gateway has them."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote

from infrastructure.cfn_evaluator import CfnEvaluator
from infrastructure.checks.template_view import as_list, as_mapping
from infrastructure.templates import Value, load_template, section
from pinterest_transforms.errors import PinterestError

_PARAMETER = re.compile(r"\A\{([\w.-]+)(\+?)\}\Z")
_DEFAULT_MS = 29_000


class ApiError(PinterestError):
    """The template's API is not one that the gateway can serve."""


@dataclass(frozen=True)
class Response:
    """What becomes of an answer of an integration: one of ``IntegrationResponses``."""

    status: int
    pattern: str | None
    templates: Mapping[str, str]
    parameters: Mapping[str, str]


@dataclass(frozen=True)
class Integration:
    """Where a method's requests go, and how they are changed on the way; over a VPC link it is ``private``."""

    kind: str
    private: bool
    method: str
    uri: str
    parameters: Mapping[str, str]
    templates: Mapping[str, str]
    passthrough: str
    responses: Sequence[Response]
    seconds: float


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


@dataclass(frozen=True)
class MatchedMethod:
    """A request's method, and the parameters of its path."""

    method: Method
    path_parameters: Mapping[str, str]


@dataclass
class _Node:
    """A resource of the API: one part of a path."""

    methods: dict[str, Method] = field(default_factory=dict)
    children: dict[str, "_Node"] = field(default_factory=dict)


@dataclass(frozen=True)
class Api:
    """The API at one stage.

    Attributes:
        stage: first part of every path.
        policy: statements of the resource policy; empty for none.
    """

    stage: str
    policy: Sequence[Mapping[str, Value]]
    root: _Node

    def find(self, method: str, path: str) -> MatchedMethod | None:
        """The method that serves a path below the stage; None where there is none, as for a wrong path."""
        parts = [part for part in path.split("/") if part]
        return _find_method(self.root, parts, method, {})


def _find_method(node: _Node, parts: Sequence[str], method: str, found: Mapping[str, str]) -> MatchedMethod | None:
    """A part's own name counts before the parameter that may stand beside it."""
    if not parts:
        there = node.methods.get(method) or node.methods.get("ANY")
        return MatchedMethod(there, found) if there else None
    first, rest = parts[0], parts[1:]
    if first in node.children and (named := _find_method(node.children[first], rest, method, found)):
        return named
    for part, child in node.children.items():
        if match := _PARAMETER.match(part):
            # With a plus sign it takes all the rest.
            value, left = ("/".join(parts), []) if match[2] else (first, rest)
            return _find_method(child, left, method, {**found, match[1]: unquote(value)})
    return None


def read_api(template: Path, parameters: Mapping[str, str]) -> Api:
    """The API of a template.

    Args:
        template: its file.
        parameters: values of its parameters; one that has neither a value nor a default stands for itself.

    Raises:
        TemplateError: the template cannot be read or evaluated.
        ApiError: it has not one API with one stage.
    """
    loaded = load_template(template)
    declared = section(loaded, "Parameters")
    named = {name: name for name, parameter in declared.items() if "Default" not in parameter}
    # The templates of other stacks have other parameters.
    known = {name: value for name, value in parameters.items() if name in declared}
    resources = CfnEvaluator(loaded, {**named, **known}).resources()
    api_id, api = _find_one(resources, "AWS::ApiGateway::RestApi")
    _, stage = _find_one(resources, "AWS::ApiGateway::Stage")
    nodes = _build_tree(resources, api_id)
    for properties in _select_type(resources, "AWS::ApiGateway::Method").values():
        method = _read_method(resources, properties, nodes)
        nodes[_reference(properties, "ResourceId")][1].methods[method.http_method] = method
    statements = [as_mapping(entry) for entry in as_list(as_mapping(api.get("Policy")).get("Statement"))]
    return Api(_text(stage["StageName"]), statements, nodes[f"{api_id}.RootResourceId"][1])


def _find_one(resources: Mapping[str, dict[str, Value]], kind: str) -> tuple[str, dict[str, Value]]:
    found = _select_type(resources, kind)
    if len(found) != 1:
        raise ApiError(f"template must have one {kind}, got {len(found)}")
    return next(iter(found.items()))


def _select_type(resources: Mapping[str, dict[str, Value]], kind: str) -> dict[str, dict[str, Value]]:
    return {n: as_mapping(r.get("Properties")) for n, r in resources.items() if r.get("Type") == kind}


def _build_tree(resources: Mapping[str, dict[str, Value]], api_id: str) -> dict[str, tuple[str, _Node]]:
    """The path and node of each resource, by what refers to it."""
    root = f"{api_id}.RootResourceId"
    nodes, left = {root: ("", _Node())}, _select_type(resources, "AWS::ApiGateway::Resource")
    while left:
        ready = [name for name, properties in left.items() if _reference(properties, "ParentId") in nodes]
        if not ready:
            raise ApiError(f"resources must hang below the API's root, got {', '.join(sorted(left))}")
        for name in ready:
            properties = left.pop(name)
            path, parent = nodes[_reference(properties, "ParentId")]
            part = _text(properties["PathPart"])
            parent.children[part] = _Node()
            nodes[name] = (f"{path}/{part}", parent.children[part])
    return nodes


def _reference(properties: Mapping[str, Value], name: str) -> str:
    return _text(properties.get(name))


def _read_method(
    resources: Mapping[str, dict[str, Value]], properties: Mapping[str, Value], nodes: Mapping[str, tuple[str, _Node]]
) -> Method:
    path, _ = nodes[_reference(properties, "ResourceId")]
    schemas: dict[str, Value] = {}
    validator = _select_type(resources, "AWS::ApiGateway::RequestValidator").get(
        _text(properties.get("RequestValidatorId")), {}
    )
    if validator.get("ValidateRequestBody"):
        models = _select_type(resources, "AWS::ApiGateway::Model")
        for content_type, model in as_mapping(properties.get("RequestModels")).items():
            schemas[content_type] = models[_text(model)]["Schema"]
    return Method(
        path=path or "/",
        http_method=_text(properties["HttpMethod"]),
        authorization=_text(properties.get("AuthorizationType", "NONE")),
        key_required=properties.get("ApiKeyRequired") in (True, "true"),
        schemas=schemas,
        integration=_read_integration(as_mapping(properties.get("Integration"))),
    )


def _read_integration(found: Mapping[str, Value]) -> Integration:
    responses = [
        Response(
            status=int(_text(entry["StatusCode"])),
            pattern=_text(entry["SelectionPattern"]) if entry.get("SelectionPattern") else None,
            templates=_texts(entry.get("ResponseTemplates")),
            parameters=_texts(entry.get("ResponseParameters")),
        )
        for entry in map(as_mapping, as_list(found.get("IntegrationResponses")))
    ]
    return Integration(
        kind=_text(found.get("Type")),
        private=found.get("ConnectionType") == "VPC_LINK",
        method=_text(found.get("IntegrationHttpMethod")),
        uri=_text(found.get("Uri")),
        parameters=_texts(found.get("RequestParameters")),
        templates=_texts(found.get("RequestTemplates")),
        passthrough=_text(found.get("PassthroughBehavior", "WHEN_NO_MATCH")),
        responses=responses,
        seconds=float(_text(found.get("TimeoutInMillis", _DEFAULT_MS))) / 1000,
    )


def _texts(value: Value) -> dict[str, str]:
    return {name: _text(text) for name, text in as_mapping(value).items()}


def _text(value: Value) -> str:
    return "" if value is None else str(value)
