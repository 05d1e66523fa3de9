"""Mistakes planted in the bundle's files are caught: refused by the resolver, or found by the checks."""

from pathlib import Path

import pytest

from tests.bundle import quartz
from tests.bundle.checking import findings, findings_in_files
from tests.bundle.loading import BundleError, load
from tests.bundle.resolving import GIVEN, resolve, resolved

# File, what stands in it, what is put there, and what is told of it by the resolver.
REFUSED = [
    ("resources/batch.job.yml", "timeout_seconds: 7200", "timeout_second: 7200", "Unexpected field 'timeout_second'"),
    ("resources/batch.job.yml", "notebook_path: ../notebooks/analyse.py", "notebook: x", "Unexpected field 'notebook'"),
    ("resources/batch.job.yml", "RUN_DURATION_SECONDS", "RUN_SECONDS", "'RUN_SECONDS' is not a valid JobsHealthMetric"),
    ("resources/batch.job.yml", "  jobs:", "  job:", "resources/batch.job.yml: unknown kind of resource job"),
    ("resources/batch.job.yml", "${var.user_id}", "${var.userid}", "${var.userid} must refer to something"),
    (
        "resources/batch.job.yml",
        "schemas.batch.name",
        "schemas.bath.name",
        "schemas.bath.name} must refer to something",
    ),
    (
        "resources/batch.job.yml",
        "pinterest_batch:\n",
        "pinterest_stream:\n",
        "jobs.pinterest_stream must be declared once",
    ),
    ("resources/stream.job.yml", "ON_FAILURE", "ALWAYS", "'ALWAYS' is not a valid TaskRetryMode"),
    ("resources/batch.schema.yml", "SELECT", "SELECT_ALL", "'SELECT_ALL' is not a valid Privilege"),
    ("databricks.yml", "mode: production", "mode: prod", "mode must be development or production, got 'prod'"),
    ("databricks.yml", "name_prefix:", "prefix:", "targets.staging: presets: unknown key prefix"),
    ("databricks.yml", "  engine: direct", "  engin: direct", "databricks.yml: bundle: unknown key engin"),
    ("databricks.yml", "resources/*.yml", "resource/*.yml", "include must name files, got 'resource/*.yml'"),
    ("databricks.yml", "choices:compute", "choices:computing", "Name 'computing' not found in module"),
    (
        "databricks.yml",
        "secret_scope: pinterest_staging",
        "scope: x",
        "variable 'scope' of target staging must be declared",
    ),
]


@pytest.mark.parametrize(("file", "before", "after", "told"), REFUSED, ids=[told for *_, told in REFUSED])
def test_a_mistake_planted_in_a_file_is_refused(copied: Path, file: str, before: str, after: str, told: str) -> None:
    replace(copied / file, before, after)
    with pytest.raises(BundleError) as error:
        resolve(load(copied), "staging", GIVEN, root=copied)
    assert told in str(error.value)


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
    ("resources/landing.py", "s3://", "AKIA" + "ABCDEFGHIJKLMNOP", "must not name an AWS access key"),
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
    replace(copied / file, before, after)
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


def replace(path: Path, before: str, after: str) -> None:
    """Plants a mistake; the place must be there."""
    text = path.read_text(encoding="utf-8")
    assert before in text
    path.write_text(text.replace(before, after), encoding="utf-8")
