"""A notebook runner whose screen is a text, a way to write notebooks for it, and commands called in this process."""

import io
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from local.cli import local_cli
from local.notebooks.display import Screen
from local.notebooks.notebook_runner import Runner
from tests.support.catalog import forget_tables

HEADER = "# Databricks notebook source\n"
CELL = "\n# COMMAND ----------\n\n"
Write = Callable[..., Path]
Call = Callable[..., tuple[object, str, str]]
KEYS = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


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


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Call]:
    """Calls ``python -m local`` in this process: exit code, standard output, standard error.

    A command that needs Spark uses the session of ``spark``, which it does not stop.
    """
    monkeypatch.chdir(tmp_path)
    before = {number: signal.getsignal(number) for number in _SIGNALS}

    def command(*arguments: str) -> tuple[object, str, str]:
        capsys.readouterr()
        try:
            code: object = local_cli.main(arguments)
        except SystemExit as ended:
            code = ended.code
        return code, *capsys.readouterr()

    yield command
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def own_catalog(interpreted: SparkSession) -> Iterator[SparkSession]:
    """The session, whose catalog has no schema of another test's warehouse; what a test attaches is let go."""
    yield interpreted
    forget_tables(interpreted, "pinterest*", "other")


@pytest.fixture
def keys(own_catalog: SparkSession, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys that every Kinesis emulator takes, for this process and for Spark's Python workers."""
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
        monkeypatch.setitem(own_catalog.sparkContext.environment, name, value)
