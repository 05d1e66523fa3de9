"""The dictionary of tables says what the tables say."""

from pathlib import Path

from pinterest_transforms.settings import Settings
from pinterest_transforms.tables.definitions import answer_specs, posts_columns, work_specs


def test_every_table_and_column_stands_in_the_dictionary() -> None:
    page = (Path(__file__).parents[2] / "docs" / "tables.md").read_text(encoding="utf-8")
    for spec in (*work_specs(Settings()), *answer_specs()):
        section = page.split(f"## `{spec.name}`", 1)[1].split("\n## ", 1)[0]
        assert spec.comment in section
        for column in spec.columns:
            assert f"| `{column.name}` |" in section
            assert column.metadata["comment"] in section
    assert all(f"| `{name}` | {comment} |" in page for name, comment in posts_columns())
