"""Keeps the API's deployments up with its methods.

A deployment is a picture of the API at one time, and CloudFormation takes a new one only for a new logical id. So the
id ends in a digest of what is in the picture.
"""

import hashlib
import json
import re
from pathlib import Path

from infrastructure.templates import Template, load_template, section

_PICTURED = re.compile(
    r"\AAWS::ApiGateway::(Method|Resource|RestApi|Model|RequestValidator|GatewayResponse|Authorizer)\Z"
)
_DEPLOYMENT = "AWS::ApiGateway::Deployment"
_STAMPED = re.compile(r"\b(?P<name>DeploymentFor[A-Z][A-Za-z]*?)[0-9a-f]{8}\b")


def digest(template: Template) -> str:
    """Eight hexadecimal digits that change with anything that a deployment is a picture of."""
    pictured = {
        name: resource
        for name, resource in section(template, "Resources").items()
        if _PICTURED.match(str(resource.get("Type")))
    }
    written = json.dumps(pictured, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(written.encode()).hexdigest()[:8]


def stale(template: Template) -> list[str]:
    """Deployments whose ids are not those of the methods as they stand, one line each."""
    right = digest(template)
    return [
        f"{name} must end in {right}, the digest of the API's methods (python -m infrastructure stamp)"
        for name, resource in section(template, "Resources").items()
        if resource.get("Type") == _DEPLOYMENT and not name.endswith(right)
    ]


def stamp(path: Path) -> bool:
    """Writes the right digest into the template's file; False if it was there."""
    text = path.read_text(encoding="utf-8")
    right = digest(load_template(path))
    stamped = _STAMPED.sub(lambda match: match["name"] + right, text)
    if stamped == text:
        return False
    path.write_text(stamped, encoding="utf-8")
    return True
