"""Deploying and destroying, against a stand-in for the AWS command line."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from infrastructure.cli import main
from infrastructure.software import PROJECT
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


def test_everything_is_deployed_in_its_order(aws, software) -> None:
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


def test_a_given_parameter_wins_over_an_output(aws) -> None:
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


def test_the_connector_gets_the_brokers_addresses_and_a_plugin_that_is_there(aws, software) -> None:
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


def test_the_api_takes_the_proxys_own_certificate(aws) -> None:
    assert main(["deploy", "api", *ID]) == 0
    update, create = aws.calls()[-2:]
    assert words(update) == "apigateway update-integration"
    assert {"api1", "res1", "ANY", "op=replace,path=/tlsConfig/insecureSkipVerification,value=true"} <= set(update)
    assert words(create) == "apigateway create-deployment"
    assert {"api1", "prod"} <= set(create)


def test_the_api_checks_a_certificate_of_acms(aws) -> None:
    answer = [{"OutputKey": "Certificate", "OutputValue": "ACM"}]
    aws.answer("describe-stacks", "pinterest-0ab-api", "Outputs", out=json.dumps(answer))
    outputs = [*answer, *({"OutputKey": n, "OutputValue": n} for n in ("ApiId", "Stage", "ProxyResourceId"))]
    aws.answer("describe-stacks", "pinterest-0ab-api", "Outputs", out=json.dumps(outputs))
    assert main(["deploy", "api", *ID, "--param", "CertificateArn=arn:acm"]) == 0
    update, create = aws.calls()[-2:]
    assert "op=replace,path=/tlsConfig/insecureSkipVerification,value=false" in update
    assert words(create) == "apigateway create-deployment"


def test_airflow_gets_its_requirements_and_its_dag_before_it_is_made(aws) -> None:
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


def test_requirements_that_are_there_already_are_no_new_version(aws) -> None:
    assert main(["deploy", "orchestration", *ID]) == 0
    (put,) = [call for call in aws.calls() if call[1] == "put-object"]
    digest = put[put.index("--metadata") + 1].removeprefix("sha256=")
    aws.answer("head-object", "requirements.txt", out=f"{digest}\tv3\n")
    before = len(aws.calls())
    assert main(["deploy", "orchestration", *ID]) == 0
    again = aws.calls()[before:]
    assert "put-object" not in {call[1] for call in again}
    assert overrides(last_deploy(again))["RequirementsVersion"] == "v3"


def test_a_new_bucket_of_airflows_must_have_a_name_of_its_own(aws, capsys) -> None:
    aws.gone("orchestration")
    assert main(["deploy", "orchestration", *ID]) == 2
    assert capsys.readouterr().err == (
        "error: DagsBucketName must be a name that nobody in AWS has, given with --param, got none "
        "(mwaa-dags-bucket, the default, is somebody's)\n"
    )
    assert deployed(aws.calls()) == []


def test_whoever_gets_another_machine_is_told_to_deploy_the_api(aws, software, capsys) -> None:
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
    assert "# the machine is a new one: deploy api, too" in capsys.readouterr().out


def test_a_dry_run_shows_every_command_and_runs_none(aws, capsys) -> None:
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


def test_a_dry_run_speaks_of_what_its_stacks_need_alone(capsys) -> None:
    assert main(["deploy", "network", *ID, "--dry-run"]) == 0
    assert "need" not in capsys.readouterr().out


def test_a_dry_run_needs_no_aws_command_line(monkeypatch, capsys) -> None:
    monkeypatch.setenv("PATH", "")
    assert main(["deploy", "all", *ID, "--dry-run"]) == 0
    assert main(["deploy", "network", *ID]) == 1
    assert capsys.readouterr().err == (
        "error: the AWS command line must be installed (aws, version 2), got none on the path\n"
    )


def test_no_command_holds_a_secret(aws, software, capsys) -> None:
    assert main(["deploy", "all", *ID, "--software", str(software)]) == 0
    everything = json.dumps(aws.calls()) + "".join(capsys.readouterr())
    assert "assword" not in everything
    assert "--secret" not in everything


def test_region_and_profile_go_with_every_command(aws) -> None:
    assert main(["deploy", "network", *ID, "--region", "eu-west-1", "--profile", "p"]) == 0
    assert all(call[-4:] == ["--region", "eu-west-1", "--profile", "p"] for call in aws.calls())


def test_arguments_meet_no_shell(aws) -> None:
    value = "$(touch x); `y` 'z' \"q\""
    assert main(["deploy", "source", *ID, "--param", f"PrivateSubnetIds={value}"]) == 0
    assert f"PrivateSubnetIds={value}" in last_deploy(aws.calls())


def test_what_aws_refuses_is_one_line_and_ends_the_deploy(aws, software, capsys) -> None:
    aws.answer("cloudformation deploy", "0ab-source", err="\nWaiting\nAn error occurred: no credentials\n", code=255)
    assert main(["deploy", "all", *ID, "--software", str(software)]) == 1
    err = capsys.readouterr().err.splitlines()
    assert err[-1] == "error: aws cloudformation deploy failed: Waiting / An error occurred: no credentials"
    assert deployed(aws.calls()) == ["network", "source"]


def test_a_stack_without_the_ones_before_it_keeps_what_it_was_given(aws) -> None:
    aws.answer("describe-stacks", "pinterest-0ab-network", "Outputs", out="null")
    assert main(["deploy", "source", *ID, "--param", "DeletionProtection=false"]) == 0
    assert overrides(last_deploy(aws.calls())) == {"UserId": "0ab", "DeletionProtection": "false"}


def test_a_cluster_and_a_bucket_of_ones_own_are_taken(aws, software) -> None:
    aws.gone("streaming")
    names = ("ClusterArn", "BucketName", "BucketKeyArn", "StreamsKeyArn")
    own = [word for name in names for word in ("--param", f"{name}=own-{name.lower()}")]
    assert main(["deploy", "client", *ID, "--software", str(software), *own]) == 0
    calls = aws.calls()
    assert next(call for call in calls if call[1] == "get-bootstrap-brokers")[3] == "own-clusterarn"
    assert next(call for call in calls if words(call) == "s3 sync")[-3] == "s3://own-bucketname/software"


def test_a_cluster_without_addresses_for_iam_is_told(aws, software, capsys) -> None:
    aws.answer("get-bootstrap-brokers", out="None\n")
    assert main(["deploy", "streaming", *ID, "--software", str(software)]) == 2
    assert "must be host:port, or several with commas between, got 'None'" in capsys.readouterr().err


@pytest.mark.usefixtures("aws")
def test_what_a_stack_gives_is_shown(capsys) -> None:
    assert main(["deploy", "api", *ID]) == 0
    assert "Stage = prod" in capsys.readouterr().out.splitlines()


def test_whoever_reads_may_stop(tmp_path: Path) -> None:
    command = f"{sys.executable} -m infrastructure deploy all --dry-run 2>{tmp_path}/err | head -1"
    done = subprocess.run(["bash", "-c", command], cwd=PROJECT, capture_output=True, text=True, check=True)
    assert done.stdout == "# streaming and client need --software DIR\n"
    assert (tmp_path / "err").read_text() == ""


def test_a_stack_without_the_ones_before_it_is_told(aws, capsys) -> None:
    aws.gone("source")
    aws.answer("describe-stacks", "pinterest-0ab-network", "Outputs", out="null")
    assert main(["deploy", "source", *ID]) == 1
    assert capsys.readouterr().err.splitlines()[-1] == (
        "error: stack network must have the output PrivateSubnetIds, got none: deploy network first"
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["deploy", "nonsense"], f"stack must be all or one of {', '.join(STACKS)}, got 'nonsense'"),
        (["deploy", "network", "--user-id", "x;"], "user_id must be 3 to 32 of a-z and 0-9, got 'x;'"),
        (["deploy", "network", "--param", "VpcCidr"], "param must be Name=Value, got 'VpcCidr'"),
        (
            ["deploy", "network", "--param", "Wrong=1"],
            "param must be one of InterfaceEndpoints, VpcCidr, got 'Wrong'",
        ),
        (
            ["deploy", "network", "--param", "UserId=abc"],
            "param must be one of InterfaceEndpoints, VpcCidr, got 'UserId'",
        ),
        (["deploy", "network", "--region", "x y"], "region must be an AWS region such as us-east-1, got 'x y'"),
        (
            ["deploy", "all", "--param", "Access=APIKEY"],
            "param Access must be one of IAM, API_KEY, got 'APIKEY'",
        ),
        (
            ["deploy", "api", "--param", "Burst=5001"],
            "param Burst must be a number, 1 to 5000, got '5001'",
        ),
        (
            ["deploy", "api", "--param", "StageName=a b"],
            "param StageName must match [A-Za-z0-9_-]{1,128}, got 'a b'",
        ),
        (
            ["deploy", "api", "--param", "Access=IAM", "--param", "Access=API_KEY"],
            "param Access must be given once, got 'IAM' and 'API_KEY'",
        ),
        (["deploy", "client", "--software", "/no/where"], "software must be a folder, got /no/where"),
        (
            ["render", "--bootstrap", "h:1", "--to", ""],
            "to must be a folder for the files alone, got this one",
        ),
        (
            ["render", "--bootstrap", "h:99999", "--to", "x"],
            "bootstrap must be host:port, or several with commas between, got 'h:99999'",
        ),
        (
            ["deploy", "client"],
            "software must be given with --software DIR for streaming and client, got none "
            "(docs/infrastructure.md lists what is in it)",
        ),
        (
            ["destroy", "all"],
            "destroy must be confirmed with --yes, got no such word (--dry-run shows what it would do)",
        ),
        (["deplo"], None),
    ],
)
def test_a_mistake_in_the_command_is_one_line_and_nothing_is_begun(aws, capsys, arguments, message) -> None:
    assert main(arguments) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert message is None or err == f"error: {message}\n"
    assert aws.calls() == []


def test_a_missing_archive_is_told_before_anything_is_begun(aws, software: Path, capsys) -> None:
    (software / "confluentinc-kafka-connect-s3-10.5.23.zip").unlink()
    assert main(["deploy", "all", *ID, "--software", str(software)]) == 2
    assert "must hold one confluentinc-kafka-connect-s3-*.zip, got none" in capsys.readouterr().err
    assert aws.calls() == []


def test_check_and_stamp_are_commands_too(capsys) -> None:
    assert main(["check"]) == 0
    assert capsys.readouterr().out == "7 templates, 0 mistakes\n"
    assert main(["stamp"]) == 0
    assert capsys.readouterr().out == "api.yaml has the right digest already\n"
