"""What something before the API blocks: one record goes into the failed file, everything ends the run."""

import json
import re
from collections import Counter
from pathlib import Path

import pytest

from emulation.emulation_errors import SendError
from emulation.producer.kafka_rest import KafkaRestSink
from emulation.producer.kinesis_sinks import KinesisApiSink
from emulation.producer.retry_policy import RetryPolicy
from emulation.source.source_records import SourceRecord
from pinterest_transforms.entities import GEO, PIN
from tests.emulation import fake_api_server as api
from tests.emulation.fake_api_server import Server
from tests.emulation.producer_runs import records, send

PAGE = "<!DOCTYPE html><title>Request blocked</title>"
BLOCKED = {
    "403: no": api.status(403, "no"),
    f"403: {PAGE}": api.status(403, PAGE),
    "405": api.status(405),
    "406: Not Acceptable!": api.status(406, "Not Acceptable!"),
    "501: no": api.status(501, "no"),
    "302": api.status(302, "", {"Location": "/blocked"}),
    "202": api.status(202, "", {"x-amzn-waf-action": "challenge"}),
    "200 with an unreadable body (5 attempts)": api.status(200, PAGE),
}
"""What firewalls and proxies before an API answer, by the reason that a record refused alone has then."""


@pytest.mark.parametrize("reason", BLOCKED)
@pytest.mark.parametrize("sink", [KafkaRestSink, KinesisApiSink])
def test_splitting_finds_the_record_that_a_firewall_blocks(server: Server, tmp_path: Path, reason: str, sink) -> None:
    bad = {42, 43, 99}

    async def firewall(server, request, target, found):
        blocks = (request.content_length or 0) > 8192 or any("<script" in record["value"]["title"] for record in found)
        return await (BLOCKED[reason] if blocks else api.accept)(server, request, target, found)

    server.usual = firewall
    some = [
        record._replace(value=record.value.replace(b"x", b"<script>" if record.key != 43 else b"x" * 900))
        if record.key in bad
        else record
        for record in records(100)
    ]
    sent = send(server, tmp_path, some, sink=sink)
    assert sent.arrived == Counter(set(range(100)) - bad)
    assert sent.failed == dict.fromkeys(bad, reason)
    assert sent.settled == 100


@pytest.mark.parametrize("reason", BLOCKED)
def test_a_firewall_that_blocks_everything_ends_the_run(server: Server, tmp_path: Path, reason: str) -> None:
    server.usual = BLOCKED[reason]
    said = reason.partition(": ")[2] or ("no reason given" if len(reason) == 3 else reason)
    with pytest.raises(SendError, match=re.escape(f"/topics/abc123.*: {said}") if said == reason else re.escape(said)):
        send(server, tmp_path, records(5))
    assert list(tmp_path.iterdir()) == []
    # Some are taken, then none any more.
    server.script.append(api.accept)
    with pytest.raises(SendError, match=re.escape(said)):
        send(
            server,
            tmp_path,
            records(1000),
            RetryPolicy(max_in_flight=1, max_attempts=5, initial_backoff=0.001, max_backoff=0.01),
        )
    assert [file.name for file in tmp_path.iterdir()] == ["cursor"]
    server.usual = api.accept
    again = send(server, tmp_path, records(1000)[500:])
    assert again.arrived == Counter(range(1000))


def test_later_versions_follow_a_blocked_record(server: Server, tmp_path: Path) -> None:
    async def firewall(server, request, target, found):
        return await (api.status(403) if b'"bad"' in await request.read() else api.accept)(
            server, request, target, found
        )

    server.usual = firewall
    texts = ["bad", "good", "bad", *["good"] * 40, "bad"]
    sent = send(server, tmp_path, [SourceRecord(PIN, 7, json.dumps(text).encode(), n) for n, text in enumerate(texts)])
    assert [value for _, _, value in server.taken] == ["good"] * 41
    assert (sent.counts.failed, sent.settled) == (3, len(texts))


CODES = {1: 0, 2: 1, 50002: 0, 50003: 1, 50302: 1, 42203: 0, "Unknown": 0}
"""Per-record codes of the REST proxy: how often the record arrives that has one once. 1 and 2 are older proxies'."""


def test_error_codes_of_older_and_newer_proxies(server: Server, tmp_path: Path) -> None:
    codes = dict(enumerate(CODES))
    server.script.append(api.each(lambda record: codes.get(record["key"])))
    sent = send(server, tmp_path, records(20))
    lost = {key for key, code in codes.items() if not CODES[code]}
    assert sent.failed == {key: f"error_code {codes[key]}" for key in lost}
    assert sent.arrived == Counter(set(range(20)) - lost)
    assert server.requests == [20, sum(CODES.values())]


@pytest.mark.parametrize("code", [40101, 40301])
@pytest.mark.parametrize("status", [200, 403])
def test_a_proxy_that_is_not_authorized_ends_the_run(server: Server, tmp_path: Path, code: int, status: int) -> None:
    async def refuses_geo(server, request, target, found):
        if target.endswith(".pin"):
            return await api.accept(server, request, target, found)
        said = api.answer(request, [code] * len(found))
        said.set_status(status)
        return said

    server.usual = refuses_geo
    some = [*records(300), *(record._replace(entity=GEO, post=record.post + 300) for record in records(600))]
    with pytest.raises(
        SendError, match=rf"abc123\.geo is not accessible: error_code {code}: the proxy may not write to it$"
    ):
        send(server, tmp_path, some)
    assert not (tmp_path / "failed.jsonl").exists()
    server.usual = api.status(403, json.dumps({"error_code": code, "message": "Not authorized"}))
    server.requests.clear()
    with pytest.raises(SendError, match=rf"abc123\.pin is not accessible: error_code {code}: "):
        send(server, tmp_path, records(5))
    assert server.requests.count(5) == 1
