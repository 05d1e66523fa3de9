"""The sender and Kinesis: through the API, directly, and against another one's Kinesis."""

import json
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from moto.server import ThreadedMotoServer
from werkzeug.serving import BaseWSGIServer

from emulation.emulation_errors import SendError
from emulation.producer.http_client import HttpClient
from emulation.producer.kinesis_sinks import KinesisApiSink, KinesisSink
from emulation.producer.kinesis_streams import manage_directly, manage_streams, open_kinesis_client
from emulation.producer.retry_policy import RetryPolicy
from emulation.source.source_records import SourceRecord
from pinterest_transforms.entities import ENTITIES, PIN
from pinterest_transforms.settings import Settings
from tests.emulation import fake_api_server as api
from tests.emulation.fake_api_server import Server
from tests.emulation.producer_runs import QUICK, SETTINGS, records, send

if TYPE_CHECKING:
    from mypy_boto3_kinesis import KinesisClient


def test_only_failed_kinesis_entries_are_sent_again(server: Server, tmp_path: Path) -> None:
    throttled = "ProvisionedThroughputExceededException"
    server.script.append(api.each(lambda record: throttled if int(record["key"]) % 10 == 0 else None))
    sent = send(server, tmp_path, records(100), sink=KinesisApiSink)
    assert server.requests == [100, 10]
    assert sent.arrived == Counter(range(100))
    assert server.taken[0] == ("streaming-abc123-pin", 1, {"index": 1, "title": "x" * 10})


def test_a_throttled_kinesis_call_is_retried(server: Server, tmp_path: Path) -> None:
    server.script.append(api.status(400, '{"__type":"ProvisionedThroughputExceededException"}'))
    sent = send(server, tmp_path, records(10), sink=KinesisApiSink)
    assert (sent.counts.acknowledged, sent.counts.failed) == (10, 0)


NOT_THERE = "streaming-abc123-pin does not exist: create it with --streams create"


def test_a_missing_stream_ends_the_run(server: Server, tmp_path: Path) -> None:
    server.usual = api.status(400, '{"__type":"ResourceNotFoundException"}')
    with pytest.raises(SendError, match=r"/streams/streaming-abc123-\*: " + NOT_THERE):
        send(server, tmp_path, records(10), sink=KinesisApiSink)


def direct(_http: HttpClient, _url: str, settings: Settings) -> KinesisSink:
    return KinesisSink(open_kinesis_client(), settings)


def test_direct_only_failed_entries_are_sent_again(aws: Server, tmp_path: Path) -> None:
    busy = api.each(lambda record: "ProvisionedThroughputExceededException" if int(record["key"]) % 10 == 0 else None)
    aws.script.append(busy)
    sent = send(aws, tmp_path, records(500), sink=direct)
    assert aws.requests == [500, 50]
    assert sent.arrived == Counter(range(500))
    assert sent.counts.acknowledged == 500


def test_api_and_direct_send_the_same_json(aws: Server, tmp_path: Path) -> None:
    odd = [SourceRecord(PIN, n, json.dumps({"index": n, "title": '🙂 " \u2028'}).encode(), n) for n in range(3)]
    runs = []
    for sink in (direct, KinesisApiSink):
        aws.taken.clear()
        send(aws, tmp_path, odd, sink=sink)
        runs.append(sorted(aws.taken, key=str))
    assert runs[0] == runs[1] != []


DIRECT_PASSING = {
    "throttling": api.status(400, '{"__type":"ProvisionedThroughputExceededException"}'),
    "500": api.status(500, '{"__type":"InternalFailure"}'),
    "503 without a word": api.status(503),
    "reset before accepting": api.reset,
    "reset after accepting": api.take_and_reset,
}


@pytest.mark.parametrize("name", DIRECT_PASSING)
def test_direct_retriable_errors_are_retried(aws: Server, tmp_path: Path, name: str) -> None:
    aws.script.append(DIRECT_PASSING[name])
    sent = send(aws, tmp_path, records(500), sink=direct)
    assert set(sent.arrived) == set(range(500))
    assert (sent.counts.acknowledged, sent.counts.failed) == (500, 0)
    assert aws.requests == [500, 500]


