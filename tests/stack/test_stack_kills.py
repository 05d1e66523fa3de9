"""kill -9 of the sink, the proxy, the broker and the sender, one after another, while posts are on their way."""

import time
from collections import Counter
from pathlib import Path

from local.stack import Stack
from local.stack_command import fill
from local.stack_process import Part
from pinterest_transforms.entities import ENTITIES
from pinterest_transforms.settings import Settings
from tests.stack.conftest import command, done
from tests.stack.stack_tables import clean, landed, quarantined, source_keys

POSTS, USER_ID, RATE = 11_000, "def456", 1_500


def wait_for(stack: Stack, records: int, seconds: float = 120) -> None:
    """Waits until there are as many records in the topics."""
    until = time.monotonic() + seconds
    while stack.topics.count() < records:
        assert time.monotonic() < until, f"{stack.topics.count()} of {records} records"
        time.sleep(0.1)


def kill(part: Part) -> None:
    """Kills a part, and starts it again as whatever looks after it would."""
    before = part.pid
    part.kill()
    part.start()
    part.wait()
    assert part.pid != before


def test_nothing_is_lost_and_nothing_double_whatever_is_killed(new_stack, tmp_path: Path) -> None:
    with new_stack(USER_ID, flush_size=250, rotate_ms=1_000) as stack:
        fill(stack, POSTS, seed=3)
        keys = source_keys(stack)
        total = sum(map(len, keys.values()))
        send = ["emulation", "batches", "--all", "--rate", str(RATE)]
        sender = command(stack, *send, folder=tmp_path)
        try:
            for share, part in ((0.1, stack.sink), (0.25, stack.proxy), (0.4, stack.kafka), (0.55, stack.sink)):
                wait_for(stack, round(share * total))
                assert sender.poll() is None, sender.communicate()
                kill(part)
            wait_for(stack, round(0.7 * total))
            assert sender.poll() is None, sender.communicate()
        finally:
            sender.kill()
            sender.communicate()
        said = done(stack, *send, folder=tmp_path)
        assert "failed 0" in said
        stack.wait_until_landed()

        ends = stack.topics.ends()
        assert sum(ends.values()) >= total
        assert landed(stack).keys() == {(*place, at) for place, end in ends.items() for at in range(end)}
        folder = ["--folder", str(tmp_path / "stack")]
        done(stack, "local", "stack", "clean", *folder, "--warehouse", "tables", folder=tmp_path)

    settings = Settings(user_id=USER_ID)
    for entity in ENTITIES:
        rows = clean(tmp_path / "tables", settings, entity)
        rejected = quarantined(tmp_path / "tables", settings, entity, "rejected")
        assert Counter(keys[entity.name]) == Counter([*rows, *set(rejected)])
