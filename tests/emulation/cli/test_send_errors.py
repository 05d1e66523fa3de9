"""Errors of a first run: each is one line that names the remedy."""

import json
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from emulation.cli.emulation_cli import main
from emulation.source.database import connect, write_source
from emulation.synthetic.generator import generate_rows
from pinterest_transforms.entities import ENTITIES
from tests.emulation import fake_api_server as api
from tests.emulation.emulation_commands import (
    ROOT,
    build_arguments,
    count_source_records,
    count_stored,
    start_process,
)
from tests.emulation.fake_api_server import Server

CLIENT_ONLY = """\
import sys
for name in ("numpy", "pyspark", "pandas", "pyarrow", "delta", "plotly", "aiohttp"):
    sys.modules[name] = None
from emulation.cli.emulation_cli import main
sys.exit(main(sys.argv[1:]))
"""


def direct(source: Path, folder: Path, *more: str) -> list[str]:
    places = ["--cursor", str(folder / "cursor"), "--failed", str(folder / "failed.jsonl")]
    return ["streaming", "--direct", "--database", str(source), "--user-id", "abc123", *places, *more]


def settled(folder: Path) -> int:
    return json.loads((folder / "cursor").read_text().splitlines()[-1])["settled"]


def interrupt(server: Server, source: Path, folder: Path, *which: str) -> None:
    """A run that is stopped in its middle, and keeps its place."""
    server.script += [api.accept] * 3
    server.usual = api.status(403, "no")
    assert main(build_arguments("batches", server, source, folder, *which, "--at-once", "1")) == 2
    server.usual = api.accept


