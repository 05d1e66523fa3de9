"""The API: complete, deployed as it stands, protected, and honest about errors."""

import re
from collections.abc import Iterator

from infrastructure.checks.sight import Sight, listed, mapping, within
from infrastructure.policies import decision
from infrastructure.stamping import stale
from infrastructure.templates import Value, section
from pinterest_transforms.entities import ENTITIES
from pinterest_transforms.settings import Settings

# The contract's calls, and what is behind each. Of all that might go to the REST proxy the policy lets little through.
CALLS = {
    ("ANY", "/{proxy+}"): "HTTP_PROXY",
    ("GET", "/streams"): "ListStreams",
    ("GET", "/streams/{stream-name}"): "DescribeStream",
    ("POST", "/streams/{stream-name}"): "CreateStream",
    ("DELETE", "/streams/{stream-name}"): "DeleteStream",
    ("PUT", "/streams/{stream-name}/record"): "PutRecord",
    ("PUT", "/streams/{stream-name}/records"): "PutRecords",
}
# What must not get to the REST proxy: it reads, lists and deletes for whoever reaches it.
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
# API Gateway's limit; what would take longer is answered 504 whatever it says.
_LONGEST = 29_000


def complete(sight: Sight) -> Iterator[str]:
    """Every call of the contract is there, and no other."""
    if sight.stack != "api":
        return
    found = {}
    for _, properties in sight.of("AWS::ApiGateway::Method"):
        integration = mapping(properties.get("Integration"))
        uri = str(integration.get("Uri"))
        does = uri.rpartition("action/")[2] if integration.get("Type") == "AWS" else str(integration.get("Type"))
        found[str(properties.get("HttpMethod")), path_of(sight, str(properties.get("ResourceId")))] = does
    for call, does in CALLS.items():
        if found.get(call) != does:
            yield f"{' '.join(call)} must be {does}, got {found.get(call)}"
    for call in found.keys() - CALLS.keys():
        yield f"{' '.join(call)} must not be there: the contract has no such call"


def limited(sight: Sight) -> Iterator[str]:
    """The resource policy lets the contract's calls through, and denies all others, whoever asks and however."""
    for name, properties in sight.of("AWS::ApiGateway::RestApi"):
        policy = [mapping(statement) for statement in listed(within(properties, "Policy", "Statement"))]
        settings = Settings(user_id=sight.given["UserId"])
        stage = str(sight.evaluator.value({"Ref": "StageName"}))
        for entity in ENTITIES:
            said = {"topic": settings.topic(entity), "stream": settings.stream(entity)}
            own = [
                (method, path.replace("{stream-name}", said["stream"]))
                for method, path in CALLS
                if path.startswith("/streams")
            ]
            for method, path in [("POST", f"/topics/{said['topic']}"), *own]:
                if decision(policy, stage, method, path) != "Allow":
                    yield f"{name}: Policy must allow {method} {path}"
            for method, pattern in FORBIDDEN:
                path = pattern.format(**said)
                if decision(policy, stage, method, path) != "Deny":
                    yield f"{name}: Policy must deny {method} {path}"


def roles_can_be_taken(sight: Sight) -> Iterator[str]:
    """API Gateway says nothing of itself when it takes a role, so a condition on what it says would refuse it."""
    for name, properties in sight.of("AWS::IAM::Role"):
        for statement in listed(within(properties, "AssumeRolePolicyDocument", "Statement")):
            service = within(statement, "Principal", "Service")
            if service == "apigateway.amazonaws.com" and within(statement, "Condition"):
                yield f"{name} must let API Gateway take it without a Condition"


def path_of(sight: Sight, resource: str) -> str:
    """The path of a resource of the API, by its logical id; empty for the API's root."""
    for name, properties in sight.of("AWS::ApiGateway::Resource"):
        if name == resource:
            return f"{path_of(sight, str(properties.get('ParentId')))}/{properties.get('PathPart')}"
    return ""


