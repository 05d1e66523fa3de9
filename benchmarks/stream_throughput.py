"""``python -m benchmarks.stream_throughput``: the stream leg beside the same streams written raw, in ``streams.md``.

Both read the same streams of the Kinesis emulator in another process, three queries side by side in one Spark session,
round by round in turns, each into a new folder.
"""

import os
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import polars
from pyspark.sql import DataFrame, SparkSession

from benchmarks.children import BenchError
from benchmarks.landings import make_source
from benchmarks.pages import ROOT, build_parser, machine, ratio, spread, table, verdict, write_page
from emulation.source.source_records import Row, column_names, to_json_line
from emulation.synthetic.generator import generate_rows
from local.kinesis.emulator_streams import REGION
from local.kinesis.kinesis_source import KinesisSource
from local.runtime.spark_session import start_local_session, stop_session
from local.stack.stack_part import Part
from pinterest_transforms.entities import ENTITIES, PIN
from pinterest_transforms.error_format import one_line
from pinterest_transforms.ingest import kinesis
from pinterest_transforms.ingest.checkpoint_state import load_state
from pinterest_transforms.ingest.kinesis import KinesisSourceConfig
from pinterest_transforms.ingest.streams import ingest_streams
from pinterest_transforms.settings import Leg, Settings
from pinterest_transforms.tables import creation
from pinterest_transforms.tables.definitions import RUNS_TABLE, raw_table

SHARE_BAR = 0.5
_SHARDS, _AT_ONCE = 4, "0 seconds"
_KEYS = {"AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local", "AWS_DEFAULT_REGION": REGION}
_PATIENCE = 1800.0
_WARM_UPS = 5
"""Rounds that do not count: Java compiles, and each takes less time than the one before."""
_TRICKLE, _TRICKLED = 100, 6_000
"""Records a second, and how many, while it is measured how long each takes to be there."""


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


@contextmanager
def _kinesis(work: Path) -> Iterator[KinesisSourceConfig]:
    """An emulator with the three streams."""
    with Part("kinesis", "local.kinesis.kinesis_emulator", (), work) as emulator:
        reading = KinesisSourceConfig(endpoint=emulator.url, region=REGION, trigger=_AT_ONCE)
        for entity in ENTITIES:
            reading.client().create_stream(StreamName=Settings().stream(entity), ShardCount=_SHARDS)
        yield reading


def _fill(endpoint: str, source: Path, work: Path) -> int:
    """Sends a source's posts to the streams; how many records that were."""
    command = [sys.executable, "-m", "emulation", "streaming", "--direct", "--all", "--restart"]
    command += ["--database", str(source), "--cursor", str(work / "cursor"), "--failed", str(work / "failed")]
    environment = {**os.environ, "AWS_ENDPOINT_URL": endpoint}
    printed = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False).stdout
    if "acknowledged " not in printed or " failed 0," not in printed:
        raise BenchError(f"all records must be sent, got {printed.strip()!r}")
    return int(printed.split("acknowledged ")[1].split(", ")[0].replace(",", ""))


def _wait(done: Callable[[], bool]) -> None:
    ended = time.monotonic() + _PATIENCE
    while not done() and time.monotonic() < ended:
        time.sleep(0.2)


def _ingest(place: _Place, done: Callable[[], bool]) -> float:
    """Ingests the streams until something is true; when that began."""
    leg = Leg(place.spark, place.settings)
    creation.set_up(leg)

    def stop() -> None:
        _wait(done)
        Path(place.settings.stop_file(PIN)).touch()

    threading.Thread(target=stop, daemon=True).start()
    began = time.time()
    ingest_streams(leg, ENTITIES, "bench", place.reading, place.reading.client())
    return began


def _clean(place: _Place, records: int) -> float:
    """Ingests so many records; seconds from the start to the end of the last micro-batch."""
    began = _ingest(place, lambda: place.taken() >= records)
    runs = place.runs()
    if runs["read"].sum() != records or runs["merged"].sum() + runs["already_there"].sum() != records:
        raise BenchError(f"{records:,} records must be taken once, got {runs['read'].sum():,}")
    return max(row["started"].timestamp() + row["seconds"] for row in runs.to_dicts()) - began


