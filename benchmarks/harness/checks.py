"""No time counts before its numbers are known to be right: the generator knows what a landing holds."""

from collections.abc import Mapping

from benchmarks.harness.children import BenchError
from benchmarks.peers.variants import OURS, RAW, Facts


def check_facts(facts: Mapping[str, Facts], expected: Mapping[str, Mapping[str, int]]) -> None:
    """Checks the numbers of the variants against those of the landing.

    Args:
        facts: of the variants that ran, by name; ``ours`` among them.
        expected: of ``Landing.expected``.

    Raises:
        BenchError: naming everything that is wrong.
    """
    wrong = []
    for entity, right in expected.items():
        ours = facts[OURS][entity]
        wrong += _unlike(f"{entity}: ours", ours, right)
        if ours["read"] != sum(int(ours[column] or 0) for column in ("merged", "already_there", "rejected")):
            wrong.append(f"{entity}: read must be merged + already_there + rejected, got {ours}")
        if RAW in facts:
            wrong += _unlike(f"{entity}: raw", facts[RAW][entity], {"rows": right["read"]})
    if wrong:
        raise BenchError("\n".join(["results are not right, so no time counts:", *wrong]))


def check_same(name: str, now: Facts, checked: Facts) -> None:
    """Checks that a timed run gave what the checked one gave.

    Raises:
        BenchError: if not.
    """
    if now != checked:
        raise BenchError(f"{name}: a timed run must give what the checked one gave, {checked}, got {now}")


def _unlike(who: str, given: Mapping[str, object], expected: Mapping[str, object]) -> list[str]:
    return [
        f"{who}: {column} must be {value}, got {given[column]}"
        for column, value in expected.items()
        if given[column] != value
    ]
