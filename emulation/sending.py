"""The sender: records in order, many a request, several requests at once, and each settled one way or the other.

A post's record of one kind is in one unsettled request at a time: a later version waits until the earlier one is taken
or given up. What nobody can decide is a request whose answer got lost: it is sent again, and the record may arrive
twice, the second time behind a later record of *other* posts, never behind a later version of its own.
"""

import asyncio
import random
import time
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from emulation.ledger import Ledger
from emulation.outgoing import NO_CONNECTION, Attempt, Door, Fate, Outgoing, SendError

Sleep = Callable[[float], Awaitable[None]]


@dataclass(frozen=True)
class Pace:
    """How fast, and how stubborn.

    Attributes:
        at_once: requests on their way at one time.
        rate: records a second at most; 0 for no limit.
        attempts: how often in a row a request may bring nothing before its records are given up.
        first_wait: seconds before the second attempt; each further one waits up to twice as long.
        longest_wait: the most seconds between two attempts, also where the other side asks for more.
    """

    at_once: int = 8
    rate: float = 0
    attempts: int = 8
    first_wait: float = 0.2
    longest_wait: float = 20.0


@dataclass
class _Lane:
    """Records of one kind that wait, and the keys on their way."""

    waiting: deque[Outgoing] = field(default_factory=deque)
    held: dict[int | None, deque[Outgoing]] = field(default_factory=dict)
    unsettled: set[int | None] = field(default_factory=set)
    bytes: int = 0

    def add(self, record: Outgoing) -> None:
        """Takes a record in: behind the earlier one of its post where that is not settled."""
        if record.key in self.unsettled:
            self.held.setdefault(record.key, deque()).append(record)
            return
        self.unsettled.add(record.key)
        self.waiting.append(record)
        self.bytes += len(record.value)

    def settle(self, key: int | None) -> None:
        """Lets the next record of the post follow."""
        self.unsettled.discard(key)
        behind = self.held.get(key)
        if behind:
            following = behind.popleft()
            if not behind:
                del self.held[key]
            self.add(following)

    def take(self, most_records: int, most_bytes: int) -> list[Outgoing]:
        """The next request's records."""
        batch: list[Outgoing] = []
        size = 0
        while self.waiting and len(batch) < most_records:
            size += len(self.waiting[0].value)
            if batch and size > most_bytes:
                break
            batch.append(self.waiting.popleft())
        self.bytes -= sum(len(record.value) for record in batch)
        return batch


