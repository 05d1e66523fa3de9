"""``python -m benchmarks.stream_throughput``: the stream leg beside the same streams written raw, in ``streams.md``.

Both read the same streams of the Kinesis emulator in another process, three queries side by side in one Spark session,
round by round in turns, each into a new folder.
"""

import argparse
import logging
import os
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from logging.handlers import BufferingHandler
from pathlib import Path

import polars
from pyspark.sql import DataFrame, SparkSession

from benchmarks.harness.children import BenchError
from benchmarks.landings import ROOT, source_of
from benchmarks.numbers import ratio, spread, verdict
from benchmarks.report import machine, revision, table, write_page
from emulation.source.source_records import column_names, to_json_line
from emulation.synthetic.generator import generate_rows
from local.kinesis.emulator_streams import REGION
from local.kinesis.kinesis_source import KinesisSource
from local.runtime.spark_session import local_session, stop_session
from local.stack.stack_part import Part
from pinterest_transforms.entities import ENTITIES, PIN
from pinterest_transforms.ingest import kinesis
from pinterest_transforms.ingest.checkpoint_state import load_state
from pinterest_transforms.ingest.kinesis import KinesisSourceConfig
from pinterest_transforms.ingest.streams import ingest_streams
from pinterest_transforms.logs import LOGGER
from pinterest_transforms.settings import Settings
from pinterest_transforms.tables import creation
from pinterest_transforms.tables.definitions import RUNS_TABLE

RESULTS = Path(__file__).with_name("streams.md")
SHARE_BAR = 0.5
_SHARDS, _AT_ONCE = 4, "0 seconds"
_KEYS = {"AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local", "AWS_DEFAULT_REGION": REGION}
_PATIENCE = 1800.0
_TRICKLE, _TRICKLED = 100, 60.0
"""Records a second, and for how many seconds, while it is measured how long each takes to be there."""


@contextmanager
def _kinesis(work: Path) -> Iterator[str]:
    """The address of an emulator with the three streams."""
    with Part("kinesis", "local.kinesis.kinesis_emulator", (), work) as emulator:
        client = KinesisSourceConfig(endpoint=emulator.url, region=REGION).client()
        for entity in ENTITIES:
            client.create_stream(StreamName=Settings().stream(entity), ShardCount=_SHARDS)
        yield emulator.url


def _fill(endpoint: str, posts: int, work: Path) -> int:
    """Sends a source's posts to the streams; how many records that were."""
    command = [sys.executable, "-m", "emulation", "streaming", "--direct", "--all", "--restart"]
    command += ["--database", str(source_of(posts)), "--cursor", str(work / "cursor"), "--failed", str(work / "failed")]
    environment = {**os.environ, "AWS_ENDPOINT_URL": endpoint}
    printed = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False).stdout
    if "acknowledged " not in printed or " failed 0," not in printed:
        raise BenchError(f"all records must be sent, got {printed.strip()!r}")
    return int(printed.split("acknowledged ")[1].split(", ")[0].replace(",", ""))


@dataclass(frozen=True)
class _Place:
    """Where one round writes."""

    spark: SparkSession
    folder: Path
    reading: KinesisSourceConfig

    @property
    def settings(self) -> Settings:
        """Names and places."""
        return Settings(leg="stream", warehouse=str(self.folder), schema=f"bench_{self.folder.name}")

    def taken(self) -> float:
        """Records that the streams' queries have taken."""
        states = [load_state(self.settings.checkpoint(entity)) for entity in ENTITIES]
        return sum(float(state.progress.get("read", 0.0)) for state in states if state)

    def runs(self) -> polars.DataFrame:
        """The micro-batches, the oldest first."""
        return polars.read_delta(str(self.settings.table_folder(RUNS_TABLE))).sort("started")

    def state(self) -> int:
        """Bytes of checkpoints and what stands beside them."""
        return sum(file.stat().st_size for file in (self.folder / "_checkpoints").rglob("*") if file.is_file())


