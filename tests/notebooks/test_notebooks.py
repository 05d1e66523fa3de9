"""Runs every notebook, the very files, over a small dirty landing."""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from emulation.source.source_records import column_names, to_json_line
from emulation.synthetic.generator import generate_rows
from local.kinesis.kinesis_emulator import serve_emulator
from local.kinesis.kinesis_source import KinesisSource
from local.notebooks.notebook_runner import NotebookError
from local.report.report_data import collect_report_data, read_summaries
from local.report.report_file import write_report
from pinterest_transforms.analysis.answers import ANSWERS
from pinterest_transforms.entities import ENTITIES
from pinterest_transforms.ingest.kinesis import KinesisSourceConfig
from pinterest_transforms.schemas import SCHEMA_VERSION
from pinterest_transforms.settings import Settings
from tests.support.controlled_kinesis import ControlledKinesis
from tests.support.notebook_runs import NOTEBOOKS, STREAM_SCHEMA, Ran


@pytest.fixture(scope="module")
def streamed(ran: Ran, interpreted: SparkSession) -> Iterator[int]:
    """The stream notebook takes the pins from a Kinesis with keys of a secret scope; how many there are."""
    interpreted.dataSource.register(KinesisSource)
    pin, stream = ENTITIES[0], Settings(leg="stream").stream(ENTITIES[0])
    with serve_emulator(ControlledKinesis()) as kinesis, pytest.MonkeyPatch.context() as patched:
        patched.setenv("PINTEREST_SECRET_KINESIS_ACCESS_KEY", "an-access-key")
        patched.setenv("PINTEREST_SECRET_KINESIS_SECRET_KEY", "a-secret-key")
        kinesis.create(stream, 2)
        client = KinesisSourceConfig(region="eu-west-1", endpoint=kinesis.url, access_key="a", secret_key="b").client()
        rows = [row for chunk in generate_rows(pin, 60, 5) for row in chunk]
        values = [to_json_line(dict(zip(column_names(pin), row, strict=True))).encode() for row in rows]
        records = [{"Data": value, "PartitionKey": str(row[0])} for value, row in zip(values, rows, strict=True)]
        client.put_records(StreamName=stream, Records=[*records, {"Data": b"[]", "PartitionKey": "1"}])
        place = {"endpoint": kinesis.url, "region": "eu-west-1", "scope": "kinesis"}
        ran.run("stream_kinesis", **place, entity="pin", run_id="streamed", log_format="json")
    yield len(rows)
    interpreted.sql(f"DROP SCHEMA {STREAM_SCHEMA} CASCADE")


pytestmark = pytest.mark.usefixtures("interpreted")


@pytest.mark.usefixtures("streamed")
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
    assert not re.search(r"\b(int|float)\(", "\n".join(code)), (
        "a widget's number is read by a helper, which says what is wrong"
    )


@pytest.mark.parametrize("path", sorted(NOTEBOOKS.glob("*.py")), ids=lambda path: path.stem)
def test_a_notebook_reads_as_a_story(path: Path) -> None:
    """A title for each cell of code, and a sentence below each heading."""
    cells = path.read_text(encoding="utf-8").split("# COMMAND ----------\n")
    untitled = [cell for cell in cells[1:] if "# MAGIC" not in cell and not cell.lstrip().startswith("# DBTITLE 1,")]
    assert untitled == []
    bare = [
        cell for cell in cells if re.search(r"^# MAGIC (%md )?#", cell, re.M) and not cell.rstrip().endswith((".", "|"))
    ]
    assert bare == []


def test_mount_s3_returns_the_landing(ran: Ran) -> None:
    assert ran.exits["mount_s3"] == ran.settings.landing


def rows(shown: str, *columns: str) -> dict[str, list[str]]:
    """The rows of the shown table that has those columns, by their first value."""
    lines = shown.splitlines()
    start = next(at for at, line in enumerate(lines) if line.split()[: len(columns)] == list(columns))
    found: dict[str, list[str]] = {}
    for line in lines[start + 1 :]:
        if not line.strip():
            break
        first, *rest = line.replace(",", "").split()
        if not first.startswith("─"):
            found[first] = rest
    return found


