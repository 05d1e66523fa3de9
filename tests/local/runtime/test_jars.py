import hashlib
from pathlib import Path

import pytest

from local.runtime import jars
from local.runtime.jars import Jar, JarError, download_jars, fetch_delta_jars
from local.runtime.java import JavaError

CONTENT = b"a jar"
JAR = Jar("org.example", "thing", "1.0", hashlib.sha256(CONTENT).hexdigest())


@pytest.fixture
def ivy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A java on the path that, run as Ivy, does what the script says; `$got` is where files must be put."""
    command = tmp_path / "bin" / "java"
    command.parent.mkdir()
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", f"{command.parent}:/bin:/usr/bin")
    return command


def _script(command: Path, what: str) -> None:
    version = 'if [ "$1" = -version ]; then echo \'openjdk version "17"\' >&2; exit 0; fi'
    find = 'for last; do :; done; got="$(dirname "$last")"; mkdir -p "$got"'
    command.write_text(f"#!/bin/sh\n{version}\n{find}\n{what}\n", encoding="utf-8")
    command.chmod(0o755)


def test_deltas_jars_are_there_and_right() -> None:
    for file, jar in zip(fetch_delta_jars(), jars.DELTA, strict=True):
        assert hashlib.sha256(file.read_bytes()).hexdigest() == jar.sha256


def test_what_is_there_is_not_fetched_again(tmp_path: Path, ivy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _script(ivy, "exit 9")
    for jar in jars.DELTA:
        (tmp_path / jar.file_name).touch()

    assert [file.name for file in fetch_delta_jars(tmp_path)] == [jar.file_name for jar in jars.DELTA]
    assert capsys.readouterr() == ("", "")


def test_a_fetch_is_told_in_one_line_not_on_standard_output(
    tmp_path: Path, ivy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _script(ivy, "echo 'UNRESOLVED'; echo ':: unresolved dependency: io.delta#x'; exit 1")

    with pytest.raises(JarError, match=r"^the jars could not be fetched: :: unresolved dependency: io\.delta#x$"):
        fetch_delta_jars(tmp_path / "jars")

    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.splitlines() == [
        f"fetching delta-spark_4.1_2.13-4.4.0.jar, delta-storage-4.4.0.jar once into {tmp_path / 'jars'}"
    ]


def test_a_fetched_jar_appears_alone(tmp_path: Path, ivy: Path) -> None:
    _script(ivy, f'printf "{CONTENT.decode()}" > "$got/{JAR.file_name}"; echo junk > "$got/other.jar"')

    download_jars([JAR], tmp_path / "jars")

    assert [(file.name, file.read_bytes()) for file in (tmp_path / "jars").iterdir()] == [(JAR.file_name, CONTENT)]


@pytest.mark.parametrize(
    ("what", "message"),
    [
        (f'printf "a j" > "$got/{JAR.file_name}"', "thing-1.0.jar must have the SHA-256 "),
        ("true", "thing-1.0.jar was not fetched, and Ivy gave no reason"),
        (f'printf "a jar" > "$got/{JAR.file_name}"; exit 1', "the jars could not be fetched: Ivy printed nothing"),
    ],
)
def test_half_a_jar_is_never_left_behind(tmp_path: Path, ivy: Path, what: str, message: str) -> None:
    _script(ivy, what)

    with pytest.raises(JarError) as told:
        download_jars([JAR], tmp_path / "jars")

    assert str(told.value).startswith(message)
    assert list((tmp_path / "jars").iterdir()) == []


def test_without_java_nothing_is_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))

    with pytest.raises(JavaError):
        download_jars([JAR], tmp_path / "jars")

    assert list((tmp_path / "jars").iterdir()) == []
