"""``python -m local notebook`` as a job's task calls it: values of widgets, one line for a failure, exit codes."""

from pathlib import Path

import pytest

from local.cli.notebook_command import select_widget_values
from pinterest_transforms.errors import SettingsError
from tests.local.cli.local_commands import PROJECT
from tests.local.conftest import Call, Write

TELLS = """
dbutils.widgets.text("catalog", "main")
dbutils.widgets.text("warehouse", "")
dbutils.widgets.text("run_id", "none")
print([(name, dbutils.widgets.get(name)) for name in ("catalog", "run_id", "warehouse")])
print(spark.range(3).count(), "rows")
"""


@pytest.mark.usefixtures("spark")
def test_a_notebook_gets_its_values_and_no_others(call: Call, write: Write, tmp_path: Path) -> None:
    book = write(TELLS, 'dbutils.notebook.exit("done well")')
    warehouse = tmp_path / "warehouse"
    given = (f"warehouse={warehouse}", "run_id=a=b c", "max_rejected_ratio=0.2", "rebuild=false")
    code, out, err = call("notebook", str(book), *given)
    assert code == 0, err
    values = [("catalog", "spark_catalog"), ("run_id", "a=b c"), ("warehouse", str(warehouse))]
    assert out == f"{values}\n3 rows\n"
    assert "left out, since book has no such widget: max_rejected_ratio, rebuild\n" in err
    assert "book exits with: done well\n" in err


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        ("spark.sql('SELECT * FROM nothing')", "AnalysisException: [TABLE_OR_VIEW_NOT_FOUND]"),
        ("raise ValueError('not this one')", "ValueError: not this one"),
    ],
)
@pytest.mark.usefixtures("spark")
def test_a_failing_notebook_is_one_line_and_1(call: Call, write: Write, cell: str, said: str) -> None:
    book = write("x = 1", f"if x:\n    {cell}")
    code, out, err = call("notebook", str(book))
    assert (code, out) == (1, "")
    assert "Traceback" not in err
    *steps, last = err.splitlines()
    assert last.startswith(f"error: book.py, cell 2, line 6: {said}")
    assert all(line.startswith("[") for line in steps)


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (
            ["notebooks/none", "leg=batch"],
            "error: notebook must be an existing file, got {folder}/notebooks/none",
        ),
        (
            ["{project}/notebooks/analyse.py", "batch"],
            "error: argument name=value: must be name=value, got 'batch' (see python -m local notebook --help)",
        ),
        (
            ["{project}/notebooks/analyse.py", "=batch"],
            "error: argument name=value: must be name=value, got '=batch' (see python -m local notebook --help)",
        ),
        (
            ["{project}/notebooks/analyse", "leg=batch", "leg=stream"],
            "error: argument name=value: must be given once, got leg twice (see python -m local notebook --help)",
        ),
        ([], "error: the following arguments are required: PATH (see python -m local notebook --help)"),
        ([""], "error: argument PATH: must be a path, got '' (see python -m local notebook --help)"),
    ],
)
def test_a_wrong_argument_is_one_line_and_2(call: Call, tmp_path: Path, arguments: list[str], line: str) -> None:
    given = [argument.format(project=PROJECT) for argument in arguments]
    assert call("notebook", *given) == (2, "", line.format(folder=tmp_path) + "\n")
    assert list(tmp_path.iterdir()) == []


def test_the_catalog_is_sparks_own_only_where_a_notebook_asks_for_one_and_none_is_given(write: Write) -> None:
    asks, asks_not = write(TELLS, name="asks"), write("print(1)", name="asks_not")
    assert select_widget_values(asks, {}) == ({"catalog": "spark_catalog"}, [])
    assert select_widget_values(asks.with_suffix(""), {"catalog": "main"}) == ({"catalog": "main"}, [])
    assert select_widget_values(asks_not, {"catalog": "main"}) == ({}, ["catalog"])


def test_a_folder_is_no_notebook(tmp_path: Path) -> None:
    (tmp_path / "book.py").mkdir()
    with pytest.raises(SettingsError) as error:
        select_widget_values(tmp_path / "book", {})
    assert str(error.value) == f"notebook must be an existing file, got {tmp_path / 'book'}"
