"""No time counts before its result is known to be right: what must hold of a run's numbers and content."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from benchmarks.harness.children import BenchError
from benchmarks.harness.compare import Compared
from benchmarks.landings import ROOT
from benchmarks.peers.variants import OURS, POLARS, RAW, Facts

Results = dict[str, Compared]


def compare(landing: Path, exports: Path) -> Results:
    """Runs the comparison in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.harness.compare", str(landing), str(exports)],
        stdout=subprocess.PIPE,
        check=False,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)])},
    )
    if done.returncode:
        raise BenchError(f"the comparison must end with 0, got {done.returncode}")
    found: Results = json.loads(done.stdout)
    return found


def check_content(results: Results, facts: Mapping[str, Facts]) -> None:
    """Sees to it that ours and Polars are equal, and that everybody's numbers agree.

    Args:
        results: of ``compare``.
        facts: of the variants that ran, by name; ``ours`` among them.

    Raises:
        BenchError: naming everything that is not as it must be.
    """
    wrong = []
    for name, result in results.items():
        if result["different"]:
            wrong.append(f"{name}: ours and Polars differ: {result['different']}")
        ours = facts[OURS][name]
        expected = {"read": result["lines"], "rejected": result["rejected"], "rows": result["rows"]}
        wrong += _unlike(f"{name}: ours", ours, expected)
        counted = sum(int(ours[column] or 0) for column in ("merged", "already_there", "rejected"))
        if ours["read"] != counted:
            wrong.append(f"{name}: read must be merged + already_there + rejected, got {ours}")
        if RAW in facts:
            wrong += _unlike(f"{name}: raw", facts[RAW][name], {"rows": result["lines"]})
        if POLARS in facts:
            wrong += _unlike(f"{name}: Polars", facts[POLARS][name], {**expected, "digest": result["digest"]})
    if wrong:
        raise BenchError("\n".join(["results are not equal, so no time counts:", *wrong]))


def check_same(name: str, now: Facts, checked: Facts) -> None:
    """Sees to it that a timed run gave what the checked one gave.

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
