"""The argument type of numbers with bounds."""

import argparse
from collections.abc import Callable

from emulation.emulation_errors import redact
from pinterest_transforms.error_format import shorten

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
            given = shorten(redact(text), _MAX_SHOWN)
            raise argparse.ArgumentTypeError(f"must be a whole number from {minimum:,} to {maximum:,}, got {given!r}")
        return number

    return parse


SEED = int_between(-_MAX_SEED, _MAX_SEED)