class Sender:
    """Sends what a source yields through a door, and tells a ledger what became of it."""

    def __init__(self, door: Door, ledger: Ledger, pace: Pace, *, seed: int = 0, sleep: Sleep = asyncio.sleep) -> None:
        self._door, self._ledger, self._pace, self._sleep = door, ledger, pace, sleep
        self._random = random.Random(seed)
        self._lanes: dict[str, _Lane] = defaultdict(_Lane)
        self._tasks: set[asyncio.Task[None]] = set()
        self._free = asyncio.Semaphore(pace.at_once)
        self._most_open = 4 * pace.at_once * door.most_records
        self._open_again = 0.0
        self._due = 0.0

    async def run(self, posts: AsyncIterator[Sequence[Outgoing]]) -> None:
        """Sends all of it; returns when every record is settled.

        Args:
            posts: lists of records in the order in which they are to go; pulled only as fast as they are sent.

        Raises:
            SendError: no request can succeed; what was not settled stands behind the cursor.
        """
        try:
            async for records in posts:
                for record in records:
                    self._ledger.began(record)
                    unfit = self._unfit(record)
                    if unfit:
                        self._ledger.refused(record, unfit)
                    else:
                        self._lanes[record.entity.name].add(record)
                await self._send_full()
                while self._ledger.open > self._most_open:
                    await self._one_done()
                    # Where all that waits are later versions of posts on their way, no request is ever full.
                    await self._send_full(least=0 if self._tasks else 1)
            while any(lane.waiting for lane in self._lanes.values()) or self._tasks:
                await self._send_full(least=1)
                await self._one_done()
        finally:
            await self._cancel()

    def _unfit(self, record: Outgoing) -> str:
        """Why the record cannot be sent at all; empty if it can."""
        if record.key is None:
            return "a record must have a key, got none"
        if len(record.value) > self._door.largest:
            return f"a record must have at most {self._door.largest} bytes, got {len(record.value)}"
        return ""

    async def finish(self, records: Sequence[Outgoing]) -> None:
        """Sends these now, and returns when they are settled."""

        async def once() -> AsyncIterator[Sequence[Outgoing]]:
            yield records

        await self.run(once())

    async def _send_full(self, least: int = 0) -> None:
        """Starts a request for each lane that has one's worth."""
        door = self._door
        for lane in self._lanes.values():
            while len(lane.waiting) >= (least or door.most_records) or lane.bytes >= door.most_bytes:
                await self._free.acquire()
                self._raise_of_done()
                batch = lane.take(door.most_records, door.most_bytes)
                if not batch:
                    self._free.release()
                    break
                task = asyncio.create_task(self._deliver(lane, batch))
                self._tasks.add(task)

    async def _one_done(self) -> None:
        """Waits until one request is through."""
        if self._tasks:
            await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
        self._raise_of_done()

    def _raise_of_done(self) -> None:
        done = {task for task in self._tasks if task.done()}
        self._tasks -= done
        errors = [error for task in done if (error := task.exception())]
        if errors:
            raise errors[0]

    async def _cancel(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()

    async def _deliver(self, lane: _Lane, batch: list[Outgoing]) -> None:
        """Settles every record of a request, in as many attempts as it takes and may."""
        try:
            await self._settle(lane, batch)
        finally:
            self._free.release()

    async def _settle(self, lane: _Lane, batch: list[Outgoing]) -> None:
        number = 0
        while batch:
            attempt = await self._attempt(batch)
            if attempt.narrow and len(batch) > 1:
                half = len(batch) // 2
                await self._settle(lane, batch[:half])
                await self._settle(lane, batch[half:])
                return
            # A shard at its quota takes some of each request: as long as it does, nothing is given up.
            number = number + 1 if all(verdict.fate is Fate.AGAIN for verdict in attempt.verdicts) else 0
            last = number == self._pace.attempts
            if last:
                self._check_reached()
            batch = self._sorted_out(lane, batch, attempt, last=last)
            if batch:
                self._ledger.retried(len(batch))
                await self._sleep(self._wait(max(1, number), attempt.wait))

    def _check_reached(self) -> None:
        """Where no request ever got through, the next records would fare no better."""
        if set(self._ledger.counts.codes) == {NO_CONNECTION}:
            raise SendError(f"{self._door.name} cannot be reached: {NO_CONNECTION} ({self._pace.attempts} attempts)")

    def _sorted_out(self, lane: _Lane, batch: list[Outgoing], attempt: Attempt, *, last: bool) -> list[Outgoing]:
        """Tells the ledger what is settled; the records that are to be sent again."""
        again = []
        for record, verdict in zip(batch, attempt.verdicts, strict=True):
            if verdict.fate is Fate.TAKEN:
                self._ledger.taken(record)
            elif verdict.fate is Fate.REFUSED or last:
                tries = f" ({self._pace.attempts} attempts)" if verdict.fate is Fate.AGAIN else ""
                self._ledger.refused(record, verdict.reason + tries)
            else:
                again.append(record)
                continue
            lane.settle(record.key)
        self._ledger.save()
        return again

    async def _attempt(self, batch: Sequence[Outgoing]) -> Attempt:
        await self._pass_the_gate(len(batch))
        try:
            attempt = await self._door.send(batch)
        except SendError as error:
            raise SendError(f"{self._door.name}: {error}") from None
        self._ledger.answered(attempt.code)
        if attempt.wait:
            # The other side is busy for everybody, not for this request alone.
            self._open_again = time.monotonic() + min(attempt.wait, self._pace.longest_wait)
        return attempt

    async def _pass_the_gate(self, records: int) -> None:
        """Waits until the other side wants more, and the rate allows it."""
        while (shut := self._open_again - time.monotonic()) > 0:
            await self._sleep(shut)
        if self._pace.rate:
            now = time.monotonic()
            self._due = max(self._due, now)
            wait, self._due = self._due - now, self._due + records / self._pace.rate
            if wait > 0:
                await self._sleep(wait)

    def _wait(self, number: int, asked: float) -> float:
        """Seconds before the next attempt: what was asked for, else random up to a bound that doubles."""
        if asked:
            return min(asked, self._pace.longest_wait)
        bound = min(self._pace.longest_wait, self._pace.first_wait * 2**number)
        return self._random.uniform(bound / 2, bound)
