"""Argument types of numbers with bounds."""

import argparse
import math
from collections.abc import Callable

from emulation.emulation_errors import redact, shorten

_MAX_SHOWN = 30
_MAX_SEED = 10**18
MAX_POSTS = 100_000_000


def int_between(minimum: int, maximum: int) -> Callable[[str], int]:
    """The type of a whole number from ``minimum`` to ``maximum``."""

    def parse(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            number = minimum - 1
        if not minimum <= number <= maximum:
            raise _build_error(f"a whole number from {minimum:,} to {maximum:,}", text)
        return number

    return parse


def float_between(minimum: float, maximum: float, *, zero: bool = False) -> Callable[[str], float]:
    """The type of a number from ``minimum`` to ``maximum``, and of 0 if ``zero``."""

    def parse(text: str) -> float:
        try:
            number = float(text)
        except ValueError:
            number = math.nan
        if not minimum <= number <= maximum and not (zero and number == 0):
            raise _build_error(f"{'0 or ' if zero else ''}a number from {minimum:g} to {maximum:,.0f}", text)
        return number

    return parse


SEED = int_between(-_MAX_SEED, _MAX_SEED)


def _build_error(expected: str, text: str) -> argparse.ArgumentTypeError:
    return argparse.ArgumentTypeError(f"must be {expected}, got {shorten(redact(text), _MAX_SHOWN)!r}")
