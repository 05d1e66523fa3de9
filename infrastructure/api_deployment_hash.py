"""The digest in the logical id of the API's deployments.

A deployment is a snapshot of the API, and CloudFormation creates a new one only for a new logical id. The id therefore
ends with a digest of the resources in the snapshot.
"""

import hashlib
import json
import re
from pathlib import Path

from infrastructure.templates import Template, load_template, section

_IN_SNAPSHOT = re.compile(
    r"\AAWS::ApiGateway::(Method|Resource|RestApi|Model|RequestValidator|GatewayResponse|Authorizer)\Z"
)
_DEPLOYMENT = "AWS::ApiGateway::Deployment"
_LOGICAL_ID = re.compile(r"\b(?P<name>DeploymentFor[A-Z][A-Za-z]*?)[0-9a-f]{8}\b")


def compute_digest(template: Template) -> str:
    """Eight hexadecimal digits that change with each resource in a deployment's snapshot."""
    snapshot = {
        name: resource
        for name, resource in section(template, "Resources").items()
        if _IN_SNAPSHOT.match(str(resource.get("Type")))
    }
    written = json.dumps(snapshot, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(written.encode()).hexdigest()[:8]


def find_stale_deployments(template: Template) -> list[str]:
    """Deployments whose ids do not have the current digest, one line each."""
    current = compute_digest(template)
    return [
        f"{name} must end in {current}, the digest of the API's methods (python -m infrastructure stamp)"
        for name, resource in section(template, "Resources").items()
        if resource.get("Type") == _DEPLOYMENT and not name.endswith(current)
    ]


def write_digest(path: Path) -> bool:
    """Updates the digest in the template's file; False if it was current."""
    text = path.read_text(encoding="utf-8")
    current = compute_digest(load_template(path))
    updated = _LOGICAL_ID.sub(lambda match: match["name"] + current, text)
    if updated == text:
        return False
    path.write_text(updated, encoding="utf-8")
    return True
