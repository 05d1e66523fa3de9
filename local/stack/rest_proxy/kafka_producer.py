"""Produces records to Kafka and awaits their delivery reports."""

import asyncio
import threading
from collections.abc import Sequence

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from local.stack.rest_proxy.produce_request import Record

# API Gateway gives up after 29 s: what became of the records must be known before.
DELIVERY_MS = 20_000
_ANY_PARTITION = -1
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


class KafkaProducer:
    """One producer for all requests: each record is acknowledged by all replicas, and written once in its order."""

    def __init__(self, kafka: str, loop: asyncio.AbstractEventLoop, *, delivery_ms: int = DELIVERY_MS) -> None:
        """Takes the broker's address, and how long a record may take, in ms."""
        self._loop = loop
        self._producer = Producer(
            {
                "bootstrap.servers": kafka,
                "acks": "all",
                "enable.idempotence": True,
                # Java's choice of a partition, so that a key lives where the real proxy puts it.
                "partitioner": "murmur2_random",
                "delivery.timeout.ms": delivery_ms,
                "linger.ms": 5,
                "topic.metadata.propagation.max.ms": 2_000,
                "reconnect.backoff.max.ms": 1_000,
                "log_level": 0,
            }
        )
        threading.Thread(target=self._poll, daemon=True, name="kafka-answers").start()

    async def write(self, topic: str, records: Sequence[Record]) -> list[Offset]:
        """Writes records; what became of each, in their order."""
        return await asyncio.gather(*[self._produce(topic, record) for record in records])

    def _produce(self, topic: str, record: Record) -> "asyncio.Future[Offset]":
        future: asyncio.Future[Offset] = self._loop.create_future()

        def settle(error: KafkaError | None, message: Message | None = None) -> None:
            place = (None, None) if error or message is None else (message.partition(), message.offset())
            offset: Offset = {"partition": place[0], "offset": place[1], "error_code": None, "error": None}
            if error:
                passes = error.retriable() or error.code() in _PASSES
                offset |= {"error_code": RETRIABLE if passes else NOT_RETRIABLE, "error": error.str()}
            self._loop.call_soon_threadsafe(_finish, future, offset)

        partition = _ANY_PARTITION if record.partition is None else record.partition
        try:
            self._producer.produce(topic, record.value, record.key, partition, on_delivery=settle)
        except BufferError:
            settle(KafkaError(KafkaError._QUEUE_FULL))
        except KafkaException as refused:
            settle(refused.args[0])
        return future

    def _poll(self) -> None:
        while True:
            self._producer.poll(0.1)


def _finish(future: "asyncio.Future[Offset]", offset: Offset) -> None:
    # The caller may have gone.
    if not future.done():
        future.set_result(offset)
