"""Emulates Confluent's S3 sink connector: JSON lines, the same object keys, at-least-once delivery.

    python -m local.stack.s3_sink --port 8083 --kafka 127.0.0.1:9092
        --s3 http://127.0.0.1:4566 --bucket B --topics-regex 'abc.*' --group G --flush-size 1000 --rotate-ms 2000

A file of a partition is written when it has ``flush.size`` records, or when the clock passes a multiple of
``rotate.schedule.interval.ms``; only then is it committed how far the partition is read. Killed in between, it writes
the same file again, perhaps with more or fewer records. Its port shows that it runs, and answers nothing.

Source: https://docs.confluent.io/kafka-connectors/s3-sink/current/overview.html
"""

import argparse
import json
import socket
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import cast

from confluent_kafka import Consumer, KafkaException, TopicPartition

from local.runtime.part_process import HOST, build_part_parser, run_part
from local.stack.stack_part import StackError
from pinterest_transforms.settings import landing_key

_POLL_SECONDS, _AT_ONCE = 0.2, 1_000
# As short as the broker lets it be: so long a sink that was killed keeps its partitions from the next one.
_SESSION_MS, _HEARTBEAT_MS = 3_000, 500
PutObject = Callable[[str, bytes], None]
"""Writes an object: its key, its content."""


@dataclass
class SinkFile:
    """Records of a partition that go into one object.

    Attributes:
        start: offset of the first record.
        turn: which multiple of ``rotate.schedule.interval.ms`` it was begun in.
        next_offset: offset behind the last record.
    """

    topic: str
    partition: int
    start: int
    turn: int
    next_offset: int
    lines: list[bytes] = field(default_factory=list)

    @property
    def key(self) -> str:
        """Key of its object."""
        return landing_key(self.topic, self.partition, self.start)

    @property
    def body(self) -> bytes:
        """Content of its object: each record on a line."""
        return b"".join(line + b"\n" for line in self.lines)


class PartitionFiles:
    """The file that each partition is at."""

    def __init__(self, flush_size: int, rotate_ms: int) -> None:
        """Takes Confluent's settings.

        Args:
            flush_size: records of a file at most.
            rotate_ms: a file is finished when the clock passes a multiple of it, in ms since 1970; 0 for never.
        """
        self._flush_size, self._rotate_ms = flush_size, rotate_ms
        self._open: dict[tuple[str, int], SinkFile] = {}

    def take(self, topic: str, partition: int, offset: int, value: bytes | None, now: float) -> list[SinkFile]:
        """Adds the next record of a partition; returns the files that it finished.

        A null value, which JSON lines have no line for, is passed over (``behavior.on.null.values=ignore``).

        Raises:
            StackError: the value is no JSON (``errors.tolerance=none``).
        """
        place, finished = (topic, partition), self.pop_due(now)
        file = self._open.get(place)
        if file is not None and offset < file.next_offset:
            # After a rebalance the consumer goes back to what was committed: so does the file.
            file = None
        if value is None:
            if file is not None:
                file.next_offset = offset + 1
            return finished
        line = _build_line(topic, partition, offset, value)
        if file is None:
            file = self._open[place] = SinkFile(topic, partition, offset, self._turn(now), offset)
        file.lines.append(line)
        file.next_offset = offset + 1
        if len(file.lines) >= self._flush_size:
            finished.append(self._open.pop(place))
        return finished

    def pop_due(self, now: float) -> list[SinkFile]:
        """Files that the clock, in seconds since 1970, has finished."""
        turn = self._turn(now)
        return [self._open.pop(place) for place, file in list(self._open.items()) if file.turn != turn]

    def forget(self, topic: str, partition: int) -> None:
        """Drops the file of a partition that is somebody else's now."""
        self._open.pop((topic, partition), None)

    def _turn(self, now: float) -> int:
        return round(now * 1000) // self._rotate_ms if self._rotate_ms else 0


def _build_line(topic: str, partition: int, offset: int, value: bytes) -> bytes:
    """The value on one line, as the sink's converter serializes it."""
    try:
        return json.dumps(json.loads(value), ensure_ascii=False, separators=(",", ":")).encode()
    except (ValueError, RecursionError):
        raise StackError(f"a record's value must be JSON, got other bytes in {topic}-{partition} at {offset}") from None


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
            StackError: a record is not what the sink can write.
        """
        for message in self._consumer.consume(_AT_ONCE, _POLL_SECONDS):
            if (error := message.error()) is not None:
                if not error.retriable():
                    print(f"error: {error.str()}", file=sys.stderr, flush=True)
                continue
            # Only an error has no topic, partition or offset.
            topic, place = cast(str, message.topic()), (cast(int, message.partition()), cast(int, message.offset()))
            self._write(self._files.take(topic, *place, message.value(), time.time()))
        self._write(self._files.pop_due(time.time()))

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
    """Writes records to the bucket until it is stopped, or a record cannot be written."""
    files = PartitionFiles(options.flush_size, options.rotate_ms)
    sink = S3Sink(open_consumer(options.kafka, options.group), files, open_bucket(options.s3, options.bucket))
    sink.subscribe(options.topics_regex)
    with socket.create_server((HOST, options.port)):
        while True:
            sink.step()


if __name__ == "__main__":
    parser = build_part_parser("local.stack.s3_sink", "Writes Kafka's topics into a bucket.")
    parser.add_argument("--kafka", required=True, metavar="HOST:PORT", help="the broker")
    parser.add_argument("--s3", required=True, metavar="URL", help="endpoint of S3")
    parser.add_argument("--bucket", required=True, help="where the objects go")
    parser.add_argument("--topics-regex", required=True, metavar="REGEX", help="which topics")
    parser.add_argument("--group", required=True, help="consumer group")
    parser.add_argument("--flush-size", required=True, type=int, metavar="N", help="flush.size")
    parser.add_argument("--rotate-ms", required=True, type=int, metavar="MS", help="rotate.schedule.interval.ms")
    run_part(parser, run)
