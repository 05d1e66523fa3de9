"""Destroying, against a fake of the AWS command line."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import boto3
import pytest
from moto import mock_aws

from infrastructure.aws_cli import AwsCli
from infrastructure.infrastructure_cli import main
from infrastructure.templates import STACKS

ID = ["--user-id", "0ab"]


@pytest.fixture(autouse=True)
def s3() -> Iterator[Any]:
    """S3 with the stacks' buckets, which are empty."""
    with mock_aws():
        s3 = boto3.resource("s3", region_name="us-east-1")
        for name in ("user-0ab-bucket", "mwaa-dags-bucket"):
            s3.create_bucket(Bucket=name).Versioning().enable()
        yield s3


def count_versions(s3: Any, bucket: str) -> int:
    return len(list(s3.Bucket(bucket).object_versions.all()))


def destroyed(calls: list[list[str]]) -> list[str]:
    return [call[3].removeprefix("pinterest-0ab-") for call in calls if call[1] == "delete-stack"]


def test_stacks_are_destroyed_in_reverse_order(aws, capsys) -> None:
    assert main(["destroy", "all", *ID, "--yes"]) == 0
    assert destroyed(aws.calls()) == list(reversed(STACKS))
    waits = [call for call in aws.calls() if call[1] == "wait"]
    assert len(waits) == len(STACKS)
    assert "snapshot and its KMS key stay" in capsys.readouterr().out


@pytest.mark.parametrize("bucket", ["user-0ab-bucket", "mwaa-dags-bucket"])
def test_a_bucket_that_is_not_empty_stops_the_destroy(aws, s3, capsys, bucket: str) -> None:
    # A deleted object is an old version and a marker.
    s3.Object(bucket, "k").put(Body=b"x")
    s3.Object(bucket, "k").delete()
    assert main(["destroy", "all", *ID, "--yes"]) == 1
    assert capsys.readouterr().err.splitlines()[-1] == (
        f"error: bucket {bucket} must be empty: --delete-data deletes all of its objects and versions"
    )
    assert destroyed(aws.calls()) == []


def test_delete_data_empties_the_buckets(aws, s3) -> None:
    for body in (b"one", b"two"):
        s3.Object("user-0ab-bucket", "topics/x").put(Body=body)
    s3.Object("user-0ab-bucket", "topics/x").delete()
    assert main(["destroy", "streaming", *ID, "--yes", "--delete-data"]) == 1  # client and others still use it
    assert count_versions(s3, "user-0ab-bucket") == 3
    aws.gone("client", "api", "databricks")
    assert main(["destroy", "streaming", *ID, "--yes", "--delete-data"]) == 0
    assert count_versions(s3, "user-0ab-bucket") == 0
    assert destroyed(aws.calls()) == ["streaming"]


def test_deletion_protection_stops_the_destroy(aws, capsys) -> None:
    aws.answer("describe-stacks", "pinterest-0ab-source", "DeletionProtection", out="true\n")
    assert main(["destroy", "all", *ID, "--yes"]) == 1
    assert capsys.readouterr().err.splitlines()[-1] == (
        "error: source must not have deletion protection, got DeletionProtection true: "
        "deploy source with --param DeletionProtection=false first"
    )
    assert destroyed(aws.calls()) == []


def test_a_stack_whose_creation_failed_is_destroyed(aws) -> None:
    aws.answer("describe-stacks", "pinterest-0ab-orchestration", "Outputs", out="null")
    assert main(["destroy", "orchestration", *ID, "--yes"]) == 0
    assert destroyed(aws.calls()) == ["orchestration"]


def test_objects_written_during_the_deletion_are_deleted(aws, s3, monkeypatch: pytest.MonkeyPatch) -> None:
    aws.gone("client", "api", "databricks")
    aws.does(
        "if 'wait' in arguments and not (room / 'late').exists():\n"
        "    (room / 'late').touch()\n    sys.exit('DELETE_FAILED')\n"
    )
    run = AwsCli.run

    def write_late(cli: AwsCli, *arguments: str, **more: str) -> str:
        if "wait" in arguments and not (aws.room / "late").exists():
            s3.Object("user-0ab-bucket", "topics/late").put(Body=b"x")
        return run(cli, *arguments, **more)

    monkeypatch.setattr(AwsCli, "run", write_late)
    assert main(["destroy", "streaming", *ID, "--yes", "--delete-data"]) == 0
    assert destroyed(aws.calls()) == ["streaming", "streaming"]
    assert count_versions(s3, "user-0ab-bucket") == 0


