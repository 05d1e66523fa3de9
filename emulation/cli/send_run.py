"""A run of the sender, from the options to the last line."""

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

from emulation.cli.live import Live
from emulation.cli.signal_handler import Interrupts
from emulation.producer import failed
from emulation.producer import kinesis_streams as streams
from emulation.producer.cursor import Cursor
from emulation.producer.delivery_log import Ledger
from emulation.producer.http_client import Http, checked_url
from emulation.producer.kafka_rest import KafkaRest
from emulation.producer.kinesis_sinks import KinesisApi, KinesisDirect
from emulation.producer.record_producer import Pace, Sender
from emulation.producer.request_auth import Access, ApiKey, NoAccess, SignedForAws
from emulation.producer.send_result import Door, Outgoing, SendError
from emulation.producer.state_files import cursor_file, failed_file
from emulation.source import post_reader as posts
from emulation.source.database import described
from emulation.source.database_credentials import connect_source
from pinterest_transforms.errors import PinterestError
from pinterest_transforms.settings import Settings

_PAUSE = 2.0


@dataclass(frozen=True)
class _Job:
    """A run: what is sent, through which door, and what keeps its place."""

    options: argparse.Namespace
    command: str
    cut_off: list[int] = field(default_factory=list)
    """Lines of the file that is sent again which nobody can read any more."""

    @property
    def settings(self) -> Settings:
        return Settings(user_id=self.options.user_id)

    @property
    def failed(self) -> Path:
        """Where failed records go: never into the file that is being sent again."""
        given: Path | None = self.options.failed
        file = given or failed_file(self.command)
        resent: Path | None = self.options.resend
        if resent is None or file.resolve() != resent.resolve():
            return file
        if given:
            raise SendError(f"--failed must be another file than --resend, got {given} for both")
        return file.with_stem(f"{file.stem}-again")

    @property
    def next_run(self) -> str:
        """What the next run does after one that did not come to its end; empty if it has nothing to do with it."""
        if self.options.resend:
            return f"{self.options.resend} still holds all of its records"
        if self.cursor is None:
            return ""
        if not self.cursor.exists():  # the ledger has closed it
            return "nothing was settled yet, the same command begins again"
        return f"the same command {'without --restart ' if self.options.restart else ''}goes on"

    @property
    def cursor(self) -> Path | None:
        if self.options.as_users or self.options.resend:
            return None
        given: Path | None = self.options.cursor
        return given or cursor_file(self.command)

    def check_files(self) -> None:
        """Sees to it that what is to be kept can be, before anything is sent."""
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
                raise SendError(f"folder of {name} {file} cannot be made: {error.strerror}") from None


def send(options: argparse.Namespace, command: str) -> tuple[str, int]:
    """Does what the options of ``batches`` or ``streaming`` ask for.

    Returns:
        The last line, and the exit code: 0 all sent, 1 some in the failed file, 130 interrupted.

    Raises:
        PinterestError: it cannot begin, or cannot go on.
    """
    job = _Job(options, command)
    if getattr(options, "direct", False):
        client = streams.direct_client()
        if options.streams:
            return streams.manage_direct(client, job.settings, options.streams)
        return _send(job, KinesisDirect(client, job.settings))
    url = checked_url(options.url, plain_http=options.plain_http)
    with Http(_access(options), seconds=options.timeout) as http:
        if job.command == "batches":
            return _send(job, KafkaRest(http, url, job.settings))
        if options.streams:
            return streams.manage_api(http, url, job.settings, options.streams)
        return _send(job, KinesisApi(http, url, job.settings, one_a_call=options.one_a_call))


def _access(options: argparse.Namespace) -> Access:
    if options.access == "api-key":
        return ApiKey(os.environ.get("PINTEREST_API_KEY", ""))
    if options.access == "iam":
        return SignedForAws()
    return NoAccess()


def _send(job: _Job, door: Door) -> tuple[str, int]:
    """Sends what is asked for; the last line, and the exit code."""
    job.check_files()
    began = time.monotonic()
    engine = connect_source(job.options.database)
    try:
        cursor = _place(job, engine, door)
        ledger = Ledger(cursor, job.failed)
        try:
            with Interrupts() as interrupts, ledger, Live(ledger.counts):
                ledger.complete = _completed(job, engine, door, ledger, interrupts)
        except PinterestError as error:
            if ledger.counts.sent:
                print(_counted(job, ledger, began), flush=True)
            # Where nothing was settled, the next run has nothing to do with this one.
            after = job.next_run if cursor.settled or (job.options.resend and ledger.counts.sent) else ""
            raise type(error)(f"{error}; {after}" if after else str(error)) from None
    finally:
        engine.dispose()
    return _ended(job, ledger, _counted(job, ledger, began))


