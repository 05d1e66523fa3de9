"""The command line of the infrastructure, against a fake of the AWS command line."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from infrastructure.client_software import PROJECT
from infrastructure.infrastructure_cli import main

ID = ["--user-id", "0ab"]


def test_no_command_has_a_secret(aws, software, capsys) -> None:
    assert main(["deploy", "all", *ID, "--software", str(software)]) == 0
    everything = json.dumps(aws.calls()) + "".join(capsys.readouterr())
    assert "assword" not in everything
    assert "--secret" not in everything


def test_every_command_has_region_and_profile(aws) -> None:
    assert main(["deploy", "network", *ID, "--region", "eu-west-1", "--profile", "p"]) == 0
    assert all(call[-4:] == ["--region", "eu-west-1", "--profile", "p"] for call in aws.calls())


def test_arguments_are_not_parsed_by_a_shell(aws) -> None:
    value = "$(touch x); `y` 'z' \"q\""
    assert main(["deploy", "source", *ID, "--param", f"PrivateSubnetIds={value}"]) == 0
    assert any(f"PrivateSubnetIds={value}" in call for call in aws.calls())


def test_a_closed_pipe_is_no_traceback(tmp_path: Path) -> None:
    command = f"{sys.executable} -m infrastructure deploy all --dry-run 2>{tmp_path}/err | head -1"
    done = subprocess.run(["bash", "-c", command], cwd=PROJECT, capture_output=True, text=True, check=True)
    assert done.stdout == "# streaming and client need --software DIR\n"
    assert (tmp_path / "err").read_text() == ""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["deploy", "nonsense"], None),
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
        (
            ["deploy", "client", "--software", "/no/where"],
            "software /no/where must hold one kafka_2.13-3.9.*.tgz, got none",
        ),
        (
            ["render", "--bootstrap", "h:1", "--to", ""],
            "to must be a folder for these files only, got the current folder",
        ),
        (
            ["render", "--bootstrap", "h", "--to", "x"],
            "bootstrap must be a comma-separated list of host:port, got 'h'",
        ),
        (
            ["deploy", "client"],
            "software must be given with --software DIR for streaming and client, got none "
            "(docs/operations/infrastructure.md lists its content)",
        ),
        (
            ["destroy", "all"],
            "destroy must be confirmed with --yes (--dry-run prints what it would do)",
        ),
        (["deplo"], None),
    ],
)
def test_an_invalid_command_is_one_line_and_nothing_is_started(aws, capsys, arguments, message) -> None:
    assert main(arguments) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert message is None or err == f"error: {message}\n"
    assert aws.calls() == []


def test_a_missing_archive_is_reported_before_the_first_command(aws, software: Path, capsys) -> None:
    (software / "confluentinc-kafka-connect-s3-10.5.23.zip").unlink()
    assert main(["deploy", "all", *ID, "--software", str(software)]) == 2
    assert "must hold one confluentinc-kafka-connect-s3-*.zip, got none" in capsys.readouterr().err
    assert aws.calls() == []


def test_check_and_stamp_are_commands_too(capsys) -> None:
    assert main(["check"]) == 0
    assert capsys.readouterr().out == "7 templates, 0 errors\n"
    assert main(["stamp"]) == 0
    assert capsys.readouterr().out == "api.yaml has the right digest already\n"
