"""Rows of an earlier topic of the same name: which go when all files of the landing are read again."""

import time

import pytest
from pyspark.sql import DataFrame, SparkSession

from pinterest_transforms.tables.position_conflicts import exclude_earlier_topic

At = tuple[str, int, int]
"""Shard, position, and the second of the arrival."""
REPEATED = 1762063800  # 2025-11-02 06:10 UTC: ten past one in New York, the second time


def left(spark: SparkSession, kept: dict[str, At], read: list[At]) -> set[str]:
    """What is left of rows whose files are gone, by their names."""

    def rows(named: dict[str, At]) -> DataFrame:
        listed = ", ".join(f"('{name}', '{shard}', {at}, {second})" for name, (shard, at, second) in named.items())
        source = "'shard', shard, 'position', lpad(at, 3, '0'), 'arrived', timestamp_seconds(second)"
        query = f"SELECT name, named_struct({source}) AS _source FROM VALUES {listed} AS given(name, shard, at, second)"
        return spark.sql(query)

    found = exclude_earlier_topic(rows(kept), rows({str(number): at for number, at in enumerate(read)}))
    return {row["name"] for row in found.collect()}


def test_what_had_arrived_when_an_earlier_topic_still_wrote_goes(spark: SparkSession) -> None:
    read = [("0", 5, 100), ("0", 6, 200), ("1", 5, 50)]
    behind = {"behind the first file, and before it": ("0", 6, 99)}
    behind_another = {"of the other partition": ("1", 6, 49)}
    others = {"as old": ("0", 4, 99), "of a partition without files": ("2", 9, 99)}
    stays = {"since then": ("0", 4, 100), "behind it and since": ("0", 7, 100)}
    assert left(spark, behind | behind_another | others | stays, read) == {*stays}
    # Rows of files that went by age are no sign of one.
    assert left(spark, others | stays, read) == {*others, *stays}


def test_a_repeated_hour_of_the_machines_zone_keeps_no_row_of_an_earlier_topic(
    spark: SparkSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    try:
        kept = {"half an hour before": ("0", 5, REPEATED - 1800), "long before": ("0", 6, REPEATED - 7200)}
        assert left(spark, {**kept, "since": ("0", 7, REPEATED + 1)}, [("0", 0, REPEATED)]) == {"since"}
    finally:
        monkeypatch.undo()
        time.tzset()
