"""The sender against a server that misbehaves at every stage: each record is acknowledged or in the failed file."""

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from emulation.producer.cursor import Cursor
from emulation.producer.delivery_log import Ledger
from emulation.producer.http_client import Http
from emulation.producer.kafka_rest import KafkaRest
from emulation.producer.record_producer import Pace, Sender
from emulation.producer.request_auth import NoAccess
from emulation.producer.send_result import TAKEN, Attempt, Fate, Outgoing, SendError, all_of
from pinterest_transforms.entities import GEO, PIN
from tests.emulation import misbehaving as does
from tests.emulation.misbehaving import Server
from tests.emulation.sender import QUICK, SETTINGS, records, send

if TYPE_CHECKING:
    pass


PASSING = {
    "429 with Retry-After": does.status(429, "slow down", {"Retry-After": "1"}),
    "500": does.status(500, "oops"),
    "502": does.status(502),
    "503": does.status(503),
    "504": does.status(504),
    "reset before accepting": does.reset,
    "reset after accepting": does.take_and_reset,
    "time-out after accepting": does.take_and_hang(1.5),
    "trickle": does.trickle(0.05),
    "no JSON": does.saying("a < b"),
    "a page, once": does.status(503, "<html>"),
    "JSON of another shape": does.saying('{"offsets": 7}'),
    "too few offsets": does.saying('{"offsets": [{"partition": 0, "offset": 1, "error_code": null}]}'),
    "a null": does.saying("null"),
}


@pytest.mark.parametrize("name", PASSING)
def test_what_passes_is_sent_again(server: Server, tmp_path: Path, name: str) -> None:
    server.script.append(PASSING[name])
    sent = send(server, tmp_path, records(500), seconds=1)
    assert set(sent.arrived) == set(range(500))
    assert sent.failed == {}
    assert (sent.counts.acknowledged, sent.counts.failed, sent.settled) == (500, 0, 500)
    assert server.requests == [500, 500]
    assert sent.counts.retried == 500


@pytest.mark.parametrize("name", ["500", "reset before accepting", "no JSON"])
def test_nothing_is_sent_for_ever(server: Server, tmp_path: Path, name: str) -> None:
    server.usual = PASSING[name]
    sent = send(server, tmp_path, records(3))
    assert len(server.requests) == QUICK.attempts
    assert set(sent.failed) == {0, 1, 2}
    assert all(reason.endswith("(5 attempts)") for reason in sent.failed.values())
    assert (sent.counts.acknowledged, sent.counts.failed, sent.settled) == (0, 3, 3)


class Lost:
    """A door behind which nobody is, from some request on."""

    most_records, most_bytes, largest, name = 2, 1000, 1000, "nowhere"

    def __init__(self, taken: int) -> None:
        self.left = taken

    def send(self, some: Sequence[Outgoing]) -> Attempt:
        self.left -= 1
        if self.left >= 0:
            return Attempt("200", [TAKEN] * len(some))
        return Attempt("no connection", all_of(some, Fate.AGAIN, "no connection"))


def test_where_nobody_was_ever_reached_the_run_stops(server: Server, tmp_path: Path) -> None:
    with pytest.raises(SendError, match=r"^nowhere cannot be reached: no connection \(5 attempts\)$"):
        send(server, tmp_path, records(9), door=lambda *_: Lost(0))
    assert list(tmp_path.iterdir()) == []


def test_where_somebody_was_reached_the_run_goes_on(server: Server, tmp_path: Path) -> None:
    sent = send(server, tmp_path, records(9), door=lambda *_: Lost(1))
    assert (sent.counts.acknowledged, sent.counts.failed) == (2, 7)
    assert set(sent.failed.values()) == {"no connection (5 attempts)"}


