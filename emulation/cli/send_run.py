"""Runs ``batches`` and ``streaming``: from the options to the output line."""

import argparse
import os
import random
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
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
from emulation.producer.state_files import get_cursor_path, get_failed_path
from emulation.source import post_reader
from emulation.source.database import describe_database
from emulation.source.database_credentials import connect_source
from emulation.source.source_records import SourceRecord
from pinterest_transforms.errors import PinterestError
from pinterest_transforms.settings import Settings

_MAX_PAUSE = 2.0


@dataclass(frozen=True)
class _SendRun:
    """Options of a run, and the files that it keeps.

    Attributes:
        options: the command's options.
        command: ``batches`` or ``streaming``.
        truncated: numbers of truncated lines in the file of ``--resend``.
    """

    options: argparse.Namespace
    command: str
    truncated: list[int] = field(default_factory=list)

    @property
    def settings(self) -> Settings:
        return Settings(user_id=self.options.user_id)

    @property
    def failed(self) -> Path:
        """The file of failed records, never the one of ``--resend``."""
        option: Path | None = self.options.failed
        file = option or get_failed_path(self.command)
        resent: Path | None = self.options.resend
        if resent is None or file.resolve() != resent.resolve():
            return file
        if option:
            raise SendError(f"--failed must be another file than --resend, got {option} for both")
        return file.with_stem(f"{file.stem}-again")

    @property
    def cursor(self) -> Path | None:
        if self.options.as_users or self.options.resend:
            return None
        option: Path | None = self.options.cursor
        return option or get_cursor_path(self.command)

    def describe_next_run(self) -> str:
        """How the next run continues an incomplete one; empty if it does not."""
        if self.options.resend:
            return f"{self.options.resend} still has all of its records"
        if self.cursor is None:
            return ""
        if not self.cursor.exists():  # the delivery log has closed it
            return "no post was settled, the same command starts over"
        return f"the same command {'without --restart ' if self.options.restart else ''}resumes"

    def check_files(self) -> None:
        """Checks before sending that the files can be written."""
        for name, file in (("--failed", self.failed), ("--cursor", self.cursor)):
            if file is None:
                continue
            if file.is_dir():
                raise SendError(f"{name} must be a file, got the folder {file}")
            if file == self.cursor and file.exists() and not file.is_file():
                raise SendError(f"{name} must be a file, got {file}")
            try:
                file.parent.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise SendError(f"folder of {name} {file} cannot be created: {error.strerror}") from None


def send(options: argparse.Namespace, command: str) -> tuple[str, int]:
    """Runs ``batches`` or ``streaming``.

    Returns:
        The output line, and the exit code: 0 all sent, 1 some records failed, 130 interrupted.

    Raises:
        PinterestError: the run cannot start or continue.
    """
    run = _SendRun(options, command)
    if getattr(options, "direct", False):
        client = kinesis_streams.open_kinesis_client()
        if options.streams:
            return kinesis_streams.manage_streams(client, run.settings, options.streams)
        return _send_to(run, KinesisSink(client, run.settings))
    url = validate_url(options.url, plain_http=options.plain_http)
    with HttpClient(_build_auth(options), timeout=options.timeout) as http:
        if command == "batches":
            return _send_to(run, KafkaRestSink(http, url, run.settings))
        if options.streams:
            return kinesis_streams.manage_streams_by_api(http, url, run.settings, options.streams)
        return _send_to(run, KinesisApiSink(http, url, run.settings, one_record_per_call=options.one_a_call))


def _build_auth(options: argparse.Namespace) -> RequestAuth:
    if options.access == "api-key":
        return ApiKeyAuth(os.environ.get("PINTEREST_API_KEY", ""))
    return IamAuth() if options.access == "iam" else RequestAuth()


