"""Emulates Confluent's S3 sink connector: JSON lines, the same object keys, at-least-once delivery.

    python -m local.stack.s3_sink.s3_sink --port 8083 --kafka 127.0.0.1:9092
        --s3 http://127.0.0.1:4566 --bucket B --topics-regex 'abc.*' --group G --flush-size 1000 --rotate-ms 2000

A file of a partition is written when it has ``flush.size`` records, or when the clock passes a multiple of
``rotate.schedule.interval.ms``; only then is it committed how far the partition is read. Killed in between, it writes
the same file again, perhaps with more or fewer records. Its port shows that it runs, and answers nothing.

Source: https://docs.confluent.io/kafka-connectors/s3-sink/current/overview.html
"""

import argparse
import socket
import sys
import time
from collections.abc import Sequence

from confluent_kafka import Consumer, KafkaException, Message, TopicPartition

from local.runtime.part_process import HOST, build_part_parser, run_part
from local.stack.s3_sink.sink_files import PartitionFiles, PutObject, SinkError, SinkFile

_POLL_SECONDS, _AT_ONCE = 0.2, 1_000
# As short as the broker lets it be: so long a sink that was killed keeps its partitions from the next one.
_SESSION_MS, _HEARTBEAT_MS = 3_000, 500


class S3Sink:
    """Reads topics, writes files."""

    def __init__(self, consumer: Consumer, files: PartitionFiles, put: PutObject) -> None:
        self._consumer, self._files, self._put = consumer, files, put

    def subscribe(self, topics_regex: str) -> None:
        """Reads the topics of a pattern from now on; those made later too."""
        self._consumer.subscribe(
            [f"^{topics_regex}"], on_assign=self._on_assign, on_revoke=self._on_revoke, on_lost=self._on_revoke
        )

    def step(self) -> None:
        """Polls records, and writes the files that are finished.

        Raises:
            SinkError: a record is not what the sink can write.
        """
        for message in self._consumer.consume(_AT_ONCE, _POLL_SECONDS):
            if (error := message.error()) is not None:
                if not error.retriable():
                    print(f"error: {error.str()}", file=sys.stderr, flush=True)
                continue
            self._write(self._files.take(*_unpack_message(message), time.time()))
        self._write(self._files.due(time.time()))

    def _write(self, finished: Sequence[SinkFile]) -> None:
        for one in finished:
            self._put(one.key, one.body)
            # Only now: committed records are never read again.
            place = TopicPartition(one.topic, one.partition, one.next_offset)
            try:
                self._consumer.commit(offsets=[place], asynchronous=False)
            except KafkaException as error:
                # The broker is away, or the partition somebody else's: it is read again from the last place.
                print(f"not committed: {error.args[0].str()}", file=sys.stderr, flush=True)

    def _on_assign(self, _: Consumer, partitions: list[TopicPartition]) -> None:
        print(f"reads {', '.join(sorted(f'{p.topic}-{p.partition}' for p in partitions)) or 'nothing'}", flush=True)

    def _on_revoke(self, _: Consumer, partitions: list[TopicPartition]) -> None:
        """Partitions that are not its own any more are read again from what was committed."""
        for place in partitions:
            self._files.forget(place.topic, place.partition)


def _unpack_message(message: Message) -> tuple[str, int, int, bytes | None]:
    topic, partition, offset, value = message.topic(), message.partition(), message.offset(), message.value()
    if topic is None or partition is None or offset is None or isinstance(value, str):
        raise SinkError("a message must have a topic, a partition, an offset and bytes")
    return topic, partition, offset, value


def open_consumer(kafka: str, group: str) -> Consumer:
    """Opens a consumer that begins at the earliest offset and commits explicitly."""
    return Consumer(
        {
            "bootstrap.servers": kafka,
            "group.id": group,
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "session.timeout.ms": _SESSION_MS,
            "heartbeat.interval.ms": _HEARTBEAT_MS,
            "topic.metadata.refresh.interval.ms": 5_000,
            "reconnect.backoff.max.ms": 1_000,
            "log_level": 0,
        }
    )


def open_bucket(endpoint: str, bucket: str) -> PutObject:
    """Writes objects into a bucket; an object is there whole or not at all."""
    import boto3  # noqa: PLC0415 - half a second to import, and only wanted here
    from botocore.config import Config  # noqa: PLC0415

    config = Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 10, "mode": "standard"})
    s3 = boto3.client("s3", endpoint_url=endpoint, config=config)

    def put(key: str, body: bytes) -> None:
        s3.put_object(Bucket=bucket, Key=key, Body=body, ContentType="application/json")

    return put


def run(options: argparse.Namespace) -> None:
    """Sinks until it is ended, or meets a record that it cannot write."""
    files = PartitionFiles(options.flush_size, options.rotate_ms)
    sink = S3Sink(open_consumer(options.kafka, options.group), files, open_bucket(options.s3, options.bucket))
    sink.subscribe(options.topics_regex)
    with socket.create_server((HOST, options.port)):
        while True:
            sink.step()


if __name__ == "__main__":
    parser = build_part_parser("local.stack.s3_sink.s3_sink", "Writes Kafka's topics into a bucket.")
    parser.add_argument("--kafka", required=True, metavar="HOST:PORT", help="the broker")
    parser.add_argument("--s3", required=True, metavar="URL", help="endpoint of S3")
    parser.add_argument("--bucket", required=True, help="where the objects go")
    parser.add_argument("--topics-regex", required=True, metavar="REGEX", help="which topics")
    parser.add_argument("--group", required=True, help="consumer group")
    parser.add_argument("--flush-size", required=True, type=int, metavar="N", help="flush.size")
    parser.add_argument("--rotate-ms", required=True, type=int, metavar="MS", help="rotate.schedule.interval.ms")
    run_part(parser, run)
