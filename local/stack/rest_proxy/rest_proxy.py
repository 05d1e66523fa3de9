"""Emulates Confluent's REST proxy: the part of its v2 API that the pipeline uses, in front of a real Kafka broker.

    python -m local.stack.rest_proxy.rest_proxy --port 8082 --kafka 127.0.0.1:9092

``POST /topics/<topic>`` with JSON records. It answers as the real one does: 200 with an ``error_code`` on each record
that Kafka did not take, be it that the topic is missing or the broker down.

Source: https://docs.confluent.io/platform/current/kafka-rest/api.html
"""

import asyncio
from collections.abc import Awaitable, Callable

from aiohttp import web

from local.runtime.part_process import build_part_parser, run_part, serve
from local.stack.rest_proxy.kafka_producer import KafkaProducer
from local.stack.rest_proxy.produce_request import MEDIA_TYPE, RequestError, check_media_type, parse_records

# The real one takes any size; API Gateway before it takes 10 MB.
_BODY_BYTES = 64 * 1024**2


def build_app(producer: KafkaProducer) -> web.Application:
    """The proxy's routes; the root answers health checks, whatever becomes of the broker."""

    async def produce(request: web.Request) -> web.Response:
        check_media_type(request.headers.get("Content-Type", ""))
        records = parse_records(await request.read())
        offsets = await producer.write(request.match_info["topic"], records)
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
    except RequestError as refused:
        return _build_response({"error_code": refused.status, "message": str(refused)}, refused.status)
    except web.HTTPException as error:
        message = f"HTTP {error.status} {error.reason}"
        return _build_response({"error_code": error.status, "message": message}, error.status)


async def _open_proxy(kafka: str) -> web.Application:
    return build_app(KafkaProducer(kafka, asyncio.get_running_loop()))


if __name__ == "__main__":
    parser = build_part_parser("local.stack.rest_proxy.rest_proxy", "Kafka's REST proxy, v2 JSON.")
    parser.add_argument("--kafka", required=True, metavar="HOST:PORT", help="the broker")
    run_part(parser, lambda options: serve(_open_proxy(options.kafka), options.port))
