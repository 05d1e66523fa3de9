"""Numbers of the command line: each has bounds, and one line that says them."""

import argparse
import math
from collections.abc import Callable

from emulation.producer.send_result import one_line
from emulation.source.database import masked

_SHOWN = 30
_SEEDS = 10**18
MOST_POSTS = 100_000_000


def whole(least: int, most: int) -> Callable[[str], int]:
    """For ``type=``: a whole number between two others, both allowed."""

    def parse(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            number = least - 1
        if not least <= number <= most:
            raise _wrong(f"a whole number from {least:,} to {most:,}", text)
        return number

    return parse


def real(least: float, most: float, *, zero: bool = False) -> Callable[[str], float]:
    """For ``type=``: a number between two others, both allowed, and 0 where that is said; not a number is none."""

    def parse(text: str) -> float:
        try:
            number = float(text)
        except ValueError:
            number = math.nan
        if not least <= number <= most and not (zero and number == 0):
            raise _wrong(f"{'0 or ' if zero else ''}a number from {least:g} to {most:,.0f}", text)
        return number

    return parse


SEED = whole(-_SEEDS, _SEEDS)


def _wrong(what: str, text: str) -> argparse.ArgumentTypeError:
    return argparse.ArgumentTypeError(f"must be {what}, got {one_line(masked(text), _SHOWN)!r}")
