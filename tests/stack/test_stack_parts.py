"""The parts of the stack before a real broker, and that none of them stays behind."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from local.stack import Plan, Stack, read_environment
from local.stack_process import StackError
from tests.stack.conftest import PROJECT, asked


def test_the_proxy_writes_to_a_real_broker_and_says_where(new_stack: Callable) -> None:
    with new_stack("abc123", partitions=1) as stack:
        pins = f"{stack.proxy.url}/topics/abc123.pin"
        first = asked(pins, {"records": [{"key": 1, "value": {"a": 1}}, {"key": 2, "value": {"b": "é\n"}}]})
        second = asked(pins, {"records": [{"value": [1]}, {"key": 1, "value": 2, "partition": 7}]})
        missing = asked(f"{stack.proxy.url}/topics/abc123.none", {"records": [{"key": 1, "value": 1}]})
        large = asked(pins, {"records": [{"key": 1, "value": "x" * 2_000_000}]})
        topics, topic = asked(f"{stack.proxy.url}/topics"), asked(pins)
        none = asked(f"{stack.proxy.url}/topics/none")
        api, key = stack.environment["PINTEREST_API_URL"], stack.environment["PINTEREST_API_KEY"]
        paths = ("topics", "topics/abc123.pin", "streams")
        over_api = [asked(f"{api}/{path}", kind="application/json", key=key)[0] for path in paths]
        sent, _ = asked(f"{api}/topics/abc123.geo", {"records": [{"key": 1, "value": {}}]}, key=key)
        messages = [message for message in stack.topics.messages() if message[0] == "abc123.pin"]

    ok = {"partition": 0, "error_code": None, "error": None}
    assert first == (
        200,
        {"offsets": [{**ok, "offset": 0}, {**ok, "offset": 1}], "key_schema_id": None, "value_schema_id": None},
    )
    assert [(one["offset"], one["error_code"] is None) for one in second[1]["offsets"]] == [(2, True), (None, False)]
    assert [(status, said["offsets"][0]["error_code"]) for status, said in (missing, large)] == [
        (200, 50003),
        (200, 50002),
    ]
    assert topics == (200, ["abc123.geo", "abc123.pin", "abc123.user"])
    assert (topic[1]["name"], len(topic[1]["partitions"])) == ("abc123.pin", 1)
    # The proxy tells whoever reaches it; the API's policy lets through what is sent, and the streams.
    assert (over_api, sent) == ([403, 403, 200], 200)
    assert none == (404, {"error_code": 40401, "message": "Topic not found."})
    assert [value for _, _, value in messages] == [b'{"a":1}', '{"b":"é\\n"}'.encode(), b"[1]"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_no_process_stays_however_the_stack_is_ended(number: int, tmp_path: Path) -> None:
    if number == signal.SIGKILL:
        # Then only the kernel can see to it.
        assert sys.platform == "linux"
    folder = tmp_path / "stack"
    given = ["stack", "--folder", str(folder), "--posts", "10"]
    stack = subprocess.Popen(
        [sys.executable, "-m", "local", *given],
        cwd=PROJECT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(PROJECT / "src"), str(PROJECT)])},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert stack.stdout is not None
        said = list(iter(stack.stdout.readline, "\n"))
        assert said[0].startswith("started in "), stack.stderr.read()
        said += list(iter(stack.stdout.readline, "\n"))
        parts = psutil.Process(stack.pid).children(recursive=True)
        assert len(parts) == 6
        listening = [c for part in parts for c in part.net_connections("tcp") if c.status == psutil.CONN_LISTEN]
        assert {connection.laddr.ip.removeprefix("::ffff:") for connection in listening} == {"127.0.0.1"}
        assert read_environment(folder)["PINTEREST_API_URL"].startswith("http://127.0.0.1:")
        stack.send_signal(number)
        _, err = stack.communicate(timeout=60)
    finally:
        stack.kill()
        stack.wait()
    assert stack.returncode == (-number if number == signal.SIGKILL else 0)
    assert (number == signal.SIGKILL) or err.endswith("stopped: nothing of it runs any more\n")
    assert "  .venv/bin/python -m emulation batches --all\n" in said
    psutil.wait_procs(parts, timeout=20)
    assert [part for part in parts if part.is_running() and part.status() != psutil.STATUS_ZOMBIE] == []


def test_a_part_that_ends_is_told_and_a_second_stack_on_the_folder_refused(tmp_path: Path) -> None:
    plan = Plan(tmp_path / "stack", "abc123")
    with Stack(plan) as stack:
        with pytest.raises(StackError) as told:
            Stack(plan).__enter__()
        assert str(told.value) == f"folder must be free, got {plan.folder}, where a stack runs already"
        stack.check()
        stack.sink.kill()
        with pytest.raises(StackError, match=r"^sink must run, and it has ended: "):
            stack.check()
        pids = [part.pid for part in stack.parts if part.pid]
    time.sleep(0.1)
    assert [pid for pid in pids if psutil.pid_exists(pid)] == []


def test_a_folder_with_something_else_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").touch()

    with pytest.raises(StackError) as told:
        Stack(Plan(tmp_path, "abc123")).__enter__()

    assert str(told.value) == f"folder must be new, empty or an earlier stack's, got {tmp_path}"
    assert [file.name for file in tmp_path.iterdir()] == ["mine"]


def test_without_a_stack_there_is_nothing_to_clean(tmp_path: Path) -> None:
    with pytest.raises(StackError) as told:
        read_environment(tmp_path)

    assert str(told.value) == f"a stack must run on {tmp_path}, and none does: make stack starts one"