def test_a_stack_in_use_is_not_destroyed(aws, capsys) -> None:
    assert main(["destroy", "network", *ID, "--yes"]) == 1
    assert capsys.readouterr().err.splitlines()[-1] == (
        "error: network must not be in use, got source, streaming, client, api, orchestration: destroy those first"
    )
    assert destroyed(aws.calls()) == []


def test_missing_stacks_are_reported_and_others_destroyed(aws, capsys) -> None:
    aws.gone("orchestration")
    assert main(["destroy", "all", *ID, "--yes"]) == 0
    assert "orchestration does not exist\n" in capsys.readouterr().out
    assert "orchestration" not in destroyed(aws.calls())


def test_a_failed_query_stops_the_destroy(aws, capsys) -> None:
    aws.answer("describe-stacks", err="Unable to locate credentials", code=253)
    assert main(["destroy", "all", *ID, "--yes"]) == 1
    assert capsys.readouterr().err == (
        "error: aws cloudformation describe-stacks failed: Unable to locate credentials\n"
    )
    assert destroyed(aws.calls()) == []


def test_a_dry_run_of_destroy_destroys_nothing(aws, capsys) -> None:
    assert main(["destroy", "all", *ID, "--dry-run"]) == 0
    assert aws.calls() == []
    said = capsys.readouterr().out.splitlines()
    assert all(line.startswith("aws ") for line in said)
    shown = [line.split() for line in said if "delete-stack" in line]
    assert [line[4].rpartition("-")[2] for line in shown] == list(reversed(STACKS))


def test_a_dry_run_prints_the_deletion_of_data(aws, capsys) -> None:
    assert main(["destroy", "streaming", *ID, "--dry-run", "--delete-data"]) == 0
    said = capsys.readouterr().out
    assert "# deletes every version of every object in <streaming.BucketName>\n" in said
    assert aws.calls() == []


def test_a_bucket_that_the_stack_did_not_create_is_kept(aws, s3) -> None:
    aws.gone("client", "api", "databricks")
    aws.answer("describe-stacks", "pinterest-0ab-streaming", "Outputs", out="null")
    s3.Object("user-0ab-bucket", "k").put(Body=b"x")
    assert main(["destroy", "streaming", *ID, "--yes", "--delete-data"]) == 0
    assert count_versions(s3, "user-0ab-bucket") == 1


def test_a_bucket_that_was_deleted_by_hand_is_an_empty_one(aws, s3) -> None:
    aws.gone("client", "api", "databricks")
    s3.Bucket("user-0ab-bucket").delete()
    for more in ([], ["--delete-data"]):
        assert main(["destroy", "streaming", *ID, "--yes", *more]) == 0


def test_a_source_whose_creation_failed_is_not_protected(aws) -> None:
    aws.gone(*(stack for stack in STACKS if stack not in ("network", "source")))
    aws.answer("describe-stacks", "pinterest-0ab-source", "DeletionProtection", out="true\n")
    aws.answer("describe-stacks", "pinterest-0ab-source", "StackStatus", out="ROLLBACK_COMPLETE\n")
    assert main(["destroy", "source", *ID, "--yes"]) == 0
    assert destroyed(aws.calls()) == ["source"]


def test_objects_that_cannot_be_deleted_stop_the_destroy(aws, s3, capsys) -> None:
    aws.gone("client", "api", "databricks")
    bucket = s3.Bucket("user-0ab-bucket")
    bucket.delete()
    bucket.create(ObjectLockEnabledForBucket=True)
    s3.Object(bucket.name, "k").put(Body=b"x", ObjectLockMode="COMPLIANCE", ObjectLockRetainUntilDate=datetime.max)
    assert main(["destroy", "streaming", *ID, "--yes", "--delete-data"]) == 1
    assert capsys.readouterr().err == "error: objects of user-0ab-bucket cannot be deleted: AccessDenied\n"
    assert destroyed(aws.calls()) == []


def test_a_deletion_that_fails_for_another_reason_than_new_objects_is_not_repeated(aws) -> None:
    aws.gone("client", "api", "databricks")
    aws.answer("wait", err="DELETE_FAILED", code=255)
    assert main(["destroy", "streaming", *ID, "--yes", "--delete-data"]) == 1
    assert destroyed(aws.calls()) == ["streaming"]
