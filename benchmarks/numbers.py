"""From runs to medians, ranges and ratios."""

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from benchmarks.harness.children import Usage

GIB = 1024**3


@dataclass(frozen=True)
class Spread:
    """A median and its range.

    Attributes:
        median: of the values.
        low: the least.
        high: the greatest.
    """

    median: float
    low: float
    high: float

    def text(self, unit: str = "", digits: int = 2) -> str:
        """As it stands in a table: ``1.52 s [1.49–1.60]``."""
        return f"{self.median:,.{digits}f}{unit} [{self.low:,.{digits}f}–{self.high:,.{digits}f}]"


def spread(values: Iterable[float]) -> Spread:
    """Median and range of values; there must be one."""
    known = list(values)
    return Spread(statistics.median(known), min(known), max(known))


def walls(runs: Sequence[Usage]) -> list[float]:
    """Wall seconds of each run."""
    return [run.wall for run in runs]


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> Spread:
    """Of the pairs, one a round: so that what slows the whole machine for a while slows both."""
    return spread(own / other for own, other in zip(ours, theirs, strict=True))


def verdict(value: float, bar: float, *, least: bool = False) -> str:
    """Whether a bar is met, and by how much; the value may be at most the bar, or must be at least.

    >>> verdict(2.0, 2.5)
    'met, 20% below'
    >>> verdict(3.0, 2.5)
    'missed by 20%'
    >>> verdict(3.0, 2.5, least=True)
    'met, 20% above'
    """
    apart = abs(value - bar) / bar
    met, side = (value >= bar, "above") if least else (value <= bar, "below")
    return f"met, {apart:.0%} {side}" if met else f"missed by {apart:.0%}"
