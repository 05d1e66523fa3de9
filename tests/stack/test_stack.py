"""The whole system, started by its command: posts go from MariaDB to the tables by both legs while parts are killed.

The tests share one stack: each expects the records of those before it, and the last one ends the stack.
"""

import json
import signal
import stat
import sys
import time
from collections import Counter
from pathlib import Path

import psutil
import pytest
import sqlalchemy as sa

from emulation.source.database import connect
from local.stack.stack import Stack, read_environment
from local.stack.stack_part import StackError
from pinterest_transforms.analysis.answers import ANSWERS
from pinterest_transforms.entities import ENTITIES
from pinterest_transforms.settings import Settings
from tests.stack.conftest import command, done, send_request
from tests.stack.kafka_topics import Topics
from tests.stack.running_stack import BROKER, PROXY, SINK, USER_ID, RunningStack
from tests.stack.stack_tables import clean, count_offsets, quarantined, source_keys

RATE = 200
# A record of another kind, which no table may take; it stands in quarantine alone.
MISPLACED = {"ind": 99_999_999, "title": "a pin among users"}


def test_each_record_lands_once_and_all_of_a_key_in_one_partition(running: RunningStack, tmp_path: Path) -> None:
    environment, topics = running.environment, running.topics
    assert "retried 0, failed 0" in done(environment, "emulation", "batches", "--all", folder=tmp_path)
    keys = source_keys(environment)
    assert topics.count_records() == sum(map(len, keys.values()))

    where: dict[tuple[str, int], set[int]] = {}
    for topic, partition, value in topics.read_messages():
        found = json.loads(value or b"")
        where.setdefault((topic, found.get("index", found.get("ind"))), set()).add(partition)
    assert len(where) == sum(map(len, keys.values()))
    assert {len(partitions) for partitions in where.values()} == {1}
    assert {partition for partitions in where.values() for partition in partitions} == {0, 1}

    topics.wait_until_landed()
    assert count_offsets(environment) == {(*at, n): 1 for at, end in topics.end_offsets().items() for n in range(end)}


def test_everything_listens_on_loopback_and_only_its_owner_reads_the_environment(running: RunningStack) -> None:
    assert len(running.parts) == 7
    listening = [c for part in running.parts for c in part.net_connections("tcp") if c.status == psutil.CONN_LISTEN]
    assert {connection.laddr.ip.removeprefix("::ffff:") for connection in listening} == {"127.0.0.1"}
    assert stat.S_IMODE((running.folder / "environment").stat().st_mode) == 0o600
    assert "  .venv/bin/python -m emulation batches --all\n" in running.printed


def make_dirtier(environment: dict[str, str]) -> None:
    """Puts values into the source that nobody can use: each must be noted, and its record be kept."""
    engine = connect(environment["PINTEREST_DATABASE"])
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE pinterest_data SET follower_count = 'lots' WHERE `index` % 100 = 7"))
        connection.execute(sa.text("UPDATE geolocation_data SET latitude = 400 WHERE ind % 100 = 7"))
    engine.dispose()


def misplace(environment: dict[str, str]) -> None:
    """Sends a pin to the users, to both legs."""
    url, key = environment["PINTEREST_API_URL"], environment["PINTEREST_API_KEY"]
    record = {"records": [{"key": MISPLACED["ind"], "value": MISPLACED}]}
    assert send_request(f"{url}/topics/{USER_ID}.user", record, key=key)[0] == 200
    call = {"Data": MISPLACED, "PartitionKey": str(MISPLACED["ind"])}
    stream = f"{url}/streams/streaming-{USER_ID}-user/record"
    assert send_request(stream, call, method="PUT", kind="application/json", key=key)[0] == 200


def wait_for(topics: Topics, records: int, seconds: float = 120) -> None:
    """Waits until there are as many records in the topics."""
    until = time.monotonic() + seconds
    while topics.count_records() < records:
        assert time.monotonic() < until, f"{topics.count_records()} of {records} records"
        time.sleep(0.1)


def send_through_kills(running: RunningStack, total: int, folder: Path) -> None:
    """Sends all posts to Kafka; sink, proxy, broker, sink again and sender are killed (kill -9) meanwhile."""
    send, topics = ["emulation", "batches", "--all", "--rate", str(RATE)], running.topics
    before = topics.count_records()
    sender = command(running.environment, *send, folder=folder)
    try:
        for share, part in ((0.1, SINK), (0.25, PROXY), (0.4, BROKER), (0.55, SINK)):
            wait_for(topics, before + round(share * total))
            assert sender.poll() is None, sender.communicate()
            running.kill(part)
        wait_for(topics, before + round(0.6 * total))  # requests have 500 records: it has two left then
        assert sender.poll() is None, sender.communicate()
    finally:
        sender.kill()
        sender.communicate()
    assert "failed 0" in done(running.environment, *send[:-2], folder=folder)


