"""Raw records of any bytes, as landing and stream make them."""

from collections.abc import Callable, Sequence

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

MakeRecords = Callable[[SparkSession, Sequence[str | bytes]], DataFrame]


@pytest.fixture(scope="session")
def raw_records() -> MakeRecords:
    """Makes a frame of raw records; a record's position is its place in the list, of three digits and more."""

    def make(session: SparkSession, lines: Sequence[str | bytes]) -> DataFrame:
        rows = [
            (f"{number:03d}", bytearray(line.encode() if isinstance(line, str) else line))
            for number, line in enumerate(lines)
        ]
        text = F.col("content").cast("string")
        nothing = F.lit(None)
        source = F.struct(
            F.lit("0").alias("shard"),
            F.col("position"),
            nothing.cast("timestamp").alias("arrived"),
            F.lit("a file").alias("file"),
        )
        return session.createDataFrame(rows, "position string, content binary").select(
            text.alias("raw"),
            source.alias("_source"),
        )

    return make
