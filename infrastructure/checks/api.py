"""Checks of the API: its calls, deployment, policy and error statuses."""

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import product

from infrastructure.api_deployment_hash import find_stale_deployments
from infrastructure.checks.resource_policy import evaluate_policy
from infrastructure.checks.template_view import TemplateView, as_list, as_mapping, get_path
from infrastructure.templates import TemplateError
from pinterest_transforms.entities import ENTITIES
from pinterest_transforms.settings import Settings

# The contract's calls and their integrations; the resource policy limits the calls to the REST proxy.
CALLS = {
    ("ANY", "/{proxy+}"): "HTTP_PROXY",
    ("GET", "/streams"): "ListStreams",
    ("GET", "/streams/{stream-name}"): "DescribeStream",
    ("POST", "/streams/{stream-name}"): "CreateStream",
    ("DELETE", "/streams/{stream-name}"): "DeleteStream",
    ("PUT", "/streams/{stream-name}/record"): "PutRecord",
    ("PUT", "/streams/{stream-name}/records"): "PutRecords",
}
# Calls that must not reach the REST proxy, which reads, lists and deletes for every caller.
FORBIDDEN = (
    ("GET", "/"),
    ("GET", "/topics"),
    ("GET", "/topics/{topic}"),
    ("PUT", "/topics/{topic}"),
    ("POST", "/topics/{topic}/partitions/0"),
    ("POST", "/topics/{topic}/../other.pin"),
    ("POST", "/topics/{topic}%2F..%2Fother.pin"),
    ("POST", "/topics/{topic}.more"),
    ("POST", "/topics/other.pin"),
    ("GET", "/x/POST/topics/{topic}"),
    ("DELETE", "/consumers/readers/instances/one%3F/prod/POST/topics/{topic}"),
    ("POST", "/consumers/readers"),
    ("DELETE", "/consumers/readers/instances/one"),
    ("GET", "/v3/clusters"),
    ("POST", "/streams"),
    ("DELETE", "/streams"),
    ("GET", "/streams/streaming-other-pin"),
    ("GET", "/streams/{stream}/../../topics"),
    ("POST", "/streams/{stream}/../../consumers/readers"),
    ("PUT", "/streams/{stream}"),
)
_STATUSES = {"200": "200", "400": "400", "500": "500"}
# API Gateway's integration timeout.
_MAX_TIMEOUT = 29_000


def check_calls(view: TemplateView) -> Iterator[str]:
    """The API has the contract's calls, and no other."""
    if view.stack != "api":
        return
    found = {}
    for _, properties in view.find_resources("AWS::ApiGateway::Method"):
        integration = as_mapping(properties.get("Integration"))
        uri = str(integration.get("Uri"))
        does = uri.rpartition("action/")[2] if integration.get("Type") == "AWS" else str(integration.get("Type"))
        found[str(properties.get("HttpMethod")), resolve_path(view, str(properties.get("ResourceId")))] = does
    for call, does in CALLS.items():
        if found.get(call) != does:
            yield f"{' '.join(call)} must be {does}, got {found.get(call)}"
    for call in found.keys() - CALLS.keys():
        yield f"{' '.join(call)} must not exist: the contract does not have it"


def check_resource_policy(view: TemplateView) -> Iterator[str]:
    """The resource policy allows the contract's calls, and denies all others."""
    stages = [str(properties.get("StageName")) for _, properties in view.find_resources("AWS::ApiGateway::Stage")]
    if view.stack == "api" and not stages:
        yield "a stage must exist"
    for name, properties in view.find_resources("AWS::ApiGateway::RestApi"):
        policy = [as_mapping(statement) for statement in as_list(get_path(properties, "Policy", "Statement"))]
        settings = Settings(user_id=view.given["UserId"])
        for stage, entity in product(stages, ENTITIES):
            names = {"topic": settings.topic(entity), "stream": settings.stream(entity)}
            own = [
                (method, path.replace("{stream-name}", names["stream"]))
                for method, path in CALLS
                if path.startswith("/streams")
            ]
            for method, path in [("POST", f"/topics/{names['topic']}"), *own]:
                if evaluate_policy(policy, stage, method, path) != "Allow":
                    yield f"{name}: Policy must allow {method} {path}"
            for method, pattern in FORBIDDEN:
                path = pattern.format(**names)
                if evaluate_policy(policy, stage, method, path) != "Deny":
                    yield f"{name}: Policy must deny {method} {path}"


