"""The sender against a server that misbehaves at every stage: each record is acknowledged or in the failed file."""

import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from moto.server import ThreadedMotoServer

from emulation import wire
from emulation.access import Access, NoAccess, SignedForAws
from emulation.cursor import Cursor
from emulation.kafka_rest import KafkaRest
from emulation.kinesis import KinesisApi, KinesisDirect
from emulation.ledger import Ledger
from emulation.outgoing import TAKEN, Attempt, Fate, Outgoing, SendError, all_of
from emulation.sending import Pace, Sender
from emulation.streams import direct_client, manage_direct
from emulation.wire import Http
from pinterest_transforms.entities import ENTITIES, GEO, PIN
from pinterest_transforms.settings import Settings
from tests.emulation import misbehaving as does
from tests.emulation.misbehaving import Server, serving

if TYPE_CHECKING:
    from mypy_boto3_kinesis import KinesisClient

SETTINGS = Settings(user_id="abc123")
QUICK = Pace(at_once=4, attempts=5, first_wait=0.001, longest_wait=0.05)


@pytest.fixture
def server():
    with serving() as server:
        yield server


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


PAGE = "<!DOCTYPE html><title>Request blocked</title>"
BLOCKED = {
    "403: no": does.status(403, "no"),
    f"403: {PAGE}": does.status(403, PAGE),
    f"404: {PAGE}": does.status(404, PAGE),
    "405": does.status(405),
    "406: Not Acceptable!": does.status(406, "Not Acceptable!"),
    "501: no": does.status(501, "no"),
    "302": does.status(302, "", {"Location": "/blocked"}),
    "202": does.status(202, "", {"x-amzn-waf-action": "challenge"}),
    "200 with a page in place of an answer (5 attempts)": does.status(200, PAGE),
}
"""What firewalls and proxies before an API answer, by the reason that a record refused alone has then."""


@pytest.mark.parametrize("reason", BLOCKED)
@pytest.mark.parametrize("door", [KafkaRest, KinesisApi])
def test_the_record_that_a_firewall_blocks_is_found(server: Server, tmp_path: Path, reason: str, door) -> None:
    bad = {42, 43, 99}

    async def firewall(server, request, origin, found):
        blocks = (request.content_length or 0) > 8192 or any("<script" in record["value"]["title"] for record in found)
        return await (BLOCKED[reason] if blocks else does.accept)(server, request, origin, found)

    server.usual = firewall
    some = [
        record._replace(value=record.value.replace(b"x", b"<script>" if record.key != 43 else b"x" * 900))
        if record.key in bad
        else record
        for record in records(100)
    ]
    sent = send(server, tmp_path, some, door=door)
    assert sent.arrived == Counter(set(range(100)) - bad)
    assert sent.failed == dict.fromkeys(bad, reason)
    assert sent.settled == 100


@pytest.mark.parametrize("reason", BLOCKED)
def test_where_everything_is_blocked_the_run_ends(server: Server, tmp_path: Path, reason: str) -> None:
    server.usual = BLOCKED[reason]
    said = reason.partition(": ")[2] or ("no reason given" if len(reason) == 3 else reason)
    with pytest.raises(SendError, match=re.escape(f"/topics/abc123.*: {said}") if said == reason else re.escape(said)):
        send(server, tmp_path, records(5))
    assert list(tmp_path.iterdir()) == []
    # Some are taken, then none any more.
    server.script.append(does.accept)
    with pytest.raises(SendError, match=re.escape(said)):
        send(server, tmp_path, records(1000), Pace(at_once=1, attempts=5, first_wait=0.001, longest_wait=0.01))
    assert [file.name for file in tmp_path.iterdir()] == ["cursor"]
    server.usual = does.accept
    again = send(server, tmp_path, records(1000)[500:])
    assert again.arrived == Counter(range(1000))


