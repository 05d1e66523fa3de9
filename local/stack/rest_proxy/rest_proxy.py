"""Emulates Confluent's REST proxy: the part of its v2 API that the pipeline uses, in front of a real Kafka broker.

    python -m local.stack.rest_proxy.rest_proxy --port 8082 --kafka 127.0.0.1:9092

``POST /topics/<topic>`` with JSON records, ``GET /topics``, ``GET /topics/<topic>``. It answers as the real one does:
200 with an ``error_code`` on each record that Kafka did not take, be it that the topic is missing or the broker down.

Source: https://docs.confluent.io/platform/current/kafka-rest/api.html
"""

import argparse
import asyncio
import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass

from aiohttp import web
from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient

from emulation.cli.number_arguments import int_between
from local.stack.rest_proxy.kafka_producer import DeliveryReport, KafkaProducer
from local.stack.rest_proxy.produce_request import MEDIA_TYPE, RequestError, check_media_type, parse_records
from local.stack.stack_part import HOST, end_with_parent

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

# The real one takes any size; API Gateway before it takes 10 MB.
_BODY_BYTES = 64 * 1024**2
_METADATA_SECONDS = 5.0
_RETRIABLE, _NOT_RETRIABLE = 50003, 50002
_NO_TOPIC = 40401
# Java's client finds out about a missing topic by waiting for it in vain, and calls that a time-out, which passes.
_PASSES = (
    KafkaError.UNKNOWN_TOPIC_OR_PART,
    KafkaError._UNKNOWN_TOPIC,
    KafkaError._MSG_TIMED_OUT,
    KafkaError._QUEUE_FULL,
)


@dataclass(frozen=True)
class Offset:
    """The result of one record."""

    partition: int | None = None
    offset: int | None = None
    error_code: int | None = None
    error: str | None = None


class RestProxy:
    """Takes requests, and gives their records to the broker."""

    def __init__(self, producer: KafkaProducer, admin: AdminClient) -> None:
        self._producer, self._admin = producer, admin

    def app(self) -> web.Application:
        """Its routes."""
        app = web.Application(client_max_size=_BODY_BYTES, middlewares=[_handle_errors])
        app.router.add_get("/", self._root)
        app.router.add_get("/topics", self._topics)
        app.router.add_get("/topics/{topic}", self._topic)
        app.router.add_post("/topics/{topic}", self._produce)
        return app

    async def _produce(self, request: web.Request) -> web.Response:
        check_media_type(request.headers.get("Content-Type", ""))
        records = parse_records(await request.read())
        written = await self._producer.write(request.match_info["topic"], records)
        offsets = [asdict(_to_offset(one)) for one in written]
        return _build_response({"offsets": offsets, "key_schema_id": None, "value_schema_id": None})

    async def _root(self, _: web.Request) -> web.Response:
        return _build_response({})

    async def _topics(self, _: web.Request) -> web.Response:
        found = await asyncio.to_thread(self._admin.list_topics, timeout=_METADATA_SECONDS)
        return _build_response(sorted(name for name in found.topics if not name.startswith("__")))

    async def _topic(self, request: web.Request) -> web.Response:
        name = request.match_info["topic"]
        found = await asyncio.to_thread(self._admin.list_topics, timeout=_METADATA_SECONDS)
        if name not in found.topics:
            raise RequestError(404, _NO_TOPIC, "Topic not found.")
        partitions = [
            {
                "partition": number,
                "leader": there.leader,
                "replicas": [
                    {"broker": b, "leader": b == there.leader, "in_sync": b in there.isrs} for b in there.replicas
                ],
            }
            for number, there in sorted(found.topics[name].partitions.items())
        ]
        return _build_response({"name": name, "configs": {}, "partitions": partitions})


def _to_offset(written: DeliveryReport) -> Offset:
    error = written.error
    if error is None:
        return Offset(written.partition, written.offset)
    passes = error.retriable() or error.code() in _PASSES
    return Offset(error_code=_RETRIABLE if passes else _NOT_RETRIABLE, error=error.str())


def _build_response(content: object, status: int = 200) -> web.Response:
    return web.json_response(content, status=status, content_type=MEDIA_TYPE)


@web.middleware
async def _handle_errors(request: web.Request, handler: _Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except RequestError as refused:
        return _build_response({"error_code": refused.code, "message": str(refused)}, refused.status)
    except web.HTTPException as error:
        return _build_response(
            {"error_code": error.status, "message": f"HTTP {error.status} {error.reason}"}, error.status
        )
    except KafkaException as error:
        return _build_response({"error_code": _RETRIABLE, "message": error.args[0].str()}, 500)


async def _serve(port: int, kafka: str) -> None:
    producer = KafkaProducer(kafka, asyncio.get_running_loop())
    admin = AdminClient({"bootstrap.servers": kafka, "log_level": 0})
    runner = web.AppRunner(RestProxy(producer, admin).app(), access_log=None)
    await runner.setup()
    await web.TCPSite(runner, HOST, port).start()
    await asyncio.Event().wait()


def main(arguments: Sequence[str] | None = None) -> int:
    """Serves until it is ended."""
    parser = argparse.ArgumentParser(
        prog="python -m local.stack.rest_proxy.rest_proxy", description="Kafka's REST proxy, v2 JSON."
    )
    parser.add_argument("--port", required=True, type=int_between(0, 65_535), help="its loopback port")
    parser.add_argument("--kafka", required=True, metavar="HOST:PORT", help="the broker")
    options = parser.parse_args(arguments)
    end_with_parent()
    asyncio.run(_serve(options.port, options.kafka))
    return 0


if __name__ == "__main__":
    sys.exit(main())
