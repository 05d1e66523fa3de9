"""What the tests of the sender share: records, a run, and what it left behind."""

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from emulation.producer.cursor import Cursor
from emulation.producer.delivery_log import Ledger
from emulation.producer.http_client import Http
from emulation.producer.kafka_rest import KafkaRest
from emulation.producer.record_producer import Pace, Sender
from emulation.producer.request_auth import Access, NoAccess
from emulation.producer.send_result import Outgoing
from pinterest_transforms.entities import PIN
from pinterest_transforms.settings import Settings
from tests.emulation.misbehaving import Server

SETTINGS = Settings(user_id="abc123")
QUICK = Pace(at_once=4, attempts=5, first_wait=0.001, longest_wait=0.05)


def records(count: int, size: int = 10) -> list[Outgoing]:
    return [Outgoing(PIN, key, json.dumps({"index": key, "title": "x" * size}).encode(), key) for key in range(count)]


class Sent:
    """What a run left behind."""

    def __init__(self, server: Server, ledger: Ledger, failed: Path, cursor: Cursor) -> None:
        self.counts, self.settled = ledger.counts, cursor.settled
        self.arrived = Counter(key for _, key, _ in server.taken)
        lines = failed.read_text(encoding="utf-8").splitlines() if failed.exists() else []
        self.failed = {json.loads(line)["key"]: json.loads(line)["reason"] for line in lines}


def send(
    server: Server,
    tmp_path: Path,
    what: Sequence[Outgoing],
    pace: Pace = QUICK,
    seconds: float = 5,
    door=KafkaRest,
    access: Access | None = None,
    **how,
) -> Sent:
    failed, cursor = tmp_path / "failed.jsonl", Cursor(tmp_path / "cursor", "test")

    lists = (what[start : start + 200] for start in range(0, len(what), 200))
    cursor.load()
    with Ledger(cursor, failed) as ledger, Http(access or NoAccess(), seconds=seconds) as http:
        with Sender(door(http, server.url, SETTINGS, **how), ledger, pace) as sender:
            sender.run(lists)
        ledger.complete = True
    return Sent(server, ledger, failed, cursor)