def _send_to(run: _SendRun, sink: Sink) -> tuple[str, int]:
    run.check_files()
    started = time.monotonic()
    engine = connect_source(run.options.database)
    try:
        cursor = _open_cursor(run, engine, sink)
        log = DeliveryLog(cursor, run.failed)
        counts = log.counts
        display = display_text(lambda: _format_progress(counts, time.monotonic() - started))
        try:
            with SignalHandler() as signals, log, display:
                log.complete = _send_posts(run, engine, sink, log, signals)
        except PinterestError as error:
            if counts.sent:
                print(_format_counts(run, log, started), flush=True)
            # If no post was settled, the next run is not a continuation.
            next_run = run.describe_next_run() if cursor.settled or (run.options.resend and counts.sent) else ""
            raise type(error)(f"{error}; {next_run}" if next_run else str(error)) from None
    finally:
        engine.dispose()
    return _build_result(run, log, _format_counts(run, log, started))


def _open_cursor(run: _SendRun, engine: Engine, sink: Sink) -> Cursor:
    if run.cursor is None:
        return Cursor(None, "")
    cursor = Cursor(run.cursor, _describe_order(run.options, engine, sink))
    cursor.load(restart=run.options.restart)
    if cursor.was_empty:
        print(f"cursor {run.cursor} is empty: starts with the first post", file=sys.stderr)
    if cursor.settled:
        print(f"resumes after post {cursor.settled:,}", file=sys.stderr)
    return cursor


def _send_posts(run: _SendRun, engine: Engine, sink: Sink, log: DeliveryLog, signals: SignalHandler) -> bool:
    """Sends all posts; returns False if a signal has interrupted it."""
    options = run.options
    policy = RetryPolicy(options.at_once, options.rate, options.attempts)
    try:
        with RecordProducer(sink, log, policy, check=signals.check) as producer:
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


def _select_posts(run: _SendRun, engine: Engine, cursor: Cursor) -> post_reader.RecordBatches:
    """The posts after the cursor."""
    options = run.options
    if options.resend:
        return read_failed_records(options.resend, run.truncated)
    left = None if options.all else max(0, options.rows - cursor.settled)
    if options.random:
        return post_reader.draw_posts(engine, options.seed, cursor.settled, left)
    return post_reader.read_posts_by_key(engine, cursor.last_key, cursor.settled, left)


def _describe_order(options: argparse.Namespace, engine: Engine, sink: Sink) -> str:
    """The posts, their order, source and sink, for which a cursor is valid."""
    posts = "every post by key" if options.all else f"the first {options.rows} posts by key"
    if options.random:
        posts = f"{options.rows} posts drawn with seed {options.seed}"
    return f"{posts} of {describe_database(engine)} ({post_reader.describe_first_pin(engine)}) to {sink.name}"


def _read_interruptibly(batches: post_reader.RecordBatches, signals: SignalHandler) -> Iterator[Sequence[SourceRecord]]:
    """The batches; a signal interrupts a database that does not answer."""
    while True:
        with signals.interruptible():
            records = next(batches, None)
        if records is None:
            return
        yield records


def _format_progress(counts: DeliveryCounts, seconds: float) -> str:
    codes = ", ".join(f"{code}: {number:,}" for code, number in sorted(counts.codes.items()))
    acknowledged = f"acknowledged {counts.acknowledged:,} ({counts.acknowledged / max(seconds, 0.001):,.0f}/s)"
    rest = f"retried {counts.retried:,}, failed {counts.failed:,}; responses {codes or 'none yet'}"
    return f"sent {counts.sent:,}, {acknowledged}, {rest}"


def _format_counts(run: _SendRun, log: DeliveryLog, started: float) -> str:
    counts = log.counts
    file = f" (in {run.failed})" if counts.failed else ""
    pending = "" if log.complete else f", not settled {counts.pending:,}"
    line = (
        f"sent {counts.sent:,}, acknowledged {counts.acknowledged:,}, retried {counts.retried:,}, "
        f"failed {counts.failed:,}{file}{pending}, {time.monotonic() - started:.1f} s"
    )
    if not counts.failed:
        return line
    reason = counts.reasons.most_common(1)[0][0]
    return f"{line}; most frequent reason: {reason}; --resend {run.failed} sends them again"


def _build_result(run: _SendRun, log: DeliveryLog, line: str) -> tuple[str, int]:
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