def test_all_posts_reach_the_tables_by_both_legs_whatever_is_killed_and_the_legs_are_equal(
    running: RunningStack, tmp_path: Path
) -> None:
    environment = running.environment
    make_dirtier(environment)
    keys = source_keys(environment)
    total = sum(map(len, keys.values()))

    send_through_kills(running, total, tmp_path)
    assert "created" in done(environment, "emulation", "streaming", "--streams", "create", folder=tmp_path)
    misplace(environment)
    topics = running.topics
    topics.wait_until_landed()
    ends = topics.end_offsets()
    assert sum(ends.values()) > 2 * total
    assert count_offsets(environment).keys() == {(*place, at) for place, end in ends.items() for at in range(end)}
    said = done(environment, "emulation", "streaming", "--all", folder=tmp_path)
    assert f"sent {total:,}, acknowledged {total:,}" in said

    batch = ["stack", "batch", "--folder", str(running.folder), "--warehouse", "batch"]
    stream = ["stream", "--warehouse", "stream", "--endpoint", environment["AWS_ENDPOINT_URL_KINESIS"]]
    stream += ["--region", "us-east-1"]
    done(environment, "tests.stack.both_legs", *batch, "--", *stream, folder=tmp_path)
    assert _answers(tmp_path / "batch.out") == _answers(tmp_path / "stream.out")
    keys["user"].append(MISPLACED["ind"])
    unusable = {"pin": [7], "geo": [7], "user": []}
    for entity in ENTITIES:
        legs = []
        for leg in ("batch", "stream"):
            settings = Settings(user_id=USER_ID, leg=leg)
            rows = clean(tmp_path / leg, settings, entity)
            rejected = quarantined(tmp_path / leg, settings, entity, "rejected")
            assert Counter(keys[entity.name]) == Counter([*rows, *rejected])
            assert rejected == ([MISPLACED["ind"]] if entity.name == "user" else [])
            # A sender that is killed sends some records again, which have another place then.
            repaired = set(quarantined(tmp_path / leg, settings, entity, "repaired"))
            assert repaired == {key for key in rows if key % 100 in unusable[entity.name]}
            assert bool(repaired) == bool(unusable[entity.name])
            legs.append((rows, rejected, repaired))
        assert legs[0] == legs[1]


def _answers(printed: Path) -> list[str]:
    """The lines from the first question on; every question is among them."""
    lines = printed.read_text(encoding="utf-8").splitlines()
    questions = [answer.question for answer in ANSWERS]
    assert set(questions) <= set(lines)
    return lines[min(map(lines.index, questions)) :]


def test_the_proxy_writes_to_a_real_broker_and_says_where(running: RunningStack) -> None:
    proxy, environment = running.address("REST proxy"), running.environment
    pins = f"{proxy}/topics/{USER_ID}.pin"
    ends = running.topics.end_offsets()
    first = send_request(pins, {"records": [{"key": 1, "value": {"a": 1}}, {"key": 1, "value": {"b": "é\n"}}]})
    second = send_request(pins, {"records": [{"key": 1, "value": [1]}, {"key": 1, "value": "x" * 2_000_000}]})
    missing = send_request(f"{proxy}/topics/{USER_ID}.none", {"records": [{"key": 1, "value": 1}]})
    large = send_request(pins, {"records": [{"key": 1, "value": "x" * 2_000_000}]})
    api, key = environment["PINTEREST_API_URL"], environment["PINTEREST_API_KEY"]
    paths = ("topics", f"topics/{USER_ID}.pin", "streams")
    over_api = [send_request(f"{api}/{path}", kind="application/json", key=key)[0] for path in paths]
    sent, _ = send_request(f"{api}/topics/{USER_ID}.geo", {"records": [{"key": 1, "value": {}}]}, key=key)

    partition = first[1]["offsets"][0]["partition"]
    start = ends[f"{USER_ID}.pin", partition]
    messages = [m for m in running.topics.read_messages() if m[:2] == (f"{USER_ID}.pin", partition)][start:]
    ok = {"partition": partition, "error_code": None, "error": None}
    offsets = [{**ok, "offset": start}, {**ok, "offset": start + 1}]
    assert first == (200, {"offsets": offsets, "key_schema_id": None, "value_schema_id": None})
    assert [(one["offset"], one["error_code"] is None) for one in second[1]["offsets"]] == [
        (start + 2, True),
        (None, False),
    ]
    assert [(status, said["offsets"][0]["error_code"]) for status, said in (missing, large)] == [
        (200, 50003),
        (200, 50002),
    ]
    # The API's policy lets through what is sent, and the streams.
    assert (over_api, sent) == ([403, 403, 200], 200)
    assert [value for *_, value in messages] == [b'{"a":1}', '{"b":"é\\n"}'.encode(), b"[1]"]


def test_a_second_stack_on_the_folder_is_refused(running: RunningStack) -> None:
    with pytest.raises(StackError) as told:
        Stack(running.folder, USER_ID).__enter__()
    assert str(told.value) == f"folder must be free, got {running.folder}, where a stack runs already"


# The last of those that use it.
def test_no_process_stays_when_the_stack_is_killed(running: RunningStack) -> None:
    # Only the kernel can see to it.
    assert sys.platform == "linux"
    parts = running.parts
    assert len(parts) == 7
    running.end()
    assert {process.returncode for process in (running.process, *running.starters[1:])} == {-signal.SIGKILL}
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
