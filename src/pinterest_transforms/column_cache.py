"""Keeps columns that are built once: over classic Spark each part of a column is a call to Java."""

from collections.abc import Callable, Hashable
from functools import cache, wraps
from typing import ParamSpec, TypeVar

from pyspark.sql.utils import is_remote

_P = ParamSpec("_P")
_T = TypeVar("_T")


def _java() -> object:
    """The connection to Java that classic columns are made over; none for those of Spark Connect, which are plain."""
    if is_remote():
        return None
    from pyspark import SparkContext  # noqa: PLC0415 - a client of Spark Connect alone has none

    return SparkContext._gateway


def cache_per_session(make: Callable[_P, _T]) -> Callable[_P, _T]:
    """Keeps the columns that a function builds, for each Java process or Connect: each part of one is a call to Java.

    What they are made of must come from the function's arguments alone.
    """

    @cache
    def kept(_java: object, *args: Hashable) -> _T:
        return make(*args)  # type: ignore[call-arg, arg-type]

    @wraps(make)
    def found(*args: _P.args, **_: _P.kwargs) -> _T:
        return kept(_java(), *args)

    return found
