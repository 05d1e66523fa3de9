"""Mistakes written into the bundle's files, and into a dashboard's, are found by the checks."""

from pathlib import Path

import pytest

from tests.bundle.checks import quartz
from tests.bundle.checks.checking import findings, findings_in_files
from tests.bundle.checks.mistakes import Mistake, plant
from tests.bundle.resolving import resolved

WRITTEN = [
    (
        "databricks.yml",
        "default: main",
        "default: main\n  unused:\n    default: x",
        "variable unused must be used, or not be",
    ),
    (
        "databricks.yml",
        "default: main",
        "default: main\n  bare:\n    default: x",
        "variable bare must have a description",
    ),
    ("resources/batch.job.yml", "${var.user_id}", "${var.userid}", "variable userid must be declared"),
    (
        "resources/batch.job.yml",
        "timezone_id: UTC",
        "timezone_id: UTC # jo@example.org",
        "must not name an e-mail address",
    ),
    ("resources/batch.job.yml", "leg: batch", "leg: 12f6caff3559", "the user id must come from the variable"),
    ("resources/landing_volume.py", "s3://", "AKIA" + "ABCDEFGHIJKLMNOP", "must not name an AWS access key"),
    (
        "databricks.yml",
        "${var.service_principal}/.bundle",
        "jo/.bundle",
        "must not name a person's folder, got /Users/jo",
    ),
    ("databricks.yml", "mode: development", "mode: development # dapi" + "0" * 32, "must not name a workspace token"),
]


@pytest.mark.parametrize(("file", "before", "after", "told"), WRITTEN, ids=[told for *_, told in WRITTEN])
def test_a_mistake_written_into_a_file_is_caught(copied: Path, file: str, before: str, after: str, told: str) -> None:
    assert not any(told in line for line in findings_in_files(copied))
    plant(Mistake(file, before, after, told), copied)
    assert any(told in line for line in findings_in_files(copied))


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ('{"datasets": [], "pages": [{"datasetName": "posts"}]}', "dataset posts must exist, a widget shows it"),
        ('{"datasets": [{"name": "posts"}], "pages": []}', "dataset posts must be shown, or not be there"),
        ('{"datasets": [], "pages": []}', "must show a dataset"),
    ],
)
def test_a_dashboard_that_shows_what_is_not_there_is_caught(tmp_path: Path, content: str, told: str) -> None:
    (tmp_path / "board.json").write_text(content, encoding="utf-8")
    bundle = resolved("prod")
    bundle["resources"]["dashboards"] = {"board": {"display_name": "Board", "file_path": "board.json"}}
    assert f"dashboards.board: {told}" in findings(bundle, root=tmp_path)


@pytest.mark.parametrize(
    "expression",
    [
        "0 0 5 * * ?",
        "0 0/15 * * * ?",
        "0 0 3 ? * SUN",
        "0 30 8-18/2 ? * MON-FRI",
        "0 0 12 L * ?",
        "0 0 12 ? * 6#3 2027",
    ],
)
def test_a_quartz_expression_is_taken(expression: str) -> None:
    assert quartz.mistake(expression) == ""


@pytest.mark.parametrize(
    "expression",
    ["", "0 5 * * *", "0 0 5 * * *", "0 0 5 ? * ?", "0 0 24 * * ?", "0 60 * * * ?", "0 0 5 32 * ?", "0 0 5 ? * SON"],
)
def test_what_is_no_quartz_expression_is_refused(expression: str) -> None:
    assert quartz.mistake(expression).startswith("cron")
