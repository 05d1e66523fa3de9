"""Deploys of stacks, against a fake of the AWS command line."""

import json

import pytest

from infrastructure.infrastructure_cli import main
from infrastructure.templates import STACKS

ID = ["--user-id", "0ab"]


def words(call: list[str]) -> str:
    return " ".join(call[:2])


def deployed(calls: list[list[str]]) -> list[str]:
    """Names of the stacks that were deployed, in order."""
    names = [call[call.index("--stack-name") + 1] for call in calls if words(call) == "cloudformation deploy"]
    return [name.removeprefix("pinterest-0ab-") for name in names]


def last_deploy(calls: list[list[str]]) -> list[str]:
    return [call for call in calls if words(call) == "cloudformation deploy"][-1]


def overrides(call: list[str]) -> dict[str, str]:
    """The parameters that CloudFormation was told."""
    pairs = call[call.index("--parameter-overrides") + 1 : call.index("--region")]
    return dict(pair.split("=", 1) for pair in pairs)


def test_all_stacks_are_deployed_in_order(aws, software) -> None:
    assert main(["deploy", "all", *ID, "--software", str(software)]) == 0
    # Twice where CloudFormation wants something that is only there after the first time.
    assert deployed(aws.calls()) == [
        *("network", "source", "streaming", "streaming", "client"),
        *("api", "orchestration", "orchestration", "databricks"),
    ]


def test_outputs_of_earlier_stacks_are_parameters_of_later_ones(aws, software) -> None:
    assert main(["deploy", "client", *ID, "--software", str(software)]) == 0
    (deploy,) = [call for call in aws.calls() if words(call) == "cloudformation deploy"]
    assert overrides(deploy) == {
        "UserId": "0ab",
        "PrivateSubnetIds": "subnet-a,subnet-b,subnet-c",
        "ClientSecurityGroupId": "sg-Client",
        "ClusterArn": "arn:cluster",
        "BucketName": "user-0ab-bucket",
        "BucketKeyArn": "arn:bucket-key",
        "StreamsKeyArn": "arn:streams-key",
        "DatabaseHost": "db.example",
        "DatabaseSecretArn": "arn:secret",
        "DatabaseKeyArn": "arn:db-key",
    }


def test_a_given_parameter_overrides_an_output(aws) -> None:
    code = main(
        [
            "deploy",
            "source",
            *ID,
            "--param",
            "PrivateSubnetIds=subnet-x,subnet-y",
            "--param",
            "DeletionProtection=false",
        ]
    )
    assert code == 0
    found = overrides(last_deploy(aws.calls()))
    assert found["PrivateSubnetIds"] == "subnet-x,subnet-y"
    assert found["DeletionProtection"] == "false"
    assert found["DatabaseSecurityGroupId"] == "sg-Database"


def test_the_connector_gets_brokers_and_an_uploaded_plugin(aws, software) -> None:
    assert main(["deploy", "streaming", *ID, "--software", str(software)]) == 0
    calls = [call for call in aws.calls() if call[1] != "describe-stacks"]
    assert [words(call) for call in calls] == [
        "cloudformation deploy",
        "s3 cp",
        "kafka get-bootstrap-brokers",
        "cloudformation deploy",
    ]
    assert "BootstrapBrokers" not in overrides(calls[0])
    # In any order they are the same brokers, and other text would be another connector.
    assert overrides(calls[3])["BootstrapBrokers"] == "b-1.x:9098,b-2.x:9098"
    key = overrides(calls[3])["PluginKey"]
    assert calls[1][-3] == f"s3://user-0ab-bucket/{key}"
    assert key == "plugins/confluentinc-kafka-connect-s3-10.5.23.zip"


def test_the_api_accepts_the_proxys_own_certificate(aws) -> None:
    assert main(["deploy", "api", *ID]) == 0
    update, create = aws.calls()[-2:]
    assert words(update) == "apigateway update-integration"
    assert {"api1", "res1", "ANY", "op=replace,path=/tlsConfig/insecureSkipVerification,value=true"} <= set(update)
    assert words(create) == "apigateway create-deployment"
    assert {"api1", "prod"} <= set(create)


