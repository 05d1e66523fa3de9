"""A thousand new and a thousand changed rows arriving on histories of several sizes."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.harness.children import BenchError, Child, Usage, children
from benchmarks.landings import Landing, Say, arrival_rows, landing_of
from benchmarks.peers.variants import OURS, Facts


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
    about: dict[str, object] = field(default_factory=dict)


def measure_arrivals(histories: Sequence[int], pairs: int, cache: Path, work: Path, say: Say) -> list[ArrivalTimes]:
    """Loads each history once, then lets arrivals come to each in turn; the first of each is a warm-up.

    All histories are in one child, so that the same warm Java process serves them all.

    Raises:
        BenchError: if a run fails or its result is not right.
    """
    landings = {posts: landing_of(posts, cache, say) for posts in histories}
    with children([OURS], work / "incremental") as made:
        child = made[OURS]
        folders: dict[int, Path] = {}
        times: dict[int, ArrivalTimes] = {}
        for posts, landing in landings.items():
            say(f"loading a history of {posts:,} posts")
            folders[posts] = landing.linked(child.fresh_folder())
            place = {"place": str(posts), "landing": str(folders[posts]), "folder": str(child.fresh_folder())}
            child.ask("prepare", **place)
            times[posts] = ArrivalTimes(posts, child.measured(str(posts)).wall, about=child.about)
        for number in range(pairs + 1):
            for posts, landing in landings.items():
                usage = _arrival(child, landing, number, folders[posts])
                what = f"arrival {number} of {pairs}" if number else "warm-up arrival"
                say(f"history of {posts:,} posts: {what}: {usage.wall:.2f} s")
                if number:
                    times[posts].runs.append(usage)
    return list(times.values())


def _facts(child: Child, posts: int) -> Facts:
    found: Facts = child.ask("facts", place=str(posts))["facts"]  # type: ignore[assignment]
    return found


def _arrival(child: Child, landing: Landing, number: int, folder: Path) -> Usage:
    """One arrival, taken; every row of it must be read and merged, and half of them be new."""
    posts = landing.posts
    before = _facts(child, posts)
    landing.arrive(number, folder)
    usage = child.measured(str(posts))
    after = _facts(child, posts)
    new = arrival_rows(posts)
    expected = {"read": 2 * new, "merged": 2 * new, "already_there": 0, "rejected": 0, "rows": new}
    for name, numbers in after.items():
        grown = {column: int(numbers[column] or 0) - int(before[name][column] or 0) for column in expected}
        if grown != expected:
            raise BenchError(f"{name}: an arrival must add {expected}, got {grown}")
    return usage
