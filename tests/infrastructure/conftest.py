"""A fake of the AWS command line, and the archives for a deploy."""

import ast
import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

# Python alone, without what is installed, json or pathlib: each deploy calls it a dozen times, and these take twice as
# long as all else.
_PROGRAM = """#!{python} -IS
import sys
arguments = sys.argv[1:]
with open({room!r} + "/calls", "a") as calls:
    calls.write(ascii(arguments) + "\\n")
with open({room!r} + "/answers") as file:
    answers = eval(file.read())
for answer in answers:
    if all(word in " ".join(arguments) for word in answer["words"]):
        sys.stdout.write(answer["out"])
        sys.stderr.write(answer["err"])
        sys.exit(answer["code"])
"""

OUTPUTS = {
    "network": {
        "VpcId": "vpc-1",
        "PrivateSubnetIds": "subnet-a,subnet-b,subnet-c",
        "LogsKeyArn": "arn:logs-key",
        **{f"{who}SecurityGroupId": f"sg-{who}" for who in ("Client", "Connect", "Airflow", "Broker", "Database")},
        "LoadBalancerSecurityGroupId": "sg-LoadBalancer",
    },
    "source": {"DatabaseHost": "db.example", "DatabaseSecretArn": "arn:secret", "DatabaseKeyArn": "arn:db-key"},
    "streaming": {
        "ClusterArn": "arn:cluster",
        "BucketName": "user-0ab-bucket",
        "BucketKeyArn": "arn:bucket-key",
        "StreamsKeyArn": "arn:streams-key",
    },
    "client": {
        "ClientInstanceId": "i-1",
        "ClientRoleName": "0ab-ec2-access-role",
        "ProxyHost": "rest-proxy.0ab.internal",
    },
    "api": {"ApiId": "api1", "Stage": "prod", "ProxyResourceId": "res1", "Certificate": "PROXY"},
    "orchestration": {"DagsBucketName": "mwaa-dags-bucket"},
}


@dataclass
class FakeAws:
    """A fake of the AWS command line; the first answer with all of its words in a call is used."""

    room: Path

    def __post_init__(self) -> None:
        self.answers: list[dict[str, object]] = []
        self._write()

    def answer(self, *words: str, out: str = "", err: str = "", code: int = 0) -> None:
        """Adds an answer before the existing ones."""
        self.answers.insert(0, {"words": words, "out": out, "err": err, "code": code})
        self._write()

    def gone(self, *stacks: str) -> None:
        """These stacks do not exist."""
        for stack in stacks:
            said = f"Stack with id pinterest-0ab-{stack} does not exist"
            self.answer("describe-stacks", f"pinterest-0ab-{stack}", err=said, code=254)

    def does(self, code: str) -> None:
        """Python that runs before an answer is looked for; ``arguments``, ``room`` and ``sys`` are there."""
        program = self.room / "aws"
        prepare = f"import pathlib\nroom = pathlib.Path({str(self.room)!r})\n"
        program.write_text(program.read_text().replace("for answer in", f"{prepare}{code}for answer in"))

    def calls(self) -> list[list[str]]:
        """Every list of arguments so far."""
        file = self.room / "calls"
        return [ast.literal_eval(line) for line in file.read_text().splitlines()] if file.exists() else []

    def _write(self) -> None:
        (self.room / "answers").write_text(ascii(self.answers))


@pytest.fixture
def aws(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeAws:
    """The fake, first on the path; every stack exists with its outputs."""
    room = tmp_path / "aws"
    room.mkdir()
    program = room / "aws"
    program.write_text(_PROGRAM.format(python=sys.executable, room=str(room)))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{room}{os.pathsep}{os.environ['PATH']}")
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "PINTEREST_USER_ID"):
        monkeypatch.delenv(name, raising=False)
    fake = FakeAws(room)
    fake.answer("describe-stacks", "StackStatus", out="CREATE_COMPLETE\n")
    for stack, outputs in OUTPUTS.items():
        answer = [{"OutputKey": name, "OutputValue": value} for name, value in outputs.items()]
        fake.answer("describe-stacks", f"pinterest-0ab-{stack}", "Outputs", out=json.dumps(answer))
    fake.answer("get-bootstrap-brokers", out="b-2.x:9098,b-1.x:9098\n")
    fake.answer("put-object", "requirements.txt", out="v7\n")
    return fake


@pytest.fixture
def software(tmp_path: Path) -> Path:
    """A folder with the four archives, which nobody opens here."""
    folder = tmp_path / "software"
    folder.mkdir()
    for name in (
        "kafka_2.13-3.9.1.tgz",
        "aws-msk-iam-auth-2.3.2-all.jar",
        "confluent-community-7.9.1.tar.gz",
        "confluentinc-kafka-connect-s3-10.5.23.zip",
    ):
        (folder / name).write_bytes(name.encode())
    return folder
