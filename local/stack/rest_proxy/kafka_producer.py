"""Produces records to Kafka and awaits their delivery reports."""

import asyncio
import threading
from collections.abc import Sequence
from dataclasses import dataclass

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from local.stack.rest_proxy.produce_request import Record

# API Gateway gives up after 29 s: what became of the records must be known before.
DELIVERY_MS = 20_000
_POLL_SECONDS = 0.1
_ANY_PARTITION = -1


@dataclass(frozen=True, slots=True)
class DeliveryReport:
    """What became of a record: where it stands, or why it was not written."""

    partition: int | None
    offset: int | None
    error: KafkaError | None


class _PendingRequest:
    """A request's records, until the last one is settled."""

    def __init__(self, count: int, loop: asyncio.AbstractEventLoop) -> None:
        self.written: list[DeliveryReport] = [DeliveryReport(None, None, None)] * count
        self.done: asyncio.Future[None] = loop.create_future()
        self._left, self._loop, self._lock = count, loop, threading.Lock()

    def settle(self, number: int, written: DeliveryReport) -> None:
        """Takes what became of one; from any thread."""
        self.written[number] = written
        with self._lock:
            self._left -= 1
            last = not self._left
        if last:
            self._loop.call_soon_threadsafe(self._end)

    def _end(self) -> None:
        # The caller may have gone.
        if not self.done.done():
            self.done.set_result(None)


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
        threading.Thread(target=self._hear, daemon=True, name="kafka-answers").start()

    async def write(self, topic: str, records: Sequence[Record]) -> list[DeliveryReport]:
        """Writes records; what became of each, in their order."""
        pending = _PendingRequest(len(records), self._loop)
        for number, record in enumerate(records):
            self._write(topic, number, record, pending)
        await pending.done
        return pending.written

    def _write(self, topic: str, number: int, record: Record, pending: _PendingRequest) -> None:
        def settled(error: KafkaError | None, message: Message) -> None:
            where = (None, None) if error else (message.partition(), message.offset())
            pending.settle(number, DeliveryReport(*where, error))

        partition = _ANY_PARTITION if record.partition is None else record.partition
        try:
            self._producer.produce(topic, record.value, record.key, partition, on_delivery=settled)
        except BufferError:
            pending.settle(number, DeliveryReport(None, None, KafkaError(KafkaError._QUEUE_FULL)))
        except KafkaException as refused:
            pending.settle(number, DeliveryReport(None, None, refused.args[0]))

    def _hear(self) -> None:
        while True:
            self._producer.poll(_POLL_SECONDS)
