"""A place to test the stream leg in: its tables, and a Kinesis of its own; what stands in them as plain Python."""

import itertools
import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from pyspark.sql import SparkSession
from storage_places import WORK, Line, Place, Values, counts

from local.kinesis_source import KinesisSource
from local.kinesis_stand_in import KinesisStandIn, serving
from pinterest_transforms.entities import ENTITIES, GEO, Entity
from pinterest_transforms.ingest import streams
from pinterest_transforms.ingest.kinesis import KinesisSourceConfig
from pinterest_transforms.ingest.micro_batch import Log, no_log
from pinterest_transforms.settings import Settings
from pinterest_transforms.storage import tables
from pinterest_transforms.storage.specs import raw_spec, raw_table

if TYPE_CHECKING:
    from mypy_boto3_kinesis import KinesisClient

MakeStreams = Callable[..., "StreamPlace"]
SHARD = "shardId-000000000000"
STREAM = "streaming-abc-geo"
OF_BATCH = {entity.batch_table: entity for entity in ENTITIES}
NUMBERS = itertools.count()
geo_counts = partial(counts, topic=STREAM)


@dataclass(frozen=True)
class StreamPlace(Place):
    """A warehouse and a Kinesis."""

    kinesis: KinesisStandIn

    def reading(self, **changes: object) -> KinesisSourceConfig:
        given = {"region": "eu-west-1", "endpoint": self.kinesis.url, "access_key": "none", "secret_key": "none"}
        return KinesisSourceConfig(**{**given, **changes})

    def client(self) -> "KinesisClient":
        return self.reading().client()

    def put(self, *lines: Line, entity: Entity = GEO, key: str = "one") -> list[int]:
        """Puts records into the shard of a key; gives the position of each."""
        texts = [line if isinstance(line, bytes | str) else json.dumps(line) for line in lines]
        return self.put_keyed([(key, text if isinstance(text, bytes) else text.encode()) for text in texts], entity)

    def put_keyed(self, lines: Sequence[tuple[object, bytes]], entity: Entity) -> list[int]:
        """Puts records, each with what decides its shard."""
        records = [{"Data": line, "PartitionKey": str(key)} for key, line in lines]
        said = self.client().put_records(StreamName=self.settings.stream(entity), Records=records)
        return [int(record["SequenceNumber"]) for record in said["Records"]]

    def take(
        self, *entities: Entity, run_id: str = "run", log: Log = no_log, rebuild: bool = False, **reading: object
    ) -> None:
        """Takes what is in the streams, or makes the tables again of what is kept of them."""
        which = entities or (GEO,)
        if rebuild:
            streams.rebuild_streams(self.spark, self.settings, which, run_id, log=log, **reading)
        else:
            streams.ingest_streams(
                self.spark, self.settings, which, run_id, self.reading(**reading), self.client(), log=log
            )

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
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(tables, "answer_specs", list)
            tables.set_up(self.spark, self.settings)

    def checkpoint(self, entity: Entity = GEO) -> Path:
        return Path(self.settings.checkpoint(entity))

    def forget_last(self, *folders: str) -> None:
        """Removes what the checkpoint says last in those of its folders."""
        for folder in folders:
            said = {int(file.name): file for file in (self.checkpoint() / folder).iterdir() if file.name.isdigit()}
            last = said[max(said)]
            last.unlink()
            last.with_name(f".{last.name}.crc").unlink(missing_ok=True)

    def everything(self, *entities: Entity) -> tuple[object, ...]:
        """What the tables say, but for runs and times."""
        which: Sequence[Entity] = entities or (GEO,)
        return (*(thing for one in which for thing in (self.rows(one), self.sources(one), self.raw(one))), self.noted())


@pytest.fixture(scope="session", name="stream_tables")
def made_tables(work_tables: Place, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with the stream leg's tables: those of the batch leg by other names, and that of raw records."""
    folder = tmp_path_factory.mktemp("streams")
    settings = Settings(user_id="abc", leg="stream", schema="made_streams", warehouse=str(folder))
    for name in WORK:
        entity = OF_BATCH.get(name)
        made = work_tables.settings.table_folder(name)
        shutil.copytree(made, settings.table_folder(settings.clean_table(entity) if entity else name))
    tables.attach(work_tables.spark, settings)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(tables, "work_specs", lambda given: [raw_spec(given)])
        patched.setattr(tables, "answer_specs", list)
        tables.set_up(work_tables.spark, settings)
    return folder / settings.schema


@pytest.fixture(scope="module", name="make_streams")
def made_streams(
    spark: SparkSession, stream_tables: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[MakeStreams]:
    """Makes places with the tables of the stream leg's work."""
    spark.dataSource.register(KinesisSource)
    with ExitStack() as stack:

        def make(*, shards: int = 1, **stand_in: object) -> StreamPlace:
            folder = tmp_path_factory.mktemp("place")
            settings = Settings(user_id="abc", leg="stream", schema=f"stream{next(NUMBERS)}", warehouse=str(folder))
            kinesis = stack.enter_context(serving(KinesisStandIn(**stand_in)))
            for entity in ENTITIES:
                kinesis.create(settings.stream(entity), shards)
            shutil.copytree(stream_tables, folder / settings.schema)
            tables.attach(spark, settings)
            return StreamPlace(spark, settings, kinesis)

        yield make


@pytest.fixture(name="place")
def stream_place(make_streams: MakeStreams) -> StreamPlace:
    return make_streams()


def geo(key: object, country: str | None = None, **fields: object) -> dict[str, object]:
    return {"ind": key, "country": country, **fields}
