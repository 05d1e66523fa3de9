"""Evaluates a resource policy of API Gateway.

Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-authorization-flow.html
"""

import fnmatch
from collections.abc import Iterable, Mapping

from infrastructure.templates import Value

_SHORT = "execute-api:/"
_API = "a1b2c3d4e5"


def evaluate_policy(policy: Iterable[Mapping[str, Value]], stage: str, method: str, path: str) -> str:
    """The effect on a call: ``Deny`` if a statement denies it, else ``Allow`` if one allows it, else empty.

    Args:
        policy: statements of the policy, for the API that it is attached to.
        stage: the API's stage.
        method: the HTTP method.
        path: the requested path below the stage, with its leading slash.
    """
    resource = f"{_API}/{stage}/{method}{path}"
    effects = {str(statement.get("Effect")) for statement in policy if _applies(statement, resource)}
    return "Deny" if "Deny" in effects else "Allow" if "Allow" in effects else ""


def _applies(statement: Mapping[str, Value], resource: str) -> bool:
    if "NotResource" in statement:
        return not _matches(statement["NotResource"], resource)
    return _matches(statement.get("Resource"), resource)


def _matches(resources: Value, resource: str) -> bool:
    patterns = resources if isinstance(resources, list) else [resources]
    # In a policy brackets are literal, and a star matches slashes.
    return any(
        fnmatch.fnmatchcase(resource, _expand_resource(str(pattern)).replace("[", "[[]")) for pattern in patterns
    )


def _expand_resource(pattern: str) -> str:
    """API, stage, method and path of a resource, which is an ARN or the short form."""
    if pattern.startswith(_SHORT):
        return f"{_API}/{pattern.removeprefix(_SHORT)}"
    return pattern.split(":", 5)[-1]
