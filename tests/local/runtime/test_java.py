from collections.abc import Callable
from pathlib import Path

import pytest

from local.runtime.java import JavaError, check_java

MakeJava = Callable[[str], Path]


@pytest.fixture
def java(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MakeJava:
    """Makes the only java on the path one that tells this version."""

    def make(told: str) -> Path:
        command = tmp_path / "java"
        command.write_text(f"#!/bin/sh\ncat >&2 <<'END'\n{told}\nEND\n", encoding="utf-8")
        command.chmod(0o755)
        return command

    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin")
    return make


@pytest.mark.parametrize(
    "told",
    [
        'openjdk version "17.0.15" 2025-04-15\nOpenJDK Runtime Environment',
        'openjdk version "21" 2023-09-19',
        'Picked up JAVA_TOOL_OPTIONS: -Dx="y"\nopenjdk version "21.0.4" 2024-07-16',
    ],
)
def test_java_17_and_21_will_do(java: MakeJava, told: str) -> None:
    command = java(told)

    assert check_java().command == str(command)


@pytest.mark.parametrize(
    ("told", "build"),
    [
        (
            "OpenJDK 64-Bit Server VM (build 17.0.15+6-Debian-1deb12u1, mixed mode, sharing)",
            "17.0.15+6-Debian-1deb12u1",
        ),
        ("OpenJDK 64-Bit Server VM Temurin-21.0.4+7 (build 21.0.4+7-LTS, mixed mode)", "21.0.4+7-LTS"),
        ("Java HotSpot(TM) 64-Bit Server VM (build 17.0.9+11-LTS-201)", "17.0.9+11-LTS-201"),
        ("OpenJDK Runtime Environment (build 17.0.15+6)", ""),
    ],
)
def test_the_exact_version_is_that_of_the_virtual_machine(java: MakeJava, told: str, build: str) -> None:
    java(f'openjdk version "17.0.15" 2025-04-15\n{told}')

    assert check_java().build == build


@pytest.mark.parametrize(
    ("told", "version"),
    [('openjdk version "25" 2025-09-16', "25"), ('java version "1.8.0_392"', "8"), ('openjdk version "11.0.2"', "11")],
)
def test_another_java_is_told_with_what_was_found(java: MakeJava, told: str, version: str) -> None:
    command = java(told)

    with pytest.raises(JavaError) as error:
        check_java()

    assert str(error.value) == (
        f"Java 17 or 21 is needed, and {command} is Java {version}: set JAVA_HOME to one of those"
    )


def test_no_java_is_told(java: MakeJava, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(JavaError) as error:
        check_java()

    assert str(error.value) == (
        "Java 17 or 21 is needed, and no java was found: install one, or set JAVA_HOME to where it is"
    )
    command = java("The operation couldn't be completed. Unable to locate a Java Runtime.")
    with pytest.raises(JavaError) as error:
        check_java()
    assert str(error.value) == f"Java 17 or 21 is needed, and no java was found: {command} prints no version"


def test_java_home_wins_and_is_not_passed_over(java: MakeJava, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    java('openjdk version "17.0.1"')
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "none"))

    with pytest.raises(JavaError) as error:
        check_java()

    assert str(error.value) == (
        f"Java 17 or 21 is needed, and no java was found: JAVA_HOME is {tmp_path / 'none'}, which has no bin/java"
    )
    (tmp_path / "home" / "bin").mkdir(parents=True)
    (tmp_path / "home" / "bin" / "java").symlink_to(tmp_path / "java")
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "home"))
    assert check_java().command == str(tmp_path / "home" / "bin" / "java")
