"""The AWS keys: where they come from, that they are never mixed, never shown, and that the course's table goes."""

import getpass
import logging
import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from fake_workspace import TOKEN, Fake, error

from workspace.workspace_cli import main

ROOT = Path(__file__).parents[2]
ACCESS, SECRET = "AKIACANARYCANARY0001", "canary/secret+0123456789012345678901234="
OTHER_ACCESS, OTHER_SECRET = "AKIACANARYCANARY0002", "canary/other++0123456789012345678901234="
TABLE = "hive_metastore.default.authentication_credentials"
COLUMNS = ["Access key ID", "Secret access key"]
STORED = {"access_key": ACCESS, "secret_key": SECRET}
FROM_TABLE = ["set-up", "--secrets-from", "table"]
FROM_ENVIRONMENT = ["set-up", "--secrets-from", "environment"]


@pytest.fixture
def scoped(fake: Fake) -> Fake:
    fake.scopes["pinterest"] = {}
    fake.tables[TABLE] = (COLUMNS, [[ACCESS, SECRET]])
    return fake


class Shown:
    """What was printed, all of it kept."""

    def __init__(self, capfd: pytest.CaptureFixture[str]) -> None:
        self._capfd = capfd
        self.out = self.err = ""

    def read(self) -> "Shown":
        out, err = self._capfd.readouterr()
        self.out, self.err = self.out + out, self.err + err
        return self


@pytest.fixture
def printed(capfd: pytest.CaptureFixture[str]) -> Shown:
    return Shown(capfd)


