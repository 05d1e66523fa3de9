"""A place to test the stream leg in: its tables, and a Kinesis of its own; what stands in them as plain Python.

A query on the Kinesis source starts Python workers, which takes longer than its micro-batch. `tests/local` and
`tests/notebooks` take streams from that source; here a query reads the same records from files.
"""

import itertools
import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest
from pyarrow import parquet
from pyspark.sql import DataFrame, SparkSession

from local.kinesis.kinesis_emulator import serve_emulator
from local.kinesis.kinesis_source import SCHEMA
from pinterest_transforms.entities import ENTITIES, GEO, Entity
from pinterest_transforms.ingest import kinesis, streams
from pinterest_transforms.ingest.checkpoint_state import has_begun
from pinterest_transforms.ingest.kinesis import KinesisSourceConfig
from pinterest_transforms.ingest.stream_queries import RunningQuery
from pinterest_transforms.settings import EntityLeg, Leg, Settings
from pinterest_transforms.tables import creation
from pinterest_transforms.tables.definitions import raw_table
from tests.support.controlled_kinesis import ControlledKinesis
from tests.support.table_places import SHARED, Line, Place, Values, counts, set_up_only

if TYPE_CHECKING:
    from mypy_boto3_kinesis import KinesisClient

MakeStreams = Callable[..., "StreamPlace"]
SHARD = "shardId-000000000000"
STREAM = "streaming-abc-geo"
NUMBERS = itertools.count()
geo_counts = partial(counts, topic=STREAM)


@dataclass(frozen=True)
class StreamPlace(Place):
    """A warehouse and a Kinesis."""

    kinesis: ControlledKinesis

    def reading(self, **changes: object) -> KinesisSourceConfig:
        given = {"region": "eu-west-1", "endpoint": self.kinesis.url, "access_key": "none", "secret_key": "none"}
        return KinesisSourceConfig(**{**given, **changes})

    def client(self) -> "KinesisClient":
        return client_of(self.kinesis.url)

    def put(self, *lines: Line, entity: Entity = GEO, key: str = "one") -> list[int]:
        """Puts records into the shard of a key; gives the position of each."""
        texts = [line if isinstance(line, bytes | str) else json.dumps(line) for line in lines]
        return self.put_keyed([(key, text if isinstance(text, bytes) else text.encode()) for text in texts], entity)

    def put_keyed(self, lines: Sequence[tuple[object, bytes]], entity: Entity) -> list[int]:
        """Puts records, each with what decides its shard."""
        records = [{"Data": line, "PartitionKey": str(key)} for key, line in lines]
        said = self.client().put_records(StreamName=self.settings.stream(entity), Records=records)["Records"]
        arrived = datetime.fromtimestamp(self.kinesis.clock(), UTC)
        columns = {
            "data": [line for _, line in lines],
            "shardId": [record["ShardId"] for record in said],
            "sequenceNumber": [record["SequenceNumber"] for record in said],
            "approximateArrivalTimestamp": pa.array([arrived] * len(said), pa.timestamp("us", "UTC")),
        }
        parquet.write_table(pa.table(columns), record_files(self.settings, entity) / f"{next(NUMBERS)}.parquet")
        return [int(record["SequenceNumber"]) for record in said]

    def delete_stream(self, entity: Entity = GEO) -> None:
        """Deletes a stream, with its records."""
        self.client().delete_stream(StreamName=self.settings.stream(entity))
        shutil.rmtree(record_files(self.settings, entity))

    def take(self, *entities: Entity, run_id: str = "run", rebuild: bool = False, **reading: object) -> None:
        """Takes what is in the streams, or makes the tables again of what is kept of them."""
        which = entities or (GEO,)
        if rebuild:
            streams.rebuild_streams(self, which, run_id, **reading)
        else:
            streams.ingest_streams(self, which, run_id, self.reading(**reading), self.client())

    def countries(self) -> dict[int, object]:
        return {key: row[0] for key, row in self.rows(GEO).items()}

    def rows(self, entity: Entity = GEO) -> Values:
        return super().rows(entity)

    def sources(self, entity: Entity = GEO) -> dict[int, tuple[str, int]]:
        return super().sources(entity)

    def raw(self, entity: Entity = GEO) -> list[tuple[int, bytes]]:
        """Position and bytes of each kept record of a kind; fails if one is there twice."""
        rows = self.stored(raw_table(self.settings)).select("kind", "data", "_source").rows()
        found = sorted((int(source["position"]), data) for kind, data, source in rows if kind == entity.name)
        assert len({position for position, _ in found}) == len(found)
        return found

    def make_again(self, *names: str) -> None:
        """Drops tables, and makes them new."""
        for name in names:
            self.spark.sql(f"DROP TABLE {self.settings.qualified(name)}")
            shutil.rmtree(self.settings.table_folder(name))
        set_up_only(self, *names)

    def checkpoint(self, entity: Entity = GEO) -> Path:
        return Path(self.settings.checkpoint(entity))

    def forget_last(self, *folders: str) -> None:
        """Removes what the checkpoint says last in those of its folders."""
        for folder in folders:
            said = {int(file.name): file for file in (self.checkpoint() / folder).iterdir() if file.name.isdigit()}
            said[max(said)].unlink()

    def everything(self, *entities: Entity) -> tuple[object, ...]:
        """What the tables say, but for runs and times."""
        which: Sequence[Entity] = entities or (GEO,)
        parts = (part for one in which for part in (self.rows(one), self.sources(one), self.raw(one)))
        return (*parts, self.read_quarantine())


