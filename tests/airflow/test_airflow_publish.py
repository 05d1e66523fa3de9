"""The publish command: into a folder, into a bucket, and what it says of what it cannot take."""

import ast
import contextlib
import io
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import boto3
import pytest
from airflow_home import ROOT
from moto.server import ThreadedMotoServer

from orchestration.__main__ import main
from pinterest_transforms.settings import DEFAULT_USER_ID

BUCKET = "mwaa-dags-bucket"


@dataclass(frozen=True)
class Done:
    """How the command ended, and what it printed."""

    returncode: object
    stdout: str
    stderr: str


def publish(*arguments: str | Path, **environment: str) -> Done:
    """Calls the command, with nothing of the machine's own AWS settings."""
    out, err = io.StringIO(), io.StringIO()
    with (
        mock.patch.dict(os.environ, own_environment() | environment, clear=True),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        try:
            code: object = main(["publish", *map(str, arguments)])
        except SystemExit as ended:
            code = ended.code
    return Done(code, out.getvalue(), err.getvalue())


def publish_in_a_process(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs the command as users do."""
    command = [sys.executable, "-m", "orchestration", "publish", *arguments]
    given = own_environment() | environment
    return subprocess.run(command, cwd=ROOT, env=given, capture_output=True, text=True, timeout=120, check=False)


def own_environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "PINTEREST_"))}


def assigned(file: Path) -> dict[str, object]:
    """The settings at the head of a published file."""
    found = {}
    for node in ast.parse(file.read_text()).body:
        if (
            isinstance(node, ast.Assign)
            and isinstance(node.value, ast.Constant)
            and isinstance(node.targets[0], ast.Name)
        ):
            found[node.targets[0].id] = node.value.value
    return found


def test_the_default_user_id_is_the_librarys(tmp_path: Path) -> None:
    done = publish_in_a_process("--to", tmp_path)
    file = tmp_path / f"{DEFAULT_USER_ID}_dag.py"
    assert (done.returncode, done.stdout, done.stderr) == (0, f"published {file}\n", "")
    assert assigned(file)["USER_ID"] == DEFAULT_USER_ID
    assert DEFAULT_USER_ID not in (ROOT / "orchestration" / "pinterest_dag.py").read_text()


def test_the_user_id_of_the_environment_counts(tmp_path: Path) -> None:
    assert publish("--to", tmp_path, PINTEREST_USER_ID="abc1").returncode == 0
    assert [file.name for file in tmp_path.iterdir()] == ["abc1_dag.py"]


def test_a_published_file_stands_alone(tmp_path: Path) -> None:
    assert publish("--to", tmp_path).returncode == 0
    tree = ast.parse((tmp_path / f"{DEFAULT_USER_ID}_dag.py").read_text())
    imported = {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    imported |= {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    rooms = {name.partition(".")[0] for name in imported}
    assert "airflow" in rooms
    assert rooms <= {"airflow", *sys.stdlib_module_names}


def test_settings_are_set_and_the_others_stay(tmp_path: Path) -> None:
    done = publish("--to", tmp_path, "--user-id", "abc", "--retries", "0", "--job-name", '[dev] "x"')
    assert done.returncode == 0, done.stderr
    expected = {"USER_ID": "abc", "RETRIES": 0, "JOB_NAME": '[dev] "x"', "RETRY_SECONDS": 300}
    assert assigned(tmp_path / "abc_dag.py").items() >= expected.items()


def test_publishing_twice_is_publishing_once(tmp_path: Path) -> None:
    file = tmp_path / "dags" / "abc_dag.py"
    assert publish("--to", file.parent, "--user-id", "abc").returncode == 0
    before = file.stat().st_mtime_ns, file.read_bytes()
    again = publish("--to", file.parent, "--user-id", "abc")
    assert (again.returncode, again.stdout) == (0, f"{file} is there already, and the same\n")
    assert (file.stat().st_mtime_ns, file.read_bytes()) == before
    assert list(file.parent.iterdir()) == [file], "nothing half written may stay"


def test_what_is_published_again_replaces(tmp_path: Path) -> None:
    assert publish("--to", tmp_path, "--user-id", "abc").returncode == 0
    assert (
        publish("--to", tmp_path, "--user-id", "abc", "--retries", "5").stdout == f"published {tmp_path}/abc_dag.py\n"
    )
    assert assigned(tmp_path / "abc_dag.py")["RETRIES"] == 5


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--user-id", "x;"], 2, "user_id must be 3 to 32 of a-z and 0-9, got 'x;'"),
        (["--user-id", "ABC"], 2, "user_id must be 3 to 32 of a-z and 0-9, got 'ABC'"),
        (["--user-id", "../a"], 2, "user_id must be 3 to 32 of a-z and 0-9, got '../a'"),
        (["--user-id", ""], 2, "user_id must be 3 to 32 of a-z and 0-9, got ''"),
        (["--retries", "-1"], 2, "retries must be at least 0, got -1"),
        (["--poll-seconds", "0"], 2, "poll_seconds must be at least 1, got 0"),
        (["--job-name", "a\nb"], 2, r"job_name must be a job's name on one line, got 'a\nb'"),
        (["--to", "ftp://there/dags"], 2, "to must be a folder or s3://bucket/prefix/, got 'ftp://there/dags'"),
        (["--to", "s3://B/dags"], 2, "to must be a folder or s3://bucket/prefix/, got 's3://B/dags'"),
        (["--to", ""], 2, "to must be a folder or s3://bucket/prefix/, got ''"),
    ],
)
def test_what_cannot_be_taken_is_one_line(tmp_path: Path, arguments: list[str], code: int, message: str) -> None:
    done = publish("--to", tmp_path, *arguments)
    assert (done.returncode, done.stdout, done.stderr) == (code, "", f"error: {message}\n")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_a_file_is_one_line(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    done = publish("--to", file)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"error: to must be a folder that can be written to, got '{file}': ")
    assert done.stderr.count("\n") == 1


def test_a_bucket_without_boto3_is_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    monkeypatch.setitem(sys.modules, "boto3", None)
    assert main(["publish", "--to", "s3://bucket/dags/"]) == 1
    message = "error: a bucket needs boto3: pip install --require-hashes -r requirements/client.txt\n"
    assert tuple(capsys.readouterr()) == ("", message)


def test_mwaa_is_asked_for_the_provider_that_is_tested() -> None:
    lines = (ROOT / "orchestration" / "requirements.txt").read_text().splitlines()
    asked = [line for line in lines if line and not line.startswith("#")]
    assert asked == ["apache-airflow-providers-databricks==7.18.1"]
    installed = (ROOT / "requirements" / "airflow.txt").read_text().splitlines()
    assert {f"{line} \\" for line in (*asked, "apache-airflow==3.3.1")} <= set(installed)


@pytest.fixture
def s3() -> Iterator[dict[str, str]]:
    """An S3 on this machine, with the bucket of MWAA; what the environment must say to reach it."""
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    keys = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1"}
    environment = {**keys, "AWS_ENDPOINT_URL": f"http://{host}:{port}", "NO_PROXY": "127.0.0.1"}
    _client(environment).create_bucket(Bucket=BUCKET)
    yield environment
    server.stop()


def _client(environment: dict[str, str]):
    return boto3.client(
        "s3",
        endpoint_url=environment["AWS_ENDPOINT_URL"],
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )


def test_a_bucket_gets_the_file_once(tmp_path: Path, s3: dict[str, str]) -> None:
    versions = _client(s3)
    versions.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    place = f"s3://{BUCKET}/dags/abc_dag.py"
    first = publish("--to", f"s3://{BUCKET}/dags/", "--user-id", "abc", **s3)
    again = publish("--to", f"s3://{BUCKET}/dags", "--user-id", "abc", **s3)
    assert (first.returncode, first.stdout, first.stderr) == (0, f"published {place}\n", "")
    assert (again.returncode, again.stdout) == (0, f"{place} is there already, and the same\n")
    assert [version["Key"] for version in versions.list_object_versions(Bucket=BUCKET)["Versions"]] == [
        "dags/abc_dag.py"
    ]
    publish("--to", tmp_path, "--user-id", "abc")
    body = versions.get_object(Bucket=BUCKET, Key="dags/abc_dag.py")["Body"].read()
    assert body == (tmp_path / "abc_dag.py").read_bytes(), "folder and bucket get the same file"


def test_a_bucket_that_is_not_there_is_one_line(s3: dict[str, str]) -> None:
    done = publish("--to", "s3://another-bucket/dags/", "--user-id", "abc", **s3)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("error: s3://another-bucket/dags/abc_dag.py must be writable: ")
    assert done.stderr.count("\n") == 1


def test_a_bucket_without_keys_is_one_line(s3: dict[str, str], tmp_path: Path) -> None:
    nobody = {**s3, "AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_EC2_METADATA_DISABLED": "true"}
    # In a process: boto3 keeps the keys that it has found once.
    done = publish_in_a_process("--to", f"s3://{BUCKET}/dags/", **nobody, HOME=str(tmp_path))
    assert (done.returncode, done.stdout) == (1, "")
    assert "Unable to locate credentials" in done.stderr
    assert done.stderr.count("\n") == 1
