"""``python -m benchmarks``: measures the batch, and writes ``benchmarks/results.md``."""

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from benchmarks.batch import BatchTimes, measure_batch
from benchmarks.children import Usage
from benchmarks.incremental import ArrivalTimes, measure_arrivals
from benchmarks.landings import ARRIVAL
from benchmarks.pages import GIB, build_parser, machine, ratio, spread, table, verdict, write_page
from benchmarks.peers.variants import OURS, PLAIN, RAW

_FOLDER = Path(__file__).parent
_PLAIN_BARS = {11_000: 1.3, 100_000: 1.2, 1_000_000: 1.1}
_ARRIVAL_BARS = {(10_000, 1_000_000): 1.3}
_GROWTH_BARS = {(1_000_000, 10_000_000): 1.2}
_EVERYTHING_BAR = 1 / 3
_LABELS = {OURS: "the batch", RAW: "(a) raw", PLAIN: "(b) plain notebook"}
_COSTS = ["wall s", "CPU s", "peak memory GiB", "CPU s of all else"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures the selected sizes, and writes the page; the exit code."""
    parser = build_parser("benchmarks", "Measures the batch beside raw writes and a plain notebook.", "results.md")
    sizes = {"type": int, "nargs": "*", "metavar": "POSTS"}
    parser.add_argument("--sizes", **sizes, default=[11_000, 100_000, 1_000_000], help="landings of so many posts")
    parser.add_argument(
        "--histories", **sizes, default=[10_000, 100_000, 1_000_000], help="posts that were there before an arrival"
    )
    parser.add_argument("--beside", nargs="*", choices=(RAW, PLAIN), default=(RAW, PLAIN), help="what else (both)")
    parser.add_argument("--rounds", type=int, default=5, help="rounds that count (5)")
    parser.add_argument("--heap", help="most memory of Spark's driver, such as 2g")
    options = parser.parse_args(arguments)

    def measure(work: Path) -> list[str]:
        batches = [
            measure_batch(posts, options.rounds, work, (OURS, *options.beside), options.heap)
            for posts in sorted(options.sizes)
        ]
        return page(batches, measure_arrivals(sorted(options.histories), options.rounds, work))

    return write_page(options.output, "What the batch costs", options.rounds, measure)


def page(batches: Sequence[BatchTimes], arrivals: Sequence[ArrivalTimes]) -> list[str]:
    """Ratios first, then the tables, then on what and how it was measured."""
    lines = ["## Ratios", ""]
    if batches:
        rows = [*_ratios(batches), *_growth(batches)]
        lines += table(["posts", "the batch over", "wall", "CPU", "bar"], rows)
    if len(arrivals) > 1:
        rows = _arrival_ratios(arrivals, batches)
        lines += table([f"an arrival on {arrivals[-1].posts:,} posts over", "ratio", "bar"], rows)
    if batches:
        costs = [[f"{t.posts:,}", _LABELS[name], *_costs(runs)] for t in batches for name, runs in t.runs.items()]
        lines += ["## The whole batch into an empty target", "", *table(["posts", "variant", *_COSTS], costs)]
        lines += _content(batches)
    if arrivals:
        costs = [[f"{times.posts:,}", *_costs(times.runs), f"{times.load:,.1f}"] for times in arrivals]
        lines += [
            f"## {ARRIVAL:,} new and {ARRIVAL:,} changed rows a topic arriving",
            "",
            *table(["history, posts", *_COSTS, "loading the history once, s"], costs),
            "One process holds all histories, so its peak memory is that of the largest. Every arrival was read and",
            "merged whole.",
            "",
        ]
    about = [*batches, *arrivals][-1].about if batches or arrivals else {}
    return [*lines, *machine(about), "", _FOLDER.joinpath("method.md").read_text(encoding="utf-8").rstrip()]


def _walls(runs: Iterable[Usage]) -> list[float]:
    return [run.wall for run in runs]


def _costs(runs: Sequence[Usage]) -> list[str]:
    return [
        spread(_walls(runs)).text(),
        spread(run.cpu for run in runs).text(digits=1),
        spread(run.peak / GIB for run in runs).text(),
        spread(run.elsewhere for run in runs).text(digits=1),
    ]


def _ratios(batches: Sequence[BatchTimes]) -> list[list[str]]:
    """The batch over every other."""
    rows = []
    for times in batches:
        ours = times.runs[OURS]
        for name, runs in times.runs.items():
            if name != OURS:
                wall = ratio(_walls(ours), _walls(runs))
                cpu = ratio([run.cpu for run in ours], [run.cpu for run in runs])
                bar = _PLAIN_BARS.get(times.posts) if name == PLAIN else None
                said = verdict(wall.median, bar) if bar else "–"
                rows.append([f"{times.posts:,}", _LABELS[name], f"**{wall.text()}**", cpu.text(), said])
    return rows


def _growth(batches: Sequence[BatchTimes]) -> list[list[str]]:
    """The time per post at the largest size over that at the smallest, where it has a bar."""
    few, many = batches[0], batches[-1]
    bar = _GROWTH_BARS.get((few.posts, many.posts))
    if not bar:
        return []
    wall = ratio(_walls(many.runs[OURS]), _walls(few.runs[OURS])).median * few.posts / many.posts
    return [[f"{many.posts:,}", f"itself at {few.posts:,}, per post", f"**{wall:.2f}**", "–", verdict(wall, bar)]]


def _arrival_ratios(arrivals: Sequence[ArrivalTimes], batches: Sequence[BatchTimes]) -> list[list[str]]:
    """An arrival on the longest history over one on the shortest, and over the plain way's run over everything."""
    short, long = arrivals[0], arrivals[-1]
    found = ratio(_walls(long.runs), _walls(short.runs))
    bar = _ARRIVAL_BARS.get((short.posts, long.posts))
    rows = [[f"one on {short.posts:,}", f"**{found.text()}**", verdict(found.median, bar) if bar else "–"]]
    for times in batches:
        if times.posts == long.posts and PLAIN in times.runs:
            everything = spread(_walls(times.runs[PLAIN])).median
            part = spread(wall / everything for wall in _walls(long.runs))
            said = verdict(part.median, _EVERYTHING_BAR)
            rows.append([f"(b) over all {long.posts:,}", f"**{part.text()}**", said])
    return rows


def _content(batches: Sequence[BatchTimes]) -> list[str]:
    """What was checked before a time counted."""
    lines = [
        "Checked before a time counted: the batch read every line, rejected the records that the generator had broken,",
        "and has one row per key; read = merged + already there + rejected; raw wrote one row per line. Every timed",
        "run gave what the checked one gave, the batch by a digest of its rows. (b) is not right, and is known not to",
        "be: it keeps repeated and keyless rows, and loses some keys.",
        "",
    ]
    rows = []
    for times in batches:
        for name, ours in times.checked[OURS].items():
            counts = [f"{ours[column]:,}" for column in ("read", "rejected", "rows")]
            plain = f"{times.checked[PLAIN][name]['rows']:,}" if PLAIN in times.checked else "–"
            rows.append([f"{times.posts:,}", name, *counts, plain])
    return [*lines, *table(["posts", "topic", "lines", "rejected", "clean rows", "rows of (b)"], rows)]


if __name__ == "__main__":
    sys.exit(main())
