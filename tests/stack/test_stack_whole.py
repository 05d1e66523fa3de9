"""The whole system: 11,000 posts from MariaDB through the API to the tables, by both legs."""

import json
import re
import stat
from collections import Counter
from pathlib import Path

from local.stack_command import fill
from pinterest_transforms.entities import ENTITIES
from pinterest_transforms.settings import Settings
from tests.stack.conftest import done
from tests.stack.stack_tables import clean, landed, quarantined, source_keys

POSTS, USER_ID = 11_000, "abc123"


def test_all_posts_reach_the_tables_by_both_legs_and_the_legs_are_equal(new_stack, tmp_path: Path) -> None:
    with new_stack(USER_ID) as stack:
        fill(stack, POSTS, seed=1)
        keys = source_keys(stack)
        total = sum(map(len, keys.values()))

        said = done(stack, "emulation", "batches", "--all", folder=tmp_path)
        assert f"sent {total:,}, acknowledged {total:,}, retried 0, failed 0" in said
        stack.wait_until_landed()
        assert landed(stack) == {(*place, at): 1 for place, end in stack.topics.ends().items() for at in range(end)}
        folder = ["--folder", str(tmp_path / "stack")]
        answers = done(stack, "local", "stack", "batch", *folder, "--warehouse", "batch", folder=tmp_path)

        assert "created" in done(stack, "emulation", "streaming", "--streams", "create", folder=tmp_path)
        said = done(stack, "emulation", "streaming", "--all", folder=tmp_path)
        assert f"sent {total:,}, acknowledged {total:,}" in said
        stream = ["stream", "--warehouse", "stream", "--endpoint", stack.aws.url, "--region", "us-east-1"]
        streamed = done(stack, "local", *stream, folder=tmp_path)

    assert _answers(answers) == _answers(streamed)
    for entity in ENTITIES:
        legs = []
        for leg in ("batch", "stream"):
            settings = Settings(user_id=USER_ID, leg=leg)
            rows = clean(tmp_path / leg, settings, entity)
            rejected = quarantined(tmp_path / leg, settings, entity, "rejected")
            assert Counter(keys[entity.name]) == Counter([*rows, *rejected])
            repaired = sorted(quarantined(tmp_path / leg, settings, entity, "repaired"))
            assert set(repaired) <= set(rows)
            legs.append((rows, rejected, repaired))
        assert legs[0] == legs[1]


def _answers(printed: str) -> list[str]:
    """The lines from the first question on."""
    lines = printed.splitlines()
    first = next(
        number for number, line in enumerate(lines) if re.search(r"most popular category in each country", line)
    )
    return lines[first:]


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
