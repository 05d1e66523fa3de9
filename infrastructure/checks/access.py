"""Who may do what, and who may come in."""

import re
from collections.abc import Iterator, Mapping

from infrastructure.checks.sight import Sight, every, listed, mapping, within
from infrastructure.templates import Value

# What IAM knows no resource for, by stack and action; the reason stands beside each.
WITHOUT_RESOURCE: Mapping[tuple[str, str], str] = {
    ("api", "kinesis:ListStreams"): "lists every stream of the region; a single one cannot be named",
    ("orchestration", "s3:GetAccountPublicAccessBlock"): "a setting of the account",
    ("orchestration", "logs:DescribeLogGroups"): "looks through the region's log groups",
    ("orchestration", "cloudwatch:PutMetricData"): "metrics have no ARN; the namespace is limited instead",
}
# Statements that let everybody in, and what holds them back.
EVERYBODY: Mapping[tuple[str, str], str] = {
    ("api", "OwnTopicsAndStreams"): "with an API key nobody has a name; every method wants the key",
}
_ANYWHERE = ("0.0.0.0/0", "::/0")
_WHOLE_SERVICE = re.compile(r"\A(\*|[a-z0-9-]+:\*)\Z")
_OUTSIDE = {
    "PubliclyAccessible": (True, "true"),
    "MapPublicIpOnLaunch": (True, "true"),
    "AssociatePublicIpAddress": (True, "true"),
    "Scheme": ("internet-facing",),
}


def least_privilege(sight: Sight) -> Iterator[str]:
    """No statement allows every action, every resource, or everybody."""
    for name, resource in sight.resources.items():
        properties = mapping(resource.get("Properties"))
        in_key_policy = {id(each) for each in _statements(properties.get("KeyPolicy"))}
        for statement in _statements(properties):
            if statement.get("Effect") == "Allow":
                for mistake in _too_wide(sight.stack, statement, of_key=id(statement) in in_key_policy):
                    yield f"{name}: {mistake}"


def nobody_from_outside(sight: Sight) -> Iterator[str]:
    """No rule lets addresses in, only named groups; nothing has a public address."""
    for name, properties in sight.of("AWS::EC2::SecurityGroupIngress"):
        yield from _open(name, properties)
    for name, properties in sight.of("AWS::EC2::SecurityGroup"):
        for rule in listed(properties.get("SecurityGroupIngress")):
            yield from _open(name, mapping(rule))
        if not listed(properties.get("SecurityGroupEgress")):
            yield f"{name}: a security group must name what goes out, or everything does"
    for name, resource in sight.resources.items():
        for setting, public in _OUTSIDE.items():
            if any(value in public for value in every(resource, setting)):
                yield f"{name}: {setting} must not be {public[0]}"
    for name, properties in sight.of("AWS::MSK::Cluster"):
        if within(properties, "BrokerNodeGroupInfo", "ConnectivityInfo", "PublicAccess", "Type") != "DISABLED":
            yield f"{name}: PublicAccess must be DISABLED"
        if within(properties, "ClientAuthentication", "Unauthenticated", "Enabled") is not False:
            yield f"{name}: Unauthenticated must be switched off"
    for name, properties in sight.of("AWS::EC2::Instance"):
        if within(properties, "MetadataOptions", "HttpTokens") != "required":
            yield f"{name}: HttpTokens must be required (IMDSv2)"


def _statements(value: Value) -> Iterator[dict[str, Value]]:
    for found in every(value, "Statement"):
        for statement in listed(found):
            yield mapping(statement)


def _too_wide(stack: str, statement: dict[str, Value], *, of_key: bool) -> Iterator[str]:
    actions = [str(action) for action in listed(statement.get("Action"))]
    for action in actions:
        if _WHOLE_SERVICE.match(action):
            yield f"Action must name what is allowed, got {action}"
    for other in ("NotAction", "NotResource", "NotPrincipal"):
        if other in statement:
            yield f"{other} must not be in what is allowed"
    # In a key's own policy * is the key itself.
    if "*" in listed(statement.get("Resource")) and not of_key:
        for action in actions:
            if (stack, action) not in WITHOUT_RESOURCE:
                yield f"Resource of {action} must be named, got *"
    principal = statement.get("Principal")
    everybody = principal == "*" or any("*" in listed(value) for value in mapping(principal).values())
    if everybody and (stack, str(statement.get("Sid"))) not in EVERYBODY:
        yield f"Principal must be named, got * in {statement.get('Sid', 'a statement')}"


def _open(name: str, rule: dict[str, Value]) -> Iterator[str]:
    for setting in ("CidrIp", "CidrIpv6"):
        if rule.get(setting) in _ANYWHERE:
            yield f"{name}: nobody must come in from {rule[setting]}"
        elif setting in rule:
            yield f"{name}: what comes in must be of a named group, got {rule[setting]}"
    if str(rule.get("IpProtocol")) == "-1":
        yield f"{name}: what comes in must have a protocol and ports, got all"
