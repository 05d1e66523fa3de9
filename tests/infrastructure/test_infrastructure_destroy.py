"""Destroying, against a fake of the AWS command line."""

import json

import pytest

from infrastructure.infrastructure_cli import main
from infrastructure.templates import STACKS

ID = ["--user-id", "0ab"]


def destroyed(calls: list[list[str]]) -> list[str]:
    return [call[3].removeprefix("pinterest-0ab-") for call in calls if call[1] == "delete-stack"]


def test_stacks_are_destroyed_in_reverse_order(aws, capsys) -> None:
    assert main(["destroy", "all", *ID, "--yes"]) == 0
    assert destroyed(aws.calls()) == list(reversed(STACKS))
    waits = [call for call in aws.calls() if call[1] == "wait"]
    assert len(waits) == len(STACKS)
    assert "snapshot and its KMS key stay" in capsys.readouterr().out


@pytest.mark.parametrize("bucket", ["user-0ab-bucket", "mwaa-dags-bucket"])
def test_a_bucket_that_is_not_empty_stops_the_destroy(aws, capsys, bucket: str) -> None:
    aws.answer("list-object-versions", bucket, out=json.dumps([{"Key": "k", "VersionId": "v"}]))
    assert main(["destroy", "all", *ID, "--yes"]) == 1
    assert capsys.readouterr().err.splitlines()[-1] == (
        f"error: bucket {bucket} must be empty: --delete-data deletes all of its objects and versions"
    )
    assert destroyed(aws.calls()) == []


def test_delete_data_empties_the_buckets(aws) -> None:
    held = json.dumps([{"Key": "topics/x", "VersionId": "v1"}, {"Key": "topics/x", "VersionId": "v2"}])
    # Empty at the second look.
    emptied = aws.room / "emptied"
    aws.does(
        f"if 'delete-objects' in arguments:\n    open({str(emptied)!r}, 'w').write(open(arguments[5][7:]).read())\n"
        f"if 'list-object-versions' in arguments and pathlib.Path({str(emptied)!r}).exists():\n    sys.exit(0)\n"
    )
    aws.answer("list-object-versions", "user-0ab-bucket", out=held)
    assert main(["destroy", "streaming", *ID, "--yes", "--delete-data"]) == 1  # client and others still use it
    assert not emptied.exists()
    aws.gone("client", "api", "databricks")
    assert main(["destroy", "streaming", *ID, "--yes", "--delete-data"]) == 0
    assert json.loads(emptied.read_text()) == {"Objects": json.loads(held), "Quiet": True}
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


def test_objects_are_deleted_in_batches(aws) -> None:
    held = [{"Key": f"topics/{number}", "VersionId": "v"} for number in range(1500)]
    calls = aws.room / "deleted"
    aws.does(
        f"left = pathlib.Path({str(calls)!r})\nseen = len(left.read_text().split()) if left.exists() else 0\n"
        "if 'delete-objects' in arguments:\n"
        "    gone = json.loads(pathlib.Path(arguments[5][7:]).read_text())['Objects']\n"
        "    with open(left, 'a') as file: file.write(''.join(one['Key'] + '\\n' for one in gone))\n"
        "    sys.exit(0 if len(gone) <= 1000 else 255)\n"
        "if 'list-object-versions' in arguments:\n"
        f"    print(json.dumps(json.loads({json.dumps(json.dumps(held))})[seen:]))\n    sys.exit(0)\n"
    )
    aws.gone("client", "api", "databricks")
    assert main(["destroy", "streaming", *ID, "--yes", "--delete-data"]) == 0
    assert calls.read_text().split() == [one["Key"] for one in held]


def test_objects_written_during_the_deletion_are_deleted(aws) -> None:
    aws.gone("client", "api", "databricks")
    full = aws.room / "full"
    aws.does(
        f"full = pathlib.Path({str(full)!r})\n"
        "first = not full.exists()\n"
        "if 'delete-objects' in arguments: full.write_text('')\n"
        "if 'delete-stack' in arguments and first: full.write_text('late')\n"
        "if 'wait' in arguments and full.read_text(): sys.exit('DELETE_FAILED')\n"
        "if 'list-object-versions' in arguments and not first and full.read_text():\n"
        '    sys.exit(print(\'[{"Key": "topics/late", "VersionId": "v"}]\'))\n'
    )
    assert main(["destroy", "streaming", *ID, "--yes", "--delete-data"]) == 0
    assert destroyed(aws.calls()) == ["streaming", "streaming"]
    assert full.read_text() == ""


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
    assert "delete-objects" not in " ".join(said)


def test_a_dry_run_prints_the_deletion_of_data(aws, capsys) -> None:
    assert main(["destroy", "streaming", *ID, "--dry-run", "--delete-data"]) == 0
    said = capsys.readouterr().out
    assert "delete-objects --bucket '<streaming.BucketName>'" in said
    assert aws.calls() == []


def test_a_bucket_that_the_stack_did_not_create_is_kept(aws) -> None:
    aws.gone("client", "api", "databricks")
    aws.answer("describe-stacks", "pinterest-0ab-streaming", "Outputs", out="null")
    aws.answer("list-object-versions", out=json.dumps([{"Key": "k", "VersionId": "v"}]))
    assert main(["destroy", "streaming", *ID, "--yes", "--delete-data"]) == 0
    assert "delete-objects" not in {call[1] for call in aws.calls()}


def test_a_source_whose_creation_failed_is_not_protected(aws) -> None:
    aws.gone(*(stack for stack in STACKS if stack not in ("network", "source")))
    aws.answer("describe-stacks", "pinterest-0ab-source", "DeletionProtection", out="true\n")
    aws.answer("describe-stacks", "pinterest-0ab-source", "StackStatus", out="ROLLBACK_COMPLETE\n")
    assert main(["destroy", "source", *ID, "--yes"]) == 0
    assert destroyed(aws.calls()) == ["source"]