@cache
def client_of(url: str) -> "KinesisClient":
    """One client for each Kinesis: making one takes longer than all of a test's calls."""
    return KinesisSourceConfig("eu-west-1", url, access_key="none", secret_key="none").client()


def record_files(settings: Settings, entity: Entity) -> Path:
    """Folder of a stream's records."""
    folder = Path(settings.warehouse, "records", settings.stream(entity))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def read_files(leg: EntityLeg, source: KinesisSourceConfig) -> DataFrame:
    """The records of a stream from files, with the columns and the positions of the Kinesis source."""
    folder = record_files(leg.settings, leg.entity)
    if source.initial_position == "latest" and not has_begun(leg.checkpoint):
        for file in folder.iterdir():
            file.unlink()
    return leg.spark.readStream.schema(SCHEMA).parquet(str(folder))


@pytest.fixture(scope="session", name="stream_tables")
def made_tables(work_tables: Place, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with the stream leg's tables: those of the batch leg by other names, and that of raw records."""
    folder = tmp_path_factory.mktemp("streams")
    settings = Settings(user_id="abc", leg="stream", schema="made_streams", warehouse=str(folder))
    for entity in ENTITIES:
        made = work_tables.settings.table_folder(entity.batch_table)
        shutil.copytree(made, settings.table_folder(settings.clean_table(entity)))
    for name in SHARED:
        shutil.copytree(work_tables.settings.table_folder(name), settings.table_folder(name))
    set_up_only(Leg(work_tables.spark, settings), raw_table(settings))
    return folder / settings.schema


@pytest.fixture(scope="module", name="make_streams")
def made_streams(
    spark: SparkSession, stream_tables: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[MakeStreams]:
    """Makes places with the tables of the stream leg's work for some entities."""
    watch = streams.watch

    def watch_once(running: list[RunningQuery], _again: object, *given: object) -> None:
        watch(running, None, *given)  # of files one pass takes all there is: there is no need to look again

    with ExitStack() as stack:
        patched = stack.enter_context(pytest.MonkeyPatch.context())
        patched.setattr(kinesis, "read_stream", read_files)
        patched.setattr(streams, "watch", watch_once)

        def make(*entities: Entity, shards: int = 1, **emulator: object) -> StreamPlace:
            folder = tmp_path_factory.mktemp("place")
            settings = Settings(user_id="abc", leg="stream", schema=f"stream{next(NUMBERS)}", warehouse=str(folder))
            served = stack.enter_context(serve_emulator(ControlledKinesis(**emulator)))
            for entity in entities:
                served.create(settings.stream(entity), shards)
            for name in (*map(settings.clean_table, entities), *SHARED, raw_table(settings)):
                shutil.copytree(stream_tables / name, settings.table_folder(name))
            place = StreamPlace(spark, settings, served)
            creation.register_tables(place)
            return place

        yield make


@pytest.fixture(name="place")
def stream_place(make_streams: MakeStreams) -> StreamPlace:
    return make_streams(GEO)


def geo(key: object, country: str | None = None, **fields: object) -> dict[str, object]:
    return {"ind": key, "country": country, **fields}