def test_later_versions_of_a_blocked_record_follow_it(server: Server, tmp_path: Path) -> None:
    async def firewall(server, request, origin, found):
        return await (does.status(403) if b'"bad"' in await request.read() else does.accept)(
            server, request, origin, found
        )

    server.usual = firewall
    texts = ["bad", "good", "bad", *["good"] * 40, "bad"]
    sent = send(server, tmp_path, [Outgoing(PIN, 7, json.dumps(text).encode(), n) for n, text in enumerate(texts)])
    assert [value for _, _, value in server.taken] == ["good"] * 41
    assert (sent.counts.failed, sent.settled) == (3, len(texts))


CODES = {1: 0, 2: 1, 50002: 0, 50003: 1, 50302: 1, 42203: 0, "Unknown": 0}
"""Per-record codes of the REST proxy: how often the record arrives that has one once. 1 and 2 are older proxies'."""


def test_codes_of_older_and_newer_proxies(server: Server, tmp_path: Path) -> None:
    codes = dict(enumerate(CODES))
    server.script.append(does.each(lambda record: codes.get(record["key"])))
    sent = send(server, tmp_path, records(20))
    lost = {key for key, code in codes.items() if not CODES[code]}
    assert sent.failed == {key: f"error_code {codes[key]}" for key in lost}
    assert sent.arrived == Counter(set(range(20)) - lost)
    assert server.requests == [20, sum(CODES.values())]


@pytest.mark.parametrize("code", [40101, 40301])
@pytest.mark.parametrize("status", [200, 403])
def test_a_proxy_without_access_ends_the_run(server: Server, tmp_path: Path, code: int, status: int) -> None:
    async def refuses_geo(server, request, origin, found):
        if origin.endswith(".pin"):
            return await does.accept(server, request, origin, found)
        said = does.answer(request, [code] * len(found))
        said.set_status(status)
        return said

    server.usual = refuses_geo
    some = [*records(300), *(record._replace(entity=GEO, post=record.post + 300) for record in records(600))]
    with pytest.raises(SendError, match=rf"abc123\.geo is refused: error_code {code}: the proxy may not write to it$"):
        send(server, tmp_path, some)
    assert not (tmp_path / "failed.jsonl").exists()
    server.usual = does.status(403, json.dumps({"error_code": code, "message": "Not authorized"}))
    server.requests.clear()
    with pytest.raises(SendError, match=rf"abc123\.pin is refused: error_code {code}: "):
        send(server, tmp_path, records(5))
    assert server.requests.count(5) == 1


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


def test_kinesis_entries_that_fail_are_sent_again_alone(server: Server, tmp_path: Path) -> None:
    throttled = "ProvisionedThroughputExceededException"
    server.script.append(does.each(lambda record: throttled if int(record["key"]) % 10 == 0 else None))
    sent = send(server, tmp_path, records(100), door=KinesisApi)
    assert server.requests == [100, 10]
    assert sent.arrived == Counter(range(100))
    assert server.taken[0] == ("streaming-abc123-pin", 1, {"index": 1, "title": "x" * 10})


def test_kinesis_one_a_call_sends_the_same_json(server: Server, tmp_path: Path) -> None:
    send(server, tmp_path, records(3), door=KinesisApi, one_a_call=True)
    assert server.requests == [1, 1, 1]
    assert sorted(server.taken)[0] == ("streaming-abc123-pin", 0, {"index": 0, "title": "x" * 10})


def test_kinesis_throttling_of_a_call_passes(server: Server, tmp_path: Path) -> None:
    server.script.append(does.status(400, '{"__type":"ProvisionedThroughputExceededException"}'))
    sent = send(server, tmp_path, records(10), door=KinesisApi)
    assert (sent.counts.acknowledged, sent.counts.failed) == (10, 0)


NOT_THERE = "streaming-abc123-pin is not there: --streams create makes it"