def check_role_trust(view: TemplateView) -> Iterator[str]:
    """Roles of API Gateway have no condition: it assumes a role without the keys that a condition could test."""
    for name, properties in view.find_resources("AWS::IAM::Role"):
        for statement in as_list(get_path(properties, "AssumeRolePolicyDocument", "Statement")):
            service = get_path(statement, "Principal", "Service")
            if service == "apigateway.amazonaws.com" and get_path(statement, "Condition"):
                yield f"{name} must let API Gateway assume it without a Condition"


def resolve_path(view: TemplateView, resource: str) -> str:
    """The path of an API resource by its logical id, which must be in the template; empty for the root."""
    for name, properties in view.find_resources("AWS::ApiGateway::Resource"):
        if name == resource:
            return f"{resolve_path(view, str(properties.get('ParentId')))}/{properties.get('PathPart')}"
    if resource.endswith("RootResourceId"):
        return ""
    raise TemplateError(f"ResourceId and ParentId must be a resource of the template, got {resource}")


def check_deployment(view: TemplateView) -> Iterator[str]:
    """A deployment depends on every method, and a changed method creates a new one."""
    methods = {name for name, _ in view.find_resources("AWS::ApiGateway::Method")}
    deployments = [
        (name, resource)
        for name, resource in view.resources.items()
        if resource.get("Type") == "AWS::ApiGateway::Deployment"
    ]
    for name, resource in deployments:
        for method in sorted(methods - {str(each) for each in as_list(resource.get("DependsOn"))}):
            yield f"{name} must depend on {method}"
    for name, properties in view.find_resources("AWS::ApiGateway::Stage"):
        if properties.get("DeploymentId") not in [deployment for deployment, _ in deployments]:
            yield f"{name} must have an existing deployment, got {properties.get('DeploymentId')}"
    if deployments:
        yield from find_stale_deployments(view.template)


def check_error_statuses(view: TemplateView) -> Iterator[str]:
    """A 4xx of Kinesis is answered with 400, a 5xx with 500, and only a success with 200."""
    for name, properties in view.find_resources("AWS::ApiGateway::Method"):
        integration = as_mapping(properties.get("Integration"))
        if integration.get("Type") == "HTTP_PROXY":
            continue
        answers = [as_mapping(answer) for answer in as_list(integration.get("IntegrationResponses"))]
        got = {backend: find_status(answers, backend) for backend in ("200", "400", "403", "429", "500", "503")}
        for backend, status in got.items():
            must = _STATUSES[backend[0] + "00"]
            if status != must:
                yield f"{name}: Kinesis' {backend} must be answered with {must}, got {status}"
        declared = {str(as_mapping(answer).get("StatusCode")) for answer in as_list(properties.get("MethodResponses"))}
        for status in sorted({str(answer.get("StatusCode")) for answer in answers} - declared):
            yield f"{name}: MethodResponses must have {status}"


def check_authorization(view: TemplateView) -> Iterator[str]:
    """Every method has authorization, throttling and a timeout; no log has bodies."""
    for name, properties in view.find_resources("AWS::ApiGateway::Method"):
        by_key = properties.get("AuthorizationType") == "NONE" and properties.get("ApiKeyRequired") is True
        if properties.get("AuthorizationType") != "AWS_IAM" and not by_key:
            yield f"{name} must require a signature or a key"
        if view.given.get("Access") == "API_KEY" and not by_key:
            yield f"{name} must require a key where Access is API_KEY"
        longest = get_path(properties, "Integration", "TimeoutInMillis")
        if isinstance(longest, int) and longest > _MAX_TIMEOUT:
            yield f"{name}: TimeoutInMillis must be at most {_MAX_TIMEOUT}, got {longest}"
    for name, properties in view.find_resources("AWS::ApiGateway::Stage"):
        for settings in map(as_mapping, as_list(properties.get("MethodSettings")) or [None]):
            if not (settings.get("ThrottlingRateLimit") and settings.get("ThrottlingBurstLimit")):
                yield f"{name} must have throttling"
            if settings.get("DataTraceEnabled") is not False:
                yield f"{name}: DataTraceEnabled must be false, bodies have names of people"


def find_status(answers: Sequence[Mapping[str, object]], backend: str) -> str:
    """Status of the integration response for a backend status: the first matching pattern, else the default."""
    for answer in sorted(answers, key=lambda answer: not answer.get("SelectionPattern")):
        if re.fullmatch(str(answer.get("SelectionPattern") or ".*"), backend):
            return str(answer.get("StatusCode"))
    return ""
