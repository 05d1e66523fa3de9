"""Whether a leg's tables are those of this library: a cheap look for the tasks that come after set-up."""

from concurrent.futures import ThreadPoolExecutor

from pyspark.errors import AnalysisException
from pyspark.sql import SparkSession

from pinterest_transforms.schemas import SCHEMA_VERSION
from pinterest_transforms.settings import Settings
from pinterest_transforms.storage.specs import POSTS_VIEW, TableSpec, answer_specs, work_specs
from pinterest_transforms.storage.tables import ID_PROPERTY, VERSION_PROPERTY, attach, properties, set_up

_AT_ONCE = 4


def ensure_tables(spark: SparkSession, settings: Settings) -> None:
    """Runs ``set_up`` if a table or ``posts`` is missing, or has another schema version; else reads properties alone.

    Raises:
        TableError: as ``set_up`` and ``attach``.
    """
    attach(spark, settings)
    if not _are_current(spark, settings):
        set_up(spark, settings)


def _are_current(spark: SparkSession, settings: Settings) -> bool:
    def is_current(spec: TableSpec) -> bool:
        about = properties(spark, settings, spec.name)
        return about.get(VERSION_PROPERTY) == str(SCHEMA_VERSION) and ID_PROPERTY in about

    try:
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            current = list(pool.map(is_current, (*work_specs(settings), *answer_specs())))
    except AnalysisException:
        return False
    return all(current) and spark.catalog.tableExists(settings.qualified(POSTS_VIEW))
