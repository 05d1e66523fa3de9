"""``python -m local classes``, without a Java: it never fails, and is ended at once."""

import os
import signal
import subprocess
import sys
from argparse import Namespace
from pathlib import Path
from unittest.mock import MagicMock

import pytest

from local.cli import class_archive
from tests.local.cli.local_commands import PROJECT, wait_for_file


@pytest.fixture
def archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("run_emulation", "start_local_session", "run_batch", "check_batch", "Runner", "SparkContext"):
        monkeypatch.setattr(class_archive, name, MagicMock())
    monkeypatch.setattr(class_archive, "CLASS_ARCHIVE", tmp_path / "classes.jsa")
    return tmp_path / "classes.jsa"


def test_a_java_that_writes_no_archive_is_one_line_and_no_error(
    archive: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    class_archive.run(Namespace())

    _, line = capsys.readouterr().err.splitlines()
    assert line == (
        "no archive, each start takes some seconds longer: Java wrote none; "
        "one without lib/server/classes.jsa cannot (java -Xshare:dump makes that)"
    )
    assert not archive.exists()


def test_what_an_interrupted_command_has_left_is_removed(archive: Path) -> None:
    archive.with_name(".classes-abc").mkdir()
    archive.with_name(".classes-abc").joinpath("classes.jsa").touch()

    class_archive.run(Namespace())

    assert list(archive.parent.iterdir()) == []


def write_java(folder: Path, script: str) -> None:
    java = folder / "bin" / "java"
    java.parent.mkdir()
    java.write_text(f"#!/bin/sh\n{script}\n", encoding="ascii")
    java.chmod(0o700)


def test_a_command_names_the_archive_of_another_java_and_what_writes_it_again(tmp_path: Path) -> None:
    version = 'echo \'openjdk version "17.0.1"\'; echo "OpenJDK 64-Bit Server VM (build 17.0.1+2, mixed mode)"'
    write_java(tmp_path, f"{version}; exit 1")
    (tmp_path / "classes.jsa").write_bytes(b"OpenJDK 64-Bit Server VM (17.0.0+1)")
    (tmp_path / "pinterest" / "pins" / "_delta_log").mkdir(parents=True)
    code = (
        "import sys; from pathlib import Path; "
        "from local.cli import local_cli; from local.runtime import spark_session; "
        "spark_session.CLASS_ARCHIVE = Path(sys.argv[1], 'classes.jsa'); "
        "sys.exit(local_cli.main(['sql', 'SELECT 1', '--warehouse', sys.argv[1]]))"
    )
    command, environment = [sys.executable, "-c", code, str(tmp_path)], {**os.environ, "JAVA_HOME": str(tmp_path)}

    got = subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True, text=True, check=False)

    line, error = got.stderr.splitlines()
    assert line == (
        "classes.jsa is not of this Java (17.0.1+2), so it starts slower; python -m local classes writes it again"
    )
    assert error.startswith("error: Spark's Java must start, and ended with 1: ")
    assert (got.returncode, got.stdout) == (1, "")


def test_ctrl_c_ends_it_without_a_traceback(tmp_path: Path) -> None:
    write_java(tmp_path, f"touch {tmp_path}/started\nexec sleep 60")
    code = (
        "import sys; from pathlib import Path; from unittest import mock; "
        "from local.cli import class_archive, local_cli; "
        "class_archive.CLASS_ARCHIVE = Path(sys.argv[1], 'classes.jsa'); class_archive.run_emulation = mock.Mock(); "
        "sys.exit(local_cli.main(['classes']))"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)],
        cwd=PROJECT,
        env={**os.environ, "JAVA_HOME": str(tmp_path)},
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_for_file(process, tmp_path / "started")
    process.send_signal(signal.SIGINT)

    _, printed = process.communicate(timeout=60)
    assert (process.returncode, printed.splitlines()[1:]) == (130, [])