def _raw(place: _Place, records: int) -> float:
    """Writes the streams as they are, until so many records are there; seconds from the start to the end."""
    ends: list[float] = []

    def writer(target: str) -> Callable[[DataFrame, int], None]:
        def each(frame: DataFrame, _: int) -> None:
            frame.write.format("delta").mode("append").save(target)
            ends.append(time.time())

        return each

    began, queries, leg = time.time(), [], Leg(place.spark, place.settings)
    for entity in ENTITIES:
        frame = kinesis.read_stream(leg.for_entity(entity), place.reading)
        start = frame.writeStream.foreachBatch(writer(str(place.folder / entity.name)))
        start = start.option("checkpointLocation", str(place.folder / f"{entity.name}-checkpoint"))
        queries.append(start.trigger(processingTime=_AT_ONCE).start())

    def is_written() -> bool:
        written = sum(progress["numInputRows"] for query in queries for progress in query.recentProgress)
        return written >= records or not all(query.isActive for query in queries)

    _wait(is_written)
    for query in queries:
        if error := query.exception():
            raise BenchError(f"a query that writes raw must not fail, got {one_line(error)}")
        query.stop()
    there = sum(polars.scan_delta(str(place.folder / e.name)).select(polars.len()).collect().item() for e in ENTITIES)
    if there != records:
        raise BenchError(f"{records:,} records must be written raw, got {there:,}")
    return max(ends) - began


def _trickle(reading: KinesisSourceConfig, rows: Sequence[Row]) -> None:
    """Puts one pin after another into its stream."""
    client, names, began = reading.client(), column_names(PIN), time.monotonic()
    for number, row in enumerate(rows):
        value = to_json_line(dict(zip(names, row, strict=True))).encode()
        client.put_record(StreamName=Settings().stream(PIN), Data=value, PartitionKey=str(row[0]))
        time.sleep(max(0.0, began + number / _TRICKLE - time.monotonic()))


def _wait_for_trickled(place: _Place) -> tuple[list[float], list[float]]:
    """Seconds from a record's put to the end of the micro-batch that holds it; seconds of those micro-batches."""
    rows = next(generate_rows(PIN, _TRICKLED, 7))
    # In another process, as senders are.
    get_context("spawn").Process(target=_trickle, args=(place.reading, rows), daemon=True).start()
    _ingest(place, lambda: place.taken() >= len(rows))
    raw = polars.read_delta(str(place.settings.table_folder(raw_table(place.settings))))
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


def measure(posts: int, rounds: int, work: Path) -> list[str]:
    """The page's lines: rates, and how long a record takes to be there."""
    os.environ.update(_KEYS)
    spark = start_local_session(work / "spark", app_name="bench-streams")
    spark.dataSource.register(KinesisSource)

    def place(name: str, reading: KinesisSourceConfig) -> _Place:
        (work / name).mkdir()
        return _Place(spark, work / name, reading)

    ours: list[float] = []
    raws: list[float] = []
    try:
        with _kinesis(work) as reading:
            records = _fill(reading.endpoint, make_source(posts, work), work)
            for number in range(_WARM_UPS + rounds):
                clean = records / _clean(place(f"clean{number}", reading), records)
                raw = records / _raw(place(f"raw{number}", reading), records)
                print(f"round {number}: clean {clean:,.0f} records/s, raw {raw:,.0f} records/s", flush=True)
                if number >= _WARM_UPS:
                    ours.append(clean)
                    raws.append(raw)
        for name in ("trickle_warm_up", "trickle"):  # no round before has merged
            with _kinesis(work) as reading:
                waited, lasted = _wait_for_trickled(place(name, reading))
    finally:
        stop_session(spark)
    return _page(records, ours, raws, waited, lasted)


def _page(
    records: int, ours: Sequence[float], raws: Sequence[float], waited: Sequence[float], lasted: Sequence[float]
) -> list[str]:
    share = ratio(ours, raws)
    rows = [
        ["records a second over those written raw", share.text(), verdict(share.median, SHARE_BAR, least=True)],
        ["records a second", spread(ours).text(digits=0), "–"],
        ["records a second written raw", spread(raws).text(digits=0), "–"],
    ]
    most = statistics.quantiles(waited, n=20)[18]
    return [
        *table(["clean Delta tables, raw records kept", "figure", "bar"], rows),
        f"{records:,} records of three streams of {_SHARDS} shards wait at the start; three queries run side by side.",
        "From the start to the end of the last micro-batch, with the reading. Raw is the same source, its rows",
        "appended to a Delta table each, nothing else.",
        "",
        "## From put to visible",
        "",
        f"{_TRICKLED:,} pins, {_TRICKLE} a second, from arrival in the stream to the end of the micro-batch:",
        f"half of them within **{statistics.median(waited):.1f} s**, 95% within **{most:.1f} s**.",
        f"A micro-batch took {spread(lasted).text(' s')}.",
        "",
        *machine({}),
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures, and writes the page."""
    parser = build_parser("benchmarks.stream_throughput", "Measures the stream leg beside raw writes.", "streams.md")
    parser.add_argument("--posts", type=int, default=50_000, help="posts that wait in the streams (50000)")
    parser.add_argument("--rounds", type=int, default=3, help="rounds that count (3)")
    options = parser.parse_args(arguments)

    def measure_into(work: Path) -> list[str]:
        return measure(options.posts, options.rounds, work)

    return write_page(options.output, "What the stream leg costs", options.rounds, measure_into)


if __name__ == "__main__":
    sys.exit(main())
