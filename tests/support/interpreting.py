"""Sessions that interpret their plans: cheaper where a handful of records make one plan after another."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from pyspark.sql import SparkSession

from tests.support.spark_connect import connect_mode

# Spark writes, compiles and keeps code for each plan and each task. Where a handful of records make one plan after
# another, as in the tests of storage and notebooks, that is a fifth of the work. The rules' own tests, the command line
# and `make run` compile, as everybody's runs do. There is one partition after a shuffle, as adaptive execution would
# give a handful of records; files still make several.
INTERPRETED = {
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
    "spark.sql.shuffle.partitions": "1",
    "spark.databricks.delta.snapshotPartitions": "1",
    # A handful of records has no plan worth a second look: these make plans better, or check them. Rows are the same
    # without. (Not `stats.skipping`: without it Delta refuses to read a table of deletion vectors inside a DELETE.)
    "spark.sql.adaptive.enabled": "false",
    "spark.sql.lightweightPlanChangeValidation": "false",
    "spark.sql.optimizer.dynamicPartitionPruning.enabled": "false",
    "spark.sql.optimizer.runtime.bloomFilter.enabled": "false",
    "spark.sql.subexpressionElimination.enabled": "false",
}


@contextmanager
def interpreting(spark: SparkSession) -> Iterator[None]:
    """The session, a classic one or one over Spark Connect, interprets its plans for as long as the context lasts."""
    with connect_mode("connect" in type(spark).__module__):
        before = {name: spark.conf.get(name) for name in INTERPRETED}
    _set(spark, INTERPRETED)
    try:
        yield
    finally:
        _set(spark, before)


def _set(spark: SparkSession, values: Mapping[str, str | None]) -> None:
    with connect_mode("connect" in type(spark).__module__):
        for name, value in values.items():
            spark.conf.set(name, str(value))
