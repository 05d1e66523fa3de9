"""Interprets the plans of this folder's tests."""

from collections.abc import Iterator

import pytest
from pyspark.sql import SparkSession

from tests.support.interpreting import interpreting


@pytest.fixture(scope="module", autouse=True)
def _interpreting(interpreted: SparkSession) -> None:
    """Every module here makes many plans of few records."""


@pytest.fixture(scope="module")
def connect(connect: SparkSession) -> Iterator[SparkSession]:
    """The session over Spark Connect has settings of its own."""
    with interpreting(connect):
        yield connect
