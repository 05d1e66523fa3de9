"""The commands batches and streaming: what is printed, sent and left behind."""

import json
import re
import signal
import time
from collections import Counter
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace

import pytest
import sqlalchemy as sa

from emulation.cli import send_run
from emulation.cli.emulation_cli import main
from emulation.source.database import connect
from emulation.source.source_records import column_names
from pinterest_transforms.entities import ENTITIES, GEO, PIN, USER
from tests.emulation import fake_api_server as api
from tests.emulation.emulation_commands import (
    USER_ID,
    build_arguments,
    count_source_records,
    count_stored,
    start_process,
)
from tests.emulation.fake_api_server import Server


@pytest.mark.parametrize("command", ["batches", "streaming"])
def test_every_post_is_sent_once(server: Server, source: Path, tmp_path: Path, capsys, command: str) -> None:
    assert main(build_arguments(command, server, source, tmp_path, "--all")) == 0
    assert count_stored(server) == count_source_records(source, command)
    count = sum(count_source_records(source).values())
    said = capsys.readouterr().out
    assert re.fullmatch(rf"sent {count:,}, acknowledged {count:,}, retried 0, failed 0, [\d.]+ s\n", said)
    assert not (tmp_path / "cursor").exists()
    assert not (tmp_path / "failed.jsonl").exists()


def test_the_first_rows(server: Server, source: Path, tmp_path: Path) -> None:
    assert main(build_arguments("batches", server, source, tmp_path, "--rows", "10")) == 0
    keys = sorted({key for _, key in count_source_records(source)})[:10]
    assert count_stored(server) == Counter(
        {(o, k): n for (o, k), n in count_source_records(source).items() if k in keys}
    )


def test_random_rows_are_the_same_for_the_same_seed(server: Server, source: Path, tmp_path: Path) -> None:
    runs = []
    for seed in ("1", "1", "2"):
        server.taken.clear()
        assert (
            main(build_arguments("batches", server, source, tmp_path, "--rows", "600", "--random", "--seed", seed)) == 0
        )
        runs.append(count_stored(server))
    assert runs[0] == runs[1] != runs[2]
    assert sum(n for (target, _), n in runs[0].items() if target.endswith(".pin")) == 600
    assert max(runs[0].values()) > 1


def test_values_are_sent_unchanged(server: Server, tmp_path: Path) -> None:
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
    assert main(build_arguments("batches", server, file, tmp_path, "--all")) == 0
    sent = {(target, key): value for target, key, value in server.taken}
    assert [sent["abc123.pin", n]["title"] for n in range(len(texts))] == list(texts)
    assert sent["abc123.geo", 0]["longitude"] is None
    assert sent["abc123.geo", 0]["country"] == "Côte d'Ivoire"


def test_failed_records_can_be_resent(server: Server, source: Path, tmp_path: Path, capsys) -> None:
    server.usual = api.each(lambda record: 50002 if record["key"] % 100 == 0 else None)
    assert main(build_arguments("batches", server, source, tmp_path, "--all")) == 1
    failed = tmp_path / "failed.jsonl"
    lost = count_source_records(source) - count_stored(server)
    assert len(failed.read_text().splitlines()) == sum(lost.values()) > 0
    said = f"; most frequent reason: error_code 50002; --resend {failed} sends them again\n"
    out = capsys.readouterr().out
    assert f"failed {sum(lost.values())} (in {failed}), " in out
    assert out.endswith(said)
    failed.write_text(failed.read_text() + "\n  \n")
    server.usual = api.accept
    more = ["--resend", str(failed), "--failed", str(tmp_path / "again.jsonl")]
    cursor = tmp_path / "cursor"
    cursor.write_text("the place of another run")
    assert main(build_arguments("batches", server, source, tmp_path, *more)) == 0
    assert capsys.readouterr().out.endswith(f" s; all sent: {failed} can be removed\n")
    assert count_stored(server) == count_source_records(source)
    assert cursor.read_text() == "the place of another run"


def test_failed_records_are_resent_though_the_source_is_gone(server: Server, tmp_path: Path, capsys) -> None:
    failed = tmp_path / "failed.jsonl"
    failed.write_text('{"entity": "geo", "key": 3, "reason": "r", "value": {"ind": 3}}\n')
    gone = tmp_path / "gone.db"
    again = ["--resend", str(failed), "--failed", str(tmp_path / "again.jsonl")]
    assert main(build_arguments("batches", server, gone, tmp_path, *again)) == 0
    assert capsys.readouterr().out.endswith(f" s; all sent: {failed} can be removed\n")
    assert not gone.exists()


