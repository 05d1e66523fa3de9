from pathlib import Path

import pytest

from local.notebooks.source_format import NotebookError, read_cells

NOTEBOOK = """\
# Databricks notebook source
# MAGIC %md
# MAGIC # Clean the pins
# MAGIC Every one of them.

# COMMAND ----------

x = 1
y = 2

# COMMAND ----------

# DBTITLE 1,How many
# MAGIC %md How many,
# MAGIC    and which

# COMMAND ----------

# COMMAND ----------

# DBTITLE 1,The third
z = 3
"""


def _write(folder: Path, text: str) -> Path:
    file = folder / "book.py"
    file.write_text(text, encoding="utf-8")
    return file


def test_cells_keep_order_kind_title_and_line(tmp_path: Path) -> None:
    cells = read_cells(_write(tmp_path, NOTEBOOK))

    assert [(c.number, c.is_markdown, c.title, c.first_line) for c in cells] == [
        (1, True, "", 2),
        (2, False, "Clean the pins", 7),
        (3, True, "How many", 12),
        (4, False, "The third", 20),
    ]


def test_a_cell_has_as_many_lines_as_the_file_has(tmp_path: Path) -> None:
    cells = read_cells(_write(tmp_path, NOTEBOOK))

    lines = NOTEBOOK.splitlines()
    for cell in cells:
        for at, text in enumerate(cell.source.splitlines()):
            assert text.strip() in lines[cell.first_line - 1 + at]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "{path} must be a notebook in source format: its first line must be '# Databricks notebook source'"),
        (
            "x = 1\n",
            "{path} must be a notebook in source format: its first line must be '# Databricks notebook source'",
        ),
        (
            "# Databricks notebook source\nx = 1\n\n# COMMAND ----------\n\n# MAGIC %scala\n# MAGIC val x = 1\n",
            "book.py, cell 2: magic must be %md, got %scala",
        ),
        (
            "# Databricks notebook source\n# MAGIC SELECT 1\n",
            "book.py, cell 1: magic must be %md, got 'SELECT 1'",
        ),
        (
            "# Databricks notebook source\n# MAGIC %md\n# MAGIC Text\nx = 1\n",
            "book.py, cell 1: every line of a cell with a magic must start with '# MAGIC', and one does not",
        ),
    ],
)
def test_what_is_no_notebook_is_told(tmp_path: Path, text: str, message: str) -> None:
    path = _write(tmp_path, text)

    with pytest.raises(NotebookError) as told:
        read_cells(path)

    assert str(told.value) == message.format(path=path)


def test_a_notebook_that_is_not_there_or_not_text_is_told(tmp_path: Path) -> None:
    (tmp_path / "bytes.py").write_bytes(b"# Databricks notebook source\n\xff")

    for name in ("none.py", "bytes.py"):
        with pytest.raises(NotebookError, match="must be a notebook in source format, and cannot be read"):
            read_cells(tmp_path / name)


def test_windows_line_ends_make_no_difference(tmp_path: Path) -> None:
    unix = read_cells(_write(tmp_path, NOTEBOOK))
    (tmp_path / "book.py").write_bytes(NOTEBOOK.replace("\n", "\r\n").encode())

    assert read_cells(tmp_path / "book.py") == unix


def test_every_notebook_of_the_project_can_be_read() -> None:
    notebooks = sorted((Path(__file__).parents[3] / "notebooks").glob("*.py"))

    assert notebooks
    assert all(read_cells(notebook) for notebook in notebooks)
