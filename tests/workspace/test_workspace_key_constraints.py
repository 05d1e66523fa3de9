"""Primary and foreign keys: those of the contract, once each, and the statements are SQL of Databricks."""

import pytest
import sqlglot
from fake_workspace import Fake
from sqlglot import expressions

from pinterest_transforms.entities import ENTITIES, PIN
from pinterest_transforms.settings import Settings
from workspace.workspace_cli import main

KEYS, COLUMNS = "main.information_schema.table_constraints", "main.information_schema.columns"
SET_UP = ["set-up", "--key-constraints"]


@pytest.fixture
def deployed(fake: Fake) -> Fake:
    """A workspace with the clean tables of the batch leg; `users` is of an older version, whose key may be null."""
    fake.tables[KEYS] = (["table_name", "constraint_name", "constraint_type"], [])
    names = [[entity.batch_table, "ind", "YES" if entity.name == "user" else "NO"] for entity in ENTITIES]
    fake.tables[COLUMNS] = (["table_name", "column_name", "is_nullable"], names)
    fake.tables |= {f"main.pinterest.{entity.batch_table}": ([], []) for entity in ENTITIES}
    return fake


def altered(fake: Fake) -> list[str]:
    return [statement for statement in fake.statements if not statement.startswith("SELECT")]


@pytest.mark.parametrize("leg", ["batch", "stream"])
def test_each_clean_table_has_a_primary_key_and_refers_to_the_pins(leg: str) -> None:
    from workspace.unity_catalog.key_constraints import build_key_statements

    settings, primary, foreign = Settings(leg=leg, user_id="abc", catalog="main"), {}, {}
    for _, _, _, statement in build_key_statements(settings):
        alter = sqlglot.parse_one(statement, read="databricks")
        assert isinstance(alter, expressions.Alter)
        assert (alter.this.catalog, alter.this.db) == ("main", settings.schema)
        [added] = alter.args["actions"]
        [constraint] = added.expressions
        [key] = constraint.expressions
        if isinstance(key, expressions.PrimaryKey):
            primary[alter.this.name] = [column.name for column in key.expressions]
        else:
            to = key.args["reference"].this
            foreign[alter.this.name] = (*(one.name for one in key.expressions), to.this.name, to.expressions[0].name)
    tables = {entity: settings.clean_table(entity) for entity in ENTITIES}
    assert primary == {table: ["ind"] for table in tables.values()}
    assert foreign == {table: ("ind", tables[PIN], "ind") for entity, table in tables.items() if entity != PIN}


def test_every_key_is_added_once(deployed: Fake, capsys: pytest.CaptureFixture[str]) -> None:
    from workspace.unity_catalog.key_constraints import build_key_statements

    assert main(SET_UP) == 0
    not_null = "ALTER TABLE `main`.`pinterest`.`users` ALTER COLUMN `ind` SET NOT NULL"
    expected = [statement for *_, statement in build_key_statements(Settings(catalog="main"))]
    assert altered(deployed) == [*expected[:2], not_null, *expected[2:]]
    assert isinstance(sqlglot.parse_one(not_null, read="databricks"), expressions.Alter)
    capsys.readouterr()
    assert main(SET_UP) == 0
    assert len(altered(deployed)) == 6
    assert all(line.endswith(": exists") for line in capsys.readouterr().out.splitlines()[:-1])


def test_a_dry_run_prints_the_sql_and_runs_none(deployed: Fake, capsys: pytest.CaptureFixture[str]) -> None:
    from workspace.unity_catalog.key_constraints import build_key_statements

    assert main([*SET_UP, "--dry-run"]) == 0
    assert altered(deployed) == []
    printed = capsys.readouterr().out
    for *_, statement in build_key_statements(Settings(catalog="main")):
        assert f"{statement}: would be created\n" in printed


def test_a_table_that_does_not_exist_yet_is_waiting(deployed: Fake, capsys: pytest.CaptureFixture[str]) -> None:
    del deployed.tables[COLUMNS][1][1:]
    assert main(SET_UP) == 1
    out = capsys.readouterr().out
    assert out.count(": waiting, it does not exist yet\n") == 4
    assert [row[:2] for row in deployed.tables[KEYS][1]] == [["pins", "pins_pk"]]
