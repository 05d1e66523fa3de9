"""Frames: small ones of values that this process knows, and whether the platform keeps large ones."""

import json
from collections.abc import Mapping, Sequence

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F


def is_refused(error: Exception) -> bool:
    """True if the platform does not keep frames: serverless compute may refuse to cache or checkpoint them."""
    return any(refusal in str(error).upper() for refusal in ("NOT_SUPPORTED", "UNSUPPORTED", "NOT_IMPLEMENTED"))


def create_frame(spark: SparkSession, rows: Sequence[Mapping[str, object]], struct: str) -> DataFrame:
    """A frame of the rows.

    They are one text to Spark. ``createDataFrame`` starts Python workers for a list, and values that stand as literals
    in a plan are written into the code that Spark generates, which is then compiled again for each micro-batch.

    Args:
        spark: session.
        rows: values by column, as JSON can hold them; times in ISO 8601.
        struct: type of a row, as ``struct<…>``.
    """
    one_row = spark.range(0, 1, 1, 1)
    return one_row.select(F.inline(F.from_json(F.lit(json.dumps(rows)), f"array<{struct}>")))
