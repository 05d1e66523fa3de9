"""What a rebuild leaves out of an earlier topic, on a machine whose zone has an hour twice."""

import time

import pytest
from pyspark.sql import DataFrame, SparkSession

from pinterest_transforms.tables.position_conflicts import exclude_earlier_topic

REPEATED = 1762063800  # 2025-11-02 06:10 UTC: ten past one in New York, the second time


def rows(spark: SparkSession, *values: tuple[int, int]) -> DataFrame:
    """Rows by position and seconds of arrival."""
    listed = ", ".join(f"({position}, {seconds})" for position, seconds in values)
    source = "named_struct('shard', '0', 'position', lpad(at, 2, '0'), 'arrived', timestamp_seconds(seconds))"
    return spark.sql(f"SELECT at, {source} AS _source FROM VALUES {listed} AS given(at, seconds)")


def test_a_repeated_hour_of_the_machines_zone_keeps_no_row_of_an_earlier_topic(
    spark: SparkSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    try:
        kept = rows(spark, (5, REPEATED - 1800), (6, REPEATED - 7200), (7, REPEATED + 1))
        left = exclude_earlier_topic(kept, rows(spark, (0, REPEATED))).collect()
    finally:
        monkeypatch.undo()
        time.tzset()
    assert [row["at"] for row in left] == [7]