def test_a_stream_that_is_not_there_stops_the_run(server: Server, tmp_path: Path) -> None:
    server.usual = does.status(400, '{"__type":"ResourceNotFoundException"}')
    with pytest.raises(SendError, match=r"/streams/streaming-abc123-\*: " + NOT_THERE):
        send(server, tmp_path, records(10), door=KinesisApi)


@pytest.fixture
def aws(server: Server, monkeypatch: pytest.MonkeyPatch) -> Server:
    monkeypatch.setenv("AWS_ENDPOINT_URL", server.url.removesuffix("/s"))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "id")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    return server


def direct(_http: Http, _url: str, settings: Settings) -> KinesisDirect:
    return KinesisDirect(direct_client(), settings)


def test_directly_only_failed_entries_are_sent_again(aws: Server, tmp_path: Path) -> None:
    busy = does.each(lambda record: "ProvisionedThroughputExceededException" if int(record["key"]) % 10 == 0 else None)
    aws.script.append(busy)
    sent = send(aws, tmp_path, records(500), door=direct)
    assert aws.requests == [500, 50]
    assert sent.arrived == Counter(range(500))
    assert sent.counts.acknowledged == 500


def test_the_reader_gets_the_same_json_either_way(aws: Server, tmp_path: Path) -> None:
    odd = [Outgoing(PIN, n, json.dumps({"index": n, "title": '🙂 " \u2028'}).encode(), n) for n in range(3)]
    runs = []
    for door in (direct, KinesisApi):
        aws.taken.clear()
        send(aws, tmp_path, odd, door=door)
        runs.append(sorted(aws.taken, key=str))
    assert runs[0] == runs[1] != []


DIRECT_PASSING = {
    "throttling": does.status(400, '{"__type":"ProvisionedThroughputExceededException"}'),
    "500": does.status(500, '{"__type":"InternalFailure"}'),
    "503 without a word": does.status(503),
    "reset before accepting": does.reset,
    "reset after accepting": does.take_and_reset,
}


@pytest.mark.parametrize("name", DIRECT_PASSING)
def test_what_passes_is_sent_again_directly(aws: Server, tmp_path: Path, name: str) -> None:
    aws.script.append(DIRECT_PASSING[name])
    sent = send(aws, tmp_path, records(500), door=direct)
    assert set(sent.arrived) == set(range(500))
    assert (sent.counts.acknowledged, sent.counts.failed) == (500, 0)
    assert aws.requests == [500, 500]


STOPPING = {
    "ResourceNotFoundException": NOT_THERE,
    "AccessDeniedException": "streaming-abc123-pin is refused: AccessDeniedException",
    "ExpiredTokenException": "streaming-abc123-pin is refused: ExpiredTokenException",
}


@pytest.mark.parametrize("code", STOPPING)
def test_what_kinesis_always_refuses_stops_the_run(aws: Server, tmp_path: Path, code: str) -> None:
    aws.usual = does.status(400, json.dumps({"__type": code}))
    with pytest.raises(SendError, match=rf"^Kinesis in eu-west-1, streaming-abc123-\*: {STOPPING[code]}$"):
        send(aws, tmp_path, records(500), door=direct)
    assert aws.requests == [500]


def test_directly_the_three_streams_are_managed(aws: Server, capsys: pytest.CaptureFixture) -> None:
    names = [f"streaming-abc123-{entity.name}" for entity in ENTITIES]
    for what, said, code in (
        ("list", "not there", 0),
        ("create", "created", 0),
        ("create", "already there", 0),
        ("list", "there", 0),
        ("describe", "ACTIVE, 1 shard(s)", 0),
        ("delete", "deleted", 0),
        ("delete", "not there", 0),
        ("describe", "not there", 1),
    ):
        lines = "\n".join(f"{name}: {said}" for name in names)
        assert manage_direct(direct_client(), SETTINGS, what) == (lines, code)
    aws.refused.add(names[1])
    with pytest.raises(SendError, match=f"^{names[1]}: Kinesis refuses: LimitExceededException$"):
        manage_direct(direct_client(), SETTINGS, "create")
    assert capsys.readouterr().out == f"{names[0]}: created\n"


