"""``python -m benchmarks.senders``: records a second to a loopback server; writes ``benchmarks/senders.md``."""

import contextlib
import http.client
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path

import psutil

from benchmarks.children import BenchError
from benchmarks.landings import make_source
from benchmarks.pages import ROOT, build_parser, machine, ratio, spread, table, verdict, write_page
from emulation.producer.kafka_rest import HEADERS, build_body
from emulation.source.database import connect
from emulation.source.post_reader import read_posts_by_key
from pinterest_transforms.settings import Settings

NEW, KEPT, OURS = "one a request, new connections", "one a request, one connection", "batches"
FASTER_BAR = 30
_SINGLE = {NEW: 1_000, KEPT: 2_000}
"""Posts of the slow ways: enough for some seconds."""
_GLANCE = 0.02
"""Seconds between two looks at the memory, which is also how late an end may be seen."""
MIB = 1024**2


@contextmanager
def _serving() -> Iterator[int]:
    """Port of the counting server."""
    command = [sys.executable, "-m", "benchmarks.peers.counting_server"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    try:
        assert process.stdout  # noqa: S101 - it was asked for
        yield int(process.stdout.readline())
    finally:
        process.communicate()


def _counted(port: int) -> int:
    """Records that the server has received since the last call."""
    connection = http.client.HTTPConnection("127.0.0.1", port)
    connection.request("GET", "/counted")
    found = int(connection.getresponse().read())
    connection.close()
    return found


def send_singly(port: int, source: Path, posts: int, *, keep_alive: bool) -> float:
    """Seconds per record of the way most senders go: read a post, send each of its records in its own request."""
    settings, engine = Settings(), connect(str(source))
    connection = http.client.HTTPConnection("127.0.0.1", port)
    began, count = time.perf_counter(), 0
    for record in chain.from_iterable(read_posts_by_key(engine, limit=posts)):
        connection.request("POST", f"/topics/{settings.topic(record.entity)}", build_body([record]), HEADERS)
        connection.getresponse().read()
        count += 1
        if not keep_alive:
            connection.close()  # the next request opens it again
    seconds = time.perf_counter() - began
    engine.dispose()
    if (arrived := _counted(port)) != count:
        raise BenchError(f"{count:,} records were sent, got {arrived:,} at the server")
    return seconds / count


def send_batches(port: int, source: Path, work: Path) -> tuple[float, int]:
    """Seconds per record of the real command, from its start to its end, and its peak memory."""
    places = ["--database", str(source), "--url", f"http://127.0.0.1:{port}"]
    places += ["--failed", str(work / "failed"), "--cursor", str(work / "cursor")]
    command = [sys.executable, "-m", "emulation", "batches", "--all", *places]
    began = time.perf_counter()
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    peak, watched = 0, psutil.Process(process.pid)
    while process.poll() is None:
        with contextlib.suppress(psutil.Error):
            peak = max(peak, watched.memory_info().rss)
        time.sleep(_GLANCE)
    seconds, printed, count = time.perf_counter() - began, process.communicate()[0], _counted(port)
    if process.returncode or f"acknowledged {count:,}, " not in printed or "failed 0," not in printed:
        raise BenchError(f"the sender must lose nothing, got {printed.strip()!r} and {count:,} records counted")
    return seconds / count, peak


def measure(posts: int, memory: Sequence[int], rounds: int, work: Path) -> list[str]:
    """The page's lines: rates, and memory over sizes of source."""
    source = make_source(posts, work)
    times: dict[str, list[float]] = {name: [] for name in (NEW, KEPT, OURS)}
    with _serving() as port:
        for number in range(rounds + 1):
            found = {name: send_singly(port, source, n, keep_alive=name == KEPT) for name, n in _SINGLE.items()}
            found[OURS] = send_batches(port, source, work)[0]
            rates = ", ".join(f"{name} {1 / each:,.0f}/s" for name, each in found.items())
            print(f"round {number}: {rates}", flush=True)
            for name in found if number else ():  # the first one warms up
                times[name].append(found[name])
        peaks = {size: send_batches(port, make_source(size, work), work)[1] for size in memory}
    return _page(posts, times, peaks)


def _page(posts: int, times: dict[str, list[float]], peaks: dict[int, int]) -> list[str]:
    faster = {name: ratio(times[name], times[OURS]) for name in (NEW, KEPT)}
    bar = verdict(faster[NEW].median, FASTER_BAR, least=True)
    rows = [[name, spread(1 / each for each in found).text(digits=0)] for name, found in times.items()]
    return [
        *table(
            ["`batches` in records a second, over", "times", "bar"],
            [[NEW, faster[NEW].text(), bar], [KEPT, faster[KEPT].text(), "–"]],
        ),
        *table(["way", "records a second"], rows),
        f"`batches` is the whole command, from its start to its end, reading {posts:,} posts of an SQLite file. The",
        "ways of one record per request read and send fewer posts of it, with Python's own HTTP client, which is",
        "quicker than the one that published senders use. All go to one server on loopback, in another process: it",
        "reads the JSON as the proxy must, counts what arrives, and no time counts unless all has.",
        "",
        "## Memory",
        "",
        *table(
            ["posts in the source", "peak memory MiB"], [[f"{n:,}", f"{peak / MIB:,.0f}"] for n, peak in peaks.items()]
        ),
        *machine({}),
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures, and writes the page."""
    parser = build_parser("benchmarks.senders", "Measures how fast records are sent.", "senders.md")
    parser.add_argument("--posts", type=int, default=200_000, help="of the source whose rate is measured (200000)")
    parser.add_argument("--memory", type=int, nargs="*", default=[10_000, 100_000, 1_000_000], help="sizes of sources")
    parser.add_argument("--rounds", type=int, default=5, help="rounds that count (5)")
    options = parser.parse_args(arguments)

    def measure_into(work: Path) -> list[str]:
        return measure(options.posts, options.memory, options.rounds, work)

    return write_page(options.output, "What sending costs", options.rounds, measure_into)


if __name__ == "__main__":
    sys.exit(main())
