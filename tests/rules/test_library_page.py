"""The code of the library's page runs, and shows what the page says."""

import contextlib
import io
import re
from pathlib import Path

from pyspark.sql import SparkSession

PAGE = Path(__file__).parents[2] / "docs" / "library.md"


def test_each_example_shows_what_the_page_says(spark: SparkSession) -> None:
    blocks = re.findall(r"```python\n(.*?)```\n```text\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    names: dict[str, object] = {"spark": spark}
    assert len(blocks) == PAGE.read_text(encoding="utf-8").count("```python")
    for code, shown in blocks:
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            exec(compile(code, str(PAGE), "exec"), names)  # noqa: S102 - the page's own code
        assert out.getvalue().strip() == shown.strip()
