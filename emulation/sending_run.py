"""A run of the sender, from the options to the last line."""

import argparse
import asyncio
import contextlib
import os
import random
import signal
import time
from collections.abc import AsyncIterator, Coroutine, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from pathlib import Path

from sqlalchemy import Engine

from emulation import failed, posts, streams
from emulation.access import Access, ApiKey, NoAccess, SignedForAws
from emulation.credentials import connect_source
from emulation.kafka_rest import KafkaRest
from emulation.kinesis import KinesisApi, KinesisDirect
from emulation.ledger import Counts, Cursor, Ledger
from emulation.live import Live
from emulation.outgoing import Door, Outgoing, SendError
from emulation.sending import Pace, Sender
from emulation.source import described
from emulation.wire import Http, checked_url
from pinterest_transforms.settings import Settings

_STATE = Path("build/emulation")
_PAUSE = 2.0


@dataclass(frozen=True)
class _Job:
    """A run: what is sent, through which door, and what keeps its place."""

    options: argparse.Namespace
    command: str

    @property
    def settings(self) -> Settings:
        return Settings(user_id=self.options.user_id)

    @property
    def failed(self) -> Path:
        """Where failed records go: never into the file that is being sent again."""
        given: Path | None = self.options.failed
        file = given or _STATE / f"{self.command}-failed.jsonl"
        resent: Path | None = self.options.resend
        if resent is None or file.resolve() != resent.resolve():
            return file
        if given:
            raise SendError(f"--failed must be another file than --resend, got {given} for both")
        return file.with_stem(f"{file.stem}-again")

    @property
    def interrupted(self) -> str:
        """What an interruption means for the next run."""
        if self.options.resend:
            return f"interrupted: {self.options.resend} still holds all of its records"
        return "interrupted" if self.options.as_users else "interrupted: the same command goes on"

    @property
    def cursor(self) -> Path | None:
        if self.options.as_users or self.options.resend:
            return None
        given: Path | None = self.options.cursor
        return given or _STATE / f"{self.command}-cursor.json"


def send(options: argparse.Namespace, command: str) -> tuple[str, int]:
    """Does what the options of ``batches`` or ``streaming`` ask for.

    Returns:
        The last line, and the exit code: 0 all sent, 1 some in the failed file, 130 interrupted.

    Raises:
        PinterestError: it cannot begin, or cannot go on.
    """
    return asyncio.run(_through(_Job(options, command)))


async def _through(job: _Job) -> tuple[str, int]:
    options = job.options
    if getattr(options, "direct", False):
        client = streams.direct_client()
        if options.streams:
            return await streams.manage_direct(client, job.settings, options.streams), 0
        return await _send(job, KinesisDirect(client, job.settings))
    url = checked_url(options.url, plain_http=options.plain_http)
    async with Http(_access(options), connections=options.at_once, seconds=options.timeout) as http:
        if job.command == "batches":
            return await _send(job, KafkaRest(http, url, job.settings))
        if options.streams:
            return await streams.manage_api(http, url, job.settings, options.streams), 0
        return await _send(job, KinesisApi(http, url, job.settings, one_a_call=options.one_a_call))


def _access(options: argparse.Namespace) -> Access:
    if options.access == "api-key":
        return ApiKey(os.environ.get("PINTEREST_API_KEY", ""))
    if options.access == "iam":
        return SignedForAws(os.environ.get("AWS_REGION", ""))
    return NoAccess()


async def _send(job: _Job, door: Door) -> tuple[str, int]:
    """Sends what is asked for; the last line, and the exit code."""
    options, began = job.options, time.monotonic()
    engine = connect_source(options.database)
    cursor = Cursor(job.cursor, _order(options, described(engine), door))
    if options.restart and job.cursor:
        job.cursor.unlink(missing_ok=True)
    cursor.load()
    pace = Pace(options.at_once, options.rate, options.attempts)
    try:
        with Ledger(cursor, job.failed) as ledger, Live(ledger.counts):
            sender = Sender(door, ledger, pace)
            ledger.complete = await _completed(_run(sender, engine, options, cursor))
    finally:
        engine.dispose()
    counts = ledger.counts
    line = _last_line(counts, job.failed, time.monotonic() - began)
    if not ledger.complete:
        return f"{line}; {job.interrupted}", 130
    return line, 1 if counts.failed else 0


async def _run(sender: Sender, engine: Engine, options: argparse.Namespace, cursor: Cursor) -> None:
    if options.as_users:
        chance = random.Random()
        for records in posts.posts_at_random(engine, options.seed, limit=None):
            for _, post in groupby(records, key=attrgetter("post")):
                await sender.finish(list(post))
                await asyncio.sleep(chance.uniform(0, _PAUSE))
        return
    await sender.run(_pulled(_chosen(engine, options, cursor)))


def _chosen(engine: Engine, options: argparse.Namespace, cursor: Cursor) -> posts.Posts:
    """The posts that are not settled yet."""
    if options.resend:
        return failed.records_of(options.resend)
    left = None if options.all else max(0, options.rows - cursor.settled)
    if options.random:
        return posts.posts_at_random(engine, options.seed, cursor.settled, left)
    return posts.posts_by_key(engine, cursor.after, cursor.settled, left)


def _order(options: argparse.Namespace, source: str, door: Door) -> str:
    """Which posts in which order, sent where: what a cursor holds for."""
    drawn = f"posts drawn with seed {options.seed}" if options.random else "posts by key"
    return f"{drawn} of {source} to {door.name}"


async def _pulled(lists: posts.Posts) -> AsyncIterator[Sequence[Outgoing]]:
    """The lists, each read in a thread, so that requests go on while the database works."""
    nothing: Sequence[Outgoing] | None = None
    while (records := await asyncio.to_thread(next, lists, nothing)) is not None:
        yield records


async def _completed(work: Coroutine[None, None, None]) -> bool:
    """Does the work; on Ctrl-C or a request to end it stops where it is, and says False."""
    task = asyncio.create_task(work)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError):
            loop.add_signal_handler(number, task.cancel)
    try:
        await task
    except asyncio.CancelledError:
        return False
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            with contextlib.suppress(NotImplementedError):
                loop.remove_signal_handler(number)
    return True


def _last_line(counts: Counts, file: Path, seconds: float) -> str:
    where = f" (in {file})" if counts.failed else ""
    return (
        f"sent {counts.sent:,}, acknowledged {counts.acknowledged:,}, retried {counts.retried:,}, "
        f"failed {counts.failed:,}{where}, {seconds:.1f} s"
    )
