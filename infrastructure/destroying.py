"""Destroys the stacks, the last first, and nothing that holds data unless that was asked for."""

import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from infrastructure.errors import DeployError
from infrastructure.stacks import Cloud, stack_name, users_of

# S3 deletes this many objects a call.
_A_CALL = 1000
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
class Destruction:
    """One destroy.

    Attributes:
        cloud: CloudFormation.
        say: is told what is done, and what stays.
        delete_data: whether buckets are emptied first; a bucket that holds something is refused otherwise.
        rehearsed: whether nothing is run.
    """

    cloud: Cloud
    say: Callable[[str], None]
    delete_data: bool = False
    rehearsed: bool = False

    def destroy(self, stacks: tuple[str, ...]) -> None:
        """Destroys stacks; every reason not to is looked for before the first of them is.

        Raises:
            DeployError: a stack is still used, holds data, or AWS refuses.
        """
        states = {stack: state for stack in reversed(stacks) if (state := self.cloud.status(stack))}
        there = list(states)
        if not self.rehearsed:
            for stack in there:
                self._check_unused(stack, there)
        # What was never finished protects nothing, and cannot be deployed either.
        if states.get("source", _NEVER_FINISHED) != _NEVER_FINISHED:
            self._check_unprotected()
        buckets = {stack: bucket for stack in there if (bucket := self._bucket(stack))}
        for bucket in buckets.values():
            self._check_empty(bucket)
        for stack in there:
            self._delete(stack, buckets.get(stack, "") if self.delete_data else "")
            self.say(f"{stack} is destroyed" + (f"; {_STAYS[stack]}" if stack in _STAYS else ""))
        for stack in stacks:
            if stack not in there:
                self.say(f"{stack} is not there")

    def _delete(self, stack: str, bucket: str) -> None:
        """Deletes a stack, and what is in its bucket, if one is named: twice, since the sink writes until it goes."""
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
        answer = self.cloud.aws.finds(
            *("cloudformation", "describe-stacks", "--stack-name", self._name("source")),
            *("--query", "Stacks[0].Parameters[?ParameterKey=='DeletionProtection'].ParameterValue"),
            *("--output", "text"),
        )
        if answer == "true":
            raise DeployError(
                "source must not protect its database any more, got DeletionProtection true: "
                "deploy source with --param DeletionProtection=false first"
            )

    def _name(self, stack: str) -> str:
        return stack_name(self.cloud.user_id, stack)

    def _check_unused(self, stack: str, going: list[str]) -> None:
        """CloudFormation knows no such order: it would begin, and be stuck half way."""
        users = [user for user in users_of(stack) if user not in going and self.cloud.status(user)]
        if users:
            raise DeployError(f"{stack} must not be used any more, got {', '.join(users)}: destroy those first")

    def _bucket(self, stack: str) -> str:
        """The stack's own bucket; none if it was never finished: the bucket of that name may be another's."""
        return self.cloud.known(stack, _BUCKETS[stack]) if stack in _BUCKETS else ""

    def _check_empty(self, bucket: str) -> None:
        if not self.delete_data and self._versions(bucket, 1):
            raise DeployError(
                f"bucket {bucket} must be empty, and is not: --delete-data deletes everything in it, old versions too"
            )

    def _versions(self, bucket: str, most: int) -> list[dict[str, str]]:
        answer = self.cloud.aws.finds(
            *("s3api", "list-object-versions", "--bucket", bucket, "--max-items", str(most)),
            *("--query", _EVERY_VERSION, "--output", "json"),
            stands_for="[]",
        )
        try:
            found = json.loads(answer or "[]")
        except ValueError:
            raise DeployError("list-object-versions must answer JSON, got something else") from None
        # That many versions, and deletion markers besides.
        return found[:most] if isinstance(found, list) else []

    def _empty(self, bucket: str) -> None:
        while versions := self._versions(bucket, _A_CALL):
            with tempfile.TemporaryDirectory(prefix="pinterest-destroy-") as folder:
                file = Path(folder, "objects.json")
                file.write_text(json.dumps({"Objects": versions, "Quiet": True}), encoding="utf-8")
                errors = self.cloud.aws.run(
                    *("s3api", "delete-objects", "--bucket", bucket, "--delete", f"file://{file}"),
                    *("--query", "Errors[0].Code", "--output", "text"),
                )
            if errors not in ("", "None"):
                raise DeployError(f"objects of {bucket} cannot be deleted: {errors}")
        if self.rehearsed:
            self.cloud.aws.run("s3api", "delete-objects", "--bucket", bucket, "--delete", "<every version>")
