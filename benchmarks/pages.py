"""What the pages of the benchmarks share: medians, ranges and ratios, tables, and what was measured on."""

import argparse
import os
import platform
import shutil
import signal
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import psutil

from benchmarks.children import BenchError
from pinterest_transforms.errors import PinterestError

ROOT = Path(__file__).resolve().parent.parent
GIB = 1024**3


def build_parser(module: str, about: str, page: str) -> argparse.ArgumentParser:
    """A parser with the option that every benchmark has, ``--output``."""
    parser = argparse.ArgumentParser(prog=f"python -m {module}", description=about)
    parser.add_argument("--output", type=Path, default=ROOT / "benchmarks" / page, help="the written page")
    return parser


def write_page(output: Path, title: str, rounds: int, measure: Callable[[Path], Sequence[str]]) -> int:
    """Measures in a folder that is gone afterwards, and writes the page; the exit code.

    Args:
        output: the page.
        title: its heading.
        rounds: how many rounds count.
        measure: returns the page's lines between heading and machine.
    """
    if not os.access(output.parent, os.W_OK):  # known before an hour of measuring
        print(f"output must be in a folder that can be written to, got {output}", file=sys.stderr)
        return 1
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    work = ROOT / "build" / "bench" / f"{output.stem}-{os.getpid()}"
    work.mkdir(parents=True)
    try:
        lines = measure(work)
    except (BenchError, PinterestError) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return 130
    finally:
        shutil.rmtree(work, ignore_errors=True)
    head = [f"# {title}", "", f"Measured on {datetime.now(UTC):%Y-%m-%d}, {_revision()}, {rounds} rounds.", ""]
    output.write_text("\n".join([*head, *lines]) + "\n", encoding="utf-8")
    print(f"written: {output}")
    return 0


@dataclass(frozen=True)
class Spread:
    """A median and its range.

    Attributes:
        median: of the values.
        low: the least.
        high: the greatest.
    """

    median: float
    low: float
    high: float

    def text(self, unit: str = "", digits: int = 2) -> str:
        """As it stands in a table: ``1.52 s [1.49–1.60]``."""
        return f"{self.median:,.{digits}f}{unit} [{self.low:,.{digits}f}–{self.high:,.{digits}f}]"


def spread(values: Iterable[float]) -> Spread:
    """Median and range of values; there must be one."""
    known = list(values)
    return Spread(statistics.median(known), min(known), max(known))


def ratio(ours: Iterable[float], theirs: Iterable[float]) -> Spread:
    """Of the pairs, one a round: so that what slows the whole machine for a while slows both."""
    return spread(own / other for own, other in zip(ours, theirs, strict=True))


def verdict(value: float, bar: float, *, least: bool = False) -> str:
    """The bar, whether it is met, and by how much; the value may be at most the bar, or must be at least.

    >>> verdict(2.0, 2.5)
    'at most 2.5: met, 20% below'
    >>> verdict(3.0, 2.5)
    'at most 2.5: missed by 20%'
    >>> verdict(3.0, 2.5, least=True)
    'at least 2.5: met, 20% above'
    """
    apart = f"{abs(value - bar) / bar:.0%}"
    met, side = (value >= bar, "above") if least else (value <= bar, "below")
    return f"at {'least' if least else 'most'} {bar:.3g}: {f'met, {apart} {side}' if met else f'missed by {apart}'}"


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """A table in Markdown, an empty line behind it."""
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return [f"| {' | '.join(columns)} |", f"|{'---|' * len(columns)}", *lines, ""]


def machine(about: Mapping[str, object]) -> list[str]:
    """The section on what was measured on."""
    known = {
        "processor": f"{_processor()}, {os.cpu_count()} cores",
        "memory": f"{psutil.virtual_memory().total / GIB:.0f} GiB",
        "system": f"{platform.system()} {platform.release().split('-')[0]}",
        "Python": platform.python_version(),
        **about,
        "Delta": version("delta-spark"),
    }
    return ["## Machine", "", *(f"- {name}: {value}" for name, value in known.items())]


def _processor() -> str:
    file = Path("/proc/cpuinfo")
    lines = file.read_text(encoding="utf-8").splitlines() if file.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _revision() -> str:
    """The revision in git; ``-dirty`` where files were changed since."""
    try:
        command = ["git", "describe", "--always", "--dirty", "--exclude=*"]
        return f"revision {subprocess.check_output(command, cwd=ROOT, text=True, stderr=subprocess.DEVNULL).strip()}"
    except (OSError, subprocess.CalledProcessError):
        return "revision not known"
