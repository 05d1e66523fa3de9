"""``python -m benchmarks.senders``: records a second to a loopback server; writes ``benchmarks/senders.md``."""

import argparse
import contextlib
import http.client
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import psutil

from benchmarks.harness.children import BenchError
from benchmarks.landings import CACHE, ROOT, SEED
from benchmarks.numbers import ratio, spread, verdict
from benchmarks.quota_server import SHARD_RECORDS
from benchmarks.report import machine, revision, table, write_page
from emulation.producer.http_client import HttpClient
from emulation.producer.kafka_rest import HEADERS, KafkaRestSink, build_body
from emulation.producer.request_auth import RequestAuth
from emulation.producer.retry_policy import RetryPolicy
from emulation.source.database import connect, write_source
from emulation.source.post_reader import read_posts_by_key
from emulation.source.source_records import SourceRecord
from emulation.synthetic.generator import generate_rows
from pinterest_transforms.entities import ENTITIES
from pinterest_transforms.settings import Settings

RESULTS = Path(__file__).with_name("senders.md")
NEW, KEPT, OURS, CEILING = "one a request, new connections", "one a request, one connection", "batches", "ceiling"
FASTER_BAR, CEILING_BAR = 30, 0.7
_SINGLE = {NEW: 1_000, KEPT: 2_000}
"""Posts of the slow ways: enough for some seconds."""
_AT_ONCE = RetryPolicy().max_in_flight
_SETTINGS = Settings()
_GLANCE = 0.02
"""Seconds between two looks at the memory, which is also how late an end may be seen."""
MIB = 1024**2


