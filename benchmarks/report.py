"""``benchmarks/results.md``: ratios first, then the tables, then on what and how it was measured."""

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import psutil

from benchmarks.batch import BatchTimes
from benchmarks.harness.children import BenchError, Usage
from benchmarks.incremental import ArrivalTimes
from benchmarks.landings import ARRIVAL, CACHE, ROOT
from benchmarks.numbers import GIB, ratio, spread, verdict, walls
from benchmarks.peers.variants import OURS, PLAIN, RAW

PLAIN_BARS = {11_000: 1.3, 100_000: 1.2, 1_000_000: 1.1}
ARRIVAL_BAR, EVERYTHING_BAR = 1.3, 1 / 3
_BAR_HISTORIES = (10_000, 1_000_000)
_LABELS = {OURS: "the batch", RAW: "(a) raw", PLAIN: "(b) plain notebook"}
_ELSEWHERE = "CPU s of all else"
_METHOD = Path(__file__).with_name("method.md")


def page(batches: Sequence[BatchTimes], arrivals: Sequence[ArrivalTimes], pairs: int, *, complete: bool) -> str:
    """The whole page."""
    head = ["# What the batch costs", "", f"Measured on {datetime.now(UTC):%Y-%m-%d}, {revision()}, {pairs} rounds."]
    if not complete:
        head += ["", "**Not complete: a run was stopped, or is still going on.**"]
    parts = [*head, "", "## Ratios", "", *_ratios(batches), *_arrival_ratios(arrivals, batches)]
    if batches:
        parts += ["## The whole batch into an empty target", "", *_batch_table(batches), *_content(batches)]
    if arrivals:
        parts += [f"## {ARRIVAL:,} new and {ARRIVAL:,} changed rows a topic arriving", "", *_arrival_table(arrivals)]
    about = [times.about for times in batches] + [times.about for times in arrivals]
    parts += ["## Machine", "", *machine(about[-1] if about else {}), "", _METHOD.read_text(encoding="utf-8")]
    return "\n".join(parts)


def write_page(name: str, output: Path, measure: Callable[[Path], str]) -> int:
    """Measures in a folder that is gone afterwards, and writes the page; the exit code."""
    work = CACHE / f"{name}-{os.getpid()}"
    work.mkdir(parents=True)
    try:
        made = measure(work)
    except BenchError as error:
        print(error, file=sys.stderr)
        return 1
    finally:
        shutil.rmtree(work, ignore_errors=True)
    output.write_text(made, encoding="utf-8")
    print(f"written: {output}")
    return 0


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """A table in Markdown, an empty line behind it."""
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return [f"| {' | '.join(columns)} |", f"|{'---|' * len(columns)}", *lines, ""]


def _ratios(batches: Sequence[BatchTimes]) -> list[str]:
    """The batch over every other."""
    if not batches:
        return []
    rows = []
    for times in batches:
        for other in (RAW, PLAIN):
            if other in times.runs:
                found = ratio(walls(times.runs[OURS]), walls(times.runs[other]))
                cpu = ratio([run.cpu for run in times.runs[OURS]], [run.cpu for run in times.runs[other]]).text()
                bar = PLAIN_BARS.get(times.posts) if other == PLAIN else None
                said = f"at most {bar}: {verdict(found.median, bar)}" if bar else "–"
                rows.append([f"{times.posts:,}", _LABELS[other], f"**{found.text()}**", cpu, said])
    return table(["posts", "the batch over", "wall", "CPU", "bar"], rows)


def _arrival_ratios(arrivals: Sequence[ArrivalTimes], batches: Sequence[BatchTimes]) -> list[str]:
    """An arrival on the longest history over one on the shortest, and over the plain way's run over everything."""
    if len(arrivals) < 2:
        return []
    short, long = (pick(arrivals, key=lambda times: times.posts) for pick in (min, max))
    found = ratio(walls(long.runs), walls(short.runs))
    known = (short.posts, long.posts) == _BAR_HISTORIES
    bar = f"at most {ARRIVAL_BAR}: {verdict(found.median, ARRIVAL_BAR)}" if known else "–"
    rows = [[f"one on {short.posts:,}", f"**{found.text()}**", bar]]
    for times in batches:
        if times.posts == long.posts and PLAIN in times.runs:
            everything = spread(walls(times.runs[PLAIN])).median
            part = spread(wall / everything for wall in walls(long.runs))
            said = f"at most {EVERYTHING_BAR:.2f}: {verdict(part.median, EVERYTHING_BAR)}"
            rows.append([f"(b) over all {long.posts:,}", f"**{part.text()}**", said])
    return table([f"an arrival on {long.posts:,} posts over", "ratio", "bar"], rows)


def _batch_table(batches: Sequence[BatchTimes]) -> list[str]:
    rows = []
    for times in batches:
        for name, runs in times.runs.items():
            cpu, peak = spread(run.cpu for run in runs), spread(run.peak / GIB for run in runs)
            wall = spread(walls(runs)).text()
            used = [cpu.text(digits=1), peak.text(), _elsewhere(runs)]
            rows.append([f"{times.posts:,}", _LABELS[name], wall, *used])
    columns = ["posts", "variant", "wall s", "CPU s", "peak memory GiB", _ELSEWHERE]
    return table(columns, rows)


def _elsewhere(runs: Sequence[Usage]) -> str:
    return spread(run.elsewhere for run in runs).text(digits=1)


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


def _arrival_table(arrivals: Sequence[ArrivalTimes]) -> list[str]:
    rows = []
    for times in arrivals:
        cpu, peak = spread(run.cpu for run in times.runs), spread(run.peak / GIB for run in times.runs)
        wall = spread(walls(times.runs)).text()
        rows.append(
            [f"{times.posts:,}", wall, cpu.text(digits=1), peak.text(), _elsewhere(times.runs), f"{times.load:,.1f}"]
        )
    columns = ["history, posts", "wall s", "CPU s", "peak memory GiB", _ELSEWHERE]
    lines = table([*columns, "loading the history once, s"], rows)
    return [
        *lines,
        "One process holds the three histories, so its peak memory is that of the largest. Every arrival was read and",
        "merged whole.",
        "",
    ]


def machine(about: Mapping[str, object]) -> list[str]:
    """What it was measured on, a line each."""
    known = {
        "processor": f"{_processor()}, {os.cpu_count()} cores",
        "memory": f"{psutil.virtual_memory().total / GIB:.0f} GiB",
        "system": f"{platform.system()} {platform.release().split('-')[0]}",
        "Python": platform.python_version(),
        **about,
        "Delta": version("delta-spark"),
    }
    return [f"- {name}: {value}" for name, value in known.items()]


def _processor() -> str:
    file = Path("/proc/cpuinfo")
    lines = file.read_text(encoding="utf-8").splitlines() if file.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def revision() -> str:
    """The revision in git, and whether the code was changed since."""
    texts = []
    for command in (
        ["rev-parse", "--short", "HEAD"],
        ["status", "--porcelain", "src", "local", "emulation", "benchmarks"],
    ):
        try:
            done = subprocess.run(["git", *command], cwd=ROOT, capture_output=True, text=True, check=True)
        except (OSError, subprocess.CalledProcessError):
            return "revision not known"
        texts.append(done.stdout.strip())
    changed = any(not line.endswith("results.md") for line in texts[1].splitlines())
    return f"revision {texts[0]}{' with changes that are not committed' if changed else ''}"
