"""The dictionary of tables says what the tables hold; the code of the pages runs, and shows what they say."""

import contextlib
import io
import re
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from pyspark.sql import SparkSession
from pyspark.sql import types as T

from pinterest_transforms.schemas import COLUMN_CLASSES, PII, column_class
from pinterest_transforms.settings import Settings
from pinterest_transforms.tables.constraints import check_constraints
from pinterest_transforms.tables.definitions import TableSpec, answer_specs, erased_spec, raw_spec, work_specs
from pinterest_transforms.tables.views import VIEWS, view_columns

DOCS = Path(__file__).parents[2] / "docs"


def test_every_table_and_column_stands_in_the_dictionary() -> None:
    page = (DOCS / "tables.md").read_text(encoding="utf-8")
    raw = replace(raw_spec(Settings()), name="<id>_raw_table")
    views = [TableSpec(view, "one row per post", view_columns(view)) for view in VIEWS]
    for spec in (*work_specs(Settings()), *answer_specs(), raw, *views):
        section = page.split(f"## `{spec.name}`", 1)[1].split("\n## ", 1)[0]
        assert spec.comment in section
        rows = re.findall(r"^\| `(\w+)` \| (.+?) \| (\w+) \| (.+) \|$", section, re.M)
        expected = [
            (column.name, _sql_type(column), column_class(column), column.metadata["comment"])
            for column in spec.columns
        ]
        assert rows == expected


def test_every_constraint_stands_in_its_page_and_in_the_contract() -> None:
    page = (DOCS / "constraints.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\S+)` \| (.+?) \| (.+) \|$", page, re.M)
    contract = yaml.safe_load((DOCS / "contract.odcs.yaml").read_text(encoding="utf-8"))
    promised = {
        (table["name"], rule["name"]): rule["query"]
        for table in contract["schema"]
        for column in table["properties"]
        for rule in column.get("quality", ())
    }
    raw, expected = replace(raw_spec(Settings()), name="<id>_raw_table"), []
    for spec in (*work_specs(Settings()), raw, erased_spec()):
        expected += [(spec.name, "NOT NULL", f"`{one.name}`") for one in spec.columns if one.metadata.get("required")]
        for name, condition in check_constraints(spec).items():
            expected.append((spec.name, f"`{name}`", condition.replace("`", "")))
            if spec.name != "erased":
                query = promised.pop((spec.name.removeprefix("<id>_"), name))
                assert query == f"SELECT count(*) FROM ${{object}} WHERE NOT ({condition})"
    assert rows == expected
    assert promised == {}


def _sql_type(column: T.StructField) -> str:
    """The type as the page has it: fields of structs are below the tables."""
    return re.sub(r"STRUCT<[^<>]*>", "STRUCT", column.dataType.simpleString().upper())


def test_every_column_has_a_class_and_what_names_a_person_is_no_public_one() -> None:
    columns = [column for spec in (*work_specs(Settings(leg="stream")), *answer_specs()) for column in spec.columns]
    assert {column_class(column) for column in columns} == set(COLUMN_CLASSES)
    texts = {"user_name", "poster_name", "title", "description", "tag_list", "raw", "raw_bytes", "data"}
    assert {column.name for column in columns if column_class(column) == PII} == texts


@pytest.mark.parametrize("name", ["library.md", "explain.md"])
def test_each_example_shows_what_the_page_says(interpreted: SparkSession, name: str) -> None:
    page = (DOCS / name).read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```\n```text\n(.*?)```", page, re.DOTALL)
    names: dict[str, object] = {"spark": interpreted}
    assert len(blocks) == page.count("```python")
    for code, shown in blocks:
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            exec(compile(code, name, "exec"), names)  # noqa: S102 - the page's own code
        assert out.getvalue().strip() == shown.strip()
