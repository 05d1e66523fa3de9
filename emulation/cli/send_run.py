"""Runs ``batches`` and ``streaming``: from the options to the output line."""

import argparse
import os
import random
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import groupby
from operator import attrgetter
from pathlib import Path

from sqlalchemy import Engine

from emulation.cli.progress_display import display_text
from emulation.cli.signal_handler import SignalHandler
from emulation.emulation_errors import SendError
from emulation.producer import kinesis_streams
from emulation.producer.cursor import Cursor
from emulation.producer.delivery_log import DeliveryCounts, DeliveryLog, read_failed_records
from emulation.producer.http_client import HttpClient, validate_url
from emulation.producer.kafka_rest import KafkaRestSink
from emulation.producer.kinesis_sinks import KinesisApiSink, KinesisSink
from emulation.producer.record_producer import RecordProducer
from emulation.producer.request_auth import ApiKeyAuth, IamAuth, RequestAuth
from emulation.producer.retry_policy import RetryPolicy
from emulation.producer.send_result import Sink
from emulation.producer.state_files import create_folder
from emulation.source import post_reader
from emulation.source.database import connect, describe_database
from emulation.source.database_credentials import connect_source
from emulation.source.source_records import SourceRecord
from pinterest_transforms.errors import PinterestError
from pinterest_transforms.settings import Settings

# The gateway answers within 29 s; a client that gives up earlier would not receive its answer.
_TIMEOUT = 35.0
_MAX_PAUSE = 2.0


@dataclass
class _Run:
    """A run, and the files that it keeps.

    Attributes:
        options: the command's options.
        sink: where it sends to.
        failed: the file of failed records, never the one of ``--resend``.
        cursor: the cursor file; None to keep none.
        truncated: numbers of truncated lines in the file of ``--resend``.
        started: when it began.
    """

    options: argparse.Namespace
    sink: Sink
    failed: Path
    cursor: Path | None
    truncated: list[int] = field(default_factory=list)
    started: float = field(default_factory=time.monotonic)

    def describe_next_run(self) -> str:
        """How the next run continues an incomplete one; empty if it does not."""
        if self.options.resend:
            return f"{self.options.resend} still has all of its records"
        if self.cursor is None:
            return ""
        if not self.cursor.exists():  # the delivery log has closed it
            return "no post was settled, the same command starts over"
        return f"the same command {'without --restart ' if self.options.restart else ''}resumes"


def send(options: argparse.Namespace) -> tuple[str, int]:
    """Runs ``batches`` or ``streaming``.

    Returns:
        The output line, and the exit code: 0 all sent, 1 some records failed, 130 interrupted.

    Raises:
        PinterestError: the run cannot start or continue.
    """
    settings = Settings(user_id=options.user_id)
    if options.direct:
        client = kinesis_streams.open_kinesis_client()
        if options.streams:
            manage = partial(kinesis_streams.manage_directly, client)
            return kinesis_streams.manage_streams(manage, settings, options.streams)
        return _send_to(options, KinesisSink(client, settings))
    url = validate_url(options.url, plain_http=options.plain_http)
    http = HttpClient(_build_auth(options.access), timeout=_TIMEOUT)
    if options.streams:
        manage = partial(kinesis_streams.manage_by_api, http, url)
        return kinesis_streams.manage_streams(manage, settings, options.streams)
    sink = KafkaRestSink if options.command == "batches" else KinesisApiSink
    return _send_to(options, sink(http, url, settings))


def _build_auth(access: str) -> RequestAuth:
    match access:
        case "none":
            return RequestAuth()
        case "api-key":
            return ApiKeyAuth(os.environ.get("PINTEREST_API_KEY", ""))
        case "iam":
            return IamAuth()
    # Its value is not printed: it may be a key in the wrong variable.
    raise SendError("PINTEREST_API_ACCESS must be one of none, api-key, iam, got something else")


def _send_to(options: argparse.Namespace, sink: Sink) -> tuple[str, int]:
    failed: Path = options.failed
    if options.resend and failed.resolve() == options.resend.resolve():
        failed = failed.with_stem(f"{failed.stem}-again")
    create_folder(failed)
    run = _Run(options, sink, failed, None if options.as_users or options.resend else options.cursor)
    # The records of a failed file need no source, which may be gone.
    engine = connect(":memory:") if options.resend else connect_source(options.database)
    try:
        log = DeliveryLog(_open_cursor(run, engine), failed)
        try:
            with SignalHandler() as signals, log, display_text(lambda: _format_progress(run, log.counts)):
                log.complete = _send_posts(run, engine, log, signals)
        except PinterestError as error:
            if log.counts.sent:
                print(_format_counts(run, log), flush=True)
            # If no post was settled, the next run is not a continuation.
            is_continued = log.cursor.settled or (options.resend and log.counts.sent)
            next_run = run.describe_next_run() if is_continued else ""
            raise type(error)(f"{error}; {next_run}" if next_run else str(error)) from None
    finally:
        engine.dispose()
    return _build_result(run, log, _format_counts(run, log))


