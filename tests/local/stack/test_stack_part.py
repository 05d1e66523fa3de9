"""A part of the stack as a process, with small modules in place of the real parts."""

import socket
import sys
import textwrap
from pathlib import Path

import psutil
import pytest

from local.runtime import part_process
from local.runtime.java import Java
from local.runtime.part_process import HOST, build_part_parser, run_part
from local.stack import kafka_broker, mariadb, stack_part
from local.stack.stack import Stack, read_environment, write_environment
from local.stack.stack_part import Part, StackError, find_free_port

SERVES = """\
import socket, sys, time
print("log line", flush=True)
server = socket.create_server(("127.0.0.1", int(sys.argv[sys.argv.index("--port") + 1])))
time.sleep(60)
"""


@pytest.fixture
def part(tmp_path: Path):
    """Makes a part of a module's source."""
    made: list[Part] = []

    def make(source: str, name: str = "thing") -> Part:
        (tmp_path / f"{name}.py").write_text(textwrap.dedent(source), encoding="utf-8")
        made.append(Part(name, name, [], tmp_path / "logs", environment={"PYTHONPATH": str(tmp_path)}))
        return made[-1]

    yield make
    for one in made:
        one.stop()


def kill(part: Part) -> None:
    """Ends it as a power cut does (kill -9)."""
    part.process.kill()
    part.process.wait()


def test_a_part_is_ready_once_it_listens_and_comes_back_on_its_port(part) -> None:
    thing = part(SERVES)
    thing.start()
    thing.wait()
    first = thing.process.pid

    kill(thing)
    assert not thing.is_running()
    thing.start()
    thing.wait()

    assert thing.process.pid != first
    with socket.create_connection((HOST, thing.port), timeout=5):
        pass
    assert thing.log.read_text().count("log line") == 2


def test_a_part_that_ends_at_once_is_told_with_its_last_line(part) -> None:
    thing = part("print('one'); print('error: port must be free, got 7'); raise SystemExit(1)")
    thing.start()

    with pytest.raises(StackError) as told:
        thing.wait()

    assert str(told.value) == "thing must start, got: port must be free, got 7"


def test_a_part_that_is_never_ready_is_told(part) -> None:
    thing = part("import time; print('thinks', flush=True); time.sleep(60)")
    thing.start()

    with pytest.raises(StackError, match=r"^thing must be ready within 0\.1 s, got: (thinks|nothing)$"):
        thing.wait(0.1)


def test_a_part_that_does_not_end_when_asked_is_killed(part, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stack_part, "_STOP_SECONDS", 0.2)
    thing = part("import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + SERVES)
    thing.start()
    thing.wait()

    thing.stop()

    assert not thing.is_running()


def test_a_stack_tells_which_part_has_ended_and_stops_the_others(part, tmp_path: Path) -> None:
    stack = Stack(tmp_path / "stack", "abc123")
    stack.parts = (part(SERVES, "one"), part(SERVES, "other"))
    for each in stack.parts:
        each.start()
    for each in stack.parts:
        each.wait()
    pids = [each.process.pid for each in stack.parts]
    stack.check()

    kill(stack.parts[1])
    with pytest.raises(StackError) as told:
        stack.check()
    stack.stop()

    assert str(told.value) == "other must run, and it has ended: log line"
    assert [pid for pid in pids if psutil.pid_exists(pid)] == []


def test_a_port_that_somebody_has_is_not_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind((HOST, find_free_port()))
        port = taken.getsockname()[1]
        monkeypatch.setattr(stack_part, "_PORTS", range(port, port + 1))
        monkeypatch.setattr(stack_part, "_TRIES", 1)

        with pytest.raises(StackError) as told:
            find_free_port()

    assert str(told.value) == f"one of 1 ports from {port} to {port} must be free, got none"


def test_an_environment_is_read_as_it_was_written(tmp_path: Path) -> None:
    names = {"A": 'it\'s "quoted" $HOME `x`', "B": "a=b", "C": ""}

    write_environment(tmp_path / "environment", names)

    assert read_environment(tmp_path) == names
    assert (tmp_path / "environment").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(("module", "tool"), [(mariadb, "mariadb-install-db"), (kafka_broker, "java")])
def test_a_tool_that_does_not_end_is_one_line(module, tool: str, tmp_path: Path, monkeypatch) -> None:
    for name in ("mariadbd", "mariadb-install-db", "java"):
        (tmp_path / name).write_text("#!/bin/sh\nexec sleep 60\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setattr(mariadb, "_PATH", str(tmp_path))
    monkeypatch.setattr(mariadb, "_INSTALL_SECONDS", 0.2)
    monkeypatch.setenv(mariadb.PASSWORD_VARIABLE, "x")
    monkeypatch.setattr(kafka_broker, "check_java", lambda: Java(str(tmp_path / "java"), ""))
    monkeypatch.setattr(kafka_broker, "fetch_kafka_jars", list)
    monkeypatch.setattr(kafka_broker, "_FORMAT_SECONDS", 0.2)
    monkeypatch.setattr(part_process, "end_with_parent", lambda: None)
    monkeypatch.setattr(sys, "argv", ["part", "--port", "1"])
    parser = build_part_parser("part", "A part.")
    parser.set_defaults(folder=tmp_path / "folder", controller_port=2)

    with pytest.raises(SystemExit) as told:
        run_part(parser, module.run)

    assert told.value.code == f"error: {tool} must end within 0.2 s"
