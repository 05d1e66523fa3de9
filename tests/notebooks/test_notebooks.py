"""Runs every notebook, the very files, over a small dirty landing."""

import json
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from emulation.delivery import DIRTY
from emulation.landing import write_landing
from emulation.records import column_names, json_bytes
from emulation.synthetic import chunks
from local.display import Screen
from local.kinesis_source import KinesisSource
from local.kinesis_stand_in import serving
from local.notebook import NotebookError, Runner
from local.report import write_report
from local.report_data import gather
from pinterest_transforms.analysis import ANSWERS
from pinterest_transforms.entities import ENTITIES
from pinterest_transforms.settings import Settings
from pinterest_transforms.storage.kinesis import Reading

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
SCHEMA, STREAM = "notebook_runs", "notebook_streams"


class Ran:
    """The batch notebooks, run one after another."""

    def __init__(self, spark: SparkSession, folder: Path) -> None:
        self.spark = spark
        self.out = StringIO()
        self.runner = Runner(spark, Screen(self.out))
        self.settings = Settings(schema=SCHEMA, landing=str(folder / "landing"), warehouse=str(folder / "warehouse"))
        self.exits: dict[str, str] = {}
        self.streamed = 0

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
            "stream_kinesis": {"catalog": "spark_catalog", "schema": STREAM, "warehouse": self.settings.warehouse},
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
    stream(ran)
    yield ran
    for schema in (SCHEMA, STREAM):
        ran.spark.sql(f"DROP SCHEMA {schema} CASCADE")


def stream(ran: Ran) -> None:
    """The stream notebook takes the pins from a Kinesis with keys of a secret scope; then the answers of that leg."""
    ran.spark.dataSource.register(KinesisSource)
    pin, settings = ENTITIES[0], Settings(leg="stream")
    with serving() as kinesis, pytest.MonkeyPatch.context() as patched:
        patched.setenv("PINTEREST_SECRET_KINESIS_ACCESS_KEY", "an-access-key")
        patched.setenv("PINTEREST_SECRET_KINESIS_SECRET_KEY", "a-secret-key")
        for entity in ENTITIES:
            kinesis.create(settings.stream(entity), 2)
        client = Reading(region="eu-west-1", endpoint=kinesis.url, access_key="a", secret_key="b").client()
        rows = [row for chunk in chunks(pin, 60, 5) for row in chunk]
        values = [json_bytes(dict(zip(column_names(pin), row, strict=True))) for row in rows]
        records = [{"Data": value, "PartitionKey": str(row[0])} for value, row in zip(values, rows, strict=True)]
        client.put_records(StreamName=settings.stream(pin), Records=[*records, {"Data": b"[]", "PartitionKey": "1"}])
        ran.run("stream_kinesis", endpoint=kinesis.url, region="eu-west-1", scope="kinesis", run_id="streamed")
    ran.streamed = len(rows)
    ran.run("analyse", leg="stream", schema=STREAM)


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


def test_stream_kinesis_fills_the_tables_of_its_own_leg(ran: Ran) -> None:
    name = Settings(leg="stream").clean_table(ENTITIES[0])
    assert ran.spark.table(f"{STREAM}.`{name}`").count() == ran.streamed > 50
    assert ran.spark.table(f"{STREAM}.posts").count() == ran.streamed
    shown = ran.out.getvalue()
    assert "streaming-12f6caff3559-pin" in shown
    assert "an-access-key" not in shown


def test_analyse_shows_every_answer_as_table_and_chart(ran: Ran) -> None:
    shown = ran.out.getvalue()
    assert all(answer.question in shown for answer in ANSWERS)
    assert len(ran.runner.screen.figures) == 2 * len(ANSWERS)


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
