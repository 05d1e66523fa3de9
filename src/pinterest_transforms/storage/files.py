r"""Landing files -> raw records, one a line.

A file is read whole and split on ``\n``, because only so is a line's number exact, and with the number its position:
the offset in the file's name plus the number of the line.
"""

import re
from collections.abc import Sequence
from pathlib import Path

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from pinterest_transforms.entities import Entity
from pinterest_transforms.errors import LandingError
from pinterest_transforms.quality import MISPLACED
from pinterest_transforms.schemas import POSITION_WIDTH
from pinterest_transforms.settings import Settings

_BYTE_ORDER_MARK = "\ufeff"
_REPLACEMENT = "\ufffd"
_GLOB = re.compile(r"([\\*?\[\]{}])")


def as_glob(path: str) -> str:
    """The path as a pattern that matches it alone."""
    return _GLOB.sub(r"\\\1", path)


def key_of(path: str, topic: str) -> str:
    """Object key of a landing file: what stands from ``topics/`` on.

    >>> key_of("file:/tmp/x/topics/a.pin/partition=0/a.pin+0+0000000000.json", "a.pin")
    'topics/a.pin/partition=0/a.pin+0+0000000000.json'
    """
    marker = f"topics/{topic}/"
    return marker + path.rpartition(f"/{marker}")[2]


def listing(spark: SparkSession, settings: Settings, folder: str) -> dict[str, int]:
    """Path and bytes of each landing file below a folder; no content is read. As Spark does, without hidden ones."""
    if on_this_machine(settings, folder):
        there = (path for path in Path(folder).rglob("*.json") if not path.name.startswith((".", "_")))
        return {str(path): path.stat().st_size for path in there if path.is_file()}
    found = reader(spark).load(as_glob(folder)).select("path", "length").collect()
    return {row["path"]: row["length"] for row in found}


def on_this_machine(settings: Settings, folder: str) -> bool:
    """True if the folder can be looked at without Spark."""
    return bool(settings.warehouse) and "://" not in folder


def reader(spark: SparkSession):  # type: ignore[no-untyped-def]  # noqa: ANN201 - classic and Connect readers share no type
    """Reads whole ``*.json`` files below a folder, as path, modificationTime, length and content."""
    options = {"pathGlobFilter": "*.json", "recursiveFileLookup": "true"}
    return spark.read.format("binaryFile").options(**options)


def check_sizes(sizes: dict[str, int], limit: int) -> None:
    """Refuses files that are too large to be read whole, by name, before anything is read.

    Raises:
        LandingError: naming the first such file.
    """
    for path, size in sorted(sizes.items()):
        if size > limit:
            raise LandingError(f"a landing file must have at most {limit} bytes, got {size} in {path}: split it")


def raw_records(spark: SparkSession, settings: Settings, entity: Entity, paths: Sequence[str]) -> DataFrame:
    """Every line of the files as a raw record, ``quality.RAW_RECORD``; blank ones too.

    Args:
        spark: session.
        settings: names and places.
        entity: whose topic the files belong to.
        paths: the files.
    """
    topic = settings.topic(entity)
    name = F.element_at(F.split("path", "/"), -1)
    pattern = rf"\A\Q{topic}\E\+(\d{{1,9}})\+(\d{{1,18}})\.json\z"
    files = reader(spark).load([as_glob(path) for path in paths])
    marker = f"/topics/{topic}/"
    within = F.substring_index("path", marker, -1)
    # Two steps, so that a line carries what is said of its file and not the whole file.
    split = files.select(
        F.concat(F.lit(marker[1:]), within).alias("key"),
        F.nullif(F.regexp_extract(name, pattern, 1), F.lit("")).alias("partition"),
        F.regexp_extract(name, pattern, 2).try_cast("bigint").alias("start"),
        F.col("modificationTime").alias("arrived"),
        F.is_valid_utf8(F.col("content").cast("string")).alias("whole_is_text"),
        _lines().alias("lines"),
    )
    about = ["key", "partition", "start", "arrived", "whole_is_text"]
    # Outer, though there is always a line: otherwise Spark asks first whether there is one, and splits twice.
    lined = split.select(*about, F.posexplode_outer("lines").alias("number", "raw"))
    records: DataFrame = lined.select(
        _without_mark(F.col("raw"), F.col("number")).alias("raw"),
        (F.col("whole_is_text") | F.is_valid_utf8("raw")).alias("is_text"),
        F.when(F.col("start").isNull(), F.lit(MISPLACED)).alias("misplaced"),
        F.struct(
            F.lit(topic).alias("origin"),
            F.coalesce("partition", "key").alias("shard"),
            position(F.coalesce("start", F.lit(0)) + F.col("number")).alias("position"),
            F.col("arrived"),
            F.col("key").alias("file"),
        ).alias("_source"),
    )
    return records


def position(number: Column) -> Column:
    """A position as text that sorts like the number: zero-padded.

    Most zeros come as one literal: padding them on takes a copy each.
    """
    digits = 20  # more than a BIGINT has
    return F.concat(F.lit("0" * (POSITION_WIDTH - digits)), F.lpad(number.cast("string"), digits, "0"))


def _lines() -> Column:
    """The file's lines. Splitting text replaces bytes that are not UTF-8, so lines with them are taken as Latin-1."""
    whole = F.col("content").cast("string")
    split = F.split(whole, "\n")
    latin = F.split(F.decode("content", "ISO-8859-1"), "\n")

    def as_came(line: Column, in_latin: Column) -> Column:
        return F.when(line.contains(_REPLACEMENT), F.encode(in_latin, "ISO-8859-1").cast("string")).otherwise(line)

    return F.when(F.is_valid_utf8(whole), split).otherwise(F.zip_with(split, latin, as_came))


def _without_mark(raw: Column, number: Column) -> Column:
    marked = (number == 0) & raw.startswith(_BYTE_ORDER_MARK)
    return F.when(marked, F.substring(raw, 2, 2_147_483_647)).otherwise(raw)
