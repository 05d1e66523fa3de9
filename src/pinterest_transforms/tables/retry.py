"""Tries a table operation again where another writer was in the way; a bounded number of times."""

import random
import time
from collections.abc import Callable
from typing import TypeVar

Result = TypeVar("Result")

_TRIES = 8
# Names of Delta's and the catalogs' errors that mean "somebody else was quicker".
_CONCURRENT = (
    "ConcurrentAppend",
    "ConcurrentDelete",
    "ConcurrentTransaction",
    "ConcurrentWrite",
    "ConcurrentModification",
    "MetadataChanged",
    "ProtocolChanged",
    "DELTA_CONCURRENT",
    "DELTA_METADATA_CHANGED",
    "DELTA_PROTOCOL_CHANGED",
    "TABLE_OR_VIEW_ALREADY_EXISTS",
    "SCHEMA_ALREADY_EXISTS",
)


def is_concurrent(error: Exception) -> bool:
    """True if the error is a conflict with another writer."""
    text = f"{type(error).__name__} {error}"
    return any(name in text for name in _CONCURRENT)


def with_retries(work: Callable[[], Result], pause: Callable[[float], None] = time.sleep) -> Result:
    """Does the work; again, after a growing pause, where another writer was in the way.

    Args:
        work: what to do; must be safe to do again.
        pause: how to wait, in seconds.

    Raises:
        Exception: what the work raised, if it is of another kind or the last try failed too.
    """
    for attempt in range(1, _TRIES):
        try:
            return work()
        except Exception as error:
            if not is_concurrent(error):
                raise
            pause(min(8.0, 0.2 * 2**attempt) * random.uniform(0.5, 1.5))  # noqa: S311 - spreads writers, no secret
    return work()