@pytest.fixture(autouse=True)
def no_canary_is_shown(printed: Shown, caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """After each test: neither key, nor the token, in what was printed or logged, at any level."""
    caplog.set_level(logging.DEBUG)
    yield
    logged = "".join(record.getMessage() for record in caplog.get_records("call"))
    shown = printed.read().out + printed.err + logged
    assert [value for value in (ACCESS, SECRET, OTHER_ACCESS, OTHER_SECRET, TOKEN) if value in shown] == []


def in_environment(monkeypatch: pytest.MonkeyPatch, access: str = ACCESS, secret: str = SECRET) -> None:
    monkeypatch.setenv("PINTEREST_SECRET_PINTEREST_ACCESS_KEY", access)
    monkeypatch.setenv("PINTEREST_SECRET_PINTEREST_SECRET_KEY", secret)


def test_the_environment_sets_the_secrets_of_both_notebooks(scoped: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    in_environment(monkeypatch, secret=f"{SECRET}\n")
    assert main(FROM_ENVIRONMENT) == 0
    assert scoped.scopes["pinterest"] == STORED


def test_secret_names_are_those_of_notebooks_and_library() -> None:
    sources = [ROOT / "notebooks/stream_kinesis.py", ROOT / "src/pinterest_transforms/operations/landing_access.py"]
    text = "".join(source.read_text(encoding="utf-8") for source in sources)
    assert [name for name in STORED if f'.get(scope, "{name}")' not in text] == []


def test_the_credentials_table_is_copied_and_kept(scoped: Fake, printed: Shown) -> None:
    assert main(FROM_TABLE) == 0
    assert scoped.scopes["pinterest"] == STORED
    assert TABLE in scoped.tables
    assert f"{TABLE} keeps the keys in plain text until --drop-credentials-table drops it" in printed.read().err


def test_the_credentials_table_is_dropped_once_if_requested(scoped: Fake, printed: Shown) -> None:
    assert main([*FROM_TABLE, "--drop-credentials-table"]) == 0
    assert TABLE not in scoped.tables
    assert scoped.scopes["pinterest"] == STORED
    assert main([*FROM_TABLE, "--drop-credentials-table"]) == 0
    assert f"credentials table {TABLE}: does not exist\n" in printed.read().out
    assert printed.err.count("create new ones in AWS") == 1
    assert sum(statement.startswith("DROP") for statement in scoped.statements) == 1


@pytest.mark.parametrize("code", ["TABLE_OR_VIEW_NOT_FOUND", "SCHEMA_NOT_FOUND", "NO_SUCH_CATALOG_EXCEPTION"])
def test_a_credentials_table_that_is_gone_keeps_no_keys(scoped: Fake, code: str, printed: Shown) -> None:
    scoped.scopes["pinterest"] = dict(STORED)
    fail_statements(scoped, f"[{code}] It cannot be found")
    assert main(FROM_TABLE) == 0
    assert f"credentials table {TABLE}: does not exist\n" in printed.read().out
    assert "plain text" not in printed.err


def test_a_credentials_table_that_cannot_be_read_is_an_error(scoped: Fake, printed: Shown) -> None:
    scoped.scopes["pinterest"] = dict(STORED)
    fail_statements(scoped, "[INSUFFICIENT_PERMISSIONS] User does not have SELECT")
    assert main([*FROM_TABLE, "--drop-credentials-table"]) == 1
    assert "statement failed: [INSUFFICIENT_PERMISSIONS]" in printed.read().err
    assert TABLE in scoped.tables


def fail_statements(fake: Fake, message: str) -> None:
    failed = {"state": "FAILED", "error": {"error_code": "BAD_REQUEST", "message": message}}
    fake.fail("POST", "sql/statements", 200, {"status": failed})


def test_a_dry_run_reads_no_key_and_drops_nothing(scoped: Fake) -> None:
    assert main([*FROM_TABLE, "--drop-credentials-table", "--dry-run"]) == 0
    assert scoped.writes == []
    assert not any("Secret access key" in statement for statement in scoped.statements)


def test_the_table_is_kept_if_the_keys_cannot_be_stored(scoped: Fake) -> None:
    scoped.fail("POST", "secrets/put", 403, error("PERMISSION_DENIED", "no WRITE on scope"))
    assert main([*FROM_TABLE, "--drop-credentials-table"]) == 1
    assert TABLE in scoped.tables


@pytest.mark.parametrize(
    ("rows", "said"), [([], "none"), ([[ACCESS, SECRET], [OTHER_ACCESS, OTHER_SECRET]], "several")]
)
def test_a_table_without_exactly_one_row_is_refused(
    scoped: Fake, rows: list[list[str | None]], said: str, printed: Shown
) -> None:
    scoped.tables[TABLE] = (COLUMNS, rows)
    assert main(FROM_TABLE) == 1
    assert printed.read().err.splitlines()[-1] == (f"error: credentials table {TABLE} must have one row, got {said}")


def test_existing_keys_are_kept(scoped: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    in_environment(monkeypatch)
    main(FROM_ENVIRONMENT)
    in_environment(monkeypatch, OTHER_ACCESS, OTHER_SECRET)
    assert main(FROM_ENVIRONMENT) == 0
    assert scoped.scopes["pinterest"] == STORED


def test_an_interrupted_set_up_never_mixes_two_keys(scoped: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    scoped.scopes["pinterest"] = {"access_key": ACCESS}
    in_environment(monkeypatch, OTHER_ACCESS, OTHER_SECRET)
    assert main(FROM_ENVIRONMENT) == 0
    assert set(scoped.scopes["pinterest"].values()) == {OTHER_ACCESS, OTHER_SECRET}


def test_rotate_replaces_the_keys(scoped: Fake, monkeypatch: pytest.MonkeyPatch, printed: Shown) -> None:
    in_environment(monkeypatch)
    main(FROM_ENVIRONMENT)
    in_environment(monkeypatch, OTHER_ACCESS, OTHER_SECRET)
    assert main(["rotate", "--secrets-from", "environment"]) == 0
    assert set(scoped.scopes["pinterest"].values()) == {OTHER_ACCESS, OTHER_SECRET}
    assert "restart streams, then deactivate the old key in AWS" in printed.read().err


def test_a_missing_scope_is_named(fake: Fake, printed: Shown) -> None:
    assert main(FROM_ENVIRONMENT) == 1
    assert printed.read().err.splitlines()[-1] == (
        "error: secret scope must exist, the bundle creates it (databricks bundle deploy), got none named 'pinterest'"
    )
    assert fake.writes == []


@pytest.mark.parametrize("status", [400, 403, 500])
def test_a_secret_in_an_error_is_redacted(
    scoped: Fake, status: int, monkeypatch: pytest.MonkeyPatch, printed: Shown
) -> None:
    in_environment(monkeypatch)
    scoped.fail("POST", "secrets/put", status, error("ANY", f"cannot put {SECRET} of {ACCESS}, said {TOKEN}"))
    assert main(FROM_ENVIRONMENT) == 1
    assert "cannot put [REDACTED] of [REDACTED], said [REDACTED]" in printed.read().err


@pytest.mark.parametrize(
    ("access", "secret", "said"),
    [
        ("ASIACANARYCANARY0001", SECRET, "access key must be a long-term one (AKIA…), got a temporary one"),
        (SECRET, ACCESS, "access key must be 16 to 128 of A-Z and 0-9, got 40 characters that are not"),
        (ACCESS, "canary secret", "secret key must be 16 to 128 characters without spaces, got 13"),
        (ACCESS, "", "PINTEREST_SECRET_PINTEREST_SECRET_KEY must be set in the environment, got nothing"),
    ],
    ids=["temporary", "swapped", "spaces", "empty"],
)
def test_an_invalid_key_is_refused_and_not_printed(
    scoped: Fake,
    access: str,
    secret: str,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    printed: Shown,
) -> None:
    in_environment(monkeypatch, access, secret)
    assert main(FROM_ENVIRONMENT) == 2
    err = printed.read().err
    assert said in err
    assert "canary secret" not in err
    assert scoped.writes == []


def test_a_prompt_without_a_terminal_is_refused(scoped: Fake, monkeypatch: pytest.MonkeyPatch, printed: Shown) -> None:
    monkeypatch.setattr(sys, "stdin", open(os.devnull, encoding="utf-8"))  # noqa: PTH123, SIM115 - closed by the process
    assert main(["set-up", "--secrets-from", "prompt"]) == 2
    assert "a prompt needs a terminal, got none" in printed.read().err
    assert scoped.writes == []


def test_a_terminal_with_echo_is_refused(scoped: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = pty.openpty()
    with open(theirs, encoding="utf-8") as terminal:  # noqa: PTH123 - a number, not a path
        monkeypatch.setattr(sys, "stdin", terminal)
        monkeypatch.setattr(getpass, "getpass", getpass.fallback_getpass)
        assert main(["set-up", "--secrets-from", "prompt"]) == 2
    os.close(ours)
    assert scoped.writes == []


def test_prompted_keys_are_stored_and_not_echoed(scoped: Fake) -> None:
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "workspace", "set-up", "--secrets-from", "prompt"]
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'src'}"}
    # A session of its own: the terminal is then its controlling one, where getpass asks.
    script = "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execv(sys.argv[1], sys.argv[1:])"
    with subprocess.Popen(
        [sys.executable, "-c", script, *command],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=environment,
        cwd=ROOT,
        start_new_session=True,
    ) as process:
        os.close(theirs)
        shown = _answer(ours, {b"Access key ID: ": ACCESS, b"Secret access key: ": SECRET})
        assert process.wait(30) == 0
    os.close(ours)
    assert scoped.scopes["pinterest"] == STORED
    assert ACCESS.encode() not in shown
    assert SECRET.encode() not in shown
    assert b"secrets of scope pinterest" in shown


def _answer(terminal: int, answers: dict[bytes, str]) -> bytes:
    """Types an answer to each question; everything the terminal showed."""
    shown, left = b"", dict(answers)
    while True:
        try:
            got = os.read(terminal, 4096)
        except OSError:  # the other side has gone
            return shown
        if not got:
            return shown
        shown += got
        for question in [question for question in left if question in shown]:
            os.write(terminal, f"{left.pop(question)}\n".encode())