def test_records_that_fail_again_go_into_another_file(
    server: Server, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    given = ["batches", "--database", str(source), "--url", server.url, "--user-id", USER_ID]
    server.usual = api.each(lambda record: 50002 if record["key"] < 3 else None)
    assert main([*given, "--rows", "5"]) == 1
    failed = Path("build/emulation/batches-failed.jsonl")
    lines = failed.read_text()
    assert main([*given, "--resend", str(failed), "--failed", str(tmp_path / failed)]) == 1
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
    assert main(build_arguments("batches", server, file, tmp_path, "--all")) == 1
    assert set(count_stored(server)) == {("abc123.pin", 7), ("abc123.user", 9)}
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
    assert (
        main([*build_arguments("batches", server, file, tmp_path, "--resend", str(failed)), "--failed", str(again)])
        == 1
    )
    assert again.read_text() == failed.read_text()
    assert not (tmp_path / "cursor").exists()


def test_a_killed_run_resumes(server: Server, source: Path, tmp_path: Path) -> None:
    given = build_arguments("batches", server, source, tmp_path, "--all", "--rate", "4000")
    for kill in (True, True, False):
        before = len(server.taken)
        process = start_process(given)
        if kill:
            while len(server.taken) < before + 500:
                time.sleep(0.01)
                assert process.poll() is None
            process.send_signal(signal.SIGKILL)
        process.communicate()
    assert process.returncode == 0
    assert set(count_stored(server)) == set(count_source_records(source))
    assert sum(count_stored(server).values()) < 2 * sum(count_source_records(source).values())


@pytest.mark.parametrize(
    ("command", "number"),
    [("batches", signal.SIGINT), ("batches", signal.SIGTERM), ("streaming", signal.SIGTERM)],
)
def test_a_signal_ends_a_run_cleanly_and_the_next_one_resumes(
    server: Server, source: Path, tmp_path: Path, capsys, command: str, number: signal.Signals
) -> None:
    """Ctrl-C, and what systemd and containers send: no record is lost, and none before the cursor is sent again."""
    given = build_arguments(command, server, source, tmp_path, "--all", "--at-once", "1")
    server.script.extend([api.accept] * 4)
    server.usual = api.take_and_hang(60)
    process = start_process(given)
    cursor = tmp_path / "cursor"
    while len(server.requests) < 5:
        time.sleep(0.01)
        assert process.poll() is None
    process.send_signal(number)
    out, error = process.communicate(timeout=20)
    assert process.returncode == 130
    assert re.fullmatch(r"sent .* s; interrupted: the same command resumes\n", out)
    counts = [int(count.replace(",", "")) for count in re.findall(r"[a-z] ([\d,]+), ", out)]
    sent, acknowledged, _, failed, unsettled = counts
    assert sent == acknowledged + failed + unsettled
    assert error == ""
    settled = json.loads(cursor.read_text())
    before, server.usual = len(server.taken), api.accept
    assert main(given) == 0
    assert capsys.readouterr().err == f"resumes after post {settled['settled']:,}\n"
    assert min(key for _, key, _ in server.taken[before:]) > settled["after"]
    assert set(count_stored(server)) == set(count_source_records(source, command))


def test_as_users_sends_one_post_at_a_time(
    server: Server, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        if len(server.taken) >= 6:
            signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr(send_run, "time", SimpleNamespace(sleep=pause, monotonic=time.monotonic))
    assert main(build_arguments("batches", server, source, tmp_path, "--as-users")) == 130
    assert set(server.requests) == {1}
    assert len(server.taken) >= 6
    assert all(0 <= seconds <= 2 for seconds in pauses)
    assert len(pauses) > 1


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
            return api.web.Response(status=code, text=text)

        return script

    for name, canary in canaries.items():
        monkeypatch.setenv(name, canary)
    printed = ""
    for access in ("api-key", "iam"):
        for code in (422, 500, 403):
            server.usual = echo(code)
            given = build_arguments(
                "batches", server, source, tmp_path, "--rows", "5", "--access", access, "--attempts", "2"
            )
            assert main([*given, "--restart"]) == (2 if code == 403 else 1)
            printed += "".join(capfd.readouterr())
    unreachable = ["--database", "mysql+pymysql://root:c4n4ryPASSWORD@127.0.0.1:1/x"]
    assert main([*build_arguments("batches", server, source, tmp_path, "--all"), *unreachable]) == 2
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


def test_streams_are_managed_through_the_api(server: Server, source: Path, tmp_path: Path, capsys) -> None:
    names = [f"streaming-abc123-{entity.name}" for entity in ENTITIES]
    for what, said in (
        ("create", "created"),
        ("create", "already exists"),
        ("describe", "ACTIVE, 1 shard(s)"),
        ("delete", "deleted"),
        ("delete", "does not exist"),
        ("describe", "does not exist"),
    ):
        code = 1 if (what, said) == ("describe", "does not exist") else 0
        assert main(build_arguments("streaming", server, source, tmp_path, "--streams", what)) == code
        assert capsys.readouterr().out == "".join(f"{name}: {said}\n" for name in names)
    server.refused.add(names[1])
    assert main(build_arguments("streaming", server, source, tmp_path, "--streams", "create")) == 2
    assert capsys.readouterr() == (
        f"{names[0]}: created\n",
        f"error: {names[1]}: POST {server.url}/streams/{names[1]} must answer 200, got 400: "
        '{"__type": "LimitExceededException"}\n',
    )
