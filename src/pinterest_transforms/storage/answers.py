"""Keeps the answer tables: each is written again, in one commit, when a clean table that it needs has changed."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from pinterest_transforms import __version__
from pinterest_transforms.analysis import ANSWERS, Answer, Posts
from pinterest_transforms.entities import ENTITIES, GEO, PIN, USER
from pinterest_transforms.settings import Settings
from pinterest_transforms.storage import tables
from pinterest_transforms.storage.retry import with_retries


def posts(spark: SparkSession, settings: Settings) -> Posts:
    """The leg's three clean tables.

    Raises:
        TableError: one is not there.
    """
    pins, geolocations, users = (
        tables.read(spark, settings, settings.clean_table(entity)) for entity in (PIN, GEO, USER)
    )
    return Posts(pins, geolocations, users)


def refresh_answers(spark: SparkSession, settings: Settings, say: Callable[[str], None]) -> None:
    """Makes each answer table anew whose clean tables have changed since; leaves the others as they are."""
    versions = {entity.name: _version(spark, settings, settings.clean_table(entity)) for entity in ENTITIES}
    made_from = {
        answer.name: json.dumps(
            {**{entity.name: versions[entity.name] for entity in answer.entities}, "library": __version__}
        )
        for answer in ANSWERS
    }
    stale = [answer for answer in ANSWERS if _made_from(spark, settings, answer) != made_from[answer.name]]
    if not stale:
        return
    say(f"answering {len(stale)} question{'s' * (len(stale) != 1)}")
    clean = posts(spark, settings)

    def answer_one(answer: Answer) -> None:
        frame = answer.compute(clean).select(*(F.col(name).cast(kind) for name, kind, _ in answer.columns))
        writer = frame.writeTo(settings.qualified(answer.name)).option("userMetadata", made_from[answer.name])
        with_retries(lambda: writer.overwrite(F.lit(True)))

    with ThreadPoolExecutor(max_workers=2) as pool:
        list(pool.map(answer_one, stale))


def read_answer(spark: SparkSession, settings: Settings, answer: Answer) -> DataFrame:
    """An answer as kept in its table, in its own order: columns as in ``Answer.columns``."""
    frame = tables.read(spark, settings, answer.name)
    return answer.ordered(frame)


def _version(spark: SparkSession, settings: Settings, table: str) -> str:
    """The table's last commit: version and time, since a table that is made again counts from 0 again."""
    tables.read(spark, settings, table)
    row = tables.last_commit(spark, settings, table)
    return f"{row['version']} {row['timestamp'].timestamp()}"


def _made_from(spark: SparkSession, settings: Settings, answer: Answer) -> str:
    """What the answer's table was last made from; maintenance of the table leaves no such note."""
    tables.read(spark, settings, answer.name)
    history = spark.sql(f"DESCRIBE HISTORY {settings.qualified(answer.name)} LIMIT 20")
    noted = history.where("userMetadata IS NOT NULL").orderBy(F.desc("version")).select("userMetadata").first()
    return str(noted["userMetadata"]) if noted else ""
