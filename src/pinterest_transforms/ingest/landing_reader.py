r"""Landing files -> raw records, one per line, split on ``\n`` alone; their positions: the file's offset plus the line.

Spark reads a file's lines in order, but does not number them. It gives a number per row, which grows by one from
line to line of the file split that one task reads. So once the rows of a batch are checkpointed, and with them those
numbers, the first one of each split is looked up, and the rest is arithmetic. Nothing is read for it a second time.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from urllib.parse import unquote

from pyspark.sql import Column, DataFrame, Row, SparkSession
from pyspark.sql import functions as F

from pinterest_transforms.errors import LandingError
from pinterest_transforms.ingest.landing_files import FileStamp, Listing, list_folder, object_key, partition_and_start
from pinterest_transforms.ingest.micro_batch import RecordRange
from pinterest_transforms.schemas import LANDING_POSITION_WIDTH
from pinterest_transforms.settings import EntityLeg, Settings
from pinterest_transforms.tables.table_access import create_frame

SPLIT = "_split"
"""Column with the split of the file that a row is from."""
ORDER = "_order"
"""Number of a row that orders the versions of a key as shard and position do."""
_MAX_BIGINT = 2**63 - 1
_SPLITS = "struct<_path: string, _block: bigint, _key: string, _shard: string, _delta: bigint, _shard_number: bigint>"
_GLOB = re.compile(r"([\\*?\[\]{}])")
# Spark's messages about a file that cannot be read, and about one that is gone.
_UNREAD = re.compile(
    r"FAILED_READ_FILE\S+ Encountered error while reading file (.+?)\.(?: File does not exist|\s+SQLSTATE)"
    r"|PATH_NOT_FOUND\] Path does not exist: (.+?)\.\s+SQLSTATE"
)


def as_glob(path: str) -> str:
    """The path as a pattern that matches it alone."""
    return _GLOB.sub(r"\\\1", path)


def list_topic(leg: EntityLeg) -> Listing:
    """What stands below a topic's folder, which is there; no content is read.

    Raises:
        LandingError: a folder of this machine cannot be read.
    """
    topic, folder = leg.topic, leg.topic_folder
    if is_local_folder(leg.settings, folder):
        return list_folder(folder, topic)
    found = Listing(topic)
    modified = F.unix_micros("modificationTime").alias("modified")
    for row in make_file_reader(leg.spark).load(as_glob(folder)).select("path", "length", modified).toLocalIterator():
        below = object_key(row["path"], topic).removeprefix(f"topics/{topic}/")
        found.add(row["path"], below, FileStamp(row["length"], row["modified"] * 1000))
    return found


def is_local_folder(settings: Settings, folder: str) -> bool:
    """True if the folder can be listed without Spark."""
    return bool(settings.warehouse) and "://" not in folder


def make_file_reader(spark: SparkSession):  # type: ignore[no-untyped-def]  # noqa: ANN201 - classic and Connect readers share no type
    """Reads whole files below a folder, as path, modificationTime, length and content; hidden ones are left out."""
    return spark.read.format("binaryFile").option("recursiveFileLookup", "true")


@contextmanager
def name_unreadable_file() -> Iterator[None]:
    """Makes one line of Spark's error about a landing file, which comes with calls of Java's.

    Raises:
        LandingError: naming the file.
    """
    try:
        yield
    except Exception as error:
        found = _UNREAD.search(str(error))
        if found is None:
            raise
        path = found[1] or found[2]
        raise LandingError(
            f"a landing file must be readable to its end, got {path}: run again, or land it again"
        ) from error


def raw_records(spark: SparkSession, paths: Sequence[str]) -> DataFrame:
    """Every line of the files as a raw record, blank ones too, without ``_source``.

    Args:
        spark: session.
        paths: files of records; a compressed one (``.gz``) is one split.

    Returns:
        ``raw``, ``_split`` (STRUCT<path STRING, block BIGINT, arrived TIMESTAMP>: the file, where in it the split
        begins that one task reads, and its modification time) and ``_row`` (BIGINT, grows by one from line to line of
        a split). ``add_source`` makes ``_source`` of the last two.
    """
    lines = spark.read.option("lineSep", "\n").text([as_glob(path) for path in paths])
    split = F.struct(
        F.col("_metadata.file_path").alias("path"),
        F.col("_metadata.file_block_start").alias("block"),
        F.col("_metadata.file_modification_time").alias("arrived"),
    )
    return lines.select(F.col("value").alias("raw"), split.alias(SPLIT), F.monotonically_increasing_id().alias("_row"))


def split_columns() -> list[Column]:
    """What ``file_splits`` needs to know of each split; its modification time in microseconds since 1970."""
    split = F.col(SPLIT)
    return [
        split["path"].alias("path"),
        split["block"].alias("block"),
        F.unix_micros(split["arrived"]).alias("arrived"),
    ]


@dataclass(frozen=True)
class FileSplit:
    """A part of a file that one task has read.

    Attributes:
        path: the file, as Spark names it.
        block: where in the file the split begins, in bytes.
        key: the file's object key.
        shard: the partition in the file's name.
        arrived: when the file was modified, in microseconds since 1970.
        first_row: the least row number of the split's lines.
        lines: how many there are.
        position: of the first one.
    """

    path: str
    block: int
    key: str
    shard: str
    arrived: int
    first_row: int
    lines: int
    position: int

    @property
    def end(self) -> int:
        """The position behind its last line."""
        return self.position + self.lines


def file_splits(tally: Sequence[Row], topic: str) -> list[FileSplit]:
    """The splits that were read, with the positions of their first lines.

    Args:
        tally: one row per split: ``split_columns``, ``first`` (the least row number) and ``lines``.
        topic: the topic.
    """
    found: list[FileSplit] = []
    for row in sorted(tally, key=lambda row: (row["path"], row["block"])):
        key = object_key(unquote(row["path"]), topic)
        shard, start = partition_and_start(key, topic)
        position = found[-1].end if found and found[-1].path == row["path"] else start
        values = (row["path"], row["block"], key, shard, row["arrived"], row["first"], row["lines"], position)
        found.append(FileSplit(*values))
    return found


def file_ranges(splits: Sequence[FileSplit]) -> list[RecordRange]:
    """The lines of each object key that was read; a landing copied into its own topic has two files of one key."""
    spans: dict[str, list[FileSplit]] = {}
    for split in splits:
        spans.setdefault(split.key, []).append(split)
    ranges = []
    for key, parts in spans.items():
        ends = (min(part.position for part in parts), max(part.end for part in parts) - 1)
        first, last = (str(position).zfill(LANDING_POSITION_WIDTH) for position in ends)
        ranges.append(RecordRange(parts[0].shard, key, first, last, max(part.arrived for part in parts)))
    return ranges


def has_overlapping_offsets(splits: Sequence[FileSplit]) -> bool:
    """True if two lines have one position: files of one partition overlap, or are there twice."""
    spans = sorted((split.shard, split.position, split.end) for split in splits)
    return any(a[0] == b[0] and a[2] > b[1] for a, b in pairwise(spans))


def can_be_ordered(splits: Sequence[FileSplit]) -> bool:
    """True if ``ORDER`` is different for each row and fits BIGINT."""
    shards = len({split.shard for split in splits})
    most = max((split.end for split in splits), default=0)
    return (most + 1) * shards <= _MAX_BIGINT and not has_overlapping_offsets(splits)


def add_source(rows: DataFrame, splits: Sequence[FileSplit]) -> DataFrame:
    """Adds ``_source`` and ``ORDER`` to checkpointed rows, in place of ``_split`` and ``_row``."""
    shards = sorted({split.shard for split in splits})
    fits = can_be_ordered(splits)
    values = [
        (one.path, one.block, one.key, one.shard, one.position - one.first_row, shards.index(one.shard))
        for one in splits
    ]
    names = ("_path", "_block", "_key", "_shard", "_delta", "_shard_number")
    rows_of_splits = [dict(zip(names, value, strict=True)) for value in values]
    known = F.broadcast(create_frame(rows.sparkSession, rows_of_splits, _SPLITS))
    split = F.col(SPLIT)
    number = F.col("_row") + F.col("_delta")
    source = F.struct(
        F.col("_shard").alias("shard"),
        F.lpad(number.cast("string"), LANDING_POSITION_WIDTH, "0").alias("position"),
        split["arrived"].alias("arrived"),
        F.col("_key").alias("file"),
    )
    order = number * len(shards) + F.col("_shard_number") if fits else F.lit(None).cast("bigint")
    joined = rows.join(known, (split["path"] == F.col("_path")) & (split["block"] == F.col("_block")))
    others = [name for name in rows.columns if name not in (SPLIT, "_row")]
    return joined.select(*others, source.alias("_source"), order.alias(ORDER))
