"""What stands in the three Kafka topics of the stack, and how much of it the sink has not landed."""

import logging
import time
from collections.abc import Callable
from typing import TypeVar

from confluent_kafka import Consumer, ConsumerGroupTopicPartitions, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient

from local.stack.stack import GROUP
from pinterest_transforms.entities import ENTITIES
from pinterest_transforms.settings import Settings

Answer = TypeVar("Answer")

_SECONDS, _PAUSE = 30.0, 0.2
# The client's own log tells each attempt to reach a broker that is down, which a test may have wanted.
_LOG = logging.getLogger("stack-topics")
_LOG.addHandler(logging.NullHandler())
_LOG.propagate = False


def _retry(ask: Callable[[], Answer]) -> Answer:
    """What a broker answers; one that has just started again knows for a while less than it should."""
    until = time.monotonic() + _SECONDS
    while True:
        try:
            return ask()
        except (KafkaException, KeyError):
            if time.monotonic() > until:
                raise
            time.sleep(_PAUSE)


class Topics:
    """Topics of one user on one broker."""

    def __init__(self, bootstrap: str, settings: Settings) -> None:
        self._names = [settings.topic(entity) for entity in ENTITIES]
        self._bootstrap = bootstrap
        self._admin = AdminClient({"bootstrap.servers": bootstrap}, logger=_LOG)

    def end_offsets(self) -> dict[tuple[str, int], int]:
        """Offset behind the last record of each partition: by topic and number."""
        return _retry(self._read_end_offsets)

    def _read_end_offsets(self) -> dict[tuple[str, int], int]:
        found = self._admin.list_topics(timeout=_SECONDS).topics
        places = [TopicPartition(name, number) for name in self._names for number in found[name].partitions]
        consumer = self._consumer()
        try:
            marks = [consumer.get_watermark_offsets(partition, timeout=_SECONDS) or (0, 0) for partition in places]
        finally:
            consumer.close()
        return {(partition.topic, partition.partition): end for partition, (_, end) in zip(places, marks, strict=True)}

    def count_records(self) -> int:
        """Records in all of them."""
        return sum(self.end_offsets().values())

    def count_lag(self, group: str) -> int:
        """Records that a group has not committed yet."""
        ends = self.end_offsets()
        request = ConsumerGroupTopicPartitions(group, [TopicPartition(*partition) for partition in ends])

        def ask() -> list[TopicPartition]:
            answer = self._admin.list_consumer_group_offsets([request], request_timeout=_SECONDS)
            return answer[group].result().topic_partitions or []

        found = _retry(ask)
        committed = {(partition.topic, partition.partition): max(0, partition.offset) for partition in found}
        return sum(end - committed.get(partition, 0) for partition, end in ends.items())

    def read_messages(self) -> list[tuple[str, int, bytes | None]]:
        """Topic, partition and value of every record."""
        consumer, ends = self._consumer(), self.end_offsets()
        found: list[tuple[str, int, bytes | None]] = []
        consumer.assign([TopicPartition(*partition, 0) for partition in ends])
        while len(found) < sum(ends.values()):
            for message in consumer.consume(1_000, _SECONDS):
                value = message.value()
                if message.error() is None and not isinstance(value, str):
                    found.append((str(message.topic()), int(message.partition() or 0), value))
        consumer.close()
        return found

    def wait_until_landed(self, seconds: float = 60) -> None:
        """Waits until everything in the topics stands in the bucket."""
        until = time.monotonic() + seconds
        while left := self.count_lag(GROUP):
            assert time.monotonic() < until, f"all records must have landed within {seconds:g} s, {left} have not"
            time.sleep(_PAUSE)

    def _consumer(self) -> Consumer:
        given = {"bootstrap.servers": self._bootstrap, "group.id": "look", "enable.auto.commit": False}
        return Consumer(given, logger=_LOG)
