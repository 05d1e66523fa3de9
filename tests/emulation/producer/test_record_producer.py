"""The sender against a server that misbehaves at every stage: each record is acknowledged or in the failed file."""

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from emulation.emulation_errors import SendError
from emulation.producer.cursor import Cursor
from emulation.producer.delivery_log import DeliveryLog
from emulation.producer.http_client import HttpClient
from emulation.producer.kafka_rest import KafkaRestSink
from emulation.producer.record_producer import RecordProducer
from emulation.producer.request_auth import RequestAuth
from emulation.producer.retry_policy import RetryPolicy
from emulation.producer.send_result import ACKED, RecordStatus, SendResult, repeat_result
from emulation.source.source_records import SourceRecord
from pinterest_transforms.entities import GEO, PIN
from tests.emulation import fake_api_server as api
from tests.emulation.fake_api_server import Server
from tests.emulation.producer_runs import QUICK, SETTINGS, records, send

PASSING = {
    "429 with Retry-After": api.status(429, "slow down", {"Retry-After": "1"}),
    "500": api.status(500, "oops"),
    "502": api.status(502),
    "503": api.status(503),
    "504": api.status(504),
    "reset before accepting": api.reset,
    "reset after accepting": api.take_and_reset,
    "time-out after accepting": api.take_and_hang(1.5),
    "trickle": api.trickle(0.05),
    "a page, once": api.status(503, "<html>"),
}
TIMED_OUT = ("time-out after accepting", "trickle")
UNREADABLE = {
    "no JSON": "a < b",
    "JSON of another shape": '{"offsets": 7}',
    "too few offsets": '{"offsets": [{"partition": 0, "offset": 1, "error_code": null}]}',
    "a null": "null",
}


@pytest.mark.parametrize("name", PASSING)
def test_retriable_errors_are_retried(server: Server, tmp_path: Path, name: str) -> None:
    server.script.append(PASSING[name])
    sent = send(server, tmp_path, records(500), seconds=0.5 if name in TIMED_OUT else 5)
    assert set(sent.arrived) == set(range(500))
    assert sent.failed == {}
    assert (sent.counts.acknowledged, sent.counts.failed, sent.settled) == (500, 0, 500)
    assert server.requests == [500, 500]
    assert sent.counts.retried == 500


@pytest.mark.parametrize("name", UNREADABLE)
def test_records_of_an_unreadable_response_are_sent_again(server: Server, tmp_path: Path, name: str) -> None:
    server.script.append(api.respond_with(UNREADABLE[name]))
    sent = send(server, tmp_path, records(500))
    assert sent.arrived == Counter([*range(500)] * 2)
    assert (sent.counts.acknowledged, sent.failed, sent.settled) == (500, {}, 500)
    assert server.requests == [500, 250, 250]


@pytest.mark.parametrize("name", ["500", "reset before accepting"])
def test_retries_are_limited(server: Server, tmp_path: Path, name: str) -> None:
    server.usual = PASSING[name]
    sent = send(server, tmp_path, records(3))
    assert len(server.requests) == QUICK.max_attempts
    assert set(sent.failed) == {0, 1, 2}
    assert all(reason.endswith("(5 attempts)") for reason in sent.failed.values())
    assert (sent.counts.acknowledged, sent.counts.failed, sent.settled) == (0, 3, 3)


class Lost:
    """A sink that is unreachable after so many requests."""

    max_records, max_bytes, max_record_bytes, name = 2, 1000, 1000, "nowhere"

    def __init__(self, taken: int) -> None:
        self.left = taken

    def send(self, some: Sequence[SourceRecord]) -> SendResult:
        self.left -= 1
        if self.left >= 0:
            return SendResult("200", [ACKED] * len(some))
        return SendResult("no connection", repeat_result(some, RecordStatus.RETRY, "no connection"))


def test_a_server_that_was_never_reached_ends_the_run(server: Server, tmp_path: Path) -> None:
    with pytest.raises(SendError, match=r"^nowhere cannot be reached: no connection \(5 attempts\)$"):
        send(server, tmp_path, records(9), sink=lambda *_: Lost(0))
    assert list(tmp_path.iterdir()) == []