def deployed(sight: Sight) -> Iterator[str]:
    """Every method is there before the API is deployed, and a change of one deploys it anew."""
    methods = {name for name, _ in sight.of("AWS::ApiGateway::Method")}
    deployments = [
        (name, resource)
        for name, resource in sight.resources.items()
        if resource.get("Type") == "AWS::ApiGateway::Deployment"
    ]
    for name, resource in deployments:
        for method in sorted(methods - {str(each) for each in listed(resource.get("DependsOn"))}):
            yield f"{name} must depend on {method}"
    for name, properties in sight.of("AWS::ApiGateway::Stage"):
        if properties.get("DeploymentId") not in [deployment for deployment, _ in deployments]:
            yield f"{name} must have a deployment that is made, got {properties.get('DeploymentId')}"
    if deployments:
        yield from stale(sight.template)


def errors_are_errors(sight: Sight) -> Iterator[str]:
    """What Kinesis refuses is answered 400, what it fails at 500, and nothing but a success 200."""
    for name, properties in sight.of("AWS::ApiGateway::Method"):
        integration = mapping(properties.get("Integration"))
        if integration.get("Type") == "HTTP_PROXY":
            continue
        answers = [mapping(answer) for answer in listed(integration.get("IntegrationResponses"))]
        got = {backend: _answered(answers, backend) for backend in ("200", "400", "403", "429", "500", "503")}
        for backend, status in got.items():
            must = _STATUSES[backend[0] + "00"]
            if status != must:
                yield f"{name}: Kinesis' {backend} must be answered {must}, got {status}"
        declared = {str(mapping(answer).get("StatusCode")) for answer in listed(properties.get("MethodResponses"))}
        for status in sorted({str(answer.get("StatusCode")) for answer in answers} - declared):
            yield f"{name}: MethodResponses must have {status}"


def protected(sight: Sight) -> Iterator[str]:
    """No call without a name or a key, no call without a limit, none that waits for ever, no body in a log."""
    for name, properties in sight.of("AWS::ApiGateway::Method"):
        by_key = properties.get("AuthorizationType") == "NONE" and properties.get("ApiKeyRequired") is True
        if properties.get("AuthorizationType") != "AWS_IAM" and not by_key:
            yield f"{name} must ask for a signature or a key"
        if sight.given.get("Access") == "API_KEY" and not by_key:
            yield f"{name} must ask for a key where Access is API_KEY"
        longest = within(properties, "Integration", "TimeoutInMillis")
        if isinstance(longest, int) and longest > _LONGEST:
            yield f"{name}: TimeoutInMillis must be at most {_LONGEST}, got {longest}"
    for name, properties in sight.of("AWS::ApiGateway::RestApi"):
        if not properties.get("Policy"):
            yield f"{name} must have a resource policy"
    for name, properties in sight.of("AWS::ApiGateway::Stage"):
        for settings in map(mapping, listed(properties.get("MethodSettings")) or [None]):
            if not (settings.get("ThrottlingRateLimit") and settings.get("ThrottlingBurstLimit")):
                yield f"{name} must limit how many calls it takes"
            if settings.get("DataTraceEnabled") is not False:
                yield f"{name}: DataTraceEnabled must be false, bodies have names of people in them"
        if not within(properties, "AccessLogSetting", "DestinationArn"):
            yield f"{name} must have an access log"
    if section(sight.template, "Resources") and sight.stack == "api" and not list(sight.of("AWS::ApiGateway::Stage")):
        yield "there must be a stage"


def _answered(answers: list[dict[str, Value]], backend: str) -> str:
    """Status that a backend's status is turned into: the pattern that matches, else the answer without one."""
    default = ""
    for answer in answers:
        pattern = answer.get("SelectionPattern")
        if pattern and re.fullmatch(str(pattern), backend):
            return str(answer.get("StatusCode"))
        if not pattern:
            default = str(answer.get("StatusCode"))
    return default
