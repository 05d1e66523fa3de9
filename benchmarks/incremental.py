"""A thousand new and a thousand changed rows arriving on histories of several sizes."""

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.children import BenchError, Child, Usage, children
from benchmarks.landings import add_arrival, make_landing
from benchmarks.peers.variants import OURS, facts, prepare
from pinterest_transforms.settings import Settings

_WARM_UPS = 5
"""Arrivals on each history that do not count: Java compiles, and each takes less time than the one before."""


@dataclass
class ArrivalTimes:
    """What was measured on one history.

    Attributes:
        posts: keys in the history.
        load: seconds the history took to load; once, not warm.
        runs: of the arrivals, in their order.
        about: what the child ran on.
    """

    posts: int
    load: float
    runs: list[Usage] = field(default_factory=list)
    about: Mapping[str, object] = field(default_factory=dict)


def measure_arrivals(histories: Sequence[int], rounds: int, work: Path) -> list[ArrivalTimes]:
    """Loads each history once, then lets arrivals come to each in turn; the first ones of each are warm-ups.

    All histories are in one child, so that the same warm Java process serves them all.

    Raises:
        BenchError: if a result is not right.
    """
    times: dict[int, ArrivalTimes] = {}
    places: dict[int, Settings] = {}
    with children([OURS], work / "incremental") as made:
        child = made[OURS]
        for posts in histories:
            folder = work / "incremental" / f"landing-{posts}"
            shutil.copytree(make_landing(posts, work).folder / "topics", folder / "topics", copy_function=os.link)
            places[posts] = child.fresh_target(folder)
            child.ask(prepare, OURS, places[posts])
            times[posts] = ArrivalTimes(posts, child.measure_run(places[posts]).wall, about=child.about)
            print(f"history of {posts:,} posts: loaded in {times[posts].load:.2f} s", flush=True)
        for number in range(_WARM_UPS + rounds):
            for posts, settings in places.items():
                usage = _measure_arrival(child, posts, number, settings)
                counts = number >= _WARM_UPS
                what = f"arrival {number - _WARM_UPS + 1} of {rounds}" if counts else "warm-up arrival"
                print(f"history of {posts:,} posts: {what}: {usage.wall:.2f} s", flush=True)
                if counts:
                    times[posts].runs.append(usage)
    return list(times.values())


def _measure_arrival(child: Child, posts: int, number: int, settings: Settings) -> Usage:
    """One arrival; every row of it must be read and merged, and the new ones be there."""
    before = child.ask(facts, OURS, settings)
    expected = add_arrival(posts, number, Path(settings.landing))
    usage = child.measure_run(settings)
    after = child.ask(facts, OURS, settings)
    for name, right in expected.items():
        grown = {column: int(after[name][column] or 0) - int(before[name][column] or 0) for column in right}
        if grown != right:
            raise BenchError(f"{name}: an arrival must add {right}, got {grown}")
    return usage
