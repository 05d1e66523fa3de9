"""The producer: sends records in batches with concurrent requests until each is acknowledged or failed.

At most one record per post and kind is in flight: a later version waits until the earlier one is settled. A request
whose response is lost is sent again, so a record may be stored twice, the second time after records of *other* posts,
never after a later version of its post.
"""

import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from queue import SimpleQueue
from types import TracebackType

from emulation.emulation_errors import SendError
from emulation.producer.delivery_log import DeliveryLog
from emulation.producer.http_client import NO_CONNECTION
from emulation.producer.key_queue import KeyQueue
from emulation.producer.retry_policy import RateLimiter, RetryPolicy, Sleep
from emulation.producer.send_result import RecordStatus, SendResult, Sink
from emulation.source.source_records import SourceRecord

_POLL_SECONDS = 0.1
"""Seconds between two checks whether the run must end."""
_MAX_BLOCKED = 20
"""Records rejected alone, with none acknowledged in between, after which the run ends."""


class _StoppedError(Exception):
    """The run has ended: the thread leaves its records pending."""


class RecordProducer(AbstractContextManager["RecordProducer"]):
    """Sends batches of records to a sink, and records their status in a delivery log.

    The thread that calls ``send`` reads the records; up to ``max_in_flight`` other threads each send one request at a
    time until its records are settled. Shared state is protected by ``_changed``.
    """

    def __init__(
        self,
        sink: Sink,
        log: DeliveryLog,
        policy: RetryPolicy,
        *,
        sleep: Sleep | None = None,
        check: Callable[[], None] = lambda: None,
    ) -> None:
        self._sink, self._log, self._policy, self._check = sink, log, policy, check
        self._queues: dict[str, KeyQueue] = defaultdict(KeyQueue)
        self._changed = threading.Condition()
        self._stopped = threading.Event()
        self._sleep = sleep or self._stopped.wait
        self._limiter = RateLimiter(policy, self._sleep)
        self._requests: SimpleQueue[tuple[KeyQueue, list[SourceRecord]] | None] = SimpleQueue()
        self._threads = self._in_flight = 0
        self._error: Exception | None = None
        self._blocked: list[tuple[SourceRecord, str]] = []
        self._blocked_in_a_row, self._blocked_error = 0, ""
        self._max_pending = 4 * policy.max_in_flight * sink.max_records

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Ends the threads; one that waits for a response no longer changes the delivery log."""
        with self._changed:
            self._stopped.set()
        for _ in range(self._threads):
            self._requests.put(None)

    def send(self, batches: Iterable[Sequence[SourceRecord]]) -> None:
        """Sends all records; returns when each is settled.

        Args:
            batches: lists of records in sending order; read only as fast as they are sent.

        Raises:
            SendError: no request can succeed; pending records are after the cursor.
        """
        for records in batches:
            with self._changed:
                for record in records:
                    self._log.start(record)
                    error = self._find_error(record)
                    if error:
                        self._log.fail(record, error)
                    else:
                        self._queues[record.entity.name].add(record)
                self._start_requests(self._sink.max_records)
                while self._log.counts.pending > self._max_pending:
                    # If all waiting records are later versions of posts in flight, no request is ever full.
                    self._advance(self._sink.max_records if self._in_flight else 1)
        with self._changed:
            while self._in_flight or self._blocked or any(queue.ready for queue in self._queues.values()):
                self._advance(1)

    def _find_error(self, record: SourceRecord) -> str:
        """Why the record cannot be sent at all; empty if it can."""
        if len(record.value) > self._sink.max_record_bytes:
            return f"a record must have at most {self._sink.max_record_bytes} bytes, got {len(record.value)}"
        return record.error

    def _advance(self, min_records: int) -> None:
        """Starts requests with at least so many records, and waits for a change."""
        self._start_requests(min_records)
        if self._in_flight:
            self._wait()
        else:
            self._raise_error()
            self._fail_blocked()
            self._log.save()

    def _start_requests(self, min_records: int) -> None:
        for queue in self._queues.values():
            while len(queue.ready) >= min_records or queue.bytes >= self._sink.max_bytes:
                while self._in_flight == self._policy.max_in_flight:
                    self._wait()
                batch = queue.take(self._sink.max_records, self._sink.max_bytes)
                if not batch:
                    break
                self._in_flight += 1
                if self._in_flight > self._threads:
                    self._threads += 1
                    threading.Thread(target=self._run_thread, daemon=True).start()
                self._requests.put((queue, batch))

    def _wait(self) -> None:
        self._raise_error()
        self._changed.wait(_POLL_SECONDS)
        self._raise_error()

    def _raise_error(self) -> None:
        self._check()
        if self._error:
            raise self._error

    def _run_thread(self) -> None:
        while request := self._requests.get():
            found = None
            try:
                self._settle(*request)
            except _StoppedError:
                pass
            except Exception as error:
                found = error
            with self._changed:
                self._in_flight -= 1
                self._error = self._error or found
                self._changed.notify_all()

    def _settle(self, queue: KeyQueue, batch: list[SourceRecord]) -> None:
        """Sends a batch, again or in halves where needed, until each record is settled."""
        attempt = 0
        while batch:
            result = self._send_once(batch)
            if result.split_and_retry and len(batch) > 1:
                half = len(batch) // 2
                self._settle(queue, batch[:half])
                self._settle(queue, batch[half:])
                return
            # A throttled shard stores a part of each request: while it does, no record fails.
            attempt = attempt + 1 if all(each.status is RecordStatus.RETRY for each in result.results) else 0
            with self._changed:
                batch = self._log_results(queue, batch, result, last=attempt == self._policy.max_attempts)
                self._log.counts.retried += len(batch)
                self._changed.notify_all()
            if batch:
                self._sleep(self._policy.compute_backoff(max(1, attempt)))

    def _log_results(
        self, queue: KeyQueue, batch: list[SourceRecord], result: SendResult, *, last: bool
    ) -> list[SourceRecord]:
        """Logs the settled records; returns those to send again."""
        self._raise_if_stopped()
        attempts = f" ({self._policy.max_attempts} attempts)"
        if last and set(self._log.counts.codes) == {NO_CONNECTION}:
            # No request of this run reached the server, so no other one would.
            raise SendError(f"{self._sink.name} cannot be reached: {NO_CONNECTION}{attempts}")
        retried = []
        for record, each in zip(batch, result.results, strict=True):
            if each.status is RecordStatus.RETRY and not last:
                retried.append(record)
                continue
            suffix = attempts if each.status is RecordStatus.RETRY else ""
            if each.status is RecordStatus.ACKED:
                self._log.acknowledge(record)
            elif result.blocked:
                self._block(record, each.reason + suffix, result.blocked + suffix)
            else:
                self._log.fail(record, each.reason + suffix)
            queue.complete(record.key)
        if any(each.status is RecordStatus.ACKED for each in result.results):
            self._fail_blocked()
            self._blocked_in_a_row = 0
        self._log.save()
        return retried

    def _block(self, record: SourceRecord, reason: str, error: str) -> None:
        """Holds a record that was rejected alone until it is known whether all records are rejected."""
        self._blocked.append((record, reason))
        self._blocked_in_a_row += 1
        self._blocked_error = f"{self._sink.name}: {error}"
        if self._blocked_in_a_row == _MAX_BLOCKED:
            raise SendError(self._blocked_error)

    def _fail_blocked(self) -> None:
        """Logs held records as failed, since others were acknowledged.

        Raises:
            SendError: none was ever acknowledged.
        """
        if self._blocked and not self._log.counts.acknowledged:
            raise SendError(self._blocked_error)
        for record, reason in self._blocked:
            self._log.fail(record, reason)
        self._blocked.clear()

    def _raise_if_stopped(self) -> None:
        if self._stopped.is_set():
            raise _StoppedError

    def _send_once(self, batch: Sequence[SourceRecord]) -> SendResult:
        self._limiter.acquire(len(batch))
        self._raise_if_stopped()
        try:
            result = self._sink.send(batch)
        except SendError as error:
            raise SendError(f"{self._sink.name}: {error}") from None
        with self._changed:
            self._raise_if_stopped()
            self._log.counts.codes[result.code] += 1
            if result.retry_after:
                self._limiter.pause(result.retry_after)
        return result
