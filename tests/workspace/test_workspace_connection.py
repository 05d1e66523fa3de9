"""Who the command is and which workspace it talks to: one line each for what can be wrong with that."""

import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from fake_workspace import TOKEN, Fake, error

from workspace.workspace_cli import main

ROOT = Path(__file__).parents[2]
ASK = ["set-up", "--analysts", "analysts"]
THROTTLED = error("REQUEST_LIMIT_EXCEEDED", "slow down")


@pytest.fixture(autouse=True)
def waited(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds that the SDK would have waited between its tries; they pass at once."""
    seconds: list[float] = []
    clock = SimpleNamespace(time=lambda: time.time() + sum(seconds), sleep=seconds.append)
    monkeypatch.setattr("databricks.sdk.clock.time", clock)
    return seconds


def last(capsys: pytest.CaptureFixture[str]) -> str:
    return capsys.readouterr().err.splitlines()[-1]


def test_missing_authentication_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(ASK) == 1
    err = capsys.readouterr().err
    assert err.startswith("error: authentication must be configured, got ")
    assert ": run `databricks auth login`, name a profile of ~/.databrickscfg with --profile, or set " in err
    assert err.count("\n") == 1


def test_a_profile_selects_the_workspace(
    fake: Fake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / ".databrickscfg").write_text(f"[mine]\nhost = {fake.host}\ntoken = dapi-of-the-profile\n")
    monkeypatch.delenv("DATABRICKS_HOST")
    monkeypatch.delenv("DATABRICKS_TOKEN")
    main([*ASK, "--profile", "mine"])
    assert fake.tokens == {"Bearer dapi-of-the-profile"}
    assert capsys.readouterr().err.splitlines()[0] == f"workspace {fake.host}, as ann@example.org"


def test_an_unknown_profile_is_named(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / ".databrickscfg").write_text("[mine]\nhost = http://127.0.0.1:1\n")
    assert main([*ASK, "--profile", "yours"]) == 1
    said = last(capsys)
    assert said.startswith("error: authentication must be configured, got ")
    assert ".databrickscfg has no yours profile configured: run" in said


def test_an_unreachable_host_is_reported_within_seconds(
    monkeypatch: pytest.MonkeyPatch, waited: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # a port where nobody listens
        host = f"http://127.0.0.1:{taken.getsockname()[1]}"
        monkeypatch.setenv("DATABRICKS_HOST", host)
        monkeypatch.setenv("DATABRICKS_TOKEN", TOKEN)
        began = time.monotonic()
        assert main(ASK) == 1
    assert time.monotonic() - began + sum(waited) < 30
    assert waited
    said = last(capsys)
    assert said.startswith(f"error: host {host}: the workspace did not answer in time: ")
    assert TOKEN not in said


def test_an_invalid_token_is_one_line(fake: Fake, capsys: pytest.CaptureFixture[str]) -> None:
    fake.fail("GET", "scim", 401, error("UNAUTHENTICATED", f"Invalid access token {TOKEN}"))
    assert main(ASK) == 1
    assert last(capsys) == (
        f"error: host {fake.host}: not authenticated: Invalid access token [REDACTED] "
        "(databricks auth login, or another --profile)"
    )


def test_a_missing_permission_names_the_step(fake: Fake, capsys: pytest.CaptureFixture[str]) -> None:
    fake.grants["main"] = {}
    fake.fail("PATCH", "permissions", 403, error("PERMISSION_DENIED", "User is not an owner of Catalog 'main'."))
    assert main(ASK) == 1
    assert last(capsys) == (
        "error: grant USE CATALOG on catalog main to analysts: "
        "permission denied: User is not an owner of Catalog 'main'"
    )


def test_a_throttled_workspace_is_retried_after_retry_after(fake: Fake, waited: list[float]) -> None:
    fake.scopes["pinterest"] = dict.fromkeys(["access_key", "secret_key"], "there")
    # Longer than the first call is retried.
    fake.fail("GET", "secrets/list", 429, THROTTLED, {"Retry-After": "60"}, times=1)
    assert main(["set-up", "--secrets-from", "environment"]) == 0
    assert [seconds // 60 for seconds in waited] == [1]


def test_a_throttled_first_call_leaves_the_user_unknown(
    fake: Fake, waited: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    fake.scopes["pinterest"] = dict.fromkeys(["access_key", "secret_key"], "there")
    fake.fail("GET", "scim/v2/Me", 429, THROTTLED, {"Retry-After": "2"})
    assert main(["set-up", "--secrets-from", "environment"]) == 0
    assert capsys.readouterr().err == f"workspace {fake.host}, as an unknown user\n"
    assert sum(waited) < 10, "a person waits for it"


def test_a_response_of_a_proxy_is_one_line(fake: Fake, capsys: pytest.CaptureFixture[str]) -> None:
    fake.fail("GET", "permissions", 502, {"html": "<h1>Bad gateway</h1>\n" * 50})
    assert main(ASK) == 1
    err = capsys.readouterr().err
    assert "error: grant USE CATALOG on catalog main to analysts: the workspace reports an error: " in err
    assert TOKEN not in err
    assert err.count("\n") == 2


def test_a_token_as_an_argument_is_refused_and_not_printed(fake: Fake, capsys: pytest.CaptureFixture[str]) -> None:
    for given in (["--token", TOKEN], [f"--token={TOKEN}"], [TOKEN]):
        assert main([*ASK, *given]) == 2
        err = capsys.readouterr().err
        assert err.startswith("error: arguments must be known ones, got ")
        assert TOKEN not in err
    assert fake.calls == []


def run_with(folder: Path, package: str, source: str, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    """Runs the command line where a package is another one."""
    (folder / package).mkdir()
    (folder / package / "__init__.py").write_text(source)
    environment = {"PYTHONPATH": f"{folder}:{ROOT}:{ROOT / 'src'}", **more}
    command = [sys.executable, "-m", "workspace", *arguments]
    return subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False)


NO_SDK = "raise ModuleNotFoundError(name='databricks')\n"


def test_a_missing_sdk_is_named(tmp_path: Path) -> None:
    done = run_with(tmp_path, "databricks", NO_SDK, "smoke")
    assert done.returncode == 2
    assert done.stderr == (
        "error: databricks-sdk must be installed: pip install --require-hashes -r requirements/deploy.txt\n"
    )


def test_help_needs_neither_sdk_nor_unicode(tmp_path: Path) -> None:
    done = run_with(tmp_path, "databricks", NO_SDK, "--help", PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stderr) == (0, "")
    assert r"(DATABRICKS_\u2026)" in done.stdout


@pytest.mark.parametrize("package", ["databricks", "pinterest_transforms"])
def test_an_interruption_of_an_import_is_one_line(package: str, tmp_path: Path) -> None:
    done = run_with(tmp_path, package, "raise KeyboardInterrupt\n", "smoke")
    assert (done.returncode, done.stderr) == (130, "interrupted\n")


def test_a_reader_that_has_gone_ends_the_command(fake: Fake) -> None:
    fake.scopes["pinterest"] = dict.fromkeys(["access_key", "secret_key"], "there")
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as out:
        done = subprocess.run(
            [sys.executable, "-m", "workspace", "set-up", "--secrets-from", "environment"],
            env={**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'src'}"},
            cwd=ROOT,
            stdout=out,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert (done.returncode, done.stderr) == (1, f"workspace {fake.host}, as ann@example.org\n")
