"""The examples in the library's docstrings give what they say."""

import doctest
import importlib
import io
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

import pinterest_transforms

PACKAGE = Path(pinterest_transforms.__file__).parent


def examples() -> list[doctest.DocTest]:
    """Every docstring with an example, by its name."""
    files = [file for file in sorted(PACKAGE.rglob("*.py")) if ">>> " in file.read_text(encoding="utf-8")]
    names = [".".join(file.relative_to(PACKAGE.parent).with_suffix("").parts) for file in files]
    found = [test for name in names for test in doctest.DocTestFinder().find(importlib.import_module(name))]
    return [test for test in found if test.examples]


ALL = examples()
PLAIN, OF_SPARK = ([test for test in ALL if ("spark." in (test.docstring or "")) == asks] for asks in (False, True))


def run(example: doctest.DocTest, **names: object) -> str:
    """What is wrong with an example; empty if nothing is."""
    said = io.StringIO()
    example.globs.update(names)
    doctest.DocTestRunner(verbose=False).run(example, out=said.write)
    return said.getvalue()


@pytest.mark.parametrize("example", PLAIN, ids=lambda example: example.name)
def test_an_example_without_spark(example: doctest.DocTest) -> None:
    assert run(example) == ""


@pytest.mark.parametrize("example", OF_SPARK, ids=lambda example: example.name)
def test_an_example_with_a_session(spark: SparkSession, example: doctest.DocTest) -> None:
    assert run(example, spark=spark) == ""


def test_every_rule_for_a_column_has_an_example() -> None:
    columns = importlib.import_module("pinterest_transforms.columns")
    rules = {
        name
        for name, value in vars(columns).items()
        if getattr(value, "__module__", "") == columns.__name__ and callable(value) and not name.startswith("_")
    } - {"apply_without_codegen"}
    shown = {test.name.rpartition(".")[2] for test in ALL if test.name.startswith(columns.__name__)}
    assert rules == shown
