"""What the tests of the sender share: records, a run, and what it left behind."""

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from emulation.producer.cursor import Cursor
from emulation.producer.delivery_log import DeliveryLog
from emulation.producer.http_client import HttpClient
from emulation.producer.kafka_rest import KafkaRestSink
from emulation.producer.record_producer import RecordProducer
from emulation.producer.request_auth import RequestAuth
from emulation.producer.retry_policy import RetryPolicy
from emulation.source.source_records import SourceRecord
from pinterest_transforms.entities import PIN
from pinterest_transforms.settings import Settings
from tests.emulation.fake_api_server import Server

SETTINGS = Settings(user_id="abc123")
QUICK = RetryPolicy(max_in_flight=4, max_attempts=5, initial_backoff=0.001, max_backoff=0.05)


def records(count: int, size: int = 10) -> list[SourceRecord]:
    return [
        SourceRecord(PIN, key, json.dumps({"index": key, "title": "x" * size}).encode(), key) for key in range(count)
    ]


class Sent:
    """What a run left behind."""

    def __init__(self, server: Server, log: DeliveryLog, failed: Path, cursor: Cursor) -> None:
        self.counts, self.settled = log.counts, cursor.settled
        self.arrived = Counter(key for _, key, _ in server.taken)
        lines = failed.read_text(encoding="utf-8").splitlines() if failed.exists() else []
        self.failed = {json.loads(line)["key"]: json.loads(line)["reason"] for line in lines}


def send(
    server: Server,
    tmp_path: Path,
    what: Sequence[SourceRecord],
    policy: RetryPolicy = QUICK,
    seconds: float = 5,
    sink=KafkaRestSink,
    **how,
) -> Sent:
    failed, cursor = tmp_path / "failed.jsonl", Cursor(tmp_path / "cursor", "test")

    lists = (what[start : start + 200] for start in range(0, len(what), 200))
    cursor.load()
    http = HttpClient(RequestAuth(), timeout=seconds)
    with DeliveryLog(cursor, failed) as log:
        with RecordProducer(sink(http, server.url, SETTINGS, **how), log, policy) as producer:
            producer.send(lists)
        log.complete = True
    return Sent(server, log, failed, cursor)
