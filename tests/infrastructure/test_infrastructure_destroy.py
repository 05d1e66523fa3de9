"""Destroying, against a stand-in for the AWS command line."""

import json

import pytest

from infrastructure.cli import main
from infrastructure.templates import STACKS

ID = ["--user-id", "0ab"]


def destroyed(calls: list[list[str]]) -> list[str]:
    return [call[3].removeprefix("pinterest-0ab-") for call in calls if call[1] == "delete-stack"]


def test_everything_is_destroyed_from_the_last_to_the_first(aws, capsys) -> None:
    assert main(["destroy", "all", *ID, "--yes"]) == 0
    assert destroyed(aws.calls()) == list(reversed(STACKS))
    waits = [call for call in aws.calls() if call[1] == "wait"]
    assert len(waits) == len(STACKS)
    assert "snapshot and its KMS key stay" in capsys.readouterr().out


@pytest.mark.parametrize("bucket", ["user-0ab-bucket", "mwaa-dags-bucket"])
def test_a_bucket_that_holds_something_keeps_everything_where_it_is(aws, capsys, bucket: str) -> None:
    aws.answer("list-object-versions", bucket, out=json.dumps([{"Key": "k", "VersionId": "v"}]))
    assert main(["destroy", "all", *ID, "--yes"]) == 1
    assert capsys.readouterr().err.splitlines()[-1] == (
        f"error: bucket {bucket} must be empty, and is not: --delete-data deletes everything in it, old versions too"
    )
    assert destroyed(aws.calls()) == []


def test_data_is_deleted_where_that_is_asked_for(aws) -> None:
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


def test_a_protected_database_keeps_everything_where_it_is(aws, capsys) -> None:
    aws.answer("describe-stacks", "pinterest-0ab-source", "DeletionProtection", out="true\n")
    assert main(["destroy", "all", *ID, "--yes"]) == 1
    assert capsys.readouterr().err.splitlines()[-1] == (
        "error: source must not protect its database any more, got DeletionProtection true: "
        "deploy source with --param DeletionProtection=false first"
    )
    assert destroyed(aws.calls()) == []


def test_a_stack_that_was_never_finished_is_destroyed(aws) -> None:
    aws.answer("describe-stacks", "pinterest-0ab-orchestration", "Outputs", out="null")
    assert main(["destroy", "orchestration", *ID, "--yes"]) == 0
    assert destroyed(aws.calls()) == ["orchestration"]


def test_no_more_is_deleted_at_once_than_s3_takes(aws) -> None:
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


def test_what_lands_while_the_sink_goes_is_deleted_too(aws) -> None:
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


def test_a_stack_that_is_used_is_not_destroyed(aws, capsys) -> None:
    assert main(["destroy", "network", *ID, "--yes"]) == 1
    assert capsys.readouterr().err.splitlines()[-1] == (
        "error: network must not be used any more, got source, streaming, client, api, orchestration: "
        "destroy those first"
    )
    assert destroyed(aws.calls()) == []


def test_what_is_not_there_is_told_and_the_rest_destroyed(aws, capsys) -> None:
    aws.gone("orchestration")
    assert main(["destroy", "all", *ID, "--yes"]) == 0
    assert "orchestration is not there\n" in capsys.readouterr().out
    assert "orchestration" not in destroyed(aws.calls())


def test_a_question_that_fails_for_another_reason_stops_the_destroy(aws, capsys) -> None:
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


def test_a_dry_run_shows_that_data_goes_and_asks_for_no_other_stack(aws, capsys) -> None:
    assert main(["destroy", "streaming", *ID, "--dry-run", "--delete-data"]) == 0
    said = capsys.readouterr().out
    assert "delete-objects --bucket <streaming.BucketName>" in said
    assert aws.calls() == []


def test_a_bucket_that_the_stack_never_made_is_left_alone(aws) -> None:
    aws.gone("client", "api", "databricks")
    aws.answer("describe-stacks", "pinterest-0ab-streaming", "Outputs", out="null")
    aws.answer("list-object-versions", out=json.dumps([{"Key": "k", "VersionId": "v"}]))
    assert main(["destroy", "streaming", *ID, "--yes", "--delete-data"]) == 0
    assert "delete-objects" not in {call[1] for call in aws.calls()}


def test_a_source_that_was_never_finished_is_not_protected(aws) -> None:
    aws.gone(*(stack for stack in STACKS if stack not in ("network", "source")))
    aws.answer("describe-stacks", "pinterest-0ab-source", "DeletionProtection", out="true\n")
    aws.answer("describe-stacks", "pinterest-0ab-source", "StackStatus", out="ROLLBACK_COMPLETE\n")
    assert main(["destroy", "source", *ID, "--yes"]) == 0
    assert destroyed(aws.calls()) == ["source"]
