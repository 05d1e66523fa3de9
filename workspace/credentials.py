"""How Databricks gets into AWS: storage credential, external location, service credential, instance profile."""

import json
from collections.abc import Callable
from typing import TypeVar

from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import NotFound
from databricks.sdk.service.catalog import (
    AwsIamRole,
    AwsIamRoleRequest,
    AwsIamRoleResponse,
    CredentialPurpose,
)

from workspace.errors import WorkspaceError
from workspace.names import role_parts
from workspace.steps import Steps, named

Found = TypeVar("Found")
_COMMENT = "Pinterest pipeline"


def storage_credential(client: WorkspaceClient, steps: Steps, name: str, role: str) -> None:
    """Makes a storage credential of an IAM role, and says what the role must trust.

    It is not validated: the role cannot trust an external id that nobody knew before.
    """
    what, api, wanted = f"storage credential {name}", client.storage_credentials, AwsIamRoleRequest(role_arn=role)
    there = _found(what, lambda: api.get(name))
    if there is None:
        there = steps.make(what, lambda: api.create(name, aws_iam_role=wanted, comment=_COMMENT, skip_validation=True))
    elif _role_of(there.aws_iam_role) == role:
        steps.there(what)
    else:
        how = f"role {_role_of(there.aws_iam_role)} -> {role}"
        there = steps.change(what, how, lambda: api.update(name, aws_iam_role=wanted, skip_validation=True))
    _tell_trust(steps, role, there.aws_iam_role if there else None)


def service_credential(client: WorkspaceClient, steps: Steps, name: str, role: str) -> None:
    """Makes a service credential of an IAM role, to reach Kinesis by, and says what the role must trust."""
    what, api, wanted = f"service credential {name}", client.credentials, AwsIamRole(role_arn=role)
    there = _found(what, lambda: api.get_credential(name))
    if there is None:
        there = steps.make(
            what,
            lambda: api.create_credential(
                name, aws_iam_role=wanted, purpose=CredentialPurpose.SERVICE, comment=_COMMENT, skip_validation=True
            ),
        )
    elif there.purpose not in (CredentialPurpose.SERVICE, None):
        raise WorkspaceError(
            f"{what} must be a credential for services, got one of that name for {there.purpose.value}"
        )
    elif _role_of(there.aws_iam_role) == role:
        steps.there(what)
    else:
        how = f"role {_role_of(there.aws_iam_role)} -> {role}"
        there = steps.change(what, how, lambda: api.update_credential(name, aws_iam_role=wanted, skip_validation=True))
    _tell_trust(steps, role, there.aws_iam_role if there else None)


def external_location(client: WorkspaceClient, steps: Steps, name: str, url: str, credential: str) -> None:
    """Makes a location over the sink's bucket, for reading alone. The workspace tries the credential first."""
    what, api = f"external location {name}", client.external_locations
    there = _found(what, lambda: api.get(name))
    if there is None:
        steps.make(
            what,
            lambda: api.create(name=name, url=url, credential_name=credential, comment=_COMMENT, read_only=True),
        )
        return
    given = {"url": (there.url or "").rstrip("/"), "credential": there.credential_name or ""}
    wanted = {"url": url.rstrip("/"), "credential": credential}
    if given == wanted:
        steps.there(what)
        return
    how = ", ".join(f"{key} {given[key]} -> {wanted[key]}" for key in wanted if given[key] != wanted[key])
    steps.change(what, how, lambda: api.update(name, url=url, credential_name=credential))


def instance_profile(client: WorkspaceClient, steps: Steps, arn: str) -> None:
    """Registers an instance profile, for classic compute; the workspace tries first whether it may pass the role."""
    what = f"instance profile {arn}"
    with named(what):
        there = any(profile.instance_profile_arn == arn for profile in client.instance_profiles.list())
    if there:
        steps.there(what)
    else:
        steps.make(what, lambda: client.instance_profiles.add(arn))


def trust_policy(role: str, trusted: str, external_id: str) -> str:
    """The trust policy, JSON in one line, of a role that Databricks may take, and that may take itself."""
    partition, account = role_parts(role)
    same = {"StringEquals": {"sts:ExternalId": external_id}}
    # The role itself is named by a condition: as a principal AWS refuses it until it exists.
    itself = {"ArnLike": {"aws:PrincipalArn": role}, **same}
    principals = ((trusted, same), (f"arn:{partition}:iam::{account}:root", itself))
    statements = [
        {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": principal}, "Condition": condition}
        for principal, condition in principals
    ]
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


def _tell_trust(steps: Steps, role: str, said: AwsIamRole | AwsIamRoleResponse | None) -> None:
    if said and said.unity_catalog_iam_arn and said.external_id:
        steps.screen.say(
            f"  in AWS, trust policy of {role}: {trust_policy(role, said.unity_catalog_iam_arn, said.external_id)}"
        )


def _role_of(said: AwsIamRole | AwsIamRoleResponse | None) -> str:
    return (said.role_arn if said else None) or ""


def _found(what: str, get: Callable[[], Found]) -> Found | None:
    with named(what):
        try:
            return get()
        except NotFound:
            return None
