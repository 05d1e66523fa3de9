"""Interprets the plans of this folder's tests."""

import pytest
from pyspark.sql import SparkSession


@pytest.fixture(scope="module", autouse=True)
def _interpreting(interpreted: SparkSession) -> None:
    """Every module here makes many plans of few records."""
