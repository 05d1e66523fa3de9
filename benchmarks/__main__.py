"""``python -m benchmarks``: measures, and writes ``benchmarks/results.md``."""

import argparse
import os
import shutil
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.batch import BatchTimes, measure_batch
from benchmarks.harness.children import BenchError
from benchmarks.incremental import ArrivalTimes, measure_arrivals
from benchmarks.landings import ARRIVALS, CACHE
from benchmarks.report import page
from pinterest_transforms.errors import PinterestError

RESULTS = Path(__file__).with_name("results.md")
_HISTORIES = {11_000: 10_000}


def _sizes(text: str) -> list[int]:
    sizes = [int(part) for part in text.split(",")]
    if min(sizes) < 1 or len(set(sizes)) < len(sizes):
        raise ValueError(text)
    return sorted(sizes)


def _pairs(text: str) -> int:
    pairs = int(text)
    if not 1 <= pairs < ARRIVALS:
        raise ValueError(text)
    return pairs


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description="Measures the batch beside raw writes and a plain notebook."
    )
    parser.add_argument(
        "--sizes", type=_sizes, default=[11_000, 100_000, 1_000_000], help="numbers of posts, separated by commas"
    )
    parser.add_argument("--histories", type=_sizes, help="posts of the histories (default: the sizes, 10000 for 11000)")
    parser.add_argument("--pairs", type=_pairs, default=5, help=f"rounds that count, 1 to {ARRIVALS - 1}")
    parser.add_argument("--only", choices=["batch", "incremental"], help="one of the two parts (default: both)")
    parser.add_argument("--output", type=Path, default=RESULTS, help="the page that is written")
    options = parser.parse_args(arguments)
    options.histories = options.histories or [_HISTORIES.get(size, size) for size in options.sizes]
    return options


def _stop(*_: object) -> None:
    raise KeyboardInterrupt


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures the selected sizes; the page is rewritten after each part."""
    options = _options(arguments)
    signal.signal(signal.SIGTERM, _stop)
    started = time.monotonic()

    def say(text: str) -> None:
        passed = int(time.monotonic() - started)
        print(f"{passed // 60:3d}:{passed % 60:02d}  {text}", flush=True)

    work = CACHE / f"work-{os.getpid()}"
    batches: list[BatchTimes] = []
    arrivals: list[ArrivalTimes] = []

    def write(*, complete: bool) -> None:
        options.output.write_text(page(batches, arrivals, options.pairs, complete=complete), encoding="utf-8")

    try:
        if options.only != "incremental":
            for posts in options.sizes:
                batches.append(measure_batch(posts, options.pairs, CACHE, work, say))
                write(complete=False)
        if options.only != "batch":
            arrivals += measure_arrivals(options.histories, options.pairs, CACHE, work, say)
        write(complete=True)
    except (BenchError, PinterestError) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return 130
    finally:
        shutil.rmtree(work, ignore_errors=True)
    say(f"written: {options.output}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