@pytest.mark.parametrize("code", [403, 406, 200])
def test_direct_splitting_finds_a_blocked_record(aws: Server, tmp_path: Path, code: int) -> None:
    page = api.status(code, "<html>blocked</html>")

    async def firewall(server, request, target, found):
        return await (page if any(r["value"]["index"] == 7 for r in found) else api.accept)(
            server, request, target, found
        )

    aws.usual = firewall
    sent = send(aws, tmp_path, records(50), sink=direct)
    assert sent.arrived == Counter(set(range(50)) - {7})
    assert list(sent.failed) == [7]
    aws.usual = page
    with pytest.raises(SendError, match=r"^Kinesis in eu-west-1, streaming-abc123-\*: .*(40[36]|unreadable)"):
        send(aws, tmp_path / "other", records(50), sink=direct)
    assert not (tmp_path / "other" / "failed.jsonl").exists()


STOPPING = {
    "ResourceNotFoundException": NOT_THERE,
    "AccessDeniedException": "streaming-abc123-pin is not accessible: AccessDeniedException",
    "ExpiredTokenException": "streaming-abc123-pin is not accessible: ExpiredTokenException",
}


@pytest.mark.parametrize("code", STOPPING)
def test_direct_permanent_errors_end_the_run(aws: Server, tmp_path: Path, code: str) -> None:
    aws.usual = api.status(400, json.dumps({"__type": code}))
    with pytest.raises(SendError, match=rf"^Kinesis in eu-west-1, streaming-abc123-\*: {STOPPING[code]}$"):
        send(aws, tmp_path, records(500), sink=direct)
    assert aws.requests == [500]


def test_direct_streams_are_managed(aws: Server, capsys: pytest.CaptureFixture) -> None:
    names = [f"streaming-abc123-{entity.name}" for entity in ENTITIES]
    manage = partial(manage_directly, open_kinesis_client())
    for what, said, code in (
        ("create", "created", 0),
        ("create", "already exists", 0),
        ("describe", "ACTIVE, 1 shard(s)", 0),
        ("delete", "deleted", 0),
        ("delete", "does not exist", 0),
        ("describe", "does not exist", 1),
    ):
        lines = "\n".join(f"{name}: {said}" for name in names)
        assert manage_streams(manage, SETTINGS, what) == (lines, code)
    aws.refused.add(names[1])
    with pytest.raises(SendError, match=f"^{names[1]}: Kinesis reports LimitExceededException$"):
        manage_streams(manage, SETTINGS, "create")
    assert capsys.readouterr().out == f"{names[0]}: created\n"


def test_no_record_fails_while_some_of_each_request_are_acknowledged(server: Server, tmp_path: Path) -> None:
    taken: set[str] = set()

    def one_a_request(record: dict) -> str | None:
        if len(taken) < len(server.requests):
            taken.add(record["key"])
            return None
        return "ProvisionedThroughputExceededException"

    server.usual = api.each(one_a_request)
    sent = send(server, tmp_path, records(12), QUICK, sink=KinesisApiSink)
    assert (sent.counts.acknowledged, sent.failed) == (12, {})
    assert len(server.requests) == 12 > QUICK.max_attempts


@pytest.fixture
def moto(monkeypatch: pytest.MonkeyPatch) -> Iterator["KinesisClient"]:
    """Another one's Kinesis: a second opinion beside the server of these tests."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "id")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    # Otherwise its end takes half a second.
    monkeypatch.setattr(BaseWSGIServer.serve_forever, "__defaults__", (0.01,))
    server = ThreadedMotoServer("127.0.0.1", 0)
    server.start()
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://{}:{}".format(*server.get_host_and_port()))
    yield open_kinesis_client()
    server.stop()


def test_records_sent_to_moto_are_read_there(server: Server, moto: "KinesisClient", tmp_path: Path) -> None:
    def said(what: str) -> str:
        return manage_streams(partial(manage_directly, moto), SETTINGS, what)[0]

    assert said("create").count("created") == 3
    assert said("create").count("already exists") == 3
    assert said("describe").splitlines()[0] == "streaming-abc123-pin: ACTIVE, 1 shard(s)"
    odd = [SourceRecord(PIN, n, json.dumps({"index": n, "title": '🙂 " \u2028'}).encode(), n) for n in range(1200)]
    # moto loses records of calls that come at the same moment.
    sent = send(server, tmp_path, odd, RetryPolicy(max_in_flight=1), sink=direct)
    assert (sent.counts.acknowledged, sent.counts.retried) == (1200, 0)
    stream = SETTINGS.stream(PIN)
    first = moto.get_shard_iterator(StreamName=stream, ShardId="shardId-000000000000", ShardIteratorType="TRIM_HORIZON")
    read = moto.get_records(ShardIterator=first["ShardIterator"])["Records"]
    assert sorted((int(r["PartitionKey"]), r["Data"]) for r in read) == [(o.key, o.value) for o in odd]
    assert said("delete").count("deleted") == 3
    assert said("describe").count("does not exist") == 3
