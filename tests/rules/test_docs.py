"""The dictionary of tables says what the tables hold; the code of the library's page runs, and shows what it says."""

import contextlib
import io
import re
from pathlib import Path

from pyspark.sql import SparkSession

from pinterest_transforms.settings import Settings
from pinterest_transforms.tables.definitions import answer_specs, work_specs
from pinterest_transforms.tables.views import VIEWS, view_columns

DOCS = Path(__file__).parents[2] / "docs"


def test_every_table_and_column_stands_in_the_dictionary() -> None:
    page = (DOCS / "tables.md").read_text(encoding="utf-8")
    for spec in (*work_specs(Settings()), *answer_specs()):
        section = page.split(f"## `{spec.name}`", 1)[1].split("\n## ", 1)[0]
        assert spec.comment in section
        for column in spec.columns:
            assert f"| `{column.name}` |" in section
            assert column.metadata["comment"] in section
    for view in VIEWS:
        section = page.split(f"## `{view}`", 1)[1].split("\n## ", 1)[0]
        assert re.findall(r"^\| `(\w+)` \| (.*) \|$", section, re.MULTILINE) == [
            (name, comment) for name, _, comment in view_columns(view)
        ]


def test_each_example_shows_what_the_page_says(spark: SparkSession) -> None:
    page = (DOCS / "library.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```\n```text\n(.*?)```", page, re.DOTALL)
    names: dict[str, object] = {"spark": spark}
    assert len(blocks) == page.count("```python")
    for code, shown in blocks:
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            exec(compile(code, "library.md", "exec"), names)  # noqa: S102 - the page's own code
        assert out.getvalue().strip() == shown.strip()
