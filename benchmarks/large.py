"""``python -m benchmarks.large``: how the batch's time and memory grow from one million posts to ten. Opt-in.

The driver's heap is limited to 2 GiB (``-Xmx``), so a run that ends has stayed under it.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.batch import measure_batch
from benchmarks.harness.children import Usage
from benchmarks.landings import CACHE
from benchmarks.numbers import GIB, spread, verdict, walls
from benchmarks.peers.variants import OURS
from benchmarks.report import machine, revision, table, write_page

OUTPUT = Path(__file__).with_name("large.md")
HEAP = "2g"
GROWTH_BAR = 1.2
_SIZES = [1_000_000, 10_000_000]


def large_page(runs: dict[int, list[Usage]], about: dict[str, object]) -> str:
    """The page: seconds for each million posts at each size, their growth, and the most memory.

    Args:
        runs: by number of posts.
        about: what was measured on.
    """
    rows, a_million = [], {}
    for posts, usages in runs.items():
        wall = spread(walls(usages))
        a_million[posts] = wall.median / posts * 1e6
        peak = spread(usage.peak / GIB for usage in usages)
        rows.append([f"{posts:,}", wall.text(digits=1), f"{a_million[posts]:.1f}", peak.text()])
    growth = a_million[max(runs)] / a_million[min(runs)]
    lines = [
        "# What ten times as many posts cost",
        "",
        f"The whole batch into an empty target, {revision()}; driver's heap limited to {HEAP} (`-Xmx{HEAP}`).",
        "",
        *table(["posts", "wall s", "wall s per million", "memory of all its processes GiB"], rows),
        f"Time per million grew {growth:.2f} times; bar at most {GROWTH_BAR}: {verdict(growth, GROWTH_BAR)}.",
        "",
        *machine(about),
    ]
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures each size, and writes the page; the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.large",
        description="Measures how time and memory grow from one million posts to ten, with a heap of 2 GiB.",
    )
    parser.add_argument("--sizes", type=int, nargs=2, default=_SIZES, metavar="POSTS", help="the two sizes")
    parser.add_argument("--rounds", type=int, default=1, help="rounds that count, at each size")
    parser.add_argument("--output", type=Path, default=OUTPUT, help="the page that is written")
    options = parser.parse_args(arguments)

    def measure(work: Path) -> str:
        runs: dict[int, list[Usage]] = {}
        about: dict[str, object] = {}
        for posts in sorted(options.sizes):
            times = measure_batch(posts, options.rounds, CACHE, work, print, [OURS], heap=HEAP)
            runs[posts], about = times.runs[OURS], times.about
        return large_page(runs, about)

    return write_page("large", options.output, measure)


if __name__ == "__main__":
    sys.exit(main())
