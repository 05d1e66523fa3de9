"""Options of batches and streaming: errors are one line, and the help is complete."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from emulation.cli import send_command
from emulation.cli.emulation_cli import main
from pinterest_transforms.entities import ENTITIES
from tests.emulation.emulation_commands import ROOT, build_arguments
from tests.emulation.fake_api_server import Server

MISTAKES = {
    "error: one of the arguments --all --rows --as-users --resend is required "
    "(see python -m emulation batches --help)": [],
    "error: --random must come with --rows N": ["--all", "--random"],
    "error: database must be a file or a SQLAlchemy URL, got the folder /": ["--all", "--database", "/"],
    "error: file / cannot be written: it is a folder": ["--all", "--failed", "/"],
    "error: cursor must be a file, got /dev/null": ["--all", "--cursor", "/dev/null"],
    "error: file /dev/null/x/y cannot be written: Not a directory": ["--all", "--failed", "/dev/null/x/y"],
    "error: file /dev/null/z/y cannot be written: Not a directory": ["--all", "--cursor", "/dev/null/z/y"],
    "error: url must be given: --url, or PINTEREST_API_URL": ["--all", "--url", ""],
    "error: url must begin with https, got http to example.org: --plain-http sends unencrypted": [
        "--all",
        "--url",
        "http://example.org/x",
    ],
    "error: PINTEREST_API_KEY must be set, got nothing": ["--all", "--access", "api-key"],
    "error: user_id must be 3 to 32 of a-z and 0-9, got 'x;'": ["--all", "--user-id", "x;"],
    "error: database nowhere.db must exist: create it with python -m emulation generate": [
        "--all",
        "--database",
        "nowhere.db",
    ],
    "error: nowhere.jsonl cannot be read: No such file or directory": ["--resend", "nowhere.jsonl"],
}


@pytest.mark.parametrize("said", MISTAKES)
def test_a_mistake_is_one_line(server: Server, source: Path, tmp_path: Path, capsys, said: str) -> None:
    assert main(build_arguments("batches", server, source, tmp_path, *MISTAKES[said])) == 2
    assert capsys.readouterr().err == f"{said}\n"
    assert server.taken == []


BOUNDS = {
    "rows": ("a whole number from 1 to 100,000,000", ("0", "x", "99999999999999999999", "1.5", "inf", "")),
    "at-once": ("a whole number from 1 to 256", ("0", "-1", "257", "1e400")),
    "attempts": ("a whole number from 1 to 1,000", ("0", "9" * 5000)),
    "seed": ("a whole number from -1,000,000,000,000,000,000 to 1,000,000,000,000,000,000", ("9" * 20, "nan")),
    "rate": ("a whole number from 0 to 1,000,000,000", ("-1", "0.5", "x", "1e400", "nan", "9999999999")),
    "posts": ("a whole number from 1 to 100,000,000", ("0", "99999999999999999999", "1e3")),
}


@pytest.mark.parametrize("name", BOUNDS)
def test_every_number_has_bounds(name: str, server: Server, source: Path, tmp_path: Path, capsys) -> None:
    said, wrong = BOUNDS[name]
    for value in wrong:
        given = ["generate", "--database", str(tmp_path / "new.db")]
        given = given if name == "posts" else build_arguments("batches", server, source, tmp_path, "--all")
        assert main([*given, f"--{name}={value}"]) == 2
        see = f"(see python -m emulation {'generate' if name == 'posts' else 'batches'} --help)"
        shown = value if len(value) <= 30 else f"{value[:29]}…"
        assert capsys.readouterr() == ("", f"error: argument --{name}: must be {said}, got {shown!r} {see}\n")
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
def test_an_unexpected_error_is_one_line(said: str, source: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    def fail(_given: str) -> None:
        raise UNFORESEEN[said]

    monkeypatch.setattr(send_command, "connect_source", fail)
    assert main(["show", "--database", str(source)]) == 2
    out, error = capsys.readouterr()
    assert (out, re.sub(r"line \d+", "line N", error)) == ("", f"error: {said}\n")


@pytest.mark.parametrize("command", ["batches", "streaming"])
def test_help_has_the_original_name(command: str, capsys) -> None:
    with pytest.raises(SystemExit):
        main([command, "--help"])
    said = "is the same command; without arguments it runs with --as-users."
    assert f"\nemulation/user_posting_emulation_{command}.py {said}\n" in capsys.readouterr().out


@pytest.mark.parametrize("way", ["file", "url"])
def test_a_password_outside_latin_1_is_one_line(way: str, server: Server, tmp_path: Path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    more = ["--database", "mysql+pymysql://u:c4n4ry…@127.0.0.1:1/d"] if way == "url" else []
    if way == "file":
        (tmp_path / "db_creds.yaml").write_text('HOST: h\nUSER: u\nPASSWORD: "c4n4ry…"\n', encoding="utf-8")
    for command in (["show"], ["batches", "--all", "--url", server.url]):
        assert main([*command, *more]) == 2
        said = "error: password of the database must have Latin-1 letters only, got others\n"
        assert capsys.readouterr() == ("", said)


def test_the_example_of_credentials_is_ascii() -> None:
    assert (ROOT / "db_creds.example.yaml").read_bytes().isascii()


def test_the_help_is_complete(capsys: pytest.CaptureFixture) -> None:
    def told(*command: str) -> str:
        with pytest.raises(SystemExit):
            main([*command, "--help"])
        text = capsys.readouterr().out
        assert "``" not in text
        # A line may end behind a hyphen.
        return " ".join(text.split()).replace("- ", "-")

    assert all(f" {command} " in told() for command in ("generate", "show", "batches", "streaming"))
    assert "Show one post of a source, one row per table." in told("show")
    for command in ("batches", "streaming"):
        text = told(command)
        for said in (
            f"file of failed records, for --resend (build/emulation/{command}-failed.jsonl)",
            f"removed after a complete run (build/emulation/{command}-cursor.json)",
            "user id in all names ($PINTEREST_USER_ID, else 12f6caff3559)",
            "consecutive attempts of a request without an acknowledged record before its records fail (8)",
            "exit codes: 0 success; 1 some records failed; "
            "2 an error, or sending cannot continue; 130 interrupted (Ctrl-C, SIGTERM)",
            "N posts drawn at random; a post may be drawn more than once",
            "the first N posts in key order, or all if there are fewer",
        ):
            assert said in text


def test_a_database_that_is_a_folder_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    assert main(["generate", "--database", str(tmp_path)]) == 2
    said = f"error: database must be a file or a SQLAlchemy URL, got the folder {tmp_path}\n"
    assert capsys.readouterr() == ("", said)


def test_the_original_scripts_work(server: Server, source: Path, tmp_path: Path) -> None:
    def start(name: str, *given: str) -> subprocess.Popen[str]:
        script = ROOT / "emulation" / f"user_posting_emulation{name}.py"
        return subprocess.Popen(
            [sys.executable, str(script), *given],
            cwd=tmp_path,
            env={**os.environ, "PINTEREST_DATABASE": str(source), "PINTEREST_API_URL": server.url},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    out, _ = start("", "--seed", "1").communicate(timeout=30)
    assert [line.partition(": ")[0] for line in out.splitlines()] == [entity.source_table for entity in ENTITIES]
    assert len({json.loads(line.partition(": ")[2]).get("ind") for line in out.splitlines()[1:]}) == 1
    for name in ("_batches", "_streaming"):
        server.taken.clear()
        process = start(name)
        while len(server.taken) < 3:
            time.sleep(0.05)
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        out, error = process.communicate(timeout=20)
        assert process.returncode == 130, error
        assert re.match(r"sent \d+, acknowledged \d+, retried 0, failed 0, ", out), error