@pytest.fixture
def unused_port() -> Iterator[int]:
    """A port where nobody listens; it is kept, so that nobody else begins to."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


def test_a_client_machine_needs_no_numpy(server: Server, source: Path, tmp_path: Path) -> None:
    def run(*given: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", CLIENT_ONLY, *given]
        environment = {"PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"}
        return subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)

    shown = run("show", "--database", str(source), "--seed", "1")
    assert (shown.returncode, shown.stderr, shown.stdout[:16]) == (0, "", "pinterest_data: ")
    for command in ("batches", "streaming"):
        assert run(command, "--help").returncode == 0
    # Few: on a busy machine a run of seconds would print its progress.
    sent = run(*build_arguments("batches", server, source, tmp_path, "--rows", "5"))
    assert (sent.returncode, sent.stderr) == (0, "")
    records = count_source_records(source)
    first = sorted({key for _, key in records})[:5]
    assert count_stored(server) == {place: count for place, count in records.items() if place[1] in first}
    made = run("generate", "--posts", "5")
    assert (made.returncode, made.stdout) == (2, "")
    remedy = "pip install --require-hashes -r requirements/seed.txt"
    assert made.stderr == f"error: numpy must be installed to generate a source: {remedy}\n"
    assert not (tmp_path / "build").exists()


@pytest.mark.parametrize("name", ["AWS_REGION", "AWS_DEFAULT_REGION"])
def test_both_region_variables_work(
    name: str, aws: Server, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_REGION")
    monkeypatch.setenv(name, "ap-south-1")
    assert main(direct(source, tmp_path, "--rows", "5")) == 0
    assert main(build_arguments("batches", aws, source, tmp_path, "--rows", "5", "--access", "iam")) == 0
    signed = [headers["Authorization"] for headers in aws.headers]
    assert {"/ap-south-1/kinesis/" in each for each in signed} == {True, False}
    assert all("/ap-south-1/" in each for each in signed)


NOT_SET = {
    "error: AWS region must be given, got none: set AWS_REGION or AWS_DEFAULT_REGION\n": ["AWS_REGION"],
    "error: AWS credentials must be given, got none\n": ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"],
    "error: Partial credentials found in env, missing: AWS_SECRET_ACCESS_KEY\n": ["AWS_SECRET_ACCESS_KEY"],
}


@pytest.mark.parametrize("said", NOT_SET)
def test_missing_aws_configuration_is_named(
    said: str, aws: Server, source: Path, tmp_path: Path, monkeypatch, capsys
) -> None:
    for name in NOT_SET[said]:
        monkeypatch.delenv(name)
    for given in (
        direct(source, tmp_path, "--all"),
        direct(source, tmp_path, "--streams", "describe"),
        build_arguments("streaming", aws, source, tmp_path, "--streams", "create", "--access", "iam"),
    ):
        assert main(given) == 2
        assert capsys.readouterr() == ("", said)


@pytest.mark.parametrize("address", ["foo", "http://", "http://host:c4n4ry", "localhost:4566"])
@pytest.mark.usefixtures("aws")
def test_an_invalid_endpoint_is_one_line(address: str, source: Path, tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", address)
    assert main(direct(source, tmp_path, "--all")) == 2
    said = "error: AWS_ENDPOINT_URL must be http(s)://host[:port], got something else\n"
    assert capsys.readouterr() == ("", said)


def test_the_access_variable_is_checked(server: Server, source: Path, tmp_path: Path, monkeypatch, capsys):
    monkeypatch.setenv("PINTEREST_API_ACCESS", "foo")
    assert main(build_arguments("batches", server, source, tmp_path, "--all")) == 2
    said = "error: PINTEREST_API_ACCESS must be one of none, api-key, iam, got something else\n"
    assert capsys.readouterr() == ("", said)
    assert main(build_arguments("batches", server, source, tmp_path, "--rows", "5", "--access", "none")) == 0
    monkeypatch.setenv("PINTEREST_API_ACCESS", "api-key")
    monkeypatch.setenv("PINTEREST_API_KEY", "c4n4ry")
    assert main(build_arguments("batches", server, source, tmp_path, "--rows", "5")) == 0
    assert [headers.get("x-api-key") for headers in server.headers[-3:]] == ["c4n4ry"] * 3


@pytest.mark.usefixtures("aws")
def test_direct_refuses_the_url_of_the_api(source: Path, tmp_path: Path, monkeypatch, capsys) -> None:
    assert main(direct(source, tmp_path, "--all", "--url", "https://h")) == 2
    said = "argument --url: not allowed with argument --direct (see python -m emulation streaming --help)"
    assert capsys.readouterr() == ("", f"error: {said}\n")
    # For other runs it may stand in the environment.
    monkeypatch.setenv("PINTEREST_API_URL", "https://h")
    monkeypatch.setenv("PINTEREST_API_ACCESS", "foo")
    assert main(direct(source, tmp_path, "--rows", "5")) == 0


def test_a_cursor_of_a_regenerated_source_is_an_error(server: Server, tmp_path: Path, capsys) -> None:
    file = tmp_path / "source.db"

    def make(seed: int) -> None:
        tables = ((entity, generate_rows(entity, 2000, seed)) for entity in ENTITIES)
        write_source(connect(str(file)), tables, replace=True)

    make(1)
    interrupt(server, file, tmp_path, "--all")
    make(2)
    capsys.readouterr()
    given = build_arguments("batches", server, file, tmp_path, "--all")
    assert main(given) == 2
    error = capsys.readouterr().err
    ids = re.findall(r"every post by key of \S+ \(first pin 0, '([-0-9a-f]{36})'\) to ", error)
    assert len(set(ids)) == 2
    assert error.endswith(": --restart starts over, --cursor FILE uses another file\n")
    server.taken.clear()
    assert main([*given, "--restart"]) == 0
    assert count_stored(server) == count_source_records(file)


def test_rows_do_not_change_the_cursor_of_all(server: Server, source: Path, tmp_path: Path, capsys) -> None:
    interrupt(server, source, tmp_path, "--all")
    place, taken = settled(tmp_path), len(server.taken)
    orders = {
        "the first 20 posts by key": ["--rows", "20"],
        "20 posts drawn with seed 7": ["--rows", "20", "--random", "--seed", "7"],
    }
    capsys.readouterr()
    for order, which in orders.items():
        assert main(build_arguments("batches", server, source, tmp_path, *which)) == 2
        said = capsys.readouterr().err
        assert said.startswith(f"error: cursor {tmp_path}/cursor is for every post by key of {source} ")
        assert f", got {order} of {source} " in said
    assert (settled(tmp_path), len(server.taken)) == (place, taken)
    other = ["--cursor", str(tmp_path / "other")]
    assert main([*build_arguments("batches", server, source, tmp_path, "--rows", "20"), *other]) == 0
    assert settled(tmp_path) == place > 0


def test_an_error_prints_the_counts(server: Server, source: Path, tmp_path: Path, capsys) -> None:
    interrupt(server, source, tmp_path, "--all")
    out, error = capsys.readouterr()
    assert re.fullmatch(r"sent [\d,]+, acknowledged 1,500, retried 0, failed 0, not settled [\d,]+, [\d.]+ s\n", out)
    assert error == f"error: {server.url}/topics/abc123.*: Forbidden (403): no; the same command resumes\n"
    interrupt(server, source, tmp_path, "--all", "--restart")
    assert capsys.readouterr().err.endswith("(403): no; the same command without --restart resumes\n")
    place = settled(tmp_path)
    assert main(build_arguments("batches", server, source, tmp_path, "--all")) == 0
    assert capsys.readouterr().err == f"resumes after post {place:,}\n"


def test_a_missing_stream_names_the_command_that_creates_it(aws: Server, source: Path, tmp_path: Path, capsys) -> None:
    aws.usual = api.status(400, '{"__type":"ResourceNotFoundException"}')
    addresses = {
        f"{aws.url}/streams/streaming-abc123-*": build_arguments("streaming", aws, source, tmp_path, "--rows", "5"),
        "Kinesis in eu-west-1, streaming-abc123-*": direct(source, tmp_path, "--rows", "5"),
    }
    for address, given in addresses.items():
        assert main([*given, "--at-once", "1"]) == 2
        said = "streaming-abc123-pin does not exist: create it with --streams create"
        assert capsys.readouterr().err == f"error: {address}: {said}\n"


def test_a_run_interrupted_before_the_first_response(server: Server, source: Path, tmp_path: Path) -> None:
    server.usual = api.take_and_hang(30)
    process = start_process(build_arguments("batches", server, source, tmp_path, "--rows", "20"))
    while len(server.requests) < 3:
        time.sleep(0.01)
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    out, error = process.communicate(timeout=20)
    said = "interrupted: no post was settled, the same command starts over"
    pattern = rf"sent (\d+), acknowledged 0, retried 0, failed 0, not settled (\d+), [\d.]+ s; {said}\n"
    found = re.fullmatch(pattern, out)
    assert found
    assert found[1] == found[2]
    assert (process.returncode, error) == (130, "")


@pytest.mark.parametrize("way", ["API", "direct"])
def test_an_unreachable_server_ends_the_run(
    way: str, aws: Server, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys, unused_port: int
) -> None:
    address = f"http://127.0.0.1:{unused_port}"
    monkeypatch.setattr(aws, "url", address)
    monkeypatch.setenv("AWS_ENDPOINT_URL", address)
    monkeypatch.setenv("no_proxy", "*")
    if way == "API":
        given, named = build_arguments("batches", aws, source, tmp_path, "--all"), f"{address}/topics/abc123.*"
    else:
        given, named = direct(source, tmp_path, "--all"), "Kinesis in eu-west-1, streaming-abc123-*"
    assert main([*given, "--attempts", "2"]) == 2
    out, error = capsys.readouterr()
    assert re.match(r"sent [\d,]+, acknowledged 0, retried [\d,]+, failed 0, not settled ", out)
    assert error == f"error: {named} cannot be reached: no connection (2 attempts)\n"
    assert list(tmp_path.iterdir()) == []


def test_a_long_reason_is_truncated(server: Server, source: Path, tmp_path: Path, capsys) -> None:
    server.usual = api.each(lambda record: "\x1b[2J" + "x" * 200 if record["key"] < 2 else None)
    assert main(build_arguments("batches", server, source, tmp_path, "--rows", "5")) == 1
    reason = ("error_code [2J" + "x" * 200)[:79] + "…"
    assert capsys.readouterr().out.endswith(
        f" s; most frequent reason: {reason}; --resend {tmp_path}/failed.jsonl sends them again\n"
    )


@pytest.mark.usefixtures("aws")
def test_a_missing_profile_is_one_line(monkeypatch: pytest.MonkeyPatch, source: Path, tmp_path: Path, capsys):
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    assert main(direct(source, tmp_path, "--all")) == 2
    assert capsys.readouterr() == ("", "error: The config profile (nobody) could not be found\n")


def test_a_cursor_of_another_order_is_an_error(server: Server, source: Path, tmp_path: Path, capsys) -> None:
    server.script += [api.accept] * 3
    server.usual = api.status(403, "no")
    assert main(build_arguments("batches", server, source, tmp_path, "--all", "--at-once", "1")) == 2
    said = f"error: {server.url}/topics/abc123.*: Forbidden (403): no; the same command resumes\n"
    assert capsys.readouterr().err == said
    server.usual = api.accept
    other = build_arguments("batches", server, source, tmp_path, "--rows", "5", "--random")
    assert main(other) == 2
    first = f"of {source} (first pin 0, "
    assert re.fullmatch(
        rf"error: cursor {tmp_path}/cursor is for every post by key {re.escape(first)}'[-0-9a-f]+'\) to {server.url}"
        rf"/topics/abc123\.\*, got 5 posts drawn with seed 1 {re.escape(first)}.*: "
        r"--restart starts over, --cursor FILE uses another file\n",
        capsys.readouterr().err,
    )
    assert main([*other, "--restart"]) == 0
