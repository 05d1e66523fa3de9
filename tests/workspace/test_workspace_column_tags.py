"""Tags of columns: each has the class of the contract, and the statements are SQL of Databricks."""

import re

import pytest
import sqlglot
from fake_workspace import Fake
from sqlglot import expressions

from pinterest_transforms.schemas import column_class
from pinterest_transforms.settings import Settings
from pinterest_transforms.tables.definitions import answer_specs, work_specs
from workspace.workspace_cli import main

TAGS, COLUMNS = "main.information_schema.column_tags", "main.information_schema.columns"


def defined(settings: Settings) -> dict[str, dict[str, str]]:
    """The class of each column, as the library has it."""
    columns = {spec.name: spec.columns for spec in (*work_specs(settings), *answer_specs())}
    return {table: {one.name: column_class(one) for one in found} for table, found in columns.items()}


@pytest.fixture
def deployed(fake: Fake) -> Fake:
    """A workspace with the tables of the batch leg, untagged."""
    tables = defined(Settings())
    fake.tables[TAGS] = (["table_name", "column_name", "tag_value"], [])
    names = [[table, column, ""] for table, classes in tables.items() for column in classes]
    fake.tables[COLUMNS] = (["table_name", "column_name", "_"], names)
    fake.tables |= {f"main.pinterest.{table}": ([], []) for table in tables}
    return fake


@pytest.mark.parametrize("leg", ["batch", "stream"])
def test_the_classes_are_those_of_the_library(leg: str) -> None:
    from workspace.unity_catalog.column_tags import read_classes

    settings = Settings(leg=leg, user_id="abc")
    assert read_classes(settings) == defined(settings)


def test_every_column_is_tagged_once(deployed: Fake, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["set-up", "--column-tags"]) == 0
    tagged: dict[str, dict[str, str]] = {}
    for table, column, value in deployed.tables[TAGS][1]:
        tagged.setdefault(str(table), {})[str(column)] = str(value)
    assert tagged == defined(Settings())
    before = len(deployed.writes)
    capsys.readouterr()
    assert main(["set-up", "--column-tags"]) == 0
    assert len(deployed.writes) == before
    assert all(line.endswith(": exists") for line in capsys.readouterr().out.splitlines()[:-1])


def test_another_class_is_an_update(deployed: Fake, capsys: pytest.CaptureFixture[str]) -> None:
    main(["set-up", "--column-tags"])
    row = next(row for row in deployed.tables[TAGS][1] if row[:2] == ["users", "age"])
    row[2] = "public"
    capsys.readouterr()
    assert main(["set-up", "--column-tags"]) == 0
    assert (
        "ALTER TABLE `main`.`pinterest`.`users` ALTER COLUMN `age` SET TAGS ('class' = 'quasi_identifier'): "
        "updated, from public\n" in capsys.readouterr().out
    )
    assert ["users", "age", "quasi_identifier"] in deployed.tables[TAGS][1]


def test_a_dry_run_prints_the_sql_and_runs_none(deployed: Fake, capsys: pytest.CaptureFixture[str]) -> None:
    from workspace.unity_catalog.column_tags import build_tag_statement

    assert main(["set-up", "--column-tags", "--dry-run"]) == 0
    assert deployed.tables[TAGS][1] == []
    assert all(statement.startswith("SELECT") for statement in deployed.statements)
    printed = re.findall(r"^(ALTER .+): would be created$", capsys.readouterr().out, re.M)
    expected = [
        build_tag_statement(Settings(catalog="main"), table, column, name)
        for table, classes in defined(Settings()).items()
        for column, name in classes.items()
    ]
    assert sorted(printed) == sorted(expected)


def test_the_statements_are_sql_of_databricks(deployed: Fake) -> None:
    """The parser does not know SET TAGS: it gets a COMMENT in its place, and the clause is compared by itself."""
    main(["set-up", "--column-tags"])
    selects = [statement for statement in deployed.statements if statement.startswith("SELECT")]
    assert all(isinstance(sqlglot.parse_one(one, read="databricks"), expressions.Select) for one in selects)
    found: dict[str, dict[str, str]] = {}
    for statement in deployed.statements[len(selects) :]:
        head, clause = statement.split(" SET TAGS ")
        altered = sqlglot.parse_one(f"{head} COMMENT 'x'", read="databricks")
        assert isinstance(altered, expressions.Alter)
        table, [action] = altered.this, altered.args["actions"]
        assert (table.catalog, table.db) == ("main", "pinterest")
        found.setdefault(table.name, {})[action.this.name] = re.fullmatch(r"\('class' = '(\w+)'\)", clause)[1]
    assert found == defined(Settings())


def test_a_table_that_does_not_exist_yet_is_waiting(deployed: Fake, capsys: pytest.CaptureFixture[str]) -> None:
    deployed.tables[COLUMNS] = (["a", "b", "c"], [row for row in deployed.tables[COLUMNS][1] if row[0] != "runs"])
    assert main(["set-up", "--column-tags"]) == 1
    out, err = capsys.readouterr()
    assert "tags of the columns of main.pinterest.runs: waiting, it does not exist yet\n" in out
    assert "error: waiting steps need objects that do not exist" in err
    assert ["users", "user_name", "pii"] in deployed.tables[TAGS][1]
