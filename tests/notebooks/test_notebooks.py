"""Runs every notebook, the very files, over a small dirty landing."""

import json
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from emulation.delivery import DIRTY
from emulation.landing import write_landing
from emulation.synthetic import chunks
from local.display import Screen
from local.notebook import NotebookError, Runner
from local.report import write_report
from local.report_data import gather
from pinterest_transforms.analysis import ANSWERS
from pinterest_transforms.entities import ENTITIES
from pinterest_transforms.settings import Settings

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
SCHEMA = "notebook_runs"


class Ran:
    """The batch notebooks, run one after another."""

    def __init__(self, spark: SparkSession, folder: Path) -> None:
        self.spark = spark
        self.out = StringIO()
        self.runner = Runner(spark, Screen(self.out))
        self.settings = Settings(schema=SCHEMA, landing=str(folder / "landing"), warehouse=str(folder / "warehouse"))
        self.exits: dict[str, str] = {}

    def run(self, name: str, **parameters: str) -> str:
        values = {
            "mount_s3": {"landing": self.settings.landing},
            "clean_batch": {
                "catalog": "spark_catalog",
                "schema": SCHEMA,
                "landing": self.settings.landing,
                "run_id": "first",
                "warehouse": self.settings.warehouse,
            },
            "analyse": {"catalog": "spark_catalog", "schema": SCHEMA, "warehouse": self.settings.warehouse},
        }
        self.exits[name] = self.runner.run(NOTEBOOKS / name, {**values[name], **parameters})
        return self.exits[name]

    def table(self, name: str) -> int:
        return self.spark.table(self.settings.qualified(name)).count()


@pytest.fixture(scope="module")
def ran(interpreted: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ran]:
    folder = tmp_path_factory.mktemp("notebooks")
    ran = Ran(interpreted, folder)
    for entity in ENTITIES:
        rows = (row for chunk in chunks(entity, 300, 5) for row in chunk)
        write_landing(rows, entity, ran.settings, delivery=DIRTY)
    for name in ("mount_s3", "clean_batch", "analyse"):
        ran.run(name)
    yield ran
    ran.spark.sql(f"DROP SCHEMA {SCHEMA} CASCADE")


def test_every_notebook_is_run(ran: Ran) -> None:
    found = {path.stem for path in NOTEBOOKS.glob("*.py")}
    assert found, "no notebook was found"
    assert found == set(ran.exits)


@pytest.mark.parametrize("path", sorted(NOTEBOOKS.glob("*.py")), ids=lambda path: path.stem)
def test_a_notebook_is_in_source_format_and_thin(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.startswith("# Databricks notebook source\n")
    assert '"../src"' in text, "opened in a workspace folder, it must find the sources beside it"
    code = [line for line in text.splitlines() if line and not line.startswith("#")]
    assert len(code) < 70


def test_mount_s3_returns_the_landing(ran: Ran) -> None:
    assert ran.exits["mount_s3"] == ran.settings.landing


def test_clean_batch_fills_the_tables_and_says_what_was_rejected(ran: Ran) -> None:
    assert ran.table("pins") > 290
    shown = ran.out.getvalue()
    assert "not exactly one JSON object" in shown
    assert "follower_count" in shown


def test_analyse_shows_every_answer_as_table_and_chart(ran: Ran) -> None:
    shown = ran.out.getvalue()
    assert all(answer.question in shown for answer in ANSWERS)
    assert len(ran.runner.screen.figures) == len(ANSWERS)


def test_a_second_run_of_one_entity_takes_nothing(ran: Ran) -> None:
    before = ran.table("runs")
    ran.run("clean_batch", entity="geo", run_id="second")
    assert ran.table("runs") == before


def test_a_widget_with_an_unknown_entity_is_one_clear_line(ran: Ran) -> None:
    with pytest.raises(NotebookError, match="entity"):
        ran.run("clean_batch", entity="pins")


def test_the_report_holds_every_answer(ran: Ran, tmp_path: Path) -> None:
    page = write_report(tmp_path / "report.html", gather(ran.spark, ran.settings)).read_text(encoding="utf-8")
    assert all(answer.name in page for answer in ANSWERS)
    assert json.dumps(ran.settings.landing)[1:-1] in page
