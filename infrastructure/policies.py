"""What a resource policy of API Gateway says to a call.

Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-authorization-flow.html
"""

import fnmatch
from collections.abc import Iterable, Mapping

from infrastructure.templates import Value

_SHORT = "execute-api:/"
_API = "a1b2c3d4e5"


def decision(policy: Iterable[Mapping[str, Value]], stage: str, method: str, path: str) -> str:
    """What the statements say: ``Deny`` if one denies, else ``Allow`` if one allows, else nothing.

    Args:
        policy: statements of the policy; of the API that it is attached to, whatever its id.
        stage: of the API.
        method: GET and so on.
        path: below the stage, with its leading slash, as it was asked for.
    """
    asked = f"{_API}/{stage}/{method}{path}"
    effects = {str(statement.get("Effect")) for statement in policy if _applies(statement, asked)}
    return "Deny" if "Deny" in effects else "Allow" if "Allow" in effects else ""


def _applies(statement: Mapping[str, Value], asked: str) -> bool:
    if "NotResource" in statement:
        return not _names(statement["NotResource"], asked)
    return _names(statement.get("Resource"), asked)


def _names(resources: Value, asked: str) -> bool:
    patterns = resources if isinstance(resources, list) else [resources]
    # A bracket means nothing in a policy; a star takes slashes, too.
    return any(fnmatch.fnmatchcase(asked, _of_api(str(pattern)).replace("[", "[[]")) for pattern in patterns)


def _of_api(pattern: str) -> str:
    """API, stage, method and path of a resource: of a whole ARN, or of the short form that stands for one."""
    if pattern.startswith(_SHORT):
        return f"{_API}/{pattern.removeprefix(_SHORT)}"
    return pattern.split(":", 5)[-1]
