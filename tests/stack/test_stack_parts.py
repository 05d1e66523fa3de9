"""The stack as its command starts it: its parts before a real broker, and that none of them stays behind."""

import json
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from local.stack.stack import Stack, read_environment
from local.stack.stack_part import StackError
from pinterest_transforms.settings import Settings
from tests.stack.conftest import PROJECT, asked, done
from tests.stack.kafka_topics import Topics
from tests.stack.stack_tables import landed, source_keys

USER_ID, POSTS = "abc123", 300


@dataclass
class Running:
    """A stack that a command has started.

    Attributes:
        process: of the command.
        folder: of the stack.
        said: what it has printed.
    """

    process: "subprocess.Popen[str]"
    folder: Path
    said: list[str]

    def address(self, part: str) -> str:
        """What it told of a part."""
        return next(line for line in self.said if line.startswith(f"  {part} ")).removeprefix(f"  {part} ").strip()

    @property
    def topics(self) -> Topics:
        """Its topics."""
        return Topics(self.address("Kafka"), Settings(user_id=USER_ID))

    @property
    def parts(self) -> list[psutil.Process]:
        """The processes of its parts."""
        return psutil.Process(self.process.pid).children(recursive=True)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("command") / "stack"
    given = ["stack", "--folder", str(folder), "--posts", str(POSTS), "--user-id", USER_ID]
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
        yield Running(stack, folder, said)
    finally:
        stack.kill()
        stack.communicate()


def test_the_proxy_writes_to_a_real_broker_and_says_where(running: Running) -> None:
    proxy, environment = running.address("REST proxy"), read_environment(running.folder)
    pins = f"{proxy}/topics/{USER_ID}.pin"
    first = asked(pins, {"records": [{"key": 1, "value": {"a": 1}}, {"key": 1, "value": {"b": "é\n"}}]})
    second = asked(pins, {"records": [{"key": 1, "value": [1]}, {"key": 1, "value": 2, "partition": 7}]})
    missing = asked(f"{proxy}/topics/{USER_ID}.none", {"records": [{"key": 1, "value": 1}]})
    large = asked(pins, {"records": [{"key": 1, "value": "x" * 2_000_000}]})
    topics, topic = asked(f"{proxy}/topics"), asked(pins)
    none = asked(f"{proxy}/topics/none")
    api, key = environment["PINTEREST_API_URL"], environment["PINTEREST_API_KEY"]
    paths = ("topics", f"topics/{USER_ID}.pin", "streams")
    over_api = [asked(f"{api}/{path}", kind="application/json", key=key)[0] for path in paths]
    sent, _ = asked(f"{api}/topics/{USER_ID}.geo", {"records": [{"key": 1, "value": {}}]}, key=key)
    messages = [message for message in running.topics.read_messages() if message[0] == f"{USER_ID}.pin"]

    partition = first[1]["offsets"][0]["partition"]
    ok = {"partition": partition, "error_code": None, "error": None}
    assert first == (
        200,
        {"offsets": [{**ok, "offset": 0}, {**ok, "offset": 1}], "key_schema_id": None, "value_schema_id": None},
    )
    assert [(one["offset"], one["error_code"] is None) for one in second[1]["offsets"]] == [(2, True), (None, False)]
    assert [(status, said["offsets"][0]["error_code"]) for status, said in (missing, large)] == [
        (200, 50003),
        (200, 50002),
    ]
    assert topics == (200, [f"{USER_ID}.geo", f"{USER_ID}.pin", f"{USER_ID}.user"])
    assert (topic[1]["name"], len(topic[1]["partitions"])) == (f"{USER_ID}.pin", 2)
    # The proxy tells whoever reaches it; the API's policy lets through what is sent, and the streams.
    assert (over_api, sent) == ([403, 403, 200], 200)
    assert none == (404, {"error_code": 40401, "message": "Topic not found."})
    assert [(at, value) for _, at, value in messages] == [
        (partition, value) for value in (b'{"a":1}', '{"b":"é\\n"}'.encode(), b"[1]")
    ]


def test_each_record_lands_once_and_all_of_a_key_in_one_partition(running: Running, tmp_path: Path) -> None:
    environment, topics = read_environment(running.folder), running.topics
    before = topics.count_records()
    for more in ([], ["--restart"]):
        assert "retried 0, failed 0" in done(environment, "emulation", "batches", "--all", *more, folder=tmp_path)
    keys = source_keys(environment)
    assert topics.count_records() - before == 2 * sum(map(len, keys.values()))

    where: dict[tuple[str, int], set[int]] = {}
    for topic, partition, value in topics.read_messages():
        found = json.loads(value or b"")
        if isinstance(found, dict) and found.keys() & {"index", "ind"}:
            where.setdefault((topic, found.get("index", found.get("ind"))), set()).add(partition)
    assert len(where) == sum(map(len, keys.values()))
    assert {len(partitions) for partitions in where.values()} == {1}
    assert {partition for partitions in where.values() for partition in partitions} == {0, 1}

    topics.wait_until_landed()
    assert landed(environment) == {(*place, at): 1 for place, end in topics.end_offsets().items() for at in range(end)}


def test_a_second_stack_on_the_folder_is_refused(running: Running) -> None:
    with pytest.raises(StackError) as told:
        Stack(running.folder, USER_ID).__enter__()
    assert str(told.value) == f"folder must be free, got {running.folder}, where a stack runs already"


def test_everything_listens_on_loopback_and_only_its_owner_reads_the_environment(running: Running) -> None:
    assert len(running.parts) == 7
    listening = [c for part in running.parts for c in part.net_connections("tcp") if c.status == psutil.CONN_LISTEN]
    assert {connection.laddr.ip.removeprefix("::ffff:") for connection in listening} == {"127.0.0.1"}
    assert stat.S_IMODE((running.folder / "environment").stat().st_mode) == 0o600
    assert "  .venv/bin/python -m emulation batches --all\n" in running.said


# The last of those that use it.
def test_no_process_stays_when_the_stack_is_killed(running: Running) -> None:
    # Only the kernel can see to it.
    assert sys.platform == "linux"
    parts = running.parts
    running.process.kill()
    assert running.process.wait(60) == -signal.SIGKILL
    psutil.wait_procs(parts, timeout=20)
    assert [part for part in parts if part.is_running() and part.status() != psutil.STATUS_ZOMBIE] == []


def test_a_folder_with_something_else_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").touch()

    with pytest.raises(StackError) as told:
        Stack(tmp_path, "abc123").__enter__()

    assert str(told.value) == f"folder must be new, empty or an earlier stack's, got {tmp_path}"
    assert [file.name for file in tmp_path.iterdir()] == ["mine"]


def test_without_a_stack_there_is_nothing_to_clean(tmp_path: Path) -> None:
    with pytest.raises(StackError) as told:
        read_environment(tmp_path)

    assert str(told.value) == f"a stack must run on {tmp_path}, and none does: make stack starts one"