def test_check_landing_shows_what_each_topic_holds(ran: Ran) -> None:
    shown = rows(ran.shown["check_landing"], "topic", "files", "bytes", "newest_file")
    for entity in ENTITIES:
        files = list(Path(ran.settings.topic_folder(entity)).rglob("*.json"))
        newest = datetime.fromtimestamp(max(file.stat().st_mtime for file in files), UTC)
        count, size, day, time, not_taken = shown[ran.settings.topic(entity)]
        assert (int(count), int(size)) == (len(files), sum(file.stat().st_size for file in files))
        assert (day, time[:8], not_taken) == (f"{newest:%Y-%m-%d}", f"{newest:%H:%M:%S}", "0")


def test_set_up_tables_shows_the_tables_with_their_versions(ran: Ran) -> None:
    shown = rows(ran.shown["set_up_tables"], "table", "rows", "delta_version", "schema_version")
    assert [shown[entity.batch_table] for entity in ENTITIES] == [["0", "0", str(SCHEMA_VERSION)]] * 3
    assert {"quarantine", "runs"} < set(shown)


def test_check_quality_shows_the_figures_and_lets_a_good_run_pass(ran: Ran) -> None:
    shown = rows(ran.shown["check_quality"], "topic", "read", "merged", "already_there", "rejected", "repaired")
    assert list(shown) == [*(ran.settings.topic(entity) for entity in ENTITIES), "all"]
    noted = ran.leg.table("quarantine").where("kind = 'rejected'").count()
    assert int(shown["all"][3]) == noted > 0
    assert ran.shown["check_quality"].endswith("passed\n")
    assert ran.shown["check_quality"].count("passed") == 1, "notebooks before it have set the log up, too"


def test_check_quality_fails_a_bad_run_in_one_line_after_showing_why(ran: Ran) -> None:
    before = len(ran.out.getvalue())
    with pytest.raises(NotebookError) as error:
        ran.run("check_quality", max_rejected_ratio="0")
    said = str(error.value)
    assert said.startswith("check_quality.py, cell ")
    assert ": quality gate, run first: rejected records must be at most 0.00% of those read, got " in said
    assert "\n" not in said
    shown = ran.out.getvalue()[before:]
    assert "not exactly one JSON object" in shown
    assert "passed" not in shown


def test_maintain_shows_every_table_and_takes_nothing_from_them(ran: Ran) -> None:
    shown = rows(ran.shown["maintain"], "table", "rows_removed", "files_before", "files_after", "bytes_after")
    assert {"pins", "geolocations", "users", "quarantine", "runs", ANSWERS[0].name} == set(shown)
    assert {row[0] for row in shown.values()} == {"0"}
    assert all(int(after) <= int(before) for _, before, after, _ in shown.values())
    assert ran.table("top_category_by_country") > 0


@pytest.mark.parametrize(
    ("name", "values", "said"),
    [
        ("check_landing", {"landing": "nowhere"}, "landing must be a folder that holds topics/, got 'nowhere'"),
        ("check_landing", {"user_id": "abc"}, "landing must hold topics abc.pin, .geo or .user, got 12f6caff3559.geo"),
        ("check_landing", {"landing": "s9://nowhere"}, "landing must be readable, got 's9://nowhere': "),
        ("set_up_tables", {"leg": "both"}, "widget leg must be one of batch, stream, got 'both'"),
        ("check_quality", {"max_rejected_ratio": "20"}, "max_rejected_ratio must be a number from 0 to 1, got '20'"),
        ("check_quality", {"max_age_hours": "two"}, "max_age_hours must be a number from 0 to 999999999, got 'two'"),
        ("maintain", {"raw_days": "-1"}, "raw_days must be a whole number from 0 to 36500, got '-1'"),
        ("maintain", {"quarantine_days": ""}, "quarantine_days must be a whole number from 0 to 36500, got ''"),
        ("maintain", {"vacuum_hours": "24"}, "vacuum_hours must be at least 168, so that readers and writers"),
        ("clean_batch", {"entity": "pins"}, "widget entity must be one of all, pin, geo, user, got 'pins'"),
        ("stream_kinesis", {"raw_days": "thirty"}, "raw_days must be a whole number from 0 to 36500, got 'thirty'"),
        ("stream_kinesis", {"raw_days": "1.5"}, "raw_days must be a whole number from 0 to 36500, got '1.5'"),
    ],
)
def test_a_value_that_cannot_be_used_is_one_clear_line(ran: Ran, name: str, values: dict[str, str], said: str) -> None:
    with pytest.raises(NotebookError) as error:
        ran.run(name, **values)
    where, _, what = str(error.value).partition(": ")
    assert where.startswith(f"{name}.py, cell ")
    assert what.startswith(said)
    assert "\n" not in what


