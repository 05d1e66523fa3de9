"""What somebody meets who tries the commands for the first time: each mistake is a line that says the way out."""

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

from emulation.cli import live
from emulation.cli.emulation_cli import main
from emulation.producer.delivery_log import Counts
from emulation.source.database import connect, write_source
from emulation.synthetic.generator import chunks
from pinterest_transforms.entities import ENTITIES
from tests.emulation import misbehaving as does
from tests.emulation.commands import ROOT, arguments, arrived, started, there
from tests.emulation.misbehaving import Server

CLIENT_ONLY = """\
import sys
for name in ("numpy", "pyspark", "pandas", "pyarrow", "delta", "plotly", "aiohttp"):
    sys.modules[name] = None
from emulation.cli.emulation_cli import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture
def aws(server: Server, monkeypatch: pytest.MonkeyPatch) -> Server:
    """Kinesis at the server's address; no credentials of this machine."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", server.url.removesuffix("/s"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
        monkeypatch.setenv(name, "/nowhere")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "id")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    return server


def direct(source: Path, folder: Path, *more: str) -> list[str]:
    places = ["--cursor", str(folder / "cursor"), "--failed", str(folder / "failed.jsonl")]
    return ["streaming", "--direct", "--database", str(source), "--user-id", "abc123", *places, *more]


def settled(folder: Path) -> int:
    return json.loads((folder / "cursor").read_text().splitlines()[-1])["settled"]


def interrupt(server: Server, source: Path, folder: Path, *which: str) -> None:
    """A run that is stopped in its middle, and keeps its place."""
    server.script += [does.accept] * 3
    server.usual = does.status(403, "no")
    assert main(arguments("batches", server, source, folder, *which, "--at-once", "1")) == 2
    server.usual = does.accept