def _clean(place: _Place, records: int, look: Callable[[float], None] = lambda _: None) -> float:
    """Takes the streams until so many records are in the tables; seconds from the queries' start to the last batch."""
    settings = place.settings
    creation.set_up(place.spark, settings)
    began = _until(place, lambda: place.taken() >= records, look)
    runs = place.runs()
    if runs["read"].sum() != records or runs["merged"].sum() + runs["already_there"].sum() != records:
        raise BenchError(f"{records:,} records must be taken once, got {runs['read'].sum():,}")
    return max(row["started"].timestamp() + row["seconds"] for row in runs.to_dicts()) - began


def _until(place: _Place, done: Callable[[], bool], look: Callable[[float], None] = lambda _: None) -> float:
    """Takes the streams until something is true; when the first query was started."""
    client = place.reading.client()
    ended = time.monotonic() + _PATIENCE

    def wait() -> None:
        while not done() and time.monotonic() < ended:
            look(place.taken())
            time.sleep(0.2)
        Path(place.settings.stop_file(PIN)).touch()

    watch = threading.Thread(target=wait, daemon=True)
    watch.start()
    handler, logger = BufferingHandler(1_000_000), logging.getLogger(LOGGER)
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    ingest_streams(place.spark, place.settings, ENTITIES, "bench", place.reading, client)
    logger.removeHandler(handler)
    watch.join()
    return handler.buffer[0].created


def _raw(place: _Place, records: int) -> float:
    """Writes the streams as they are, until so many records are there; seconds from the queries' start to the end."""
    ends: list[float] = []

    def writer(target: str) -> Callable[[DataFrame, int], None]:
        def each(frame: DataFrame, _: int) -> None:
            frame.write.format("delta").mode("append").save(target)
            ends.append(time.time())

        return each

    began, queries = time.time(), []
    for entity in ENTITIES:
        frame = kinesis.read_stream(place.spark, Settings(), entity, place.reading)
        start = frame.writeStream.foreachBatch(writer(str(place.folder / entity.name)))
        start = start.option("checkpointLocation", str(place.folder / f"{entity.name}-checkpoint"))
        queries.append(start.trigger(processingTime=_AT_ONCE).start())
    ended = time.monotonic() + _PATIENCE

    def written() -> int:
        return sum(progress["numInputRows"] for query in queries for progress in query.recentProgress)

    while written() < records and time.monotonic() < ended and all(query.isActive for query in queries):
        time.sleep(0.2)
    for query in queries:
        query.stop()
    there = sum(polars.scan_delta(str(place.folder / e.name)).select(polars.len()).collect().item() for e in ENTITIES)
    if there != records:
        raise BenchError(f"{records:,} records must be written raw, got {there:,}")
    return max(ends) - began


def _trickled(place: _Place) -> tuple[list[float], list[float]]:
    """Seconds from a record's put to the end of the micro-batch that holds it; seconds of those micro-batches."""
    client, names = place.reading.client(), column_names(PIN)
    put = [0]

    def trickle() -> None:
        rows = next(iter(generate_rows(PIN, int(_TRICKLE * _TRICKLED), 7)))
        began = time.monotonic()
        for number, row in enumerate(rows):
            value = to_json_line(dict(zip(names, row, strict=True))).encode()
            client.put_record(StreamName=Settings().stream(PIN), Data=value, PartitionKey=str(row[0]))
            put[0] += 1
            time.sleep(max(0.0, began + number / _TRICKLE - time.monotonic()))

    creation.set_up(place.spark, place.settings)
    sender = threading.Thread(target=trickle, daemon=True)
    sender.start()
    _until(place, lambda: not sender.is_alive() and place.taken() >= put[0])
    raw = polars.read_delta(str(place.settings.table_folder(f"{place.settings.user_id}_raw_table")))
    arrived = raw.select(polars.col("_source").struct.field("arrived")).to_series().sort().to_list()
    waited, taken, lasted = [], 0, []
    for row in place.runs().to_dicts():
        ended = row["started"].timestamp() + row["seconds"]
        waited += [ended - moment.timestamp() for moment in arrived[taken : taken + row["read"]]]
        taken += row["read"]
        lasted.append(row["seconds"])
    # The first one compiles what the others have.
    first = place.runs()["read"][0]
    return waited[first:], lasted[1:]


