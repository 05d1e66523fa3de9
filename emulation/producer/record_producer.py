"""The sender: records in order, many a request, several requests at once, and each settled one way or the other.

A post's record of one kind is in one unsettled request at a time: a later version waits until the earlier one is taken
or given up. What nobody can decide is a request whose answer got lost: it is sent again, and the record may arrive
twice, the second time behind a later record of *other* posts, never behind a later version of its own.
"""

import random
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from queue import SimpleQueue
from types import TracebackType

from emulation.producer.delivery_log import Ledger
from emulation.producer.key_queue import Lane
from emulation.producer.send_result import NO_CONNECTION, Attempt, Door, Fate, Outgoing, SendError
from emulation.source.source_records import key_error

Sleep = Callable[[float], object]

_GLANCE = 0.1
"""Seconds between two looks at whether the run is to end."""
_BLOCKED_IN_A_ROW = 20
"""So many records, each refused alone with none taken between them: the next one would be refused too."""


class _StoppedError(Exception):
    """The run is over: what this thread has in hand stays unsettled."""


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


class Sender:
    """Sends what a source yields through a door, and tells a ledger what became of it.

    The thread that calls ``run`` reads; as many others as requests may be on their way send, each one request after
    the other until it is settled. What they share is touched by who holds ``_changed`` alone.
    """

    def __init__(
        self,
        door: Door,
        ledger: Ledger,
        pace: Pace,
        *,
        seed: int = 0,
        sleep: Sleep | None = None,
        check: Callable[[], None] = lambda: None,
    ) -> None:
        self._door, self._ledger, self._pace, self._check = door, ledger, pace, check
        self._random = random.Random(seed)
        self._lanes: dict[str, Lane] = defaultdict(Lane)
        self._changed = threading.Condition()
        self._stopped = threading.Event()
        self._sleep = sleep or self._stopped.wait
        self._requests: SimpleQueue[tuple[Lane, list[Outgoing]] | None] = SimpleQueue()
        self._threads = self._busy = 0
        self._error: Exception | None = None
        self._blocked: list[tuple[Outgoing, str]] = []
        self._blocked_in_a_row, self._blocked_by = 0, ""
        self._most_open = 4 * pace.at_once * door.most_records
        self._open_again = 0.0
        self._due = 0.0

    def __enter__(self) -> "Sender":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Ends the threads; one that waits for an answer does not touch the ledger any more."""
        with self._changed:
            self._stopped.set()
        for _ in range(self._threads):
            self._requests.put(None)

    def run(self, posts: Iterable[Sequence[Outgoing]]) -> None:
        """Sends all of it; returns when every record is settled.

        Args:
            posts: lists of records in the order in which they are to go; pulled only as fast as they are sent.

        Raises:
            SendError: no request can succeed; what was not settled stands behind the cursor.
        """
        for records in posts:
            with self._changed:
                for record in records:
                    self._ledger.began(record)
                    unfit = self._unfit(record)
                    if unfit:
                        self._ledger.refused(record, unfit)
                    else:
                        self._lanes[record.entity.name].add(record)
                self._send_full(self._door.most_records)
                while self._ledger.open > self._most_open:
                    # Where all that waits are later versions of posts on their way, no request is ever full.
                    self._go_on(self._door.most_records if self._busy else 1)
        with self._changed:
            while self._busy or self._blocked or any(lane.waiting for lane in self._lanes.values()):
                self._go_on(1)

    def _unfit(self, record: Outgoing) -> str:
        """Why the record cannot be sent at all; empty if it can."""
        if record.unfit:
            return record.unfit
        if record.key is None:
            return key_error(None)
        if len(record.value) > self._door.largest:
            return f"a record must have at most {self._door.largest} bytes, got {len(record.value)}"
        return ""

    def _go_on(self, least: int) -> None:
        """Waits until something has changed, and starts what can be started."""
        self._send_full(least)
        if self._busy:
            self._wait()
        else:
            self._raise()
            self._refuse_blocked()
            self._ledger.save()

    def _send_full(self, least: int) -> None:
        """Starts requests for each lane that has one's worth."""
        door = self._door
        for lane in self._lanes.values():
            while len(lane.waiting) >= least or lane.bytes >= door.most_bytes:
                while self._busy == self._pace.at_once:
                    self._wait()
                batch = lane.take(door.most_records, door.most_bytes)
                if not batch:
                    break
                self._busy += 1
                if self._busy > self._threads:
                    self._threads += 1
                    threading.Thread(target=self._work, daemon=True).start()
                self._requests.put((lane, batch))

    def _wait(self) -> None:
        """Waits a moment, or until a request is through."""
        self._raise()
        self._changed.wait(_GLANCE)
        self._raise()

    def _raise(self) -> None:
        self._check()
        if self._error:
            raise self._error

    def _work(self) -> None:
        """Settles one request after the other, until there is nothing more to come."""
        while request := self._requests.get():
            found = None
            try:
                self._settle(*request)
            except _StoppedError:
                pass
            except Exception as error:
                found = error
            with self._changed:
                self._busy -= 1
                self._error = self._error or found
                self._changed.notify_all()

    def _settle(self, lane: Lane, batch: list[Outgoing]) -> None:
        """Settles every record of a request, in as many attempts as it takes and may."""
        number = 0
        while batch:
            attempt = self._attempt(batch)
            if attempt.narrow and len(batch) > 1:
                half = len(batch) // 2
                self._settle(lane, batch[:half])
                self._settle(lane, batch[half:])
                return
            # A shard at its quota takes some of each request: as long as it does, nothing is given up.
            number = number + 1 if all(verdict.fate is Fate.AGAIN for verdict in attempt.verdicts) else 0
            with self._changed:
                batch = self._sorted_out(lane, batch, attempt, last=number == self._pace.attempts)
                self._ledger.retried(len(batch))
                self._changed.notify_all()
            if batch:
                self._sleep(self._wait_of(max(1, number), attempt.wait))

    def _sorted_out(self, lane: Lane, batch: list[Outgoing], attempt: Attempt, *, last: bool) -> list[Outgoing]:
        """Tells the ledger what is settled; the records that are to be sent again."""
        self._go_on_only()
        if last and set(self._ledger.counts.codes) == {NO_CONNECTION}:
            # Where no request ever got through, the next records would fare no better.
            raise SendError(f"{self._door.name} cannot be reached: {NO_CONNECTION} ({self._pace.attempts} attempts)")
        again = []
        for record, verdict in zip(batch, attempt.verdicts, strict=True):
            if verdict.fate is Fate.AGAIN and not last:
                again.append(record)
                continue
            tries = f" ({self._pace.attempts} attempts)" if verdict.fate is Fate.AGAIN else ""
            if verdict.fate is Fate.TAKEN:
                self._ledger.taken(record)
            elif attempt.blocked:
                self._block(record, verdict.reason + tries, attempt.blocked + tries)
            else:
                self._ledger.refused(record, verdict.reason + tries)
            lane.settle(record.key)
        if any(verdict.fate is Fate.TAKEN for verdict in attempt.verdicts):
            self._refuse_blocked()
            self._blocked_in_a_row = 0
        self._ledger.save()
        return again

    def _block(self, record: Outgoing, reason: str, every: str) -> None:
        """Puts a record aside that was refused alone, until it is known whether every other one is refused too."""
        self._blocked.append((record, reason))
        self._blocked_in_a_row += 1
        self._blocked_by = f"{self._door.name}: {every}"
        if self._blocked_in_a_row == _BLOCKED_IN_A_ROW:
            raise SendError(self._blocked_by)

    def _refuse_blocked(self) -> None:
        """Gives up what was put aside, since others were taken.

        Raises:
            SendError: none ever was.
        """
        if self._blocked and not self._ledger.counts.acknowledged:
            raise SendError(self._blocked_by)
        for record, reason in self._blocked:
            self._ledger.refused(record, reason)
        self._blocked.clear()

    def _go_on_only(self) -> None:
        """Ends this thread where the run is over."""
        if self._stopped.is_set():
            raise _StoppedError

    def _attempt(self, batch: Sequence[Outgoing]) -> Attempt:
        self._pass_the_gate(len(batch))
        try:
            attempt = self._door.send(batch)
        except SendError as error:
            raise SendError(f"{self._door.name}: {error}") from None
        with self._changed:
            self._go_on_only()
            self._ledger.answered(attempt.code)
            if attempt.wait:
                # The other side is busy for everybody, not for this request alone.
                self._open_again = time.monotonic() + min(attempt.wait, self._pace.longest_wait)
        return attempt

    def _pass_the_gate(self, records: int) -> None:
        """Waits until the other side wants more, and the rate allows it."""
        while (shut := self._open_again - time.monotonic()) > 0:
            self._go_on_only()
            self._sleep(shut)
        if self._pace.rate:
            with self._changed:
                now = time.monotonic()
                self._due = max(self._due, now)
                wait, self._due = self._due - now, self._due + records / self._pace.rate
            if wait > 0:
                self._sleep(wait)
        self._go_on_only()

    def _wait_of(self, number: int, asked: float) -> float:
        """Seconds before the next attempt: what was asked for, else random up to a bound that doubles."""
        if asked:
            return min(asked, self._pace.longest_wait)
        bound = min(self._pace.longest_wait, self._pace.first_wait * 2**number)
        return self._random.uniform(bound / 2, bound)
