"""Set-up, migrations and what is attached: tables of other versions, other types, and folders that are no tables."""

import shutil
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from pinterest_transforms.entities import ENTITIES
from pinterest_transforms.errors import TableError
from pinterest_transforms.schemas import CONTRACT, QUARANTINE, RUNS
from pinterest_transforms.tables import creation, definitions, table_access
from pinterest_transforms.tables.views import VIEWS
from tests.support.table_places import WORK, Place


@pytest.fixture
def only_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set-up makes and checks `runs` alone: what it does to one table it does to each."""
    monkeypatch.setattr(creation, "work_specs", lambda given: [definitions.runs_spec(given)])
    monkeypatch.setattr(creation, "answer_specs", list)
    monkeypatch.setattr(creation, "_make_views", lambda *_: None)


@pytest.fixture
def place(make_place: Callable[..., Place]) -> Place:
    """With a table of runs."""
    return make_place(names=["runs"])


def delta_version(place: Place, table: str) -> int:
    return len(list((place.settings.table_folder(table) / "_delta_log").glob("*.json"))) - 1


def test_set_up_makes_every_table_with_a_comment_on_everything(work_tables: Place):
    spark, settings = work_tables.spark, work_tables.settings
    found = spark.sql(f"SHOW TABLES IN `{settings.schema}`").where("NOT isTemporary").collect()
    listed = {row["tableName"] for row in found}
    assert listed == {*WORK, *VIEWS}
    for table in listed:
        about = spark.sql(f"DESCRIBE TABLE EXTENDED {settings.qualified(table)}").collect()
        (comment,) = (row["data_type"] for row in about if row["col_name"] == "Comment")
        assert len(comment) > 10, table
        for column in spark.catalog.listColumns(f"{settings.schema}.{table}"):
            assert column.description, f"{table}.{column.name}"


def test_tables_have_the_contracts_columns(work_tables: Place):
    def ddl(fields) -> list[tuple[str, str]]:
        return [(field.name, field.dataType.simpleString()) for field in fields]

    source = ("_source", "struct<shard:string,position:string,arrived:timestamp,file:string>")
    for entity in ENTITIES:
        assert ddl(work_tables.table(entity.batch_table).schema) == [*ddl(CONTRACT[entity.name]), source]
    assert ddl(work_tables.table("quarantine").schema) == ddl(QUARANTINE)
    assert ddl(work_tables.table("runs").schema) == ddl(RUNS)


@pytest.mark.usefixtures("only_runs")
@pytest.mark.parametrize("left", [(), (".00000000000000000000.json.1234.tmp", ".00000000000000000000.json.crc")])
def test_a_table_whose_making_was_killed_is_made(place: Place, left: tuple[str, ...]):
    folder = place.settings.table_folder("runs")
    place.spark.sql(f"DROP TABLE {place.settings.qualified('runs')}")
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "_delta_log").mkdir(parents=True)
    for name in left:
        (folder / "_delta_log" / name).write_text("half")
    creation.register_tables(place)
    creation.set_up(place)
    assert place.counted() == []
    assert delta_version(place, "runs") == 0


@pytest.mark.usefixtures("only_runs")
def test_a_schemas_name_may_look_like_a_number(place: Place):
    numbered = place.with_settings(schema="1e5")
    creation.set_up(numbered)
    assert numbered.counted() == []


def test_set_up_again_changes_nothing(work_tables: Place):
    before = work_tables.content()
    creation.set_up(work_tables)
    assert work_tables.content() == before


@pytest.mark.usefixtures("only_runs")
def test_set_ups_at_once_do_not_meet(place: Place):
    failed: list[Exception] = []
    place.spark.sql(f"DROP TABLE {place.settings.qualified('runs')}")
    shutil.rmtree(place.settings.table_folder("runs"))

    def set_up() -> None:
        try:
            creation.set_up(place)
        except Exception as error:
            failed.append(error)

    creation.register_tables(place)
    threads = [threading.Thread(target=set_up) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert delta_version(place, "runs") == 0


@pytest.mark.usefixtures("only_runs")
def test_a_session_that_knows_the_tables_of_another_warehouse_is_refused(place: Place, tmp_path: Path):
    other = place.with_settings(warehouse=str(tmp_path / "other %20 ü"))
    for work in (creation.set_up, creation.ensure_tables):
        with pytest.raises(TableError) as error:
            work(other)
        wanted = other.settings.table_folder("runs")
        assert str(error.value).startswith(f"table {place.settings.schema}.runs must stand in {wanted}, got one in ")
        assert str(place.settings.table_folder("runs")) in str(error.value)
    assert not wanted.exists()
    place.spark.sql(f"DROP SCHEMA {place.settings.schema} CASCADE")
    creation.set_up(other)
    creation.ensure_tables(other)
    assert delta_version(other, "runs") == 0


@pytest.mark.parametrize("kind", ["a folder of files", "a file"])
def test_what_is_not_delta_is_refused_and_left_alone(place: Place, kind: str):
    folder = place.settings.table_folder("runs")
    place.spark.sql(f"DROP TABLE {place.settings.qualified('runs')}")
    shutil.rmtree(folder)
    precious = folder if kind == "a file" else folder / "precious.csv"
    precious.parent.mkdir(exist_ok=True)
    precious.write_text("1,2,3")
    wanted = f"table {place.settings.schema}.runs must be a Delta table, got something else in {folder}"
    for work in (creation.set_up, creation.register_tables):
        with pytest.raises(TableError) as error:
            work(place)
        assert str(error.value) == wanted
    assert precious.read_text() == "1,2,3"


@pytest.mark.usefixtures("only_runs")
def test_a_table_of_another_format_in_the_catalog_is_refused(place: Place):
    place.spark.sql(f"DROP TABLE {place.settings.qualified('runs')}")
    shutil.rmtree(place.settings.table_folder("runs"))
    elsewhere = Path(place.settings.landing, "elsewhere")
    place.spark.sql(f"CREATE TABLE {place.settings.qualified('runs')} (a INT) USING parquet LOCATION '{elsewhere}'")
    with pytest.raises(TableError) as error:
        creation.set_up(place)
    assert str(error.value) == f"table {place.settings.schema}.runs must be a Delta table, got parquet"


def make_runs_otherwise(place: Place, columns: str, version: str) -> None:
    name, folder = place.settings.qualified("runs"), place.settings.table_folder("runs")
    place.spark.sql(f"DROP TABLE {name}")
    shutil.rmtree(folder)
    place.spark.sql(
        f"CREATE TABLE {name} ({columns}) USING DELTA LOCATION '{folder}' "
        f"TBLPROPERTIES ('pinterest.schema_version' = '{version}')"
    )


@pytest.mark.usefixtures("only_runs")
def test_an_older_table_gets_what_it_lacks_and_keeps_its_rows(place: Place):
    make_runs_otherwise(place, "run_id STRING, query_id STRING, batch_id BIGINT, own STRING", "0")
    place.spark.sql(f"INSERT INTO {place.settings.qualified('runs')} VALUES ('r', 'q', 7, 'mine')")
    creation.set_up(place)
    (row,) = place.table("runs").collect()
    assert (row["run_id"], row["batch_id"], row["own"], row["unknown_fields"]) == ("r", 7, "mine", None)
    assert {field.name for field in RUNS} <= set(row.asDict())
    added = {
        column.name: column.description for column in place.spark.catalog.listColumns(f"{place.settings.schema}.runs")
    }
    assert added["library_version"] == "Version of this library"
    about = table_access.read_properties(place, "runs")
    assert about["pinterest.schema_version"] == "3"
    assert definitions.runs_spec(place.settings).properties.items() <= about.items()
    version = delta_version(place, "runs")
    creation.set_up(place)
    assert delta_version(place, "runs") == version

    # It stays the table that checkpoints know when it is migrated again.
    table_id, name = table_access.read_table_ids(place, "runs"), place.settings.qualified("runs")
    place.spark.sql(f"DELETE FROM {name}")  # the row lacks what each one must have by now
    place.spark.sql(f"ALTER TABLE {name} SET TBLPROPERTIES ('pinterest.schema_version' = '2')")
    creation.set_up(place)
    assert table_access.read_properties(place, "runs")["pinterest.schema_version"] == "3"
    assert table_access.read_table_ids(place, "runs") == table_id


def test_an_older_table_keeps_its_partitions(make_place: Callable[..., Place], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(creation, "work_specs", lambda given: [definitions.quarantine_spec(given)])
    monkeypatch.setattr(creation, "_make_views", lambda *_: None)
    older = make_place(names=["quarantine"])
    name = older.qualified("quarantine")
    older.spark.sql(f"ALTER TABLE {name} SET TBLPROPERTIES ('pinterest.schema_version' = '2')")
    creation.set_up(older)
    assert table_access.read_properties(older, "quarantine")["pinterest.schema_version"] == "3"
    assert older.spark.sql(f"DESCRIBE DETAIL {name}").first()["partitionColumns"] == ["topic"]


@pytest.mark.usefixtures("only_runs")
@pytest.mark.parametrize("version", ["4", "next"])
def test_a_newer_table_is_refused(place: Place, version: str):
    make_runs_otherwise(place, "run_id STRING", version)
    with pytest.raises(TableError) as error:
        creation.set_up(place)
    assert str(error.value) == (
        f"table {place.settings.schema}.runs must have schema version 3 or older, got {version}: use a newer library"
    )
    assert delta_version(place, "runs") == 0


@pytest.mark.usefixtures("only_runs")
def test_a_column_of_another_type_is_refused(place: Place):
    make_runs_otherwise(place, "run_id STRING, batch_id STRING", "0")
    with pytest.raises(TableError) as error:
        creation.set_up(place)
    assert str(error.value) == f"table {place.settings.schema}.runs: column batch_id must be bigint, got string"
    assert delta_version(place, "runs") == 0


def test_attach_makes_nothing_and_finds_other_delta_tables(place: Place):
    shutil.copytree(place.settings.table_folder("runs"), place.settings.table_folder("of_somebody"))
    Path(place.settings.warehouse, place.settings.schema, "notes").mkdir()
    before = place.content()
    creation.register_tables(place)
    assert place.table("of_somebody").count() == 0
    assert place.content() == before
    assert not place.spark.catalog.tableExists(place.settings.qualified("top_user_country"))


def test_a_table_that_is_not_there_says_what_to_do(place: Place):
    with pytest.raises(TableError) as error:
        table_access.read(place, "top_user_country")
    assert str(error.value) == (f"table {place.settings.schema}.top_user_country must be there: run the batch first")