def measure(posts: int, rounds: int, history: int, work: Path) -> str:
    """The page: rates, state on a long run, and how long a record takes to be there."""
    os.environ.update(_KEYS)
    spark = local_session(work / "spark", app_name="bench-streams")
    spark.dataSource.register(KinesisSource)

    def place(name: str, endpoint: str) -> _Place:
        (work / name).mkdir()
        return _Place(spark, work / name, KinesisSourceConfig(endpoint=endpoint, region=REGION, trigger=_AT_ONCE))

    try:
        ours: list[float] = []
        raws: list[float] = []
        with _kinesis(work) as endpoint:
            records = _fill(endpoint, posts, work)
            for number in range(rounds + 1):
                clean = _clean(place(f"clean{number}", endpoint), records)
                raw = _raw(place(f"raw{number}", endpoint), records)
                print(f"round {number}: clean {records / clean:,.0f}, raw {records / raw:,.0f} records/s", flush=True)
                if number:  # the first one warms up
                    ours.append(records / clean)
                    raws.append(records / raw)
        states: list[tuple[float, int]] = []
        with _kinesis(work) as endpoint:
            many = _fill(endpoint, history, work)
            long = place("long", endpoint)
            seconds = _clean(long, many, lambda taken: states.append((taken, long.state())) if taken else None)
            print(f"{many:,} records in {seconds:,.0f} s", flush=True)
        with _kinesis(work) as endpoint:
            waited, lasted = _trickled(place("trickle", endpoint))
        return _page(records, ours, raws, (many, seconds, states), (waited, lasted))
    finally:
        stop_session(spark)


def _page(
    records: int,
    ours: Sequence[float],
    raws: Sequence[float],
    long: tuple[int, float, list[tuple[float, int]]],
    there: tuple[list[float], list[float]],
) -> str:
    share, (many, seconds, states), (waited, lasted) = ratio(ours, raws), long, there
    quarter = next((size for taken, size in states if taken >= many / 4), states[-1][1])
    cut = statistics.quantiles(waited, n=20)
    lines = [
        "# What the stream leg costs",
        "",
        f"Measured on {time.strftime('%Y-%m-%d', time.gmtime())}, {revision()}, {len(ours)} rounds.",
        "",
        *table(
            ["clean Delta tables, raw records kept", "figure", "bar"],
            [
                [
                    "records a second over those written raw",
                    share.text(),
                    f"at least {SHARE_BAR}: {verdict(share.median, SHARE_BAR, least=True)}",
                ],
                ["records a second", spread(ours).text(digits=0), "–"],
                ["records a second written raw", spread(raws).text(digits=0), "–"],
            ],
        ),
        f"{records:,} records of three streams of {_SHARDS} shards wait at the start; three queries run side by side.",
        "From the start of the queries to the end of the last micro-batch, with the reading. Raw is the same source,",
        "its rows appended to a Delta table each, nothing else.",
        "",
        f"## {many:,} records in one run",
        "",
        f"{many / seconds:,.0f} records a second. Checkpoints and the state beside them have {quarter / 1024:,.0f} KiB",
        f"after a quarter of the records, {states[-1][1] / 1024:,.0f} KiB at the end.",
        "",
        "## From put to visible",
        "",
        f"{_TRICKLE} pins a second for {_TRICKLED:.0f} s, from arrival in the stream to the end of its micro-batch:",
        f"half of them within **{statistics.median(waited):.1f} s**, 95% within **{cut[18]:.1f} s**.",
        f"A micro-batch took {spread(lasted).text(' s')}.",
        "",
        "## Machine",
        "",
        *machine({}),
    ]
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures, and writes the page."""
    about = "Measures the stream leg beside raw writes."
    parser = argparse.ArgumentParser(prog="python -m benchmarks.stream_throughput", description=about)
    parser.add_argument("--posts", type=int, default=50_000, help="posts that wait in the streams (50000)")
    parser.add_argument("--rounds", type=int, default=3, help="rounds that count (3)")
    parser.add_argument("--history", type=int, default=335_000, help="posts of the long run (335000)")
    parser.add_argument("--output", type=Path, default=RESULTS, help="the page that is written")
    options = parser.parse_args(arguments)

    def measured(work: Path) -> str:
        return measure(options.posts, options.rounds, options.history, work)

    return write_page("streams", options.output, measured)


if __name__ == "__main__":
    sys.exit(main())
