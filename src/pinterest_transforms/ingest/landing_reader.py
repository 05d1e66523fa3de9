r"""Landing files -> raw records, one per line, split on ``\n`` alone; ``file_splits`` numbers them."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from pinterest_transforms.errors import LandingError
from pinterest_transforms.ingest.landing_listing import list_folder
from pinterest_transforms.landing_files import FileStamp, Listing, key_of
from pinterest_transforms.settings import Settings

SPLIT = "_split"
"""Column that says which split of which file a row is of."""
_GLOB = re.compile(r"([\\*?\[\]{}])")
# What Spark says of a file that cannot be read, and of one that is gone.
_UNREAD = re.compile(
    r"FAILED_READ_FILE\S+ Encountered error while reading file (.+?)\.(?: File does not exist|\s+SQLSTATE)"
    r"|PATH_NOT_FOUND\] Path does not exist: (.+?)\.\s+SQLSTATE"
)


def as_glob(path: str) -> str:
    """The path as a pattern that matches it alone."""
    return _GLOB.sub(r"\\\1", path)


def listing(spark: SparkSession, settings: Settings, topic: str) -> Listing:
    """What stands below a topic's folder, which is there; no content is read.

    Raises:
        LandingError: a folder of this machine cannot be read.
    """
    folder = f"{settings.landing.rstrip('/')}/topics/{topic}"
    if on_this_machine(settings, folder):
        return list_folder(folder, topic)
    found = Listing(topic)
    modified = F.unix_micros("modificationTime").alias("modified")
    for row in reader(spark).load(as_glob(folder)).select("path", "length", modified).toLocalIterator():
        below = key_of(row["path"], topic).removeprefix(f"topics/{topic}/")
        found.add(row["path"], below, FileStamp(row["length"], row["modified"] * 1000))
    return found


def on_this_machine(settings: Settings, folder: str) -> bool:
    """True if the folder can be looked at without Spark."""
    return bool(settings.warehouse) and "://" not in folder


def reader(spark: SparkSession):  # type: ignore[no-untyped-def]  # noqa: ANN201 - classic and Connect readers share no type
    """Reads whole files below a folder, as path, modificationTime, length and content; hidden ones are left out."""
    return spark.read.format("binaryFile").option("recursiveFileLookup", "true")


@contextmanager
def naming_unread() -> Iterator[None]:
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
        a split). ``file_splits.add_source`` makes ``_source`` of the last two.
    """
    lines = spark.read.option("lineSep", "\n").text([as_glob(path) for path in paths])
    split = F.struct(
        F.col("_metadata.file_path").alias("path"),
        F.col("_metadata.file_block_start").alias("block"),
        F.col("_metadata.file_modification_time").alias("arrived"),
    )
    return lines.select(F.col("value").alias("raw"), split.alias(SPLIT), F.monotonically_increasing_id().alias("_row"))