@dataclass(frozen=True)
class _Server:
    port: int

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"

    def counted(self) -> dict[str, float]:
        """What it took since the last call: records, bytes, seconds from the first request to the last."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port)
        connection.request("GET", "/counted")
        found: dict[str, float] = json.loads(connection.getresponse().read())
        connection.close()
        return found


@contextmanager
def _serving() -> Iterator[_Server]:
    command = [sys.executable, "-m", "benchmarks.quota_server"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    try:
        assert process.stdout  # noqa: S101 - it was asked for
        yield _Server(int(process.stdout.readline()))
    finally:
        process.communicate()


def source_of(posts: int) -> Path:
    """A source of so many posts, made once."""
    file = CACHE / f"source-{posts}.db"
    if not file.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        part = file.with_suffix(".part")
        part.unlink(missing_ok=True)
        engine = connect(str(part))
        write_source(engine, ((entity, generate_rows(entity, posts, SEED)) for entity in ENTITIES))
        engine.dispose()
        part.rename(file)
    return file


def sent_singly(server: _Server, source: Path, posts: int, *, keep: bool) -> float:
    """Seconds a record of the way most senders go: read a post, send each of its records in a request of its own."""
    engine, began, count, connection = connect(str(source)), time.perf_counter(), 0, None
    for record in chain.from_iterable(read_posts_by_key(engine, limit=posts)):
        if connection is None or not keep:
            connection = http.client.HTTPConnection("127.0.0.1", server.port)
        connection.request("POST", f"/topics/{_SETTINGS.topic(record.entity)}", build_body([record]), HEADERS)
        connection.getresponse().read()
        count += 1
        if not keep:
            connection.close()
    seconds = time.perf_counter() - began
    engine.dispose()
    _check(server, count)
    return seconds / count


def sent_by_us(
    server: _Server, source: Path, work: Path, *, stream: bool = False
) -> tuple[float, int, dict[str, float]]:
    """Seconds a record of the real command, from its start to its end; its peak memory; what the server counted."""
    command = [sys.executable, "-m", "emulation", "streaming" if stream else "batches", "--all"]
    places = ["--database", str(source), "--url", server.url]
    places += ["--failed", str(work / "failed"), "--cursor", str(work / "cursor")]
    began = time.perf_counter()
    process = subprocess.Popen(
        [*command, *places], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    peak, looked_at = 0, psutil.Process(process.pid)
    while process.poll() is None:
        with contextlib.suppress(psutil.Error):
            peak = max(peak, looked_at.memory_info().rss)
        time.sleep(_GLANCE)
    seconds, said = time.perf_counter() - began, process.communicate()[0]
    counted = server.counted()
    count = int(counted["records"])
    if process.returncode or f"acknowledged {count:,}, " not in said or "failed 0," not in said:
        raise BenchError(f"the sender must lose nothing, got {said.strip()!r} and {count:,} records counted")
    return seconds / count, peak, counted


def posted_ready_made(server: _Server, bodies: Sequence[tuple[str, bytes]], count: int) -> float:
    """Seconds a record of requests that were made before, posted by the same client: nothing can be faster."""

    def one_after_another(some: Sequence[tuple[str, bytes]]) -> None:
        for topic, body in some:
            client.request("POST", f"{server.url}/topics/{topic}", body, HEADERS)

    began = time.perf_counter()
    with HttpClient(RequestAuth(), timeout=60) as client, ThreadPoolExecutor(_AT_ONCE) as pool:
        list(pool.map(one_after_another, (bodies[start::_AT_ONCE] for start in range(_AT_ONCE))))
    seconds = time.perf_counter() - began
    _check(server, count)
    return seconds / count


def ready_made(source: Path) -> tuple[list[tuple[str, bytes]], int]:
    """Topic and body of every request that the whole source makes, and how many records they have."""
    engine, bodies, count = connect(str(source)), [], 0
    waiting: dict[str, list[SourceRecord]] = {entity.name: [] for entity in ENTITIES}
    for record in chain.from_iterable(read_posts_by_key(engine)):
        lane = waiting[record.entity.name]
        lane.append(record)
        if len(lane) == KafkaRestSink.max_records:
            bodies.append((_SETTINGS.topic(record.entity), build_body(lane)))
            lane.clear()
        count += 1
    bodies += [(_SETTINGS.topic(lane[0].entity), build_body(lane)) for lane in waiting.values() if lane]
    engine.dispose()
    return bodies, count


def _check(server: _Server, sent: int) -> None:
    arrived = int(server.counted()["records"])
    if arrived != sent:
        raise BenchError(f"{sent:,} records were sent, got {arrived:,} at the server")


def measure(posts: int, memory: Sequence[int], quota: int, rounds: int, work: Path) -> str:
    """The page: rates, memory over sizes of source, and the quota of shards."""
    source = source_of(posts)
    bodies, count = ready_made(source)
    times: dict[str, list[float]] = {name: [] for name in (NEW, KEPT, OURS, CEILING)}
    with _serving() as server:
        for number in range(rounds + 1):
            found = {
                NEW: sent_singly(server, source, _SINGLE[NEW], keep=False),
                KEPT: sent_singly(server, source, _SINGLE[KEPT], keep=True),
                OURS: sent_by_us(server, source, work)[0],
                CEILING: posted_ready_made(server, bodies, count),
            }
            print(
                f"round {number}: {', '.join(f'{name} {1 / each:,.0f}/s' for name, each in found.items())}", flush=True
            )
            for name in found if number else ():  # the first one warms up
                times[name].append(found[name])
        peaks = {size: sent_by_us(server, source_of(size), work)[1] for size in memory}
        counted = sent_by_us(server, source_of(quota), work, stream=True)[2]
    return _page(posts, count, times, peaks, counted)


def _page(
    posts: int, count: int, times: dict[str, list[float]], peaks: dict[int, int], counted: dict[str, float]
) -> str:
    rates = [[name, spread(1 / each for each in found).text(digits=0)] for name, found in times.items()]
    faster = {name: ratio(times[name], times[OURS]) for name in (NEW, KEPT)}
    share = ratio(times[CEILING], times[OURS])
    bars = [
        [
            "one a request, new connections",
            faster[NEW].text(),
            f"at least {FASTER_BAR}: {verdict(faster[NEW].median, FASTER_BAR, least=True)}",
        ],
        ["one a request, one connection", faster[KEPT].text(), "–"],
        [
            "requests made before (the ceiling)",
            share.text(),
            f"at least {CEILING_BAR}: {verdict(share.median, CEILING_BAR, least=True)}",
        ],
    ]
    # A shard begins full: it takes a second's worth at once, and as much in each second that follows.
    allowed = len(ENTITIES) * SHARD_RECORDS * (counted["seconds"] + 1)
    lines = [
        "# What sending costs",
        "",
        f"Measured on {time.strftime('%Y-%m-%d', time.gmtime())}, {revision()}, {len(times[OURS])} rounds.",
        "",
        *table(["`batches` in records a second, over", "times", "bar"], bars),
        *table(["way", "records a second"], rates),
        f"`batches` is the whole command, from its start to its end, reading {posts:,} posts ({count:,} records) of an",
        "SQLite file. The ways of one record a request read and send fewer posts of it, with Python's own HTTP client,",
        "which is quicker than the one that published senders use. The ceiling is the same client and the same",
        "requests, made before the clock starts. All go to one server on loopback, in another process: it reads the",
        "JSON as the proxy must, counts what arrives, and no time counts unless all has.",
        "",
        "## Memory",
        "",
        *table(
            ["posts in the source", "peak memory MiB"], [[f"{n:,}", f"{peak / MIB:,.0f}"] for n, peak in peaks.items()]
        ),
        "## Kinesis' quota",
        "",
        "`streaming` to three streams of one shard that takes 1,000 records and 1 MiB a second and refuses the rest of",
        f"each call: {counted['records']:,.0f} records in {counted['seconds']:.1f} s,",
        f"**{counted['records'] / allowed:.0%}** of what the shards would take, and every record acknowledged.",
        "",
        "## Machine",
        "",
        *machine({}),
    ]
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures, and writes the page."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.senders", description=__doc__)
    parser.add_argument("--posts", type=int, default=200_000, help="of the source whose rate is measured (200000)")
    parser.add_argument("--memory", type=int, nargs="*", default=[10_000, 100_000, 1_000_000], help="sizes of sources")
    parser.add_argument("--quota", type=int, default=20_000, help="posts that go to the shards (20000)")
    parser.add_argument("--rounds", type=int, default=5, help="rounds that count (5)")
    parser.add_argument("--output", type=Path, default=RESULTS, help="the page that is written")
    options = parser.parse_args(arguments)

    def measured(work: Path) -> str:
        return measure(options.posts, options.memory, options.quota, options.rounds, work)

    return write_page("senders", options.output, measured)


if __name__ == "__main__":
    sys.exit(main())
