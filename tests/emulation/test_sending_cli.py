"""The commands as a user runs them: a source, a server, and what is printed, sent and left behind."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import pytest
import sqlalchemy as sa

from emulation.cli import send_command as sending_cli
from emulation.cli.emulation_cli import main
from emulation.source.database import SourceError, connect
from emulation.source.database_credentials import database_url
from emulation.source.source_records import column_names
from pinterest_transforms.entities import ENTITIES, GEO, PIN, USER
from tests.emulation import misbehaving as does
from tests.emulation.commands import ROOT, USER_ID, arguments, arrived, started, there
from tests.emulation.misbehaving import Server


@pytest.mark.parametrize("command", ["batches", "streaming"])
def test_every_post_is_sent_once(server: Server, source: Path, tmp_path: Path, capsys, command: str) -> None:
    assert main(arguments(command, server, source, tmp_path, "--all")) == 0
    prefix = {"batches": "abc123.", "streaming": "streaming-abc123-"}[command]
    assert arrived(server) == Counter(
        {(origin.replace("abc123.", prefix), k): n for (origin, k), n in there(source).items()}
    )
    count = sum(there(source).values())
    said = capsys.readouterr().out
    assert re.fullmatch(rf"sent {count:,}, acknowledged {count:,}, retried 0, failed 0, [\d.]+ s\n", said)
    assert not (tmp_path / "cursor").exists()
    assert not (tmp_path / "failed.jsonl").exists()


def test_the_first_rows(server: Server, source: Path, tmp_path: Path) -> None:
    assert main(arguments("batches", server, source, tmp_path, "--rows", "10")) == 0
    keys = sorted({key for _, key in there(source)})[:10]
    assert arrived(server) == Counter({(o, k): n for (o, k), n in there(source).items() if k in keys})


def test_random_rows_are_the_same_for_the_same_seed(server: Server, source: Path, tmp_path: Path) -> None:
    runs = []
    for seed in ("1", "1", "2"):
        server.taken.clear()
        assert main(arguments("batches", server, source, tmp_path, "--rows", "600", "--random", "--seed", seed)) == 0
        runs.append(arrived(server))
    assert runs[0] == runs[1] != runs[2]
    assert sum(n for (origin, _), n in runs[0].items() if origin.endswith(".pin")) == 600
    assert max(runs[0].values()) > 1


def test_values_survive(server: Server, tmp_path: Path) -> None:
    long = "é" * 200_000
    texts = ("🙂 emoji", "quotes \" ' ` and \\", "line\nfeed\ttab", long, "", "\u2028", "日本語", None)
    rows = {
        PIN: [(n, f"id{n}", text, *[None] * 9) for n, text in enumerate(texts)],
        GEO: [
            (0, datetime(2020, 8, 28, 3, 52, 47), Decimal("-77.96"), float("nan"), "Côte d'Ivoire"),
            (1, "2020-08-28 03:52:47", float("inf"), 0.1, "Nepal"),
        ],
        USER: [],
    }
    file = tmp_path / "values.db"
    engine = connect(str(file))
    loose = sa.MetaData()
    for entity in ENTITIES:
        names = column_names(entity)
        kinds = {"timestamp": sa.DateTime, "latitude": sa.Numeric(12, 6)} if entity is GEO else {}
        key = sa.Column(names[0], sa.Integer, primary_key=True)
        table = sa.Table(entity.source_table, loose, key, *(sa.Column(n, kinds.get(n, sa.Text)) for n in names[1:]))
        with engine.begin() as connection:
            table.create(connection)
            for row in rows[entity]:
                marks = ", ".join("?" * len(row))
                plain = tuple(str(v) if isinstance(v, datetime | Decimal) else v for v in row)
                connection.exec_driver_sql(f"INSERT INTO {entity.source_table} VALUES ({marks})", plain)
    assert main(arguments("batches", server, file, tmp_path, "--all")) == 0
    sent = {(origin, key): value for origin, key, value in server.taken}
    assert [sent["abc123.pin", n]["title"] for n in range(len(texts))] == list(texts)
    assert sent["abc123.geo", 0]["longitude"] is None
    assert sent["abc123.geo", 0]["country"] == "Côte d'Ivoire"


def test_a_failed_record_is_kept_and_can_be_sent_again(server: Server, source: Path, tmp_path: Path, capsys) -> None:
    server.usual = does.each(lambda record: 50002 if record["key"] % 100 == 0 else None)
    assert main(arguments("batches", server, source, tmp_path, "--all")) == 1
    failed = tmp_path / "failed.jsonl"
    lost = there(source) - arrived(server)
    assert len(failed.read_text().splitlines()) == sum(lost.values()) > 0
    said = f"; most often: error_code 50002; --resend {failed} sends them again\n"
    out = capsys.readouterr().out
    assert f"failed {sum(lost.values())} (in {failed}), " in out
    assert out.endswith(said)
    failed.write_text(failed.read_text() + "\n  \n")
    server.usual = does.accept
    more = ["--resend", str(failed), "--failed", str(tmp_path / "again.jsonl")]
    cursor = tmp_path / "cursor"
    cursor.write_text("the place of another run")
    assert main(arguments("batches", server, source, tmp_path, *more)) == 0
    assert capsys.readouterr().out.endswith(f" s; all sent: {failed} can be removed\n")
    assert arrived(server) == there(source)
    assert cursor.read_text() == "the place of another run"


def test_what_fails_again_never_goes_into_the_file_that_is_sent_again(
    server: Server, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    monkeypatch.chdir(tmp_path)
    given = ["batches", "--database", str(source), "--url", server.url, "--user-id", USER_ID]
    server.usual = does.each(lambda record: 50002 if record["key"] < 3 else None)
    assert main([*given, "--rows", "5"]) == 1
    failed = Path("build/emulation/batches-failed.jsonl")
    lines = failed.read_text()
    assert main([*given, "--resend", str(failed), "--failed", str(tmp_path / failed)]) == 2
    assert capsys.readouterr().err == (
        f"error: --failed must be another file than --resend, got {tmp_path / failed} for both\n"
    )
    assert main([*given, "--resend", str(failed)]) == 1
    again = Path("build/emulation/batches-failed-again.jsonl")
    assert failed.read_text() == lines
    assert sorted(again.read_text().splitlines()) == sorted(lines.splitlines())


def test_rows_without_a_key_go_into_the_failed_file(server: Server, tmp_path: Path, capsys) -> None:
    file = tmp_path / "loose.db"
    engine = connect(str(file))
    rows = {PIN: [(7, "a"), (None, "stray"), (None, "another")], GEO: [(None, "Peru")], USER: [(9, "Ada")]}
    with engine.begin() as connection:
        for entity in ENTITIES:
            names = column_names(entity)
            columns = [sa.Column(names[0], sa.Integer), *(sa.Column(name, sa.Text) for name in names[1:])]
            table = sa.Table(entity.source_table, sa.MetaData(), *columns)
            table.create(connection)
            text = "country" if entity is GEO else names[1]
            connection.execute(table.insert(), [{names[0]: key, text: value} for key, value in rows[entity]])
    assert main(arguments("batches", server, file, tmp_path, "--all")) == 1
    assert set(arrived(server)) == {("abc123.pin", 7), ("abc123.user", 9)}
    failed = tmp_path / "failed.jsonl"
    assert re.match(r"sent 5, acknowledged 2, retried 0, failed 3 \(in ", capsys.readouterr().out)
    lines = [json.loads(line) for line in failed.read_text().splitlines()]
    assert [(line["entity"], line["key"], line["reason"]) for line in lines] == [
        (name, None, "a record must have a key, got none") for name in ("pin", "pin", "geo")
    ]
    assert [line["value"].get("unique_id") or line["value"].get("country") for line in lines] == [
        *("stray", "another", "Peru")
    ]
    # Sent again they are still what they are.
    again = tmp_path / "again.jsonl"
    assert main([*arguments("batches", server, file, tmp_path, "--resend", str(failed)), "--failed", str(again)]) == 1
    assert again.read_text() == failed.read_text()
    assert not (tmp_path / "cursor").exists()


def test_a_killed_run_goes_on(server: Server, source: Path, tmp_path: Path) -> None:
    given = arguments("batches", server, source, tmp_path, "--all", "--rate", "4000")
    for kill in (True, True, False):
        before = len(server.taken)
        process = started(given)
        if kill:
            while len(server.taken) < before + 1000:
                time.sleep(0.01)
                assert process.poll() is None
            process.send_signal(signal.SIGKILL)
        process.communicate()
    assert process.returncode == 0
    assert set(arrived(server)) == set(there(source))
    assert sum(arrived(server).values()) < 2 * sum(there(source).values())


def test_ctrl_c_ends_cleanly_and_the_next_run_goes_on(server: Server, source: Path, tmp_path: Path, capsys) -> None:
    given = arguments("batches", server, source, tmp_path, "--all", "--rate", "3000")
    process = started(given)
    cursor = tmp_path / "cursor"
    while not cursor.exists() or not cursor.read_text().count("settled"):
        time.sleep(0.01)
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    out, error = process.communicate(timeout=20)
    assert process.returncode == 130
    assert re.fullmatch(r"sent .* s; interrupted: the same command goes on\n", out)
    counts = [int(number.replace(",", "")) for number in re.findall(r"[a-z] ([\d,]+), ", out)]
    sent, acknowledged, _, failed, unsettled = counts
    assert sent == acknowledged + failed + unsettled
    assert error == ""
    settled = json.loads(cursor.read_text().splitlines()[-1])["settled"]
    assert main(given) == 0
    assert capsys.readouterr().err == f"goes on behind post {settled:,}\n"
    assert set(arrived(server)) == set(there(source))


def test_as_users_sends_a_post_at_a_time(server: Server, source: Path, tmp_path: Path) -> None:
    process = started(arguments("batches", server, source, tmp_path, "--as-users"))
    while len(server.taken) < 6:
        time.sleep(0.05)
        assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=20)
    assert process.returncode == 130
    assert set(server.requests) == {1}


def test_another_order_is_not_gone_on_with(server: Server, source: Path, tmp_path: Path, capsys) -> None:
    server.script += [does.accept] * 3
    server.usual = does.status(403, "no")
    assert main(arguments("batches", server, source, tmp_path, "--all", "--at-once", "1")) == 2
    said = f"error: {server.url}/topics/abc123.*: Forbidden (403): no; the same command goes on\n"
    assert capsys.readouterr().err == said
    server.usual = does.accept
    other = arguments("batches", server, source, tmp_path, "--rows", "5", "--random")
    assert main(other) == 2
    first = f"of {source} (first pin 0, "
    assert re.fullmatch(
        rf"error: cursor {tmp_path}/cursor is of every post by key {re.escape(first)}'[-0-9a-f]+'\) to {server.url}"
        rf"/topics/abc123\.\*, got 5 posts drawn with seed 1 {re.escape(first)}.*: "
        r"--restart begins anew, --cursor FILE keeps another place\n",
        capsys.readouterr().err,
    )
    assert main([*other, "--restart"]) == 0


def test_no_credential_is_printed_or_written(
    server: Server, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd
) -> None:
    canaries = {
        "PINTEREST_API_KEY": "c4n4ryKEY",
        "AWS_ACCESS_KEY_ID": "c4n4ryID",
        "AWS_SECRET_ACCESS_KEY": "c4n4rySECRET",
        "AWS_SESSION_TOKEN": "c4n4ryTOKEN",
        "AWS_REGION": "eu-west-1",
    }

    def echo(code: int):
        async def script(_server, request, _origin, _records):
            text = json.dumps(dict(request.headers)) + " c4n4rySECRET"
            return does.web.Response(status=code, text=text)

        return script

    for name, canary in canaries.items():
        monkeypatch.setenv(name, canary)
    printed = ""
    for access in ("api-key", "iam"):
        for code in (422, 500, 403):
            server.usual = echo(code)
            given = arguments("batches", server, source, tmp_path, "--rows", "5", "--access", access, "--attempts", "2")
            assert main([*given, "--restart"]) == (2 if code == 403 else 1)
            printed += "".join(capfd.readouterr())
    unreachable = ["--database", "mysql+pymysql://root:c4n4ryPASSWORD@127.0.0.1:1/x"]
    assert main([*arguments("batches", server, source, tmp_path, "--all"), *unreachable]) == 2
    printed += "".join(capfd.readouterr())
    shown = [{name.lower(): value for name, value in headers.items()} for headers in server.headers]
    assert any(headers.get("x-api-key") == "c4n4ryKEY" for headers in shown)
    assert any("AWS4-HMAC-SHA256" in headers.get("authorization", "") for headers in shown)
    written = "".join(file.read_text() for file in tmp_path.iterdir() if file.is_file())
    assert all(text in printed + written for text in ("422: ", "500: ", "(403): ", "***"))
    for name, canary in canaries.items():
        if name != "AWS_REGION":
            assert canary not in printed + written
    assert "PASSWORD" not in printed


MISTAKES = {
    "error: which posts must be said: --all, --rows N, --as-users or --resend FILE": [],
    "error: --random must come with --rows N": ["--all", "--random"],
    "error: --seed must come with --random or --as-users": ["--all", "--seed", "1"],
    "error: database must be a file or a SQLAlchemy URL, got the folder /": ["--all", "--database", "/"],
    "error: --failed must be a file, got the folder /": ["--all", "--failed", "/"],
    "error: --cursor must be a file, got the folder /": ["--all", "--cursor", "/"],
    "error: folder of --failed /dev/null/x/y cannot be made: Not a directory": ["--all", "--failed", "/dev/null/x/y"],
    "error: folder of --cursor /dev/null/x/y cannot be made: Not a directory": ["--all", "--cursor", "/dev/null/x/y"],
    "error: url must begin with https, got http to example.org: --plain-http sends unencrypted": [
        "--all",
        "--url",
        "http://example.org/x",
    ],
    "error: PINTEREST_API_KEY must be set, got nothing": ["--all", "--access", "api-key"],
    "error: user_id must be 3 to 32 of a-z and 0-9, got 'x;'": ["--all", "--user-id", "x;"],
    "error: database nowhere.db must be there: python -m emulation generate makes one": [
        "--all",
        "--database",
        "nowhere.db",
    ],
    "error: nowhere.jsonl cannot be read: No such file or directory": ["--resend", "nowhere.jsonl"],
}


@pytest.mark.parametrize("said", MISTAKES)
def test_a_mistake_is_one_line(server: Server, source: Path, tmp_path: Path, capsys, said: str) -> None:
    assert main(arguments("batches", server, source, tmp_path, *MISTAKES[said])) == 2
    assert capsys.readouterr().err == f"{said}\n"
    assert server.taken == []


BOUNDS = {
    "rows": ("a whole number from 1 to 100,000,000", ("0", "x", "99999999999999999999", "1.5", "inf", "")),
    "at-once": ("a whole number from 1 to 256", ("0", "-1", "257", "1e400")),
    "attempts": ("a whole number from 1 to 1,000", ("0", "9" * 5000)),
    "seed": ("a whole number from -1,000,000,000,000,000,000 to 1,000,000,000,000,000,000", ("9" * 20, "nan")),
    "timeout": ("a number from 0.001 to 3,600", ("0", "-1", "1e400", "nan", "x", "inf")),
    "rate": ("0 or a number from 0.001 to 1,000,000,000", ("-1", "1e-300", "x", "1e400", "nan", "-inf", "1e10")),
    "posts": ("a whole number from 1 to 100,000,000", ("0", "99999999999999999999", "1e3")),
    "partitions": ("a whole number from 1 to 1,000", ("0", "1001")),
    "records-per-file": ("a whole number from 1 to 100,000,000", ("0", "9" * 19)),
}


@pytest.mark.parametrize("name", BOUNDS)
def test_every_number_has_bounds(name: str, server: Server, source: Path, tmp_path: Path, capsys) -> None:
    said, wrong = BOUNDS[name]
    generates = name in ("posts", "partitions", "records-per-file")
    for value in wrong:
        given = ["generate", "--database", str(tmp_path / "new.db")]
        given = given if generates else arguments("batches", server, source, tmp_path, "--all")
        assert main([*given, f"--{name}={value}"]) == 2
        assert capsys.readouterr() == ("", f"error: argument --{name}: must be {said}, got {value[:30]!r}\n")
    assert server.taken == []
    assert list(tmp_path.iterdir()) == []


UNFORESEEN = {
    "RuntimeError (emulation.cli.send_command line N): no such method": RuntimeError("no such method"),
    "OverflowError (emulation.cli.send_command line N): timeout is too large": OverflowError("timeout is too large"),
    "RuntimeError (emulation.cli.send_command line N): mysql://u:***@h fails": RuntimeError(
        "mysql://u:c4n4ry@h fails\n"
    ),
    "ValueError (emulation.cli.send_command line N)": ValueError("could not convert 'c4n4ry'"),
    "KeyError (emulation.cli.send_command line N)": KeyError("c4n4ry"),
    "BrokenPipeError (emulation.cli.send_command line N): Broken pipe": BrokenPipeError(32, "Broken pipe"),
}


@pytest.mark.parametrize("said", UNFORESEEN)
def test_an_error_that_nobody_foresaw_is_one_line(
    said: str, source: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    def fail(_given: str) -> None:
        raise UNFORESEEN[said]

    monkeypatch.setattr(sending_cli, "connect_source", fail)
    assert main(["show", "--database", str(source)]) == 2
    out, error = capsys.readouterr()
    assert (out, re.sub(r"line \d+", "line N", error)) == ("", f"error: {said}\n")


def test_the_three_streams(server: Server, source: Path, tmp_path: Path, capsys) -> None:
    names = [f"streaming-abc123-{entity.name}" for entity in ENTITIES]
    for what, said in (
        ("list", "not there"),
        ("create", "created"),
        ("create", "already there"),
        ("list", "there"),
        ("describe", "ACTIVE, 1 shard(s)"),
        ("delete", "deleted"),
        ("delete", "not there"),
        ("describe", "not there"),
        ("list", "not there"),
    ):
        code = 1 if (what, said) == ("describe", "not there") else 0
        assert main(arguments("streaming", server, source, tmp_path, "--streams", what)) == code
        assert capsys.readouterr().out == "".join(f"{name}: {said}\n" for name in names)
    server.refused.add(names[1])
    assert main(arguments("streaming", server, source, tmp_path, "--streams", "create")) == 2
    assert capsys.readouterr() == (
        f"{names[0]}: created\n",
        f"error: {names[1]}: POST {server.url}/streams/{names[1]} must answer 200, got 400: "
        '{"__type": "LimitExceededException"}\n',
    )


def test_the_original_names_work(server: Server, source: Path, tmp_path: Path) -> None:
    def door(name: str, *given: str) -> subprocess.Popen[str]:
        script = ROOT / "emulation" / f"user_posting_emulation{name}.py"
        return subprocess.Popen(
            [sys.executable, str(script), *given],
            cwd=tmp_path,
            env={**os.environ, "PINTEREST_DATABASE": str(source), "PINTEREST_API_URL": server.url},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    out, _ = door("", "--seed", "1").communicate(timeout=30)
    assert [line.partition(": ")[0] for line in out.splitlines()] == [entity.source_table for entity in ENTITIES]
    assert len({json.loads(line.partition(": ")[2]).get("ind") for line in out.splitlines()[1:]}) == 1
    for name in ("_batches", "_streaming"):
        server.taken.clear()
        process = door(name)
        while len(server.taken) < 3:
            time.sleep(0.05)
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=20)
        assert process.returncode == 130
        out, error = door(name, "--rows", "5").communicate(timeout=30)
        assert re.match(r"sent 1[0-5], acknowledged 1[0-5], retried 0, failed 0, ", out), error


@pytest.mark.parametrize("command", ["batches", "streaming"])
def test_help_tells_the_original_name(command: str, capsys) -> None:
    with pytest.raises(SystemExit):
        main([command, "--help"])
    said = "is the same command; without arguments it sends as users do (--as-users)."
    assert f"\nemulation/user_posting_emulation_{command}.py {said}\n" in capsys.readouterr().out


CREDENTIALS = {
    "HOST: h\nUSER: u\nPASSWORD: 'p@:/'": "mysql+pymysql://u:p%40%3A%2F@h:3306/pinterest_data?charset=utf8mb4",
    "HOST: h\nUSER: u\nPASSWORD: 1\nPORT: 13\nDATABASE: d": "mysql+pymysql://u:1@h:13/d?charset=utf8mb4",
}


@pytest.mark.parametrize("text", CREDENTIALS)
def test_credentials_make_an_address(tmp_path: Path, text: str) -> None:
    file = tmp_path / "db_creds.yaml"
    file.write_text(text)
    assert database_url(None, "x.db", {}, file) == CREDENTIALS[text]
    assert database_url("given", "x.db", {"PINTEREST_DATABASE": "named"}, file) == "given"
    assert database_url(None, "x.db", {"PINTEREST_DATABASE": "named"}, file) == "named"
    assert database_url(None, "x.db", {}, tmp_path / "none.yaml") == "x.db"


WRONG = {
    "HOST: h\nPASSWORD: c4n4ry": "must have HOST, USER, PASSWORD; missing: USER",
    "HOST: h\nUSER: u\nPASSWORD: c4n4ry\nPORT: x": "PORT in {} must be a number from 1 to 65535",
    "HOST: h\nUSER: u\nPASSWORD: c4n4ry\nHOSTS: x": "may have HOST, USER, PASSWORD, PORT, DATABASE; got HOSTS too",
    "- c4n4ry": "must have HOST, USER, PASSWORD, got no names",
    "PASSWORD: 'c4n4ry": "must be YAML",
    "PASSWORD: !!python/object/apply:os.system ['c4n4ry']": "must be YAML",
}


@pytest.mark.parametrize("text", WRONG)
def test_wrong_credentials_are_one_line_without_the_password(tmp_path: Path, text: str) -> None:
    file = tmp_path / "db_creds.yaml"
    file.write_text(text)
    with pytest.raises(SourceError) as caught:
        database_url(None, "x.db", {}, file)
    assert WRONG[text].format(file) in str(caught.value)
    assert "c4n4ry" not in str(caught.value)