@pytest.fixture
def unused_port() -> Iterator[int]:
    """A port where nobody listens; it is kept, so that nobody else begins to."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


def test_a_client_machine_needs_nothing_of_what_makes_posts(server: Server, source: Path, tmp_path: Path) -> None:
    def run(*given: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", CLIENT_ONLY, *given]
        environment = {"PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"}
        return subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)

    shown = run("show", "--database", str(source), "--seed", "1")
    assert (shown.returncode, shown.stderr, shown.stdout[:16]) == (0, "", "pinterest_data: ")
    for command in ("batches", "streaming"):
        assert run(command, "--help").returncode == 0
    sent = run(*arguments("batches", server, source, tmp_path, "--all"))
    assert (sent.returncode, sent.stderr) == (0, "")
    assert arrived(server) == there(source)
    made = run("generate", "--posts", "5")
    said = "numpy must be installed for generate, got none: pip install --require-hashes -r requirements/local.txt"
    assert (made.returncode, made.stdout, made.stderr) == (2, "", f"error: {said}\n")
    assert not (tmp_path / "build").exists()


@pytest.mark.parametrize("way", ["file", "url"])
def test_a_password_that_cannot_be_sent_is_one_line(way: str, server: Server, tmp_path: Path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    more = ["--database", "mysql+pymysql://u:c4n4ry…@127.0.0.1:1/d"] if way == "url" else []
    if way == "file":
        (tmp_path / "db_creds.yaml").write_text('HOST: h\nUSER: u\nPASSWORD: "c4n4ry…"\n', encoding="utf-8")
    for command in (["show"], ["batches", "--all", "--url", server.url]):
        assert main([*command, *more]) == 2
        said = "error: password of the database must be of Latin-1 letters alone, got others\n"
        assert capsys.readouterr() == ("", said)


def test_the_example_of_credentials_is_ascii() -> None:
    assert (ROOT / "db_creds.example.yaml").read_bytes().isascii()


@pytest.mark.parametrize("name", ["AWS_REGION", "AWS_DEFAULT_REGION"])
def test_either_name_of_the_region_works(
    name: str, aws: Server, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_REGION")
    monkeypatch.setenv(name, "ap-south-1")
    assert main(direct(source, tmp_path, "--rows", "5")) == 0
    assert main(arguments("batches", aws, source, tmp_path, "--rows", "5", "--access", "iam")) == 0
    signed = [headers["Authorization"] for headers in aws.headers]
    assert {"/ap-south-1/kinesis/" in each for each in signed} == {True, False}
    assert all("/ap-south-1/" in each for each in signed)


NOT_SET = {
    "error: AWS region must be given, got none: set AWS_REGION or AWS_DEFAULT_REGION\n": ["AWS_REGION"],
    "error: AWS credentials must be given, got none\n": ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"],
    "error: Partial credentials found in env, missing: AWS_SECRET_ACCESS_KEY\n": ["AWS_SECRET_ACCESS_KEY"],
}


@pytest.mark.parametrize("said", NOT_SET)
def test_what_aws_needs_is_named(said: str, aws: Server, source: Path, tmp_path: Path, monkeypatch, capsys) -> None:
    for name in NOT_SET[said]:
        monkeypatch.delenv(name)
    for given in (
        direct(source, tmp_path, "--all"),
        direct(source, tmp_path, "--streams", "list"),
        arguments("streaming", aws, source, tmp_path, "--streams", "create", "--access", "iam"),
    ):
        assert main(given) == 2
        assert capsys.readouterr() == ("", said)


@pytest.mark.parametrize("address", ["foo", "http://", "http://host:c4n4ry", "localhost:4566"])
@pytest.mark.usefixtures("aws")
def test_an_endpoint_that_is_none_is_one_line(address: str, source: Path, tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", address)
    assert main(direct(source, tmp_path, "--all")) == 2
    said = "error: AWS_ENDPOINT_URL must be http(s)://host[:port], got something else\n"
    assert capsys.readouterr() == ("", said)


def test_the_access_of_the_environment_is_checked(server: Server, source: Path, tmp_path: Path, monkeypatch, capsys):
    monkeypatch.setenv("PINTEREST_API_ACCESS", "foo")
    assert main(arguments("batches", server, source, tmp_path, "--all")) == 2
    said = "error: PINTEREST_API_ACCESS must be one of none, api-key, iam, got something else\n"
    assert capsys.readouterr() == ("", said)
    assert main(arguments("batches", server, source, tmp_path, "--rows", "5", "--access", "none")) == 0
    monkeypatch.setenv("PINTEREST_API_ACCESS", "api-key")
    monkeypatch.setenv("PINTEREST_API_KEY", "c4n4ry")
    assert main(arguments("batches", server, source, tmp_path, "--rows", "5")) == 0
    assert [headers.get("x-api-key") for headers in server.headers[-3:]] == ["c4n4ry"] * 3


@pytest.mark.usefixtures("aws")
def test_what_is_for_the_api_is_refused_directly(source: Path, tmp_path: Path, monkeypatch, capsys) -> None:
    given = ["--url", "https://h", "--access", "none", "--plain-http", "--one-a-call"]
    assert main(direct(source, tmp_path, "--all", *given)) == 2
    said = "--url, --access, --plain-http, --one-a-call"
    assert capsys.readouterr() == ("", f"error: --direct must come without what is for the API, got {said}\n")
    # For other runs it may stand in the environment.
    monkeypatch.setenv("PINTEREST_API_URL", "https://h")
    monkeypatch.setenv("PINTEREST_API_ACCESS", "foo")
    assert main(direct(source, tmp_path, "--rows", "5")) == 0


def test_a_source_made_anew_is_not_gone_on_with(server: Server, tmp_path: Path, capsys) -> None:
    file = tmp_path / "source.db"

    def make(seed: int) -> None:
        tables = ((entity, chunks(entity, 2000, seed)) for entity in ENTITIES)
        write_source(connect(str(file)), tables, replace=True)

    make(1)
    interrupt(server, file, tmp_path, "--all")
    make(2)
    capsys.readouterr()
    given = arguments("batches", server, file, tmp_path, "--all")
    assert main(given) == 2
    error = capsys.readouterr().err
    ids = re.findall(r"every post by key of \S+ \(first pin 0, '([-0-9a-f]{36})'\) to ", error)
    assert len(set(ids)) == 2
    assert error.endswith(": --restart begins anew, --cursor FILE keeps another place\n")
    server.taken.clear()
    assert main([*given, "--restart"]) == 0
    assert arrived(server) == there(file)


def test_the_first_rows_leave_the_place_of_all_alone(server: Server, source: Path, tmp_path: Path, capsys) -> None:
    interrupt(server, source, tmp_path, "--all")
    place, taken = settled(tmp_path), len(server.taken)
    orders = {
        "the first 20 posts by key": ["--rows", "20"],
        "20 posts drawn with seed 7": ["--rows", "20", "--random", "--seed", "7"],
    }
    capsys.readouterr()
    for order, which in orders.items():
        assert main(arguments("batches", server, source, tmp_path, *which)) == 2
        said = capsys.readouterr().err
        assert said.startswith(f"error: cursor {tmp_path}/cursor is of every post by key of {source} ")
        assert f", got {order} of {source} " in said
    assert (settled(tmp_path), len(server.taken)) == (place, taken)
    other = ["--cursor", str(tmp_path / "other")]
    assert main([*arguments("batches", server, source, tmp_path, "--rows", "20"), *other]) == 0
    assert settled(tmp_path) == place > 0


def test_an_error_in_the_middle_still_counts(server: Server, source: Path, tmp_path: Path, capsys) -> None:
    interrupt(server, source, tmp_path, "--all")
    out, error = capsys.readouterr()
    assert re.fullmatch(r"sent [\d,]+, acknowledged 1,500, retried 0, failed 0, not settled [\d,]+, [\d.]+ s\n", out)
    assert error == f"error: {server.url}/topics/abc123.*: Forbidden (403): no; the same command goes on\n"
    interrupt(server, source, tmp_path, "--all", "--restart")
    assert capsys.readouterr().err.endswith("(403): no; the same command without --restart goes on\n")
    place = settled(tmp_path)
    assert main(arguments("batches", server, source, tmp_path, "--all")) == 0
    assert capsys.readouterr().err == f"goes on behind post {place:,}\n"


def test_a_stream_that_is_not_there_says_what_makes_it(aws: Server, source: Path, tmp_path: Path, capsys) -> None:
    aws.usual = does.status(400, '{"__type":"ResourceNotFoundException"}')
    addresses = {
        f"{aws.url}/streams/streaming-abc123-*": arguments("streaming", aws, source, tmp_path, "--rows", "5"),
        "Kinesis in eu-west-1, streaming-abc123-*": direct(source, tmp_path, "--rows", "5"),
    }
    for address, given in addresses.items():
        assert main([*given, "--at-once", "1"]) == 2
        said = "streaming-abc123-pin is not there: --streams create makes it"
        assert capsys.readouterr().err == f"error: {address}: {said}\n"


def test_a_run_stopped_before_anything_was_settled_says_so(server: Server, source: Path, tmp_path: Path) -> None:
    server.usual = does.take_and_hang(30)
    process = started(arguments("batches", server, source, tmp_path, "--rows", "20"))
    while len(server.requests) < 3:
        time.sleep(0.01)
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    out, error = process.communicate(timeout=20)
    said = "interrupted: nothing was settled yet, the same command begins again"
    pattern = rf"sent (\d+), acknowledged 0, retried 0, failed 0, not settled (\d+), [\d.]+ s; {said}\n"
    found = re.fullmatch(pattern, out)
    assert found
    assert found[1] == found[2]
    assert (process.returncode, error) == (130, "")


@pytest.mark.parametrize("way", ["API", "direct"])
def test_a_server_that_is_not_there_ends_the_run(
    way: str, aws: Server, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys, unused_port: int
) -> None:
    address = f"http://127.0.0.1:{unused_port}"
    monkeypatch.setattr(aws, "url", address)
    monkeypatch.setenv("AWS_ENDPOINT_URL", address)
    monkeypatch.setenv("no_proxy", "*")
    if way == "API":
        given, named = arguments("batches", aws, source, tmp_path, "--all"), f"{address}/topics/abc123.*"
    else:
        given, named = direct(source, tmp_path, "--all"), "Kinesis in eu-west-1, streaming-abc123-*"
    assert main([*given, "--attempts", "2"]) == 2
    out, error = capsys.readouterr()
    assert re.match(r"sent [\d,]+, acknowledged 0, retried [\d,]+, failed 0, not settled ", out)
    assert error == f"error: {named} cannot be reached: no connection (2 attempts)\n"
    assert list(tmp_path.iterdir()) == []


def test_a_long_reason_is_cut(server: Server, source: Path, tmp_path: Path, capsys) -> None:
    server.usual = does.each(lambda record: "\x1b[2J" + "x" * 200 if record["key"] < 2 else None)
    assert main(arguments("batches", server, source, tmp_path, "--rows", "5")) == 1
    reason = ("error_code  [2J" + "x" * 200)[:80]
    assert capsys.readouterr().out.endswith(
        f" s; most often: {reason}; --resend {tmp_path}/failed.jsonl sends them again\n"
    )


def test_the_help_says_what_a_new_user_asks(capsys: pytest.CaptureFixture) -> None:
    def told(*command: str) -> str:
        with pytest.raises(SystemExit):
            main([*command, "--help"])
        text = capsys.readouterr().out
        assert "``" not in text
        return " ".join(text.split())

    assert all(f" {command} " in told() for command in ("generate", "show", "batches", "streaming"))
    assert "Show one post of a source, a row of each table." in told("show")
    for command in ("batches", "streaming"):
        text = told(command)
        for said in (
            f"where failed records go, to be sent again (build/emulation/{command}-failed.jsonl)",
            f"a finished one begins again from the first (build/emulation/{command}-cursor.json)",
            "whose topics or streams these are ($PINTEREST_USER_ID, else 12f6caff3559)",
            "tries in a row in which none of a request's records is taken, before they go into the failed file (8)",
            "exit codes: 0 done; 1 some records are in the failed file; "
            "2 a mistake, or sending cannot go on; 130 interrupted",
            "N posts drawn at random; a post may be drawn more than once",
            "the first N posts by key; all of a source that has fewer",
        ):
            assert said in text


def test_a_line_that_did_not_change_is_not_printed_again(monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    monkeypatch.setattr(live, "BETWEEN_LINES", 0.02)
    monkeypatch.setenv("TERM", "dumb")
    counts = Counts(sent=3)
    with live.Live(counts):
        time.sleep(0.2)
        counts.codes["200"] += 1
        time.sleep(0.2)
    assert [line.partition("answers ")[2] for line in capsys.readouterr().err.splitlines()] == ["none yet", "200: 1"]


def test_a_database_that_is_a_folder_is_told(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    assert main(["generate", "--database", str(tmp_path)]) == 2
    said = f"error: database must be a file or a SQLAlchemy URL, got the folder {tmp_path}\n"
    assert capsys.readouterr() == ("", said)


@pytest.mark.usefixtures("aws")
def test_a_profile_that_is_not_there_is_one_line(monkeypatch: pytest.MonkeyPatch, source: Path, tmp_path: Path, capsys):
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    assert main(direct(source, tmp_path, "--all")) == 2
    assert capsys.readouterr() == ("", "error: The config profile (nobody) could not be found\n")
