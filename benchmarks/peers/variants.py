"""What is measured: the batch, raw reading and writing, and the plain notebook way.

Each function takes the session and the names and places of one run; only ``run`` is timed.
"""

import shutil
import time
from pathlib import Path

import polars as pl
from pyspark.sql import SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as T

from benchmarks.peers import plain_way
from pinterest_transforms.entities import ENTITIES, Entity
from pinterest_transforms.ingest.landing import ingest_landing
from pinterest_transforms.schemas import CONTRACT
from pinterest_transforms.settings import Leg, Settings
from pinterest_transforms.tables import creation, table_access
from pinterest_transforms.tables.definitions import RUNS_TABLE

Facts = dict[str, dict[str, int | str | None]]
"""By entity: numbers of a run, and a digest of what it wrote; equal facts, equal tables."""

COUNTS = ("read", "merged", "already_there", "rejected")
OURS, RAW, PLAIN = "ours", "raw", "plain"
_TYPES: dict[str, T.DataType] = {
    **dict.fromkeys(("index", "ind", "age", "downloaded"), T.LongType()),
    **dict.fromkeys(("latitude", "longitude"), T.DoubleType()),
}


def prepare(spark: SparkSession, name: str, settings: Settings) -> None:
    """Creates the tables of the batch; the others need none."""
    if name == OURS:
        creation.set_up(Leg(spark, settings))


def run(spark: SparkSession, name: str, settings: Settings) -> float:
    """The three topics, side by side in the batch, else one after another, as a notebook's cells; its seconds."""
    start = time.perf_counter()
    if name == OURS:
        ingest_landing(Leg(spark, settings), ENTITIES, "bench")
    else:
        write = {RAW: _write_raw, PLAIN: _write_plain}[name]
        for entity in ENTITIES:
            write(spark, settings.topic_folder(entity), _target(settings, entity), entity)
    return time.perf_counter() - start


def _write_raw(spark: SparkSession, topic: str, target: str, entity: Entity) -> None:
    """Reads the JSON with a schema and writes Delta, nothing else; dates are text, for they come in four spellings."""
    names = (entity.key_fields[0], *entity.fields)
    schema = T.StructType([T.StructField(name, _TYPES.get(name, T.StringType())) for name in names])
    spark.read.schema(schema).json(f"{topic}/partition=*/*.json").write.format("delta").save(target)


def _write_plain(spark: SparkSession, topic: str, target: str, entity: Entity) -> None:
    """The notebook that published versions of this pipeline have."""
    cleaned = plain_way.CLEANERS[entity.name](plain_way.read(spark, topic))
    cleaned.write.format("delta").mode("overwrite").save(target)


def _target(settings: Settings, entity: Entity) -> str:
    return str(Path(settings.warehouse, entity.name))


def facts(spark: SparkSession, name: str, settings: Settings) -> Facts:
    """What came out: rows; of the batch also the sums of ``runs``, and a digest of the contract's columns."""
    if name != OURS:
        files = {e.name: f"{_target(settings, e)}/*.parquet" for e in ENTITIES}
        return {e: {"rows": pl.scan_parquet(file).select(pl.len()).collect().item()} for e, file in files.items()}
    leg = Leg(spark, settings)
    runs = table_access.read(leg, RUNS_TABLE)
    summed = runs.groupBy("topic").agg(*(F.sum(column).alias(column) for column in COUNTS)).collect()
    counts = {row["topic"]: {column: row[column] for column in COUNTS} for row in summed}
    found = {}
    for entity in ENTITIES:
        columns = CONTRACT[entity.name].names
        digest = F.sum(F.xxhash64(*columns).cast("decimal(38,0)")).cast("string")
        table = table_access.read(leg, settings.clean_table(entity)).select(*columns)
        rows = table.agg(F.count("*").alias("rows"), digest.alias("digest")).collect()[0].asDict()
        found[entity.name] = rows | counts.get(settings.topic(entity), dict.fromkeys(COUNTS, 0))
    return found


def clear(spark: SparkSession, settings: Settings) -> None:
    """Forgets a run's tables and deletes its folder."""
    spark.sql(f"DROP SCHEMA IF EXISTS `{settings.schema}` CASCADE")
    shutil.rmtree(settings.warehouse, ignore_errors=True)
