"""What ends a command before Spark: errors of any kind, values that no option takes, a closed output."""

import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from local.cli import command_session
from pinterest_transforms.errors import PinterestError
from tests.local.cli.local_commands import PROJECT, wait_for_file
from tests.local.conftest import Call

UNEXPECTED = """
import sys
from unittest import mock
from local.cli.local_cli import main
from local.runtime.java import start_process

def crash(_):
    start_process(["sh", "-c", "kill -9 $$"], output=-3, stdin=-3, environment={}).wait()
    raise ConnectionRefusedError(111, "Connection refused")
def deeper(): return deeper()
def fail(kind): raise kind
errors = {
    "RuntimeError": lambda _: fail(RuntimeError("driver is gone\\nat once")),
    "OverflowError": lambda _: int(float("inf")),
    "UnicodeDecodeError": lambda _: b"caf\\xe9".decode(),
    "MemoryError": lambda _: fail(MemoryError()),
    "RecursionError": lambda _: deeper(),
    "ValueError": lambda _: int("a row's text"),
    "crash": crash,
}
for name, error in errors.items():
    with mock.patch("local.cli.query_command.check_query", error):
        print(name, main(["sql", "SELECT 1", "--warehouse", "."]))
"""


def test_an_error_of_any_kind_is_one_line() -> None:
    got = subprocess.run([sys.executable, "-c", UNEXPECTED], cwd=PROJECT, capture_output=True, text=True, check=False)

    where = " (--verbose shows where)"
    assert got.stderr.splitlines() == [
        f"error: RuntimeError: driver is gone{where}",
        f"error: OverflowError: cannot convert float infinity to integer{where}",
        f"error: UnicodeDecodeError: 'utf-8' codec can't decode byte 0xe9 in position 3: unexpected end of data{where}",
        "error: MemoryError",
        f"error: RecursionError: maximum recursion depth exceeded{where}",
        f"error: ValueError: invalid literal for int() with base 10: …{where}",
        "error: ConnectionRefusedError: [Errno 111] Connection refused; "
        "Spark's Java has ended with -9: was it killed, or is memory short?",
    ]
    # The last one, an error of the system, has ended the process.
    assert [line.split()[1] for line in got.stdout.splitlines()] == ["1"] * 6


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("stack --posts 99999999999999999999", "--posts: must be a whole number from 1 to 100,000,000"),
        ("stack --posts 0", "--posts: must be a whole number from 1 to 100,000,000"),
        ("stack --seed 1.5", "--seed: must be a whole number from 0 to 999,999,999"),
        ("stack --folder a\nb", "--folder: must be a path in UTF-8 without control characters"),
        ("batch --warehouse w --landing a\x7f", "--landing: must be a path in UTF-8 without control characters"),
        ("sql q --warehouse a\udce9", "--warehouse: must be a path in UTF-8 without control characters"),
    ],
)
def test_a_value_that_no_option_takes_is_one_line(arguments: str, said: str, call: Call) -> None:
    code, out, line = call(*arguments.split(" "))

    assert (code, out) == (2, "")
    assert line.startswith(f"error: argument {said}, got ")
    assert line.count("\n") == 1


def test_a_closed_output_is_one_line() -> None:
    query = 'exec "$0" -m local sql "SELECT 1" --warehouse . >&-'

    got = subprocess.run(["sh", "-c", query, sys.executable], cwd=PROJECT, capture_output=True, text=True, check=False)

    assert (got.returncode, got.stderr) == (2, "error: standard output must be open\n")


def test_an_error_of_the_sender_is_no_step_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sender, steps = tmp_path / "python", list[str]()
    sender.write_text("#!/bin/sh\necho sent 7\necho error: no more\nexit 2\n", encoding="ascii")
    sender.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(sender))

    with pytest.raises(PinterestError, match=r"\Aemulation streaming must succeed, got: no more\Z"):
        command_session.run_emulation("streaming", environment={}, progress=steps.append)

    assert steps == ["sent 7"]


def test_a_request_to_end_ends_the_sender_too(tmp_path: Path) -> None:
    sender, told = tmp_path / "python", tmp_path / "pid"
    sender.write_text(f"#!/bin/sh\necho $$ > {told}.part && mv {told}.part {told}\nexec sleep 60\n", encoding="ascii")
    sender.chmod(0o700)
    code = (
        "import signal, sys; from local.cli import command_session, local_cli; "
        "signal.signal(signal.SIGTERM, local_cli.stop_process); sys.executable = sys.argv[1]; "
        "command_session.run_emulation('streaming', environment={})"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(sender)], cwd=PROJECT)
    wait_for_file(process, told)
    process.terminate()
    assert process.wait(30) == 143
    assert not psutil.pid_exists(int(told.read_text(encoding="ascii")))
