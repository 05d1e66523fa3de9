"""The whole system: posts go from MariaDB through the API to the tables, by both legs, while its parts are killed."""

import time
from collections import Counter
from pathlib import Path

import psutil
import pytest
import sqlalchemy as sa

from emulation.source.database import connect
from local.cli.stack_command import create_source
from local.stack.stack import Stack
from local.stack.stack_part import Part, StackError
from pinterest_transforms.analysis.answers import ANSWERS
from pinterest_transforms.entities import ENTITIES
from pinterest_transforms.settings import Settings
from tests.stack.conftest import asked, command, done
from tests.stack.kafka_topics import Topics
from tests.stack.stack_tables import clean, landed, quarantined, source_keys

POSTS, USER_ID, RATE = 4_000, "abc123", 400


# A record of another kind, which no table may take; it stands in quarantine alone.
MISPLACED = {"ind": 99_999_999, "title": "a pin among users"}


def make_dirtier(stack: Stack) -> None:
    """Puts values into the source that nobody can use: each must be noted, and its record be kept."""
    engine = connect(stack.environment["PINTEREST_DATABASE"])
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE pinterest_data SET follower_count = 'lots' WHERE `index` % 500 = 7"))
        connection.execute(sa.text("UPDATE geolocation_data SET latitude = 400 WHERE ind % 500 = 7"))
    engine.dispose()


def misplace(stack: Stack) -> None:
    """Sends a pin to the users, to both legs."""
    url, key = stack.environment["PINTEREST_API_URL"], stack.environment["PINTEREST_API_KEY"]
    record = {"records": [{"key": MISPLACED["ind"], "value": MISPLACED}]}
    assert asked(f"{url}/topics/{USER_ID}.user", record, key=key)[0] == 200
    call = {"Data": MISPLACED, "PartitionKey": str(MISPLACED["ind"])}
    stream = f"{url}/streams/streaming-{USER_ID}-user/record"
    assert asked(stream, call, method="PUT", kind="application/json", key=key)[0] == 200


def wait_for(topics: Topics, records: int, seconds: float = 120) -> None:
    """Waits until there are as many records in the topics."""
    until = time.monotonic() + seconds
    while topics.count_records() < records:
        assert time.monotonic() < until, f"{topics.count_records()} of {records} records"
        time.sleep(0.1)


def kill(part: Part) -> None:
    """Kills a part, and starts it again as whatever looks after it would."""
    before = part.pid
    part.kill()
    part.start()
    part.wait()
    assert part.pid != before


def send_through_kills(stack: Stack, topics: Topics, total: int, folder: Path) -> None:
    """Sends all posts to Kafka; sink, proxy, broker, sink again and sender are killed (kill -9) meanwhile."""
    send = ["emulation", "batches", "--all", "--rate", str(RATE)]
    sender = command(stack.environment, *send, folder=folder)
    try:
        for share, part in ((0.1, stack.sink), (0.25, stack.proxy), (0.4, stack.kafka), (0.55, stack.sink)):
            wait_for(topics, round(share * total))
            assert sender.poll() is None, sender.communicate()
            kill(part)
        wait_for(topics, round(0.7 * total))
        assert sender.poll() is None, sender.communicate()
    finally:
        sender.kill()
        sender.communicate()
    assert "failed 0" in done(stack.environment, *send[:-2], folder=folder)


def test_all_posts_reach_the_tables_by_both_legs_whatever_is_killed_and_the_legs_are_equal(tmp_path: Path) -> None:
    folder = ["--folder", str(tmp_path / "stack")]
    with Stack(tmp_path / "stack", USER_ID, flush_size=250, rotate_ms=1_000) as stack:
        environment = stack.environment
        create_source(stack, POSTS, seed=1)
        make_dirtier(stack)
        keys = source_keys(environment)
        total = sum(map(len, keys.values()))

        topics = Topics(stack.bootstrap, stack.settings)
        send_through_kills(stack, topics, total, tmp_path)
        assert "created" in done(environment, "emulation", "streaming", "--streams", "create", folder=tmp_path)
        misplace(stack)
        topics.wait_until_landed()
        ends = topics.end_offsets()
        assert sum(ends.values()) > total
        assert landed(environment).keys() == {(*place, at) for place, end in ends.items() for at in range(end)}
        answers = done(environment, "local", "stack", "batch", *folder, "--warehouse", "batch", folder=tmp_path)

        said = done(environment, "emulation", "streaming", "--all", folder=tmp_path)
        assert f"sent {total:,}, acknowledged {total:,}" in said
        stream = ["stream", "--warehouse", "stream", "--endpoint", stack.kinesis.url, "--region", "us-east-1"]
        streamed = done(environment, "local", *stream, folder=tmp_path)

        stack.check()
        stack.sink.kill()
        with pytest.raises(StackError, match=r"^sink must run, and it has ended: "):
            stack.check()
        pids = [part.pid for part in stack.parts if part.pid]
    assert len(pids) == 6
    assert [pid for pid in pids if psutil.pid_exists(pid)] == []

    assert _answers(answers) == _answers(streamed)
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
            assert repaired == {key for key in rows if key % 500 in unusable[entity.name]}
            legs.append((rows, rejected, repaired))
        assert legs[0] == legs[1]


def _answers(printed: str) -> list[str]:
    """The lines from the first question on; every question is among them."""
    lines = printed.splitlines()
    questions = [answer.question for answer in ANSWERS]
    assert set(questions) <= set(lines)
    return lines[min(map(lines.index, questions)) :]