def test_a_server_that_was_reached_before_fails_records_only(server: Server, tmp_path: Path) -> None:
    sent = send(server, tmp_path, records(9), sink=lambda *_: Lost(1))
    assert (sent.counts.acknowledged, sent.counts.failed) == (2, 7)
    assert set(sent.failed.values()) == {"no connection (5 attempts)"}


def test_only_retriable_records_are_sent_again(server: Server, tmp_path: Path) -> None:
    server.script.append(api.each(lambda record: 50003 if record["key"] % 10 == 0 else None))
    sent = send(server, tmp_path, records(100))
    assert server.requests == [100, 10]
    assert sent.arrived == Counter(range(100))
    assert sent.counts.acknowledged == 100


def test_a_permanent_error_is_not_retried(server: Server, tmp_path: Path) -> None:
    server.usual = api.each(lambda record: 50002 if record["key"] == 7 else None)
    sent = send(server, tmp_path, records(100))
    assert server.requests == [100]
    assert sent.failed == {7: "error_code 50002"}
    assert sent.counts.acknowledged == 99


def test_a_request_that_is_too_large_is_split(server: Server, tmp_path: Path) -> None:
    server.usual = api.at_most(5000)
    sent = send(server, tmp_path, [*records(100), SourceRecord(PIN, 100, b'"' + b"x" * 6000 + b'"', 100)])
    assert sent.arrived == Counter(range(100))
    assert sent.failed == {100: "413: too large"}


def test_splitting_finds_the_invalid_record(server: Server, tmp_path: Path) -> None:
    async def strict(server, request, target, found):
        if any(record["key"] == 42 for record in found):
            return api.web.Response(status=422, text="bad value")
        return await api.accept(server, request, target, found)

    server.usual = strict
    sent = send(server, tmp_path, records(500))
    assert sent.failed == {42: "422: bad value"}
    assert sent.arrived == Counter(set(range(500)) - {42})


def test_a_record_over_the_limit_fails_alone(server: Server, tmp_path: Path) -> None:
    large = SourceRecord(PIN, 1, b'"' + b"x" * 1_000_000 + b'"', 1)
    sent = send(server, tmp_path, [records(3)[0], large, records(3)[2]])
    assert sent.failed == {1: "a record must have at most 1000000 bytes, got 1000002"}
    assert set(sent.arrived) == {0, 2}


@pytest.mark.parametrize("code", [401, 404, 415])
def test_an_error_of_every_request_ends_the_run(server: Server, tmp_path: Path, code: int) -> None:
    server.script += [api.accept, api.accept]
    server.usual = api.status(code, "no")
    with pytest.raises(SendError, match=f"[(]{code}[)]: no"):
        send(server, tmp_path, records(5000), RetryPolicy(max_in_flight=1))
    assert len(server.requests) == 3
    server.usual = api.accept
    again = send(server, tmp_path, records(5000)[1000:])
    assert again.arrived == Counter(range(5000))


def test_versions_of_a_post_arrive_in_order(server: Server, tmp_path: Path) -> None:
    versions = [SourceRecord(PIN, n % 7, json.dumps(n).encode(), n) for n in range(300)]
    server.script += [
        api.status(503),
        api.take_and_reset,
        api.each(lambda record: 50003 if record["key"] == 3 else None),
    ]
    send(server, tmp_path, versions)
    for key in range(7):
        values = [value for _, k, value in server.taken if k == key]
        assert sorted(set(values)) == list(range(key, 300, 7))
        assert values == sorted(values)


def test_each_kind_has_its_topic(server: Server, tmp_path: Path) -> None:
    send(server, tmp_path, [SourceRecord(PIN, 1, b'"a"', 0), SourceRecord(GEO, 1, b'"b"', 0)])
    assert sorted(server.taken) == [("abc123.geo", 1, "b"), ("abc123.pin", 1, "a")]


def test_the_maximum_rate_is_kept(server: Server, tmp_path: Path) -> None:
    waits: list[float] = []

    with DeliveryLog(Cursor(None, ""), tmp_path / "failed") as log:
        sink = KafkaRestSink(HttpClient(RequestAuth(), timeout=5), server.url, SETTINGS)
        with RecordProducer(sink, log, RetryPolicy(max_rate=1000), sleep=waits.append) as producer:
            producer.send([records(1000)])
    assert len(waits) == 1
    assert 0.4 < waits[0] <= 0.5