def test_the_api_verifies_a_certificate_of_acm(aws) -> None:
    answer = [{"OutputKey": "Certificate", "OutputValue": "ACM"}]
    aws.answer("describe-stacks", "pinterest-0ab-api", "Outputs", out=json.dumps(answer))
    outputs = [*answer, *({"OutputKey": n, "OutputValue": n} for n in ("ApiId", "Stage", "ProxyResourceId"))]
    aws.answer("describe-stacks", "pinterest-0ab-api", "Outputs", out=json.dumps(outputs))
    assert main(["deploy", "api", *ID, "--param", "CertificateArn=arn:acm"]) == 0
    update, create = aws.calls()[-2:]
    assert "op=replace,path=/tlsConfig/insecureSkipVerification,value=false" in update
    assert words(create) == "apigateway create-deployment"


def test_requirements_and_dag_are_uploaded_before_airflow_is_created(aws) -> None:
    assert main(["deploy", "orchestration", *ID]) == 0
    calls = [call for call in aws.calls() if call[1] != "describe-stacks"]
    assert [words(call) for call in calls] == [
        "cloudformation deploy",
        "s3api head-object",
        "s3api put-object",
        "s3 cp",
        "cloudformation deploy",
    ]
    assert "RequirementsVersion" not in overrides(calls[0])
    assert calls[3][4] == "s3://mwaa-dags-bucket/dags/0ab_dag.py"
    assert overrides(calls[4])["RequirementsVersion"] == "v7"


def test_unchanged_requirements_are_not_uploaded(aws) -> None:
    assert main(["deploy", "orchestration", *ID]) == 0
    (put,) = [call for call in aws.calls() if call[1] == "put-object"]
    digest = put[put.index("--metadata") + 1].removeprefix("sha256=")
    aws.answer("head-object", "requirements.txt", out=f"{digest}\tv3\n")
    before = len(aws.calls())
    assert main(["deploy", "orchestration", *ID]) == 0
    again = aws.calls()[before:]
    assert "put-object" not in {call[1] for call in again}
    assert overrides(last_deploy(again))["RequirementsVersion"] == "v3"


def test_a_new_dags_bucket_needs_a_unique_name(aws, capsys) -> None:
    aws.gone("orchestration")
    assert main(["deploy", "orchestration", *ID]) == 2
    assert capsys.readouterr().err == (
        "error: DagsBucketName must be a globally unique bucket name, given with --param, got none "
        "(the default, mwaa-dags-bucket, is taken)\n"
    )
    assert deployed(aws.calls()) == []


def test_a_replaced_machine_needs_a_deploy_of_the_api(aws, software, capsys) -> None:
    assert main(["deploy", "client", *ID, "--software", str(software)]) == 0
    assert "deploy api" not in capsys.readouterr().out
    there = [{"OutputKey": "ClientInstanceId", "OutputValue": "i-2"}]
    switch = aws.room / "switch"
    aws.does(
        f"if arguments[1] == 'deploy':\n    pathlib.Path({str(switch)!r}).touch()\n"
        f"if 'pinterest-0ab-client' in arguments and pathlib.Path({str(switch)!r}).exists():\n"
        f"    sys.exit(print({json.dumps(there)!r}))\n"
    )
    assert main(["deploy", "client", *ID, "--software", str(software)]) == 0
    assert "# the machine was replaced: deploy api too" in capsys.readouterr().out


def test_a_dry_run_prints_every_command_and_runs_none(aws, capsys) -> None:
    assert main(["deploy", "all", *ID, "--dry-run"]) == 0
    assert aws.calls() == []
    shown = capsys.readouterr().out.splitlines()
    assert shown[:2] == [
        "# streaming and client need --software DIR",
        "# a new orchestration needs --param DagsBucketName=…",
    ]
    assert [line.removeprefix("# ") for line in shown[2:] if line.startswith("# ")] == list(STACKS)
    assert all(line.endswith("--region us-east-1") for line in shown if line.startswith("aws "))
    assert all(line.startswith(("# ", "aws ")) for line in shown)
    deploys = [line for line in shown if line.startswith("aws cloudformation deploy")]
    assert len(deploys) == 9
    assert "VpcId=<network.VpcId>" in next(line for line in deploys if "0ab-api" in line)
    assert "BootstrapBrokers=<brokers>" in deploys[3]


