"""How fast records are sent, and when a request is repeated."""

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

Sleep = Callable[[float], object]


@dataclass(frozen=True)
class RetryPolicy:
    """Concurrency, rate and retries of a producer.

    Attributes:
        max_in_flight: maximum number of concurrent requests.
        max_rate: maximum number of records per second; 0 for no limit.
        max_attempts: attempts of a request without an acknowledged record before its records fail.
        initial_backoff: seconds before the second attempt; doubles with each attempt.
        max_backoff: maximum number of seconds between two attempts, also for Retry-After.
    """

    max_in_flight: int = 8
    max_rate: float = 0
    max_attempts: int = 8
    initial_backoff: float = 0.2
    max_backoff: float = 20.0

    def compute_backoff(self, attempt: int) -> float:
        """Seconds before the next attempt: exponential backoff with jitter."""
        bound = min(self.max_backoff, self.initial_backoff * 2**attempt)
        return random.uniform(bound / 2, bound)


class RateLimiter:
    """Delays requests for the maximum rate, and for a Retry-After, which applies to all requests."""

    def __init__(self, policy: RetryPolicy, sleep: Sleep) -> None:
        self._policy, self._sleep = policy, sleep
        self._lock = threading.Lock()
        self._next = 0.0

    def pause(self, retry_after: float) -> None:
        """Delays all requests for a Retry-After."""
        with self._lock:
            self._next = max(self._next, time.monotonic() + min(retry_after, self._policy.max_backoff))

    def acquire(self, records: int) -> None:
        """Waits until a request with so many records may be sent."""
        with self._lock:
            now = time.monotonic()
            wait = self._next - now
            if self._policy.max_rate:
                self._next = max(self._next, now) + records / self._policy.max_rate
        if wait > 0:
            self._sleep(wait)
