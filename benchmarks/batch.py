"""The whole batch into an empty target, variant after variant, round after round."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.harness.checks import check_facts, check_same
from benchmarks.harness.children import Child, Usage, children
from benchmarks.landings import Landing, Say, landing_of
from benchmarks.peers.variants import OURS, PLAIN, RAW, Facts

WARM_UP = 11_000
_WARM_UPS = 12
"""Java is still getting faster in the eighth round."""
VARIANTS = (OURS, RAW, PLAIN)
_PLACE = "batch"


@dataclass
class BatchTimes:
    """What was measured at one size.

    Attributes:
        posts: the size.
        checked: numbers of each variant's result.
        runs: by variant, in the order of the rounds.
        about: what the children ran on.
    """

    posts: int
    checked: dict[str, Facts]
    runs: dict[str, list[Usage]] = field(default_factory=dict)
    about: dict[str, object] = field(default_factory=dict)


def measure_batch(
    posts: int,
    pairs: int,
    cache: Path,
    work: Path,
    say: Say,
    names: Sequence[str] = VARIANTS,
    *,
    heap: str | None = None,
) -> BatchTimes:
    """Measures every variant at one size: warm-up, check, then rounds in which each has one turn.

    Args:
        posts: the size.
        pairs: how many rounds count.
        cache: where landings are kept.
        work: folder for what is made and thrown away.
        say: told what is being done.
        names: the variants; ``ours`` among them.
        heap: most memory of the driver, as ``children`` takes it.

    Raises:
        BenchError: if a run fails or its result is not right.
    """
    landing = landing_of(posts, cache, say)
    small = landing_of(min(posts, WARM_UP), cache, say)
    with children(names, work / f"batch-{posts}", heap) as made:
        for number in range(1, _WARM_UPS + 1):
            say(f"{posts:,} posts: warm-up {number} of {_WARM_UPS}, on {small.posts:,}")
            for child in made.values():
                _start(child, small)
                child.measured(_PLACE)
                _clear(child)
        say(f"{posts:,} posts: a round that is checked and not counted")
        checked = _checked_round(made, landing)
        times = BatchTimes(posts, checked, about=made[OURS].about)
        for number in range(1, pairs + 1):
            for name, child in made.items():
                usage = _timed(child, landing, checked[name])
                times.runs.setdefault(name, []).append(usage)
                say(f"{posts:,} posts: round {number} of {pairs}: {name} {usage.wall:.2f} s")
    return times


def _start(child: Child, landing: Landing) -> None:
    source = landing.without_repeats() if child.name == PLAIN else landing.folder
    child.ask("prepare", place=_PLACE, landing=str(source), folder=str(child.fresh_folder()))


def _clear(child: Child) -> None:
    """Deletes what a run made, and lets Java give its memory back: the children share the machine's."""
    child.ask("clear", place=_PLACE)
    child.ask("settle")


def _facts(child: Child) -> Facts:
    found: Facts = child.ask("facts", place=_PLACE)["facts"]  # type: ignore[assignment]
    return found


def _checked_round(made: dict[str, Child], landing: Landing) -> dict[str, Facts]:
    """One run each; the numbers that came out are checked."""
    facts = {}
    for name, child in made.items():
        _start(child, landing)
        child.measured(_PLACE)
        facts[name] = _facts(child)
        _clear(child)
    check_facts(facts, landing.expected())
    return facts


def _timed(child: Child, landing: Landing, checked: Facts) -> Usage:
    """One run that counts, once its result was seen to be the checked one."""
    _start(child, landing)
    usage = child.measured(_PLACE)
    check_same(child.name, _facts(child), checked)
    _clear(child)
    return usage
