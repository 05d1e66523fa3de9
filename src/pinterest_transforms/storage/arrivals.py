"""What stands in the landing, a row a topic; and whether it can be read at all, told before anything is made of it."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pyspark.errors import AnalysisException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from pinterest_transforms.entities import ENTITIES, Entity
from pinterest_transforms.errors import LandingError, PinterestError
from pinterest_transforms.settings import Settings
from pinterest_transforms.storage import files
from pinterest_transforms.storage.landing import check_landing

_COLUMNS = "topic STRING, files BIGINT, bytes BIGINT, newest_file TIMESTAMP"
_MOST_SAID = 300


@dataclass(frozen=True)
class _Topic:
    """What stands in one topic's folder.

    Attributes:
        files: how many.
        size: bytes of all of them.
        newest: when the newest was written, in seconds since 1970; None if there is none.
        smallest: path of the smallest one.
    """

    files: int = 0
    size: int = 0
    newest: float | None = None
    smallest: str | None = None


def landed(spark: SparkSession, settings: Settings) -> DataFrame:
    """What stands in the landing: topic, files, bytes, newest_file (UTC; null if there is none). A row a topic.

    The smallest file of each topic is opened: a bucket may be listed by who must not read it.

    Raises:
        LandingError: the landing cannot be read, or holds no topics of this user id.
    """
    rows = []
    try:
        check_landing(spark, settings)
        for entity in ENTITIES:
            topic = _topic(spark, settings, entity)
            if topic.smallest:
                spark.read.text(files.as_glob(topic.smallest)).head(1)
            newest = None if topic.newest is None else datetime.fromtimestamp(topic.newest, UTC)
            rows.append((settings.topic(entity), topic.files, topic.size, newest))
    except PinterestError:
        raise
    except Exception as error:
        said = " ".join(str(error).split())[:_MOST_SAID] or type(error).__name__
        raise LandingError(f"landing must be readable, got {settings.landing!r}: {said}") from None
    return spark.createDataFrame(rows, _COLUMNS)


def _topic(spark: SparkSession, settings: Settings, entity: Entity) -> _Topic:
    folder = settings.topic_folder(entity)
    if files.on_this_machine(settings, folder):
        sizes = files.listing(spark, settings, folder)
        newest = max((Path(path).stat().st_mtime for path in sizes), default=None)
        smallest = min(sizes, key=lambda path: (sizes[path], path), default=None)
        return _Topic(len(sizes), sum(sizes.values()), newest, smallest)
    listed = files.reader(spark)
    try:
        there = listed.load(files.as_glob(folder)).select("path", "length", "modificationTime")
        counted = there.agg(
            F.count("*").alias("files"),
            F.coalesce(F.sum("length"), F.lit(0)).alias("size"),
            (F.max(F.unix_micros("modificationTime")) / 1e6).alias("newest"),
            F.min_by("path", F.struct("length", "path")).alias("smallest"),
        )
        row = counted.first()
    except AnalysisException as error:
        if "PATH_NOT_FOUND" in str(error):
            return _Topic()
        raise
    return _Topic(**row.asDict()) if row else _Topic()
