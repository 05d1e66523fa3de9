"""Gathers what the report says from the tables of a leg."""

from datetime import UTC, datetime

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from local.report import AnswerBlock, QualityBlock, ReportData
from pinterest_transforms import __version__
from pinterest_transforms.analysis import ANSWERS
from pinterest_transforms.entities import ENTITIES, PIN, Entity
from pinterest_transforms.ingest.landing_summary import landing_summary
from pinterest_transforms.settings import Settings
from pinterest_transforms.storage import answers, summary, tables


def gather(spark: SparkSession, settings: Settings) -> ReportData:
    """Everything the report says, as it stands in the tables now.

    Raises:
        TableError: a table is not there.
    """
    blocks = tuple(
        AnswerBlock(answer.name, answer.question, answers.read_answer(spark, settings, answer).toPandas())
        for answer in ANSWERS
    )
    landing: list[str] = []
    landing_summary(spark, settings, landing.append)
    latest = summary.latest(spark, settings).first()
    quality = QualityBlock(
        summary.runs(spark, settings).toPandas(),
        summary.rejected_by_reason(spark, settings).toPandas(),
        summary.repaired_by_column(spark, settings).toPandas(),
        summary.unknown_fields(spark, settings).toPandas(),
    )
    return ReportData(
        title="Pinterest posts",
        made_at=datetime.now(UTC),
        user_id=settings.user_id,
        source=settings.landing,
        library_version=__version__,
        posts=tables.read(spark, settings, settings.clean_table(PIN)).count(),
        latest_arrivals={settings.origin(entity): _arrived(spark, settings, entity) for entity in ENTITIES},
        latest_post=latest["latest_post"] if latest else None,
        answers=blocks,
        quality=quality,
        tables=summary.versions(spark, settings).toPandas(),
        landing=tuple(landing),
    )


def _arrived(spark: SparkSession, settings: Settings, entity: Entity) -> datetime | None:
    """When the newest row of an entity's clean table arrived."""
    frame = tables.read(spark, settings, settings.clean_table(entity))
    row = frame.agg(F.max(F.col("_source")["arrived"]).alias("arrived")).first()
    return row["arrived"] if row else None
