"""Deletes the stacks in reverse order, and data only if requested."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any

from infrastructure.aws_cli import DeployError
from infrastructure.stacks import CloudFormation, find_dependents

_BUCKETS = {"streaming": "BucketName", "orchestration": "DagsBucketName"}
_NEVER_FINISHED = "ROLLBACK_COMPLETE"
_STAYS = {
    "source": "the database's last snapshot and its KMS key stay; without the key nobody could read the snapshot",
    "streaming": "KMS keys are deleted by AWS after 30 days",
    "orchestration": (
        "Airflow's log groups (airflow-<environment>-*) stay, and their key goes after 30 days: "
        "delete them before another environment of that name"
    ),
}


def destroy(cloud: CloudFormation, stacks: tuple[str, ...], *, delete_data: bool) -> None:
    """Deletes stacks, after all of them were checked.

    Args:
        cloud: CloudFormation.
        stacks: the stacks, in deployment order.
        delete_data: empty their buckets first; otherwise a bucket that is not empty is an error.

    Raises:
        DeployError: a stack is in use, a bucket is not empty, or AWS reports an error.
    """
    states = {stack: state for stack in reversed(stacks) if (state := cloud.status(stack))}
    if not cloud.aws.dry_run:
        for stack in states:
            _check_unused(cloud, stack, states)
    # A stack whose creation failed has no protection, and cannot be deployed.
    if states.get("source", _NEVER_FINISHED) != _NEVER_FINISHED:
        _check_unprotected(cloud)
    # A stack whose creation failed has no outputs: its bucket may belong to another stack.
    buckets = {stack: cloud.find_output(stack, _BUCKETS[stack]) for stack in states if stack in _BUCKETS}
    if not (delete_data or cloud.aws.dry_run):
        for bucket in filter(None, buckets.values()):
            if _has_versions(cloud, bucket):
                raise DeployError(
                    f"bucket {bucket} must be empty: --delete-data deletes all of its objects and versions"
                )
    for stack in states:
        _delete(cloud, stack, buckets.get(stack, "") if delete_data else "")
        if not cloud.aws.dry_run:
            print(f"{stack} is destroyed" + (f"; {_STAYS[stack]}" if stack in _STAYS else ""), flush=True)
    for stack in stacks:
        if stack not in states:
            print(f"{stack} does not exist", flush=True)


def _check_unused(cloud: CloudFormation, stack: str, going: Collection[str]) -> None:
    """Checks dependent stacks: CloudFormation would start the deletion and fail halfway."""
    users = [user for user in find_dependents(stack) if user not in going and cloud.status(user)]
    if users:
        raise DeployError(f"{stack} must not be in use, got {', '.join(users)}: destroy those first")


def _check_unprotected(cloud: CloudFormation) -> None:
    if cloud.parameter("source", "DeletionProtection") == "true":
        raise DeployError(
            "source must not have deletion protection, got DeletionProtection true: "
            "deploy source with --param DeletionProtection=false first"
        )


def _has_versions(cloud: CloudFormation, bucket: str) -> bool:
    with _open_versions(cloud, bucket) as versions:
        return bool(list(versions.limit(1)))
    return False


def _delete(cloud: CloudFormation, stack: str, bucket: str) -> None:
    """Deletes a stack after emptying its bucket; once more if the sink wrote until it was deleted."""
    _empty(cloud, bucket)
    try:
        _delete_stack(cloud, stack)
    except DeployError:
        if not (bucket and _has_versions(cloud, bucket)):
            raise
        _empty(cloud, bucket)
        _delete_stack(cloud, stack)


def _empty(cloud: CloudFormation, bucket: str) -> None:
    if bucket and cloud.aws.dry_run:
        print(f"# deletes every version of every object in {bucket}", flush=True)
    elif bucket:
        with _open_versions(cloud, bucket) as versions:
            # An object that cannot be deleted is no exception in boto3, but an entry of the answer.
            errors = [error for page in versions.delete() for error in page.get("Errors", ())]
            if errors:
                raise DeployError(f"objects of {bucket} cannot be deleted: {errors[0]['Code']}")


@contextmanager
def _open_versions(cloud: CloudFormation, bucket: str) -> Iterator[Any]:
    """Objects, old versions and delete markers of a bucket; none of one that was deleted by hand."""
    import boto3  # noqa: PLC0415 - slow to import, and help does without
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

    try:
        session = boto3.Session(profile_name=cloud.aws.profile or None, region_name=cloud.aws.region)
        yield session.resource("s3").Bucket(bucket).object_versions
    except BotoCoreError as error:
        raise DeployError(f"bucket {bucket} cannot be read: {error}") from None
    except ClientError as error:
        if error.response["Error"]["Code"] != "NoSuchBucket":
            raise DeployError(f"bucket {bucket} cannot be read: {error}") from None


def _delete_stack(cloud: CloudFormation, stack: str) -> None:
    cloud.aws.run("cloudformation", "delete-stack", "--stack-name", cloud.stack_name(stack))
    cloud.aws.run("cloudformation", "wait", "stack-delete-complete", "--stack-name", cloud.stack_name(stack))
