"""Whether a leg's tables are those of this library: a cheap look for the tasks that come after set-up."""

from pathlib import Path

from pyspark.errors import AnalysisException
from pyspark.sql import SparkSession

from pinterest_transforms.schemas import SCHEMA_VERSION
from pinterest_transforms.settings import Settings
from pinterest_transforms.storage import tables
from pinterest_transforms.storage.specs import POSTS_VIEW, RUNS_TABLE, work_specs


def ensure_tables(spark: SparkSession, settings: Settings) -> None:
    """Runs ``set_up`` if a table or ``posts`` is missing, or the last set-up was that of another schema version.

    Raises:
        TableError: as ``tables.set_up`` and ``tables.attach``.
    """
    tables.attach(spark, settings)
    if not _are_current(spark, settings):
        tables.set_up(spark, settings)


def _are_current(spark: SparkSession, settings: Settings) -> bool:
    """Two questions whatever the number of tables: the schema's list, and the version of ``runs``, made last."""
    needed = {spec.name for spec in work_specs(settings)}
    if not needed | {POSTS_VIEW} <= tables.list_tables(spark, settings):
        return False
    if settings.warehouse and not all(
        tables.has_commits(Path(settings.warehouse, settings.schema, name)) for name in needed
    ):
        return False
    try:
        version = tables.properties(spark, settings, RUNS_TABLE).get(tables.VERSION_PROPERTY)
    except AnalysisException:
        return False
    return version == str(SCHEMA_VERSION)