def _open_cursor(run: _Run, engine: Engine) -> Cursor:
    if run.cursor is None:
        return Cursor(None, "")
    cursor = Cursor(run.cursor, _describe_order(run, engine))
    cursor.load(restart=run.options.restart)
    if cursor.was_empty:
        print(f"cursor {run.cursor} is empty: starts with the first post", file=sys.stderr)
    if cursor.settled:
        print(f"resumes after post {cursor.settled:,}", file=sys.stderr)
    return cursor


def _send_posts(run: _Run, engine: Engine, log: DeliveryLog, signals: SignalHandler) -> bool:
    """Sends all posts; returns False if a signal has interrupted it."""
    options = run.options
    policy = RetryPolicy(options.at_once, options.rate, options.attempts)
    try:
        with RecordProducer(run.sink, log, policy, check=signals.check) as producer:
            if options.as_users:
                _send_as_users(producer, post_reader.draw_posts(engine, options.seed, limit=None), signals)
            else:
                producer.send(_read_interruptibly(_select_posts(run, engine, log.cursor), signals))
    except KeyboardInterrupt:
        return False
    return True


def _send_as_users(producer: RecordProducer, batches: post_reader.RecordBatches, signals: SignalHandler) -> None:
    generator = random.Random()
    for records in _read_interruptibly(batches, signals):
        for _, post in groupby(records, key=attrgetter("post")):
            producer.send([list(post)])
            with signals.interruptible():
                time.sleep(generator.uniform(0, _MAX_PAUSE))


def _select_posts(run: _Run, engine: Engine, cursor: Cursor) -> post_reader.RecordBatches:
    """The posts after the cursor."""
    options = run.options
    if options.resend:
        return read_failed_records(options.resend, run.truncated)
    left = None if options.all else max(0, options.rows - cursor.settled)
    if options.random:
        return post_reader.draw_posts(engine, options.seed, cursor.settled, left)
    return post_reader.read_posts_by_key(engine, cursor.last_key, cursor.settled, left)


def _describe_order(run: _Run, engine: Engine) -> str:
    """The posts, their order, source and sink, for which a cursor is valid."""
    options = run.options
    posts = "every post by key" if options.all else f"the first {options.rows} posts by key"
    if options.random:
        posts = f"{options.rows} posts drawn with seed {options.seed}"
    return f"{posts} of {describe_database(engine)} ({post_reader.describe_first_pin(engine)}) to {run.sink.name}"


def _read_interruptibly(batches: post_reader.RecordBatches, signals: SignalHandler) -> Iterator[Sequence[SourceRecord]]:
    """The batches; a signal interrupts a database that does not answer."""
    while True:
        with signals.interruptible():
            records = next(batches, None)
        if records is None:
            return
        yield records


def _format_progress(run: _Run, counts: DeliveryCounts) -> str:
    codes = ", ".join(f"{code}: {number:,}" for code, number in sorted(counts.codes.items()))
    rate = counts.acknowledged / max(time.monotonic() - run.started, 0.001)
    return f"{counts}, {rate:,.0f} acknowledged/s; responses {codes or 'none yet'}"


def _format_counts(run: _Run, log: DeliveryLog) -> str:
    counts = log.counts
    file = f" (in {run.failed})" if counts.failed else ""
    pending = "" if log.complete else f", not settled {counts.pending:,}"
    line = f"{counts}{file}{pending}, {time.monotonic() - run.started:.1f} s"
    if not counts.failed:
        return line
    reason = counts.reasons.most_common(1)[0][0]
    return f"{line}; most frequent reason: {reason}; --resend {run.failed} sends them again"


def _build_result(run: _Run, log: DeliveryLog, line: str) -> tuple[str, int]:
    """The output line and exit code of a run without an error."""
    if not log.complete:
        next_run = run.describe_next_run()
        return f"{line}; interrupted{': ' if next_run else ''}{next_run}", 130
    if run.truncated:
        others = " and others" if len(run.truncated) > 1 else ""
        return f"{line}; truncated, cannot be sent: line {run.truncated[0]} of {run.options.resend}{others}", 1
    if log.counts.failed:
        return line, 1
    return f"{line}; all sent: {run.options.resend} can be removed" if run.options.resend else line, 0