def test_expired_credentials_are_looked_up_again(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "credentials"
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(file))
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)

    def write(key: str) -> None:
        file.write_text(f"[default]\naws_access_key_id = {key}\naws_secret_access_key = secret\n")

    async def ends(server, request, origin, found):
        if "Credential=OLD/" in request.headers["Authorization"]:
            write("NEW")
            return does.web.Response(status=403, text="The security token included in the request is expired")
        return await does.accept(server, request, origin, found)

    write("OLD")
    server.script += [does.accept]
    server.usual = ends
    sent = send(server, tmp_path, records(1500), Pace(at_once=1), access=SignedForAws())
    assert sent.arrived == Counter(range(1500))
    assert (sent.counts.acknowledged, sent.counts.retried) == (1500, 0)
    assert len(server.requests) == 4


def test_nothing_is_given_up_while_some_of_each_request_is_taken(server: Server, tmp_path: Path) -> None:
    taken: set[str] = set()

    def one_a_request(record: dict) -> str | None:
        if len(taken) < len(server.requests):
            taken.add(record["key"])
            return None
        return "ProvisionedThroughputExceededException"

    server.usual = does.each(one_a_request)
    sent = send(server, tmp_path, records(12), QUICK, door=KinesisApi)
    assert (sent.counts.acknowledged, sent.failed) == (12, {})
    assert len(server.requests) == 12 > QUICK.attempts


def test_no_password_of_netrc_is_sent(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("default login canary password canary\n")
    monkeypatch.setenv("NETRC", str(netrc))
    assert send(server, tmp_path, records(1)).counts.acknowledged == 1
    assert "Authorization" not in server.headers[0]


def test_a_proxy_of_the_environment_is_used(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wire.proxy_of.cache_clear()
    monkeypatch.setenv("no_proxy", "")
    monkeypatch.setenv("http_proxy", server.url)
    monkeypatch.setattr(server, "url", "http://nowhere.invalid/s")
    try:
        assert send(server, tmp_path, records(1)).counts.acknowledged == 1
    finally:
        wire.proxy_of.cache_clear()


@pytest.fixture
def moto(monkeypatch: pytest.MonkeyPatch) -> Iterator["KinesisClient"]:
    """Another one's Kinesis: a second opinion beside the server of these tests."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "id")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    server = ThreadedMotoServer("127.0.0.1", 0)
    server.start()
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://{}:{}".format(*server.get_host_and_port()))
    yield direct_client()
    server.stop()


def test_what_is_sent_to_another_kinesis_is_read_there(server: Server, moto: "KinesisClient", tmp_path: Path) -> None:
    def said(what: str) -> str:
        return manage_direct(moto, SETTINGS, what)[0]

    assert said("create").count("created") == 3
    assert said("create").count("already there") == 3
    assert said("describe").splitlines()[0] == "streaming-abc123-pin: ACTIVE, 1 shard(s)"
    odd = [Outgoing(PIN, n, json.dumps({"index": n, "title": '🙂 " \u2028'}).encode(), n) for n in range(1200)]
    # moto loses records of calls that come at the same moment.
    sent = send(server, tmp_path, odd, Pace(at_once=1), door=direct)
    assert (sent.counts.acknowledged, sent.counts.retried) == (1200, 0)
    stream = SETTINGS.stream(PIN)
    first = moto.get_shard_iterator(StreamName=stream, ShardId="shardId-000000000000", ShardIteratorType="TRIM_HORIZON")
    read = moto.get_records(ShardIterator=first["ShardIterator"])["Records"]
    assert sorted((int(r["PartitionKey"]), r["Data"]) for r in read) == [(o.key, o.value) for o in odd]
    assert said("delete").count("deleted") == 3
    assert said("describe").count("not there") == 3
