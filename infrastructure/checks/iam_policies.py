"""Checks of IAM policies, security groups and public access."""

import re
from collections.abc import Iterator, Mapping

from infrastructure.checks.template_view import TemplateView, as_list, as_mapping, find_all
from infrastructure.templates import Value

# Actions without resource-level permissions, by stack, with the reason.
WITHOUT_RESOURCE: Mapping[tuple[str, str], str] = {
    ("api", "kinesis:ListStreams"): "lists every stream of the region; a single one cannot be named",
    ("orchestration", "s3:GetAccountPublicAccessBlock"): "a setting of the account",
    ("orchestration", "logs:DescribeLogGroups"): "looks through the region's log groups",
    ("orchestration", "cloudwatch:PutMetricData"): "metrics have no ARN; the namespace is limited instead",
}
# Statements for every principal, with what limits them.
PUBLIC_STATEMENTS: Mapping[tuple[str, str], str] = {
    ("api", "OwnTopicsAndStreams"): "a caller with an API key has no principal; every method requires the key",
}
_ANYWHERE = ("0.0.0.0/0", "::/0")
_WHOLE_SERVICE = re.compile(r"\A(\*|[a-z0-9-]+:\*)\Z")
_OUTSIDE = {
    "MapPublicIpOnLaunch": (True, "true"),
    "AssociatePublicIpAddress": (True, "true"),
    "Scheme": ("internet-facing",),
}


def check_least_privilege(view: TemplateView) -> Iterator[str]:
    """No statement allows all actions, resources or principals."""
    for name, resource in view.resources.items():
        properties = as_mapping(resource.get("Properties"))
        in_key_policy = {id(each) for each in _list_statements(properties.get("KeyPolicy"))}
        for statement in _list_statements(properties):
            if statement.get("Effect") == "Allow":
                for mistake in _find_wide_permissions(view.stack, statement, of_key=id(statement) in in_key_policy):
                    yield f"{name}: {mistake}"


def check_no_public_access(view: TemplateView) -> Iterator[str]:
    """Ingress is from security groups only; nothing has a public address."""
    for name, properties in view.find_resources("AWS::EC2::SecurityGroupIngress"):
        yield from _find_open_rules(name, properties)
    for name, properties in view.find_resources("AWS::EC2::SecurityGroup"):
        for rule in as_list(properties.get("SecurityGroupIngress")):
            yield from _find_open_rules(name, as_mapping(rule))
        if not as_list(properties.get("SecurityGroupEgress")):
            yield f"{name}: a security group must have egress rules, otherwise all egress is allowed"
    for name, resource in view.resources.items():
        for setting, public in _OUTSIDE.items():
            if any(value in public for value in find_all(resource, setting)):
                yield f"{name}: {setting} must not be {public[0]}"


def _list_statements(value: Value) -> Iterator[dict[str, Value]]:
    for found in find_all(value, "Statement"):
        for statement in as_list(found):
            yield as_mapping(statement)


def _find_wide_permissions(stack: str, statement: dict[str, Value], *, of_key: bool) -> Iterator[str]:
    actions = [str(action) for action in as_list(statement.get("Action"))]
    for action in actions:
        if _WHOLE_SERVICE.match(action):
            yield f"Action must be named, got {action}"
    for other in ("NotAction", "NotResource", "NotPrincipal"):
        if other in statement:
            yield f"{other} must not be in a statement that allows"
    # In a key policy * is the key itself.
    if "*" in as_list(statement.get("Resource")) and not of_key:
        for action in actions:
            if (stack, action) not in WITHOUT_RESOURCE:
                yield f"Resource of {action} must be named, got *"
    principal = statement.get("Principal")
    everybody = principal == "*" or any("*" in as_list(value) for value in as_mapping(principal).values())
    if everybody and (stack, str(statement.get("Sid"))) not in PUBLIC_STATEMENTS:
        yield f"Principal must be named, got * in {statement.get('Sid', 'a statement')}"


def _find_open_rules(name: str, rule: dict[str, Value]) -> Iterator[str]:
    for setting in ("CidrIp", "CidrIpv6"):
        if rule.get(setting) in _ANYWHERE:
            yield f"{name}: ingress from {rule[setting]} must not be allowed"
        elif setting in rule:
            yield f"{name}: ingress must be from a security group, got {rule[setting]}"
    if str(rule.get("IpProtocol")) == "-1":
        yield f"{name}: ingress must have a protocol and ports, got all"
