"""The whole batch into an empty target, variant after variant, round after round."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.children import BenchError, Child, Usage, children, free_memory
from benchmarks.landings import Landing, make_landing
from benchmarks.peers.variants import OURS, PLAIN, RAW, Facts, clear, facts, prepare

WARM_UP = 11_000
_WARM_UPS = 12
"""Java is still getting faster in the eighth round."""


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
    about: Mapping[str, object] = field(default_factory=dict)


def measure_batch(posts: int, rounds: int, work: Path, names: Sequence[str], heap: str | None) -> BatchTimes:
    """Measures variants at one size: warm-up, check, then rounds in which each has one turn.

    Args:
        posts: the size.
        rounds: how many rounds count.
        work: folder for what is made and thrown away.
        names: the variants; ``ours`` among them.
        heap: most memory of the driver, as ``children`` takes it.

    Raises:
        BenchError: if a result is not right.
    """
    landing, small = make_landing(posts, work), make_landing(min(posts, WARM_UP), work)
    with children(names, work / f"batch-{posts}", heap) as made:
        for number in range(1, _WARM_UPS + 1):
            print(f"{posts:,} posts: warm-up {number} of {_WARM_UPS}, on {small.posts:,}", flush=True)
            for child in made.values():
                _run(child, small)
        checked = {name: _run(child, landing)[1] for name, child in made.items()}
        check_facts(checked, landing.expected)
        times = BatchTimes(posts, checked, {name: [] for name in names}, made[OURS].about)
        for number in range(1, rounds + 1):
            for name, child in made.items():
                usage, found = _run(child, landing)
                if found != checked[name]:
                    raise BenchError(f"{name}: a timed run must give what the checked one gave, got {found}")
                times.runs[name].append(usage)
                print(f"{posts:,} posts: round {number} of {rounds}: {name} {usage.wall:.2f} s", flush=True)
    return times


def _run(child: Child, landing: Landing) -> tuple[Usage, Facts]:
    """One run into a fresh target, which is deleted afterwards."""
    settings = child.fresh_target(landing.without_repeats() if child.name == PLAIN else landing.folder)
    child.ask(prepare, child.name, settings)
    usage = child.measure_run(settings)
    found = child.ask(facts, child.name, settings)
    child.ask(clear, settings)
    child.ask(free_memory)
    return usage, found


def check_facts(found: Mapping[str, Facts], expected: Mapping[str, Mapping[str, int]]) -> None:
    """Checks the numbers of the variants before a time counts.

    Args:
        found: of the variants that ran, by name; ``ours`` among them.
        expected: of the landing, as the generator knows them.

    Raises:
        BenchError: naming everything that is wrong.
    """
    wrong = []
    for entity, right in expected.items():
        ours = found[OURS][entity]
        wrong += _compare(f"{entity}: ours", ours, right)
        if ours["read"] != sum(int(ours[column] or 0) for column in ("merged", "already_there", "rejected")):
            wrong.append(f"{entity}: read must be merged + already_there + rejected, got {ours}")
        if RAW in found:
            wrong += _compare(f"{entity}: raw", found[RAW][entity], {"rows": right["read"]})
    if wrong:
        raise BenchError("\n".join(["results are not right, so no time counts:", *wrong]))


def _compare(who: str, given: Mapping[str, object], expected: Mapping[str, object]) -> list[str]:
    return [
        f"{who}: {name} must be {value}, got {given[name]}" for name, value in expected.items() if given[name] != value
    ]