def test_a_dry_run_prints_requirements_of_its_stacks_only(capsys) -> None:
    assert main(["deploy", "network", *ID, "--dry-run"]) == 0
    assert "need" not in capsys.readouterr().out


def test_a_dry_run_needs_no_aws_command_line(monkeypatch, capsys) -> None:
    monkeypatch.setenv("PATH", "")
    assert main(["deploy", "all", *ID, "--dry-run"]) == 0
    assert main(["deploy", "network", *ID]) == 1
    assert capsys.readouterr().err.splitlines()[-1] == (
        "error: the AWS command line must be installed (aws, version 2), got none on the path"
    )


def test_an_error_of_aws_is_one_line_and_ends_the_deploy(aws, software, capsys) -> None:
    aws.answer("cloudformation deploy", "0ab-source", err="\nWaiting\nAn error occurred: no credentials\n", code=255)
    assert main(["deploy", "all", *ID, "--software", str(software)]) == 1
    err = capsys.readouterr().err.splitlines()
    assert err[-1] == "error: aws cloudformation deploy failed: Waiting / An error occurred: no credentials"
    assert deployed(aws.calls()) == ["network", "source"]


def test_a_stack_without_earlier_ones_keeps_its_parameters(aws) -> None:
    aws.answer("describe-stacks", "pinterest-0ab-network", "Outputs", out="null")
    assert main(["deploy", "source", *ID, "--param", "DeletionProtection=false"]) == 0
    assert overrides(last_deploy(aws.calls())) == {"UserId": "0ab", "DeletionProtection": "false"}


def test_an_existing_cluster_and_bucket_can_be_used(aws, software) -> None:
    aws.gone("streaming")
    names = ("ClusterArn", "BucketName", "BucketKeyArn", "StreamsKeyArn")
    own = [word for name in names for word in ("--param", f"{name}=own-{name.lower()}")]
    assert main(["deploy", "client", *ID, "--software", str(software), *own]) == 0
    calls = aws.calls()
    assert next(call for call in calls if call[1] == "get-bootstrap-brokers")[3] == "own-clusterarn"
    assert next(call for call in calls if words(call) == "s3 sync")[-3] == "s3://own-bucketname/software"


def test_a_cluster_without_iam_addresses_is_an_error(aws, software, capsys) -> None:
    aws.answer("get-bootstrap-brokers", out="None\n")
    assert main(["deploy", "streaming", *ID, "--software", str(software)]) == 2
    assert "must be a comma-separated list of host:port, got 'None'" in capsys.readouterr().err


@pytest.mark.usefixtures("aws")
def test_outputs_of_a_stack_are_printed(capsys) -> None:
    assert main(["deploy", "api", *ID]) == 0
    assert "Stage = prod" in capsys.readouterr().out.splitlines()


def test_a_missing_earlier_stack_is_named(aws, capsys) -> None:
    aws.gone("source")
    aws.answer("describe-stacks", "pinterest-0ab-network", "Outputs", out="null")
    assert main(["deploy", "source", *ID]) == 1
    assert capsys.readouterr().err.splitlines()[-1] == (
        "error: stack network must have the output PrivateSubnetIds, got none: deploy network first"
    )


@pytest.mark.parametrize("answer", ["Warning: a newer version", "[{}]", "[1]", "3"])
def test_outputs_that_are_not_json_are_one_line(aws, capsys, answer: str) -> None:
    aws.answer("describe-stacks", "pinterest-0ab-network", "Outputs", out=answer)
    assert main(["deploy", "source", *ID]) == 1
    assert capsys.readouterr().err.splitlines() == [
        "error: describe-stacks must answer a stack's outputs as JSON, got something else"
    ]
