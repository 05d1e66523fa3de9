"""Settings that a cluster may give to its sessions, and that change what Spark makes of a type's name or a text."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from pinterest_transforms.columns import parse_timestamp
from pinterest_transforms.ingest.excluded_records import keys_in_sql
from pinterest_transforms.schemas import RUNS, type_ddl
from pinterest_transforms.tables.table_access import create_frame

SETTINGS = (
    "spark.sql.timestampType=TIMESTAMP_NTZ",
    "spark.sql.legacy.timeParserPolicy=LEGACY",
    "spark.sql.parser.escapedStringLiterals=true",
)
STARTED = datetime(2026, 11, 29, 14, 26, 48, 123456, UTC)
ARRIVED = datetime(2026, 11, 29, 14, 20, 1, 999000, UTC)


@pytest.fixture(params=SETTINGS)
def configured(spark: SparkSession, request: pytest.FixtureRequest) -> Iterator[SparkSession]:
    """A session that has one of the settings."""
    name, _, value = request.param.partition("=")
    spark.conf.set(name, value)
    yield spark
    spark.conf.unset(name)


def test_an_instant_keeps_its_zone(configured: SparkSession) -> None:
    texts = ("2020-08-28T03:52:47+02:00", "08/28/2020, 03:52:47-0800", "2020-08-28 03:52:47", "2020-08-28")
    row = configured.range(1).select(*(F.unix_micros(parse_timestamp(F.lit(text))) for text in texts)).first()
    assert row is not None
    expected = ("2020-08-28T01:52:47Z", "2020-08-28T11:52:47Z", "2020-08-28T03:52:47Z", "2020-08-28T00:00:00Z")
    assert [value / 1e6 for value in row] == [datetime.fromisoformat(text).timestamp() for text in expected]


def test_times_of_a_small_frame_are_exact(configured: SparkSession) -> None:
    values = {"started": STARTED.isoformat(), "sources": [{"shard": "0", "arrived": ARRIVED.isoformat()}]}
    frame = create_frame(configured, [values], type_ddl(RUNS))
    assert frame.schema.simpleString() == RUNS.simpleString()
    row = frame.select(F.unix_micros("started"), F.unix_micros(F.col("sources")[0]["arrived"])).first()
    assert row is not None
    assert [value / 1e6 for value in row] == [STARTED.timestamp(), ARRIVED.timestamp()]


@pytest.mark.parametrize("text", ['{"index": "17", "title": "x"} y', '{"ind": 17.0', '{"ind": "\\n+1.7e1"'])
def test_a_key_is_found_in_a_text(configured: SparkSession, text: str) -> None:
    frame = configured.range(1).select(F.lit(text).alias("raw")).selectExpr(f"{keys_in_sql('raw')} AS keys")
    row = frame.first()
    assert row is not None
    assert [int(key) for key in row["keys"]] == [17]
