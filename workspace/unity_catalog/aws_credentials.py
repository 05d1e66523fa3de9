"""Access of Databricks to AWS: storage and service credentials, external location, instance profile."""

import json
from contextlib import suppress

from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import NotFound
from databricks.sdk.service.catalog import AwsIamRole, CredentialPurpose

from workspace.step_reporter import EXISTS, StepReporter, convert_errors
from workspace.workspace_errors import WorkspaceError
from workspace.workspace_names import parse_role_arn

_COMMENT = "Pinterest pipeline"


def set_up_credential(
    client: WorkspaceClient, reporter: StepReporter, purpose: CredentialPurpose, name: str, role: str
) -> None:
    """Creates a credential with an IAM role, and prints the trust policy that the role needs.

    It is not validated: the role cannot trust an external id before the credential exists.
    """
    step, api, wanted = f"{purpose.value.lower()} credential {name}", client.credentials, AwsIamRole(role_arn=role)
    found = None
    with convert_errors(step), suppress(NotFound):
        found = api.get_credential(name)
    if found is None:
        found = reporter.run(
            step,
            "created",
            lambda: api.create_credential(
                name, aws_iam_role=wanted, purpose=purpose, comment=_COMMENT, skip_validation=True
            ),
        )
    elif found.purpose not in (purpose, None):
        raise WorkspaceError(f"{step} must have purpose {purpose.value}, got {found.purpose.value} of that name")
    elif found.aws_iam_role and found.aws_iam_role.role_arn == role:
        reporter.report(step, EXISTS)
    else:
        change = f"role {found.aws_iam_role.role_arn if found.aws_iam_role else 'none'} -> {role}"
        found = reporter.run(
            step, f"updated, {change}", lambda: api.update_credential(name, aws_iam_role=wanted, skip_validation=True)
        )
    aws = found.aws_iam_role if found else None
    if aws and aws.unity_catalog_iam_arn and aws.external_id:
        policy = build_trust_policy(role, aws.unity_catalog_iam_arn, aws.external_id)
        reporter.output.write(f"  in AWS, trust policy of {role}: {policy}")


def set_up_external_location(
    client: WorkspaceClient, reporter: StepReporter, name: str, url: str, credential: str
) -> None:
    """Creates a read-only external location for the sink's bucket. The workspace validates the credential."""
    step, api = f"external location {name}", client.external_locations
    existing = None
    with convert_errors(step), suppress(NotFound):
        existing = api.get(name)
    if existing is None:
        reporter.run(
            step,
            "created",
            lambda: api.create(name=name, url=url, credential_name=credential, comment=_COMMENT, read_only=True),
        )
        return
    found = {"url": (existing.url or "").rstrip("/"), "credential": existing.credential_name or ""}
    wanted = {"url": url.rstrip("/"), "credential": credential}
    if found == wanted:
        reporter.report(step, EXISTS)
        return
    change = ", ".join(f"{key} {found[key]} -> {wanted[key]}" for key in wanted if found[key] != wanted[key])
    reporter.run(step, f"updated, {change}", lambda: api.update(name, url=url, credential_name=credential))


def set_up_instance_profile(client: WorkspaceClient, reporter: StepReporter, arn: str) -> None:
    """Registers an instance profile for classic compute; the workspace checks that it may pass the role."""
    step = f"instance profile {arn}"
    with convert_errors(step):
        exists = any(profile.instance_profile_arn == arn for profile in client.instance_profiles.list())
    if exists:
        reporter.report(step, EXISTS)
    else:
        reporter.run(step, "created", lambda: client.instance_profiles.add(arn))


def build_trust_policy(role: str, trusted: str, external_id: str) -> str:
    """The trust policy, as JSON on one line, of a role that Databricks and the role itself may assume."""
    partition, account = parse_role_arn(role)
    same_id = {"StringEquals": {"sts:ExternalId": external_id}}
    # The role itself is named in a condition: AWS rejects it as a principal until it exists.
    itself = {"ArnLike": {"aws:PrincipalArn": role}, **same_id}
    principals = ((trusted, same_id), (f"arn:{partition}:iam::{account}:root", itself))
    statements = [
        {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": principal}, "Condition": condition}
        for principal, condition in principals
    ]
    return json.dumps({"Version": "2012-10-17", "Statement": statements})
