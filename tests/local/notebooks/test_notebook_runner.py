import io
import linecache
import os
import traceback
from collections.abc import Callable
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from local.notebooks.display import Screen
from local.notebooks.notebook_runner import Runner
from local.notebooks.source_format import NotebookError

Write = Callable[..., Path]


def test_cells_share_their_names_and_run_as_main(runner: Runner, write: Write, out: io.StringIO) -> None:
    runner.run(write("x = 1\nassert __name__ == '__main__'", "print('x is', x)"))

    assert out.getvalue() == "x is 1\n"


def test_it_runs_in_its_own_folder_and_leaves_no_trace(runner: Runner, write: Write, out: io.StringIO) -> None:
    before = Path.cwd()
    path = write("import os\nprint(os.getcwd())")

    runner.run(path)

    assert out.getvalue().strip() == str(path.parent)
    assert Path.cwd() == before


def test_exit_ends_the_notebook_with_a_value(runner: Runner, write: Write, out: io.StringIO) -> None:
    path = write(
        "try:\n    dbutils.notebook.exit('/landing')\nexcept Exception:\n    print('swallowed')",
        "print('after the end')",
    )

    assert runner.run(path) == "/landing"
    assert out.getvalue() == ""
    assert runner.run(write("pass", name="silent")) == ""


def test_an_error_names_notebook_cell_and_line(runner: Runner, write: Write) -> None:
    path = write("def half(x):\n    return 1 / x", "a = 2", "half(a)\n\nhalf(0)")

    with pytest.raises(NotebookError) as told:
        runner.run(path)

    assert str(told.value) == "book.py, cell 3, line 3: ZeroDivisionError: division by zero"
    frames = traceback.extract_tb(told.value.__cause__.__traceback__)
    mine = [(frame.lineno, frame.line) for frame in frames if frame.filename == str(path)]
    assert mine == [(11, "half(0)"), (3, "return 1 / x")]
    assert linecache.getline(str(path), 11).strip() == "half(0)"


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        (("x = 1", "y = (1,\nz = 2"), "book.py, cell 2, line 5: SyntaxError: '(' was never closed"),
        (("import sys\nsys.exit(3)",), "book.py, cell 1, line 3: SystemExit: 3"),
        (("raise ValueError('two\\nlines')",), "book.py, cell 1, line 2: ValueError: two"),
        (("raise ValueError",), "book.py, cell 1, line 2: ValueError"),
        (
            ("dbutils.fs.cp('a', 'b')",),
            "book.py, cell 1, line 2: AttributeError: 'Filesystem' object has no attribute 'cp'",
        ),
        (
            ("dbutils.library.install('x')",),
            "book.py, cell 1, line 2: AttributeError: 'types.SimpleNamespace' object has no attribute 'library'",
        ),
    ],
)
def test_every_error_is_one_line(runner: Runner, write: Write, cells: tuple[str, ...], message: str) -> None:
    with pytest.raises(NotebookError) as told:
        runner.run(write(*cells))

    assert str(told.value) == message


def test_ctrl_c_is_not_taken_for_an_error_of_the_notebook(runner: Runner, write: Write) -> None:
    with pytest.raises(KeyboardInterrupt):
        runner.run(write("raise KeyboardInterrupt"))


def test_markdown_is_for_those_who_read_the_notebook(runner: Runner, write: Write, out: io.StringIO) -> None:
    told: list[str] = []
    runner.progress = told.append

    runner.run(write("# MAGIC %md\n# MAGIC # Story", "pass"))

    assert (out.getvalue(), told) == ("", ["book: Story"])


def test_display_reaches_the_screen(spark: SparkSession, write: Write, out: io.StringIO) -> None:
    runner = Runner(spark, Screen(out))

    runner.run(write("display(spark.range(2))"))

    assert [line.strip() for line in out.getvalue().splitlines() if "─" not in line] == ["id", "0", "1", ""]


def test_an_error_of_spark_is_one_line(spark: SparkSession, write: Write, out: io.StringIO) -> None:
    runner = Runner(spark, Screen(out))

    with pytest.raises(NotebookError) as analysis:
        runner.run(write("spark.table('no_such_table')"))
    with pytest.raises(NotebookError) as parse:
        runner.run(write("spark.sql('SELEKT 1')"))

    assert str(analysis.value).startswith(
        "book.py, cell 1, line 2: AnalysisException: [TABLE_OR_VIEW_NOT_FOUND] The table or view `no_such_table` cannot"
    )
    assert str(parse.value).startswith("book.py, cell 1, line 2: ParseException: [PARSE_SYNTAX_ERROR]")
    assert "\n" not in str(analysis.value) + str(parse.value)


def test_nothing_is_left_in_the_folder(spark: SparkSession, write: Write, out: io.StringIO) -> None:
    path = write("spark.range(3).count()")

    Runner(spark, Screen(out)).run(path)

    assert os.listdir(path.parent) == ["book.py"]  # noqa: PTH208 - names are what is compared
