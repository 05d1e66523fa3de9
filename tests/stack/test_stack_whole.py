"""The whole system: 11,000 posts from MariaDB through the API to the tables, by both legs."""

import json
import stat
from collections import Counter
from pathlib import Path

import sqlalchemy as sa

from emulation.source.database import connect
from local.stack import Stack
from local.stack_command import fill
from pinterest_transforms.analysis import ANSWERS
from pinterest_transforms.entities import ENTITIES
from pinterest_transforms.settings import Settings
from tests.stack.conftest import asked, done
from tests.stack.stack_tables import clean, landed, quarantined, source_keys

POSTS, USER_ID = 11_000, "abc123"


# A record of another kind, which no table may take; it stands in quarantine alone.
MISPLACED = {"ind": 99_999_999, "title": "a pin among users"}


def make_dirtier(stack: Stack) -> None:
    """Puts values into the source that nobody can use: each must be noted, and its record be kept."""
    engine = connect(stack.environment["PINTEREST_DATABASE"])
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE pinterest_data SET follower_count = 'lots' WHERE `index` % 1000 = 7"))
        connection.execute(sa.text("UPDATE geolocation_data SET latitude = 400 WHERE ind % 1000 = 7"))
    engine.dispose()


def misplace(stack: Stack) -> None:
    """Sends a pin to the users, to both legs."""
    url, key = stack.environment["PINTEREST_API_URL"], stack.environment["PINTEREST_API_KEY"]
    record = {"records": [{"key": MISPLACED["ind"], "value": MISPLACED}]}
    assert asked(f"{url}/topics/{USER_ID}.user", record, key=key)[0] == 200
    call = {"Data": MISPLACED, "PartitionKey": str(MISPLACED["ind"])}
    stream = f"{url}/streams/streaming-{USER_ID}-user/record"
    assert asked(stream, call, method="PUT", kind="application/json", key=key)[0] == 200


def test_all_posts_reach_the_tables_by_both_legs_and_the_legs_are_equal(new_stack, tmp_path: Path) -> None:
    with new_stack(USER_ID) as stack:
        fill(stack, POSTS, seed=1)
        make_dirtier(stack)
        keys = source_keys(stack)
        total = sum(map(len, keys.values()))

        said = done(stack, "emulation", "batches", "--all", folder=tmp_path)
        assert f"sent {total:,}, acknowledged {total:,}, retried 0, failed 0" in said
        assert "created" in done(stack, "emulation", "streaming", "--streams", "create", folder=tmp_path)
        misplace(stack)
        stack.wait_until_landed()
        assert landed(stack) == {(*place, at): 1 for place, end in stack.topics.ends().items() for at in range(end)}
        folder = ["--folder", str(tmp_path / "stack")]
        answers = done(stack, "local", "stack", "batch", *folder, "--warehouse", "batch", folder=tmp_path)

        said = done(stack, "emulation", "streaming", "--all", folder=tmp_path)
        assert f"sent {total:,}, acknowledged {total:,}" in said
        stream = ["stream", "--warehouse", "stream", "--endpoint", stack.aws.url, "--region", "us-east-1"]
        streamed = done(stack, "local", *stream, folder=tmp_path)

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
            repaired = sorted(quarantined(tmp_path / leg, settings, entity, "repaired"))
            assert repaired == sorted(key for key in rows if key % 1000 in unusable[entity.name])
            legs.append((rows, rejected, repaired))
        assert legs[0] == legs[1]


def _answers(printed: str) -> list[str]:
    """The lines from the first question on; every question is among them."""
    lines = printed.splitlines()
    questions = [answer.question for answer in ANSWERS]
    assert set(questions) <= set(lines)
    return lines[min(map(lines.index, questions)) :]


def test_partitions_keep_a_key_together_and_each_value_is_the_rows_own(new_stack, tmp_path: Path) -> None:
    with new_stack(USER_ID) as stack:
        fill(stack, 300, seed=2)
        done(stack, "emulation", "batches", "--all", folder=tmp_path)
        done(stack, "emulation", "batches", "--all", "--restart", folder=tmp_path)
        environment = tmp_path / "stack" / "environment"
        assert stat.S_IMODE(environment.stat().st_mode) == 0o600
        messages = stack.topics.messages()
        keys = source_keys(stack)

    where: dict[tuple[str, int], set[int]] = {}
    for topic, partition, value in messages:
        found = json.loads(value or b"")
        where.setdefault((topic, found.get("index", found.get("ind"))), set()).add(partition)
    assert {len(partitions) for partitions in where.values()} == {1}
    assert {partition for partitions in where.values() for partition in partitions} == {0, 1}
    assert len(messages) == 2 * sum(map(len, keys.values()))
    assert not environment.exists()
