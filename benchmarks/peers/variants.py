"""What is measured: the batch, raw reading and writing, and the plain notebook way.

A variant works on *places*: a landing and a fresh folder that belong together. Only ``run`` is timed.
"""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import polars as pl
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as T

from benchmarks.peers import plain_way
from pinterest_transforms.entities import ENTITIES, Entity
from pinterest_transforms.ingest.landing import ingest_landing
from pinterest_transforms.schemas import CONTRACT
from pinterest_transforms.settings import Settings
from pinterest_transforms.tables import creation, table_access
from pinterest_transforms.tables.definitions import RUNS_TABLE

Facts = dict[str, dict[str, int | str | None]]
"""By entity: numbers of a run, and a digest of what it wrote; equal facts, equal tables."""

COUNTS = ("read", "merged", "already_there", "rejected")
OURS, RAW, PLAIN = "ours", "raw", "plain"


class Variant(Protocol):
    """One way of doing the batch."""

    def prepare(self, place: str, source: Settings, folder: Path) -> None:
        """Makes ready what is no part of the run."""

    def run(self, place: str) -> None:
        """Does the work for the three topics."""

    def facts(self, place: str) -> Facts:
        """What came out."""

    def clear(self, place: str) -> None:
        """Forgets the place and deletes its folder."""


class Ours:
    """The library, as the batch calls it; ``creation.set_up`` is outside the clock."""

    def __init__(self, spark: SparkSession) -> None:
        self._spark = spark
        self._places: dict[str, Settings] = {}
        self._made = 0

    def prepare(self, place: str, source: Settings, folder: Path) -> None:
        """Creates the tables in a new schema: the session remembers where a name's folder was."""
        self._made += 1
        settings = Settings(landing=source.landing, warehouse=str(folder), schema=f"bench_{self._made}")
        creation.set_up(self._spark, settings)
        self._places[place] = settings

    def run(self, place: str) -> None:
        """``ingest_landing`` of the three topics, side by side."""
        ingest_landing(self._spark, self._places[place], ENTITIES, "bench")

    def facts(self, place: str) -> Facts:
        """Sums of ``runs``, the table's rows, and a digest of the contract's columns."""
        settings, found = self._places[place], {}
        runs = table_access.read(self._spark, settings, RUNS_TABLE)
        summed = runs.groupBy("topic").agg(*(F.sum(name).alias(name) for name in COUNTS)).collect()
        counts = {row["topic"]: {name: row[name] for name in COUNTS} for row in summed}
        for entity in ENTITIES:
            digest = F.sum(F.xxhash64(*CONTRACT[entity.name].names).cast("decimal(38,0)"))
            row = self._table(place, entity).agg(F.count("*").alias("rows"), digest.cast("string").alias("digest"))
            counted = counts.get(settings.topic(entity), dict.fromkeys(COUNTS, 0))
            found[entity.name] = {**row.collect()[0].asDict(), **counted}
        return found

    def clear(self, place: str) -> None:
        """Drops the schema too."""
        settings = self._places.pop(place)
        self._spark.sql(f"DROP SCHEMA IF EXISTS `{settings.schema}` CASCADE")
        shutil.rmtree(settings.warehouse, ignore_errors=True)

    def _table(self, place: str, entity: Entity) -> DataFrame:
        settings = self._places[place]
        table = table_access.read(self._spark, settings, settings.clean_table(entity))
        return table.select(*CONTRACT[entity.name].names)


class _Written:
    """A variant that writes a folder an entity and is done; what came out is read from there."""

    def __init__(self) -> None:
        self._places: dict[str, tuple[Settings, Path]] = {}

    def prepare(self, place: str, source: Settings, folder: Path) -> None:
        """Only remembers."""
        folder.mkdir(parents=True)
        self._places[place] = (source, folder)

    def run(self, place: str) -> None:
        """One topic after another, as a notebook's cells."""
        source, folder = self._places[place]
        for entity in ENTITIES:
            self._do(source.topic_folder(entity), folder / entity.name, entity)

    def facts(self, place: str) -> Facts:
        """Rows written."""
        folder = self._places[place][1]
        counts = {e.name: pl.scan_parquet(folder / e.name / "*.parquet").select(pl.len()) for e in ENTITIES}
        return {name: {"rows": count.collect().item()} for name, count in counts.items()}

    def clear(self, place: str) -> None:
        """Deletes the folder."""
        shutil.rmtree(self._places.pop(place)[1], ignore_errors=True)

    def _do(self, topic: str, goal: Path, entity: Entity) -> None:
        raise NotImplementedError


_TYPES: dict[str, T.DataType] = {
    **dict.fromkeys(("index", "ind", "age", "downloaded"), T.LongType()),
    **dict.fromkeys(("latitude", "longitude"), T.DoubleType()),
}


def raw_schema(entity: Entity) -> T.StructType:
    """A record as it is sent: numbers as numbers; dates as text, for they come in four spellings."""
    names = (entity.key_fields[0], *entity.fields)
    return T.StructType([T.StructField(name, _TYPES.get(name, T.StringType())) for name in names])


class Raw(_Written):
    """Reads the JSON with a schema and writes Delta, nothing else."""

    def __init__(self, spark: SparkSession) -> None:
        super().__init__()
        self._spark = spark

    def _do(self, topic: str, goal: Path, entity: Entity) -> None:
        read = self._spark.read.schema(raw_schema(entity)).json(f"{topic}/partition=*/*.json")
        read.write.format("delta").save(str(goal))


class Plain(_Written):
    """The notebook that published versions of this pipeline have."""

    def __init__(self, spark: SparkSession) -> None:
        super().__init__()
        self._spark = spark

    def _do(self, topic: str, goal: Path, entity: Entity) -> None:
        cleaned = plain_way.CLEANERS[entity.name](plain_way.read(self._spark, topic))
        cleaned.write.format("delta").mode("overwrite").save(str(goal))


MAKERS: dict[str, Callable[[SparkSession], Variant]] = {OURS: Ours, RAW: Raw, PLAIN: Plain}
