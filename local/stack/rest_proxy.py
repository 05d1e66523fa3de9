"""Emulates Confluent's REST proxy: the part of its v2 API that the pipeline uses, in front of a real Kafka broker.

    python -m local.stack.rest_proxy --port 8082 --kafka 127.0.0.1:9092

``POST /topics/<topic>`` with JSON records. It answers as the real one does: 200 with an ``error_code`` on each record
that Kafka did not take, be it that the topic is missing or the broker down.

Source: https://docs.confluent.io/platform/current/kafka-rest/api.html
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import NoReturn

from aiohttp import web
from confluent_kafka import KafkaError, KafkaException, Message, Producer

from local.runtime.part_process import build_part_parser, run_part, serve

MEDIA_TYPE = "application/vnd.kafka.v2+json"
"""Of answers."""
_JSON_RECORDS = "application/vnd.kafka.json.v2+json"
# The real one takes any size; API Gateway before it takes 10 MB.
_BODY_BYTES = 64 * 1024**2
# API Gateway gives up after 29 s: what became of the records must be known before.
DELIVERY_MS = 20_000
_REQUESTS_AT_ONCE = 64
_POLL_SECONDS = 0.1
RETRIABLE, NOT_RETRIABLE = 50003, 50002
# Java's client finds out about a missing topic by waiting for it in vain, and calls that a time-out, which passes.
_PASSES = (
    KafkaError.UNKNOWN_TOPIC_OR_PART,
    KafkaError._UNKNOWN_TOPIC,
    KafkaError._MSG_TIMED_OUT,
    KafkaError._QUEUE_FULL,
)
Offset = dict[str, int | str | None]
"""Where a record stands, or why it was not written, as the proxy answers it."""
Record = tuple[bytes | None, bytes | None]
"""Key and value for Kafka: JSON texts, and None where JSON's null stood."""


def parse_records(body: bytes) -> list[Record]:
    """The records of a request.

    Raises:
        HTTPException: 400, the body is no JSON; 422, it has not what it must have.
    """
    try:
        found = json.loads(body, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        raise web.HTTPBadRequest(text="Bad Request: the body must be JSON") from None
    records = found.get("records") if isinstance(found, dict) else None
    if not isinstance(records, list) or not records:
        raise web.HTTPUnprocessableEntity(text="the body must be an object with records in it")
    for number, record in enumerate(records):
        if not isinstance(record, dict) or not record.keys() <= {"key", "value"}:
            raise web.HTTPUnprocessableEntity(text=f"records[{number}] must be an object of key and value")
    try:
        return [(_to_json(record.get("key")), _to_json(record.get("value"))) for record in records]
    except UnicodeEncodeError:
        raise web.HTTPUnprocessableEntity(text="records must be of whole characters") from None


def _to_json(value: object) -> bytes | None:
    """The value as the proxy serializes it: on one line, and every character as it is."""
    return None if value is None else json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def _refuse_constant(name: str) -> NoReturn:
    """NaN and Infinity are Python's, and no JSON."""
    raise ValueError(f"{name} is no JSON")


def open_producer(kafka: str, delivery_ms: int = DELIVERY_MS) -> Producer:
    """One producer for all requests: each record is acknowledged by all replicas, and written once in its order."""
    return Producer(
        {
            "bootstrap.servers": kafka,
            "acks": "all",
            "enable.idempotence": True,
            # Java's choice of a partition, so that a key goes to the partition that the real proxy chooses.
            "partitioner": "murmur2_random",
            "delivery.timeout.ms": delivery_ms,
            "linger.ms": 5,
            "topic.metadata.propagation.max.ms": 2_000,
            "reconnect.backoff.max.ms": 1_000,
            "log_level": 0,
        }
    )


def write_records(producer: Producer, topic: str, records: Sequence[Record]) -> list[Offset]:
    """Writes records and waits for them; what became of each, in their order."""
    offsets: dict[int, Offset] = {}
    for number, (key, value) in enumerate(records):
        settle = partial(_settle, offsets, number)
        try:
            producer.produce(topic, value, key, on_delivery=settle)
        except BufferError:
            settle(KafkaError(KafkaError._QUEUE_FULL))
        except KafkaException as refused:
            settle(refused.args[0])
    while len(offsets) < len(records):
        # Another request's thread may get this one's reports, and the other way round.
        producer.poll(_POLL_SECONDS)
    return [offset for _, offset in sorted(offsets.items())]


def _settle(offsets: dict[int, Offset], number: int, error: KafkaError | None, message: Message | None = None) -> None:
    place = (None, None) if error or message is None else (message.partition(), message.offset())
    offset: Offset = {"partition": place[0], "offset": place[1], "error_code": None, "error": None}
    if error:
        passes = error.retriable() or error.code() in _PASSES
        offset |= {"error_code": RETRIABLE if passes else NOT_RETRIABLE, "error": error.str()}
    offsets[number] = offset


def build_app(producer: Producer) -> web.Application:
    """The proxy's routes; the root answers health checks, whatever becomes of the broker."""
    threads = ThreadPoolExecutor(_REQUESTS_AT_ONCE)

    async def produce(request: web.Request) -> web.Response:
        # Records of the other types have another encoding.
        if request.content_type != _JSON_RECORDS:
            raise web.HTTPUnsupportedMediaType
        topic, records = request.match_info["topic"], parse_records(await request.read())
        loop = asyncio.get_running_loop()
        offsets = await loop.run_in_executor(threads, write_records, producer, topic, records)
        return _build_response({"offsets": offsets, "key_schema_id": None, "value_schema_id": None})

    async def check_health(_: web.Request) -> web.Response:
        return _build_response({})

    app = web.Application(client_max_size=_BODY_BYTES, middlewares=[_handle_errors])
    app.router.add_get("/", check_health)
    app.router.add_post("/topics/{topic}", produce)
    return app


def _build_response(content: object, status: int = 200) -> web.Response:
    return web.json_response(content, status=status, content_type=MEDIA_TYPE)


@web.middleware
async def _handle_errors(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    try:
        return await handler(request)
    except web.HTTPException as error:
        # aiohttp's own text begins with the status.
        message = (error.text or "").replace(f"{error.status}: ", f"HTTP {error.status} ")
        return _build_response({"error_code": error.status, "message": message}, error.status)


if __name__ == "__main__":
    parser = build_part_parser("local.stack.rest_proxy", "Kafka's REST proxy, v2 JSON.")
    parser.add_argument("--kafka", required=True, metavar="HOST:PORT", help="the broker")
    run_part(parser, lambda options: serve(build_app(open_producer(options.kafka)), options.port))
