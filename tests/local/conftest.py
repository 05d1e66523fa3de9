"""A notebook runner whose screen is a text, and a way to write notebooks for it."""

import io
from collections.abc import Callable
from pathlib import Path

import pytest

from local.display import Screen
from local.notebook import Runner

HEADER = "# Databricks notebook source\n"
CELL = "\n# COMMAND ----------\n\n"
Write = Callable[..., Path]


@pytest.fixture
def out() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write_notebook(*cells: str, name: str = "book") -> Path:
        file = tmp_path / f"{name}.py"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(HEADER + CELL.join(cells), encoding="utf-8")
        return file

    return write_notebook


@pytest.fixture
def runner(out: io.StringIO) -> Runner:
    """A runner for notebooks that use no Spark."""
    return Runner(None, Screen(out))  # type: ignore[arg-type]
