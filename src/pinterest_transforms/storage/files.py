r"""Landing files -> raw records, one a line, split on ``\n`` alone; ``places`` numbers them."""

import os
import re
from collections.abc import Sequence
from pathlib import Path

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from pinterest_transforms.entities import Entity
from pinterest_transforms.errors import LandingError
from pinterest_transforms.quality import MISPLACED
from pinterest_transforms.settings import Settings

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
        # Spark follows links to folders, which rglob does not.
        folders = os.walk(folder, followlinks=True)
        there = (Path(parent, name) for parent, _, names in folders for name in names if _is_landed(name))
        return {str(path): path.stat().st_size for path in there if path.is_file()}
    found = reader(spark).load(as_glob(folder)).select("path", "length").collect()
    return {row["path"]: row["length"] for row in found}


def _is_landed(name: str) -> bool:
    return name.endswith(".json") and not name.startswith((".", "_"))


def on_this_machine(settings: Settings, folder: str) -> bool:
    """True if the folder can be looked at without Spark."""
    return bool(settings.warehouse) and "://" not in folder


def reader(spark: SparkSession):  # type: ignore[no-untyped-def]  # noqa: ANN201 - classic and Connect readers share no type
    """Reads whole ``*.json`` files below a folder, as path, modificationTime, length and content."""
    options = {"pathGlobFilter": "*.json", "recursiveFileLookup": "true"}
    return spark.read.format("binaryFile").options(**options)


def check_files(sizes: dict[str, int], limit: int) -> None:
    """Refuses files that are too large, or whose names Spark cannot read, before anything is read.

    Raises:
        LandingError: naming the first such file.
    """
    for path, size in sorted(sizes.items()):
        if size > limit:
            raise LandingError(f"a landing file must have at most {limit} bytes, got {size} in {path}: split it")
        if ":" in path.rpartition("/")[2]:
            raise LandingError(f"a landing file's name must have no colon, which Spark cannot read, got {path}")


def raw_records(spark: SparkSession, settings: Settings, entity: Entity, paths: Sequence[str]) -> DataFrame:
    """Every line of the files as a raw record, blank ones too, not yet located.

    Args:
        spark: session.
        settings: names and places.
        entity: whose topic the files belong to.
        paths: the files.

    Returns:
        ``raw``, ``misplaced``, ``_place`` (STRUCT<path STRING, block BIGINT, arrived TIMESTAMP>: the file, where in it
        the piece begins that one task reads, and its time) and ``_row`` (BIGINT, grows by one from line to line of a
        piece). ``places.located`` makes ``_source`` of the last two.
    """
    options = {"lineSep": "\n", "recursiveFileLookup": "true"}
    lines = spark.read.options(**options).text([as_glob(path) for path in paths])
    nowhere = F.lit(None).cast("string")
    topic = settings.topic(entity)
    if any(partition_and_start(path, topic) is None for path in paths):
        placed = F.col("_metadata.file_name").rlike(rf"\A{_name_pattern(topic)}\z")
        nowhere = F.when(~placed, F.lit(MISPLACED))
    place = F.struct(
        F.col("_metadata.file_path").alias("path"),
        F.col("_metadata.file_block_start").alias("block"),
        F.col("_metadata.file_modification_time").alias("arrived"),
    )
    return lines.select(
        F.col("value").alias("raw"),
        nowhere.alias("misplaced"),
        place.alias("_place"),
        F.monotonically_increasing_id().alias("_row"),
    )


def partition_and_start(path: str, topic: str) -> tuple[str, int] | None:
    """Partition, and offset of the first line, from the file's name alone; None if it does not say them.

    >>> partition_and_start("x/topics/a.pin/partition=3/a.pin+3+0000000050.json", "a.pin")
    ('3', 50)
    """
    found = re.fullmatch(_name_pattern(topic), path.rpartition("/")[2])
    return (found[1], int(found[2])) if found else None


def _name_pattern(topic: str) -> str:
    """What the sink calls a file. Java and Python read it alike."""
    return rf"{topic.replace('.', '[.]')}[+]([0-9]{{1,9}})[+]([0-9]{{1,18}})[.]json"
