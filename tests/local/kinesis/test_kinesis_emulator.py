"""The Kinesis emulator by AWS's rules, as boto3 sees it: streams, controls, protocol."""

import base64
import time
from collections import Counter
from datetime import UTC, datetime

import orjson
import pytest
from botocore.exceptions import BotoCoreError
from botocore.exceptions import ConnectionError as BotoConnectionError

from local.kinesis.emulator_shards import KinesisError
from local.stack.stack_part import Part
from tests.local.kinesis.kinesis_calls import (
    FIRST,
    SECOND,
    THIRD,
    client_of,
    data,
    ids,
    iterator,
    put,
    read,
    refused,
    shards,
    split,
)
from tests.support.controlled_kinesis import ControlledKinesis

# Streams


def test_streams_are_made_listed_described_and_deleted(client):
    client.create_stream(StreamName="users", ShardCount=3)
    assert client.list_streams()["StreamNames"] == ["posts", "users"]
    client.get_waiter("stream_exists").wait(StreamName="users")

    client.delete_stream(StreamName="posts")
    assert client.list_streams()["StreamNames"] == ["users"]
    with refused("ResourceNotFoundException", "Stream posts under account 000000000000 not found"):
        client.describe_stream_summary(StreamName="posts")


def test_a_summary_says_what_a_reader_needs(client):
    split(client)
    found = client.describe_stream_summary(StreamName="posts")["StreamDescriptionSummary"]
    assert found["StreamARN"] == "arn:aws:kinesis:eu-west-1:000000000000:stream/posts"
    assert found["StreamCreationTimestamp"] == datetime(2023, 11, 14, 22, 13, 20, 123000, UTC)
    assert (found["RetentionPeriodHours"], found["OpenShardCount"], found["StreamStatus"]) == (24, 2, "ACTIVE")
    by_arn = client.describe_stream_summary(StreamARN=found["StreamARN"])["StreamDescriptionSummary"]
    assert by_arn == found


def test_a_stream_is_described_with_its_shards(client):
    client.create_stream(StreamName="users", ShardCount=3)
    found = client.describe_stream(StreamName="users")["StreamDescription"]
    assert (ids(found["Shards"]), found["HasMoreShards"]) == ([FIRST, SECOND, THIRD], False)


def test_a_stream_is_made_once(client):
    with refused("ResourceInUseException", "Stream posts under account 000000000000 already exists"):
        client.create_stream(StreamName="posts")


@pytest.mark.parametrize(
    "call",
    [
        lambda c: c.put_record(StreamName="no", Data=b"", PartitionKey="k"),
        lambda c: put(c, "a", stream="no"),
        lambda c: c.list_shards(StreamName="no"),
        lambda c: c.describe_stream(StreamName="no"),
        lambda c: c.delete_stream(StreamName="no"),
        lambda c: iterator(c, stream="no"),
        lambda c: c.split_shard(StreamName="no", ShardToSplit=FIRST, NewStartingHashKey="9"),
    ],
)
def test_an_unknown_stream_is_not_found(client, call):
    with refused("ResourceNotFoundException", "Stream no under account"):
        call(client)


def test_an_unknown_shard_is_not_found(client):
    with refused("ResourceNotFoundException", f"Shard {THIRD} in stream posts under account 000000000000 does not"):
        iterator(client, shard=THIRD)


# Controls


def test_calls_are_throttled_failed_and_cut_as_often_as_told(client, served):
    served.throttle["GetRecords"] = 2
    served.fail["PutRecords"] = 1
    served.reset["ListShards"] = 1
    kept = iterator(client)
    for _ in range(2):
        with refused("ProvisionedThroughputExceededException"):
            client.get_records(ShardIterator=kept)
    with refused("InternalFailure") as failed:
        put(client, "a")
    assert failed.value.response["ResponseMetadata"]["HTTPStatusCode"] == 500
    with pytest.raises((BotoConnectionError, BotoCoreError), match=r"closed|[Cc]onnection"):
        shards(client)

    put(client, "b")
    assert ids(shards(client)) == [FIRST]
    assert data(client.get_records(ShardIterator=kept)) == ["b"]
    assert served.calls == Counter(GetShardIterator=1, GetRecords=3, PutRecords=2, ListShards=2)


def test_records_are_lost_on_demand(client, served):
    first, second, _ = put(client, "a", "b", "c")
    served.lose("posts", FIRST, second)
    assert read(client) == ["c"]
    assert read(client, "AFTER_SEQUENCE_NUMBER", StartingSequenceNumber=first) == ["c"]
    with pytest.raises(KinesisError, match="did not come from this stream"):
        served.lose("posts", FIRST, "12")


# Protocol, speed, process


@pytest.mark.parametrize(
    ("operation", "body", "said"),
    [
        ("Dance", b"{}", ("UnknownOperationException", "no such operation here: 'Dance'")),
        ("ListShards", b"\xa1", ("SerializationException", "the body must be a JSON object")),
        ("ListShards", b"[]", ("SerializationException", "the body must be a JSON object")),
        ("ListShards", b"{}", ("InvalidArgumentException", "StreamName or StreamARN must be given")),
        ("ListShards", b'{"StreamName":1}', ("ValidationException", "StreamName must be a text, got 1")),
        ("CreateStream", b'{"StreamName":"a b"}', ("ValidationException", "StreamName must be 1 to 128 of a-zA-Z0-9_")),
        (
            "CreateStream",
            b'{"StreamName":"a","ShardCount":0}',
            ("InvalidArgumentException", "ShardCount must be 1 to 10000, got 0"),
        ),
    ],
)
def test_bad_input_gets_one_clear_message(operation, body, said):
    kinesis = ControlledKinesis()
    kinesis.create("posts")
    status, answer = kinesis.answer(operation, body)
    found = orjson.loads(answer)
    assert (status, found["__type"]) == (400, said[0])
    assert found["message"].startswith(said[1])


def test_ten_thousand_records_are_answered_in_under_20_ms():
    kinesis = ControlledKinesis()
    kinesis.create("posts")
    record = {"Data": base64.b64encode(bytes(400)).decode(), "PartitionKey": "k"}
    body = orjson.dumps({"StreamName": "posts", "Records": [record] * 500})
    for _ in range(20):
        kinesis.answer("PutRecords", body)
    asked = {"StreamName": "posts", "ShardId": FIRST, "ShardIteratorType": "TRIM_HORIZON"}
    begun = orjson.loads(kinesis.answer("GetShardIterator", orjson.dumps(asked))[1])
    seconds = []
    for _ in range(10):
        began = time.perf_counter()
        _, answer = kinesis.answer("GetRecords", orjson.dumps(begun))
        seconds.append(time.perf_counter() - began)
    assert len(orjson.loads(answer)["Records"]) == 10_000
    assert min(seconds) < 0.02


def test_a_process_serves_on_its_port_and_ends_when_asked(tmp_path):
    with Part("kinesis", "local.kinesis.kinesis_emulator", [], tmp_path) as part:
        assert client_of(part.url).list_streams()["StreamNames"] == []
    assert not part.is_running()