def test_clean_batch_fills_the_tables_and_says_what_was_rejected(ran: Ran) -> None:
    assert ran.table("pins") > 290
    shown = ran.out.getvalue()
    assert "not exactly one JSON object" in shown
    assert "follower_count" in shown


def test_stream_kinesis_fills_the_tables_of_its_own_leg(ran: Ran, streamed: int) -> None:
    name = Settings(leg="stream").clean_table(ENTITIES[0])
    assert ran.spark.table(f"{STREAM_SCHEMA}.`{name}`").count() == streamed > 50
    assert ran.spark.table(f"{STREAM_SCHEMA}.posts").count() == streamed
    shown = ran.out.getvalue()
    assert "streaming-12f6caff3559-pin" in shown
    assert "an-access-key" not in shown


def test_check_quality_measures_the_stream_leg_by_its_streams(ran: Ran, streamed: int) -> None:
    before = len(ran.out.getvalue())
    with pytest.raises(NotebookError, match=r"the newest record of \S+-geo must be .* old, got none at all; .*-user "):
        ran.run("check_quality", leg="stream", schema=STREAM_SCHEMA, run_id="streamed")
    shown = rows(ran.out.getvalue()[before:], "topic", "read", "merged", "already_there", "rejected", "repaired")
    settings = Settings(leg="stream")
    assert list(shown) == [*(settings.stream(entity) for entity in ENTITIES), "all"]
    assert shown[settings.stream(ENTITIES[0])][:4] == [str(streamed + 1), str(streamed), "0", "1"]


def test_people_read_the_log_as_text_and_machines_as_json(ran: Ran, streamed: int) -> None:
    assert re.search(rf"^{re.escape(ran.settings.topic(ENTITIES[0]))}: \d+ new files$", ran.shown["clean_batch"], re.M)
    assert "{" not in ran.shown["clean_batch"].partition("topic")[0]
    lines = [json.loads(line) for line in ran.shown["stream_kinesis"].splitlines() if line.startswith("{")]
    assert {(line["run_id"], line["topic"]) for line in lines} == {("streamed", "streaming-12f6caff3559-pin")}
    batches = [line for line in lines if "batch_id" in line]
    assert (sum(line["merged"] for line in batches), sum(line["rejected"] for line in batches)) == (streamed, 1)
    assert not any(key in ran.shown["stream_kinesis"] for key in ("an-access-key", "a-secret-key"))


def test_analyse_shows_every_answer_as_table_and_chart(ran: Ran) -> None:
    shown = ran.out.getvalue()
    assert all(answer.question in shown for answer in ANSWERS)
    assert shown.count("chart: ") == len(ANSWERS)


def test_erase_only_counts_unless_it_is_asked_for_more(ran: Ran) -> None:
    assert "2 posts" in ran.shown["erase"]
    assert re.search(r"pins\W+2\W", ran.shown["erase"])
    assert ran.leg.table("pins").where("ind IN (1, 2)").count() == 2


def test_a_second_run_of_one_entity_takes_nothing(ran: Ran) -> None:
    before = ran.table("runs")
    ran.run("clean_batch", entity="geo", run_id="second")
    assert ran.table("runs") == before


def test_the_report_holds_every_answer_and_no_path_of_the_machine(
    ran: Ran, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(Path(ran.settings.landing).parent)
    data = collect_report_data(ran.leg, read_summaries(ran.leg))
    page = write_report(tmp_path / "report.html", data).read_text(encoding="utf-8")
    assert all(answer.name in page for answer in ANSWERS)
    assert data.source == Path(ran.settings.landing).name
    assert json.dumps(ran.settings.landing)[1:-1] not in page


def test_analyse_shows_the_posts_behind_a_number(ran: Ran) -> None:
    _, heading, posts = ran.shown["analyse"].partition("pin_position")
    assert heading
    assert "geo_raw" in posts.splitlines()[0]
    assert '"index"' in posts