def _place(job: _Job, engine: Engine, door: Door) -> Cursor:
    """The place to go on at."""
    if job.cursor is None:
        return Cursor(None, "")
    cursor = Cursor(job.cursor, _order(job.options, engine, door))
    cursor.load(restart=job.options.restart)
    if cursor.empty:
        print(f"cursor {job.cursor} is empty: begins with the first post", file=sys.stderr)
    if cursor.settled:
        print(f"goes on behind post {cursor.settled:,}", file=sys.stderr)
    return cursor


def _completed(job: _Job, engine: Engine, door: Door, ledger: Ledger, interrupts: Interrupts) -> bool:
    """Sends all of it; on Ctrl-C or a request to end it stops where it is, and says False."""
    options = job.options
    pace = Pace(options.at_once, options.rate, options.attempts)
    try:
        with Sender(door, ledger, pace, check=interrupts.check) as sender:
            if options.as_users:
                _send_as_users(sender, posts.posts_at_random(engine, options.seed, limit=None), interrupts)
            else:
                sender.run(_pulled(_chosen(job, engine, ledger.cursor), interrupts))
    except KeyboardInterrupt:
        return False
    return True


def _send_as_users(sender: Sender, lists: posts.Posts, interrupts: Interrupts) -> None:
    """One post at a time, with pauses, without an end."""
    chance = random.Random()
    for records in _pulled(lists, interrupts):
        for _, post in groupby(records, key=attrgetter("post")):
            sender.run([list(post)])
            with interrupts.taken_at_once():
                time.sleep(chance.uniform(0, _PAUSE))


def _chosen(job: _Job, engine: Engine, cursor: Cursor) -> posts.Posts:
    """The posts that are not settled yet."""
    options = job.options
    if options.resend:
        return failed.records_of(options.resend, job.cut_off)
    left = None if options.all else max(0, options.rows - cursor.settled)
    if options.random:
        return posts.posts_at_random(engine, options.seed, cursor.settled, left)
    return posts.posts_by_key(engine, cursor.after, cursor.settled, left)


def _order(options: argparse.Namespace, engine: Engine, door: Door) -> str:
    """Which posts of which source in which order, sent where: what a cursor holds for."""
    what = "every post by key" if options.all else f"the first {options.rows} posts by key"
    if options.random:
        what = f"{options.rows} posts drawn with seed {options.seed}"
    return f"{what} of {described(engine)} ({posts.first_pin(engine)}) to {door.name}"


def _pulled(lists: posts.Posts, interrupts: Interrupts) -> Iterator[Sequence[Outgoing]]:
    """The lists; a database that does not answer can be interrupted."""
    while True:
        with interrupts.taken_at_once():
            records = next(lists, None)
        if records is None:
            return
        yield records


def _counted(job: _Job, ledger: Ledger, began: float) -> str:
    """What became of everything that was read."""
    counts = ledger.counts
    where = f" (in {job.failed})" if counts.failed else ""
    rest = "" if ledger.complete else f", not settled {counts.open:,}"
    line = (
        f"sent {counts.sent:,}, acknowledged {counts.acknowledged:,}, retried {counts.retried:,}, "
        f"failed {counts.failed:,}{where}{rest}, {time.monotonic() - began:.1f} s"
    )
    if not counts.failed:
        return line
    reason = counts.reasons.most_common(1)[0][0]
    return f"{line}; most often: {reason}; --resend {job.failed} sends them again"


def _ended(job: _Job, ledger: Ledger, line: str) -> tuple[str, int]:
    """The last line of a run without an error, and the exit code."""
    if not ledger.complete:
        return f"{line}; interrupted{': ' if job.next_run else ''}{job.next_run}", 130
    if job.cut_off:
        lines = f"line {job.cut_off[0]} of {job.options.resend}{' and others' if len(job.cut_off) > 1 else ''}"
        return f"{line}; cut off, cannot be sent: {lines}", 1
    if ledger.counts.failed:
        return line, 1
    return f"{line}; all sent: {job.options.resend} can be removed" if job.options.resend else line, 0