def test_a_record_that_may_pass_is_sent_again_alone(server: Server, tmp_path: Path) -> None:
    server.script.append(does.each(lambda record: 50003 if record["key"] % 10 == 0 else None))
    sent = send(server, tmp_path, records(100))
    assert server.requests == [100, 10]
    assert sent.arrived == Counter(range(100))
    assert sent.counts.acknowledged == 100


def test_a_record_that_may_not_pass_is_not_sent_again(server: Server, tmp_path: Path) -> None:
    server.usual = does.each(lambda record: 50002 if record["key"] == 7 else None)
    sent = send(server, tmp_path, records(100))
    assert server.requests == [100]
    assert sent.failed == {7: "error_code 50002"}
    assert sent.counts.acknowledged == 99


def test_a_request_too_large_is_halved(server: Server, tmp_path: Path) -> None:
    server.usual = does.at_most(5000)
    sent = send(server, tmp_path, [*records(100), Outgoing(PIN, 100, b'"' + b"x" * 6000 + b'"', 100)])
    assert sent.arrived == Counter(range(100))
    assert sent.failed == {100: "413: too large"}


def test_the_bad_record_of_a_request_is_found(server: Server, tmp_path: Path) -> None:
    async def strict(server, request, origin, found):
        if any(record["key"] == 42 for record in found):
            return does.web.Response(status=422, text="bad value")
        return await does.accept(server, request, origin, found)

    server.usual = strict
    sent = send(server, tmp_path, records(500))
    assert sent.failed == {42: "422: bad value"}
    assert sent.arrived == Counter(set(range(500)) - {42})


def test_a_record_over_the_limit_is_not_sent_and_the_rest_is(server: Server, tmp_path: Path) -> None:
    large = Outgoing(PIN, 1, b'"' + b"x" * 1_000_000 + b'"', 1)
    sent = send(server, tmp_path, [records(3)[0], large, records(3)[2]])
    assert sent.failed == {1: "a record must have at most 1000000 bytes, got 1000002"}
    assert set(sent.arrived) == {0, 2}


@pytest.mark.parametrize("code", [401, 404, 415])
def test_what_no_request_can_pass_stops_the_run(server: Server, tmp_path: Path, code: int) -> None:
    server.script += [does.accept, does.accept]
    server.usual = does.status(code, "no")
    with pytest.raises(SendError, match=f"[(]{code}[)]: no"):
        send(server, tmp_path, records(5000), Pace(at_once=1))
    assert len(server.requests) == 3
    server.usual = does.accept
    again = send(server, tmp_path, records(5000)[1000:])
    assert again.arrived == Counter(range(5000))


def test_versions_of_a_post_arrive_in_order(server: Server, tmp_path: Path) -> None:
    versions = [Outgoing(PIN, n % 7, json.dumps(n).encode(), n) for n in range(300)]
    server.script += [
        does.status(503),
        does.take_and_reset,
        does.each(lambda record: 50003 if record["key"] == 3 else None),
    ]
    send(server, tmp_path, versions)
    for key in range(7):
        values = [value for _, k, value in server.taken if k == key]
        assert sorted(set(values)) == list(range(key, 300, 7))
        assert values == sorted(values)


def test_kinds_go_to_topics_of_their_own(server: Server, tmp_path: Path) -> None:
    send(server, tmp_path, [Outgoing(PIN, 1, b'"a"', 0), Outgoing(GEO, 1, b'"b"', 0)])
    assert sorted(server.taken) == [("abc123.geo", 1, "b"), ("abc123.pin", 1, "a")]


def test_a_rate_is_kept(server: Server, tmp_path: Path) -> None:
    waits: list[float] = []

    with Http(NoAccess(), seconds=5) as http, Ledger(Cursor(None, ""), tmp_path / "failed") as ledger:
        door = KafkaRest(http, server.url, SETTINGS)
        with Sender(door, ledger, Pace(rate=1000), sleep=waits.append) as sender:
            sender.run([records(1000)])
    assert len(waits) == 1
    assert 0.4 < waits[0] <= 0.5
