"""Deletes the stacks in reverse order, and data only if requested."""

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path

from infrastructure.infrastructure_errors import DeployError
from infrastructure.stacks import CloudFormation, find_dependents, stack_name

# S3 deletes this many objects per call.
_MAX_OBJECTS = 1000
_EVERY_VERSION = "[Versions, DeleteMarkers][].{Key: Key, VersionId: VersionId}"
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


@dataclass
class StackDeletion:
    """Deletes stacks.

    Attributes:
        cloud: CloudFormation.
        delete_data: empty buckets first; otherwise a bucket that is not empty is an error.
        dry_run: print the commands and run none.
    """

    cloud: CloudFormation
    delete_data: bool = False
    dry_run: bool = False

    def destroy(self, stacks: tuple[str, ...]) -> None:
        """Deletes stacks, after all of them were checked.

        Raises:
            DeployError: a stack is in use, a bucket is not empty, or AWS reports an error.
        """
        states = {stack: state for stack in reversed(stacks) if (state := self.cloud.status(stack))}
        existing = list(states)
        if not self.dry_run:
            for stack in existing:
                self._check_unused(stack, existing)
        # A stack whose creation failed has no protection, and cannot be deployed.
        if states.get("source", _NEVER_FINISHED) != _NEVER_FINISHED:
            self._check_unprotected()
        buckets = {stack: bucket for stack in existing if (bucket := self._bucket(stack))}
        for bucket in buckets.values():
            self._check_empty(bucket)
        for stack in existing:
            self._delete(stack, buckets.get(stack, "") if self.delete_data else "")
            self._print(f"{stack} is destroyed" + (f"; {_STAYS[stack]}" if stack in _STAYS else ""))
        for stack in stacks:
            if stack not in existing:
                self._print(f"{stack} does not exist")

    def _print(self, line: str) -> None:
        if not self.dry_run:
            print(line, flush=True)

    def _delete(self, stack: str, bucket: str) -> None:
        """Deletes a stack after emptying its bucket; emptied again if the sink wrote until it was deleted."""
        if bucket:
            self._empty(bucket)
        self.cloud.aws.run("cloudformation", "delete-stack", "--stack-name", self._name(stack))
        wait = ("cloudformation", "wait", "stack-delete-complete", "--stack-name", self._name(stack))
        try:
            self.cloud.aws.run(*wait)
        except DeployError:
            if not (bucket and self._versions(bucket, 1)):
                raise
            self._empty(bucket)
            self.cloud.aws.run("cloudformation", "delete-stack", "--stack-name", self._name(stack))
            self.cloud.aws.run(*wait)

    def _check_unprotected(self) -> None:
        answer = self.cloud.aws.find(
            *("cloudformation", "describe-stacks", "--stack-name", self._name("source")),
            *("--query", "Stacks[0].Parameters[?ParameterKey=='DeletionProtection'].ParameterValue"),
            *("--output", "text"),
        )
        if answer == "true":
            raise DeployError(
                "source must not have deletion protection, got DeletionProtection true: "
                "deploy source with --param DeletionProtection=false first"
            )

    def _name(self, stack: str) -> str:
        return stack_name(self.cloud.user_id, stack)

    def _check_unused(self, stack: str, going: list[str]) -> None:
        """Checks dependent stacks: CloudFormation would start the deletion and fail halfway."""
        users = [user for user in find_dependents(stack) if user not in going and self.cloud.status(user)]
        if users:
            raise DeployError(f"{stack} must not be in use, got {', '.join(users)}: destroy those first")

    def _bucket(self, stack: str) -> str:
        """The stack's bucket; empty if the stack's creation failed, since its bucket may belong to another stack."""
        return self.cloud.find_output(stack, _BUCKETS[stack]) if stack in _BUCKETS else ""

    def _check_empty(self, bucket: str) -> None:
        if not self.delete_data and self._versions(bucket, 1):
            raise DeployError(f"bucket {bucket} must be empty: --delete-data deletes all of its objects and versions")

    def _versions(self, bucket: str, maximum: int) -> list[dict[str, str]]:
        answer = self.cloud.aws.find(
            *("s3api", "list-object-versions", "--bucket", bucket, "--max-items", str(maximum)),
            *("--query", _EVERY_VERSION, "--output", "json"),
            dry_run_result="[]",
        )
        try:
            found = json.loads(answer or "[]")
        except ValueError:
            raise DeployError("list-object-versions must answer JSON, got something else") from None
        # --max-items does not count delete markers.
        return found[:maximum] if isinstance(found, list) else []

    def _empty(self, bucket: str) -> None:
        while versions := self._versions(bucket, _MAX_OBJECTS):
            with tempfile.TemporaryDirectory(prefix="pinterest-destroy-") as folder:
                file = Path(folder, "objects.json")
                file.write_text(json.dumps({"Objects": versions, "Quiet": True}), encoding="utf-8")
                errors = self.cloud.aws.run(
                    *("s3api", "delete-objects", "--bucket", bucket, "--delete", f"file://{file}"),
                    *("--query", "Errors[0].Code", "--output", "text"),
                )
            if errors not in ("", "None"):
                raise DeployError(f"objects of {bucket} cannot be deleted: {errors}")
        if self.dry_run:
            self.cloud.aws.run("s3api", "delete-objects", "--bucket", bucket, "--delete", "<every version>")
