"""What the engine refuses of a table's rows; older tables get it too, and one with bad rows is a clear error."""

import shutil
import uuid
from collections.abc import Callable, Iterator

import pytest
from pyspark.sql import SparkSession

from pinterest_transforms.entities import USER
from pinterest_transforms.errors import TableError
from pinterest_transforms.settings import Settings
from pinterest_transforms.tables import creation, definitions, maintenance, table_access
from tests.support.table_places import WORK, Place


def insert(place: Place, table: str, **values: str) -> None:
    names, given = ", ".join(f"`{name}`" for name in values), ", ".join(values.values())
    place.spark.sql(f"INSERT INTO {place.settings.qualified(table)} ({names}) VALUES ({given})").collect()


def violation(place: Place, table: str, **values: str) -> str:
    """The constraint that a row violates."""
    with pytest.raises(Exception, match=r"DELTA_(VIOLATE_CONSTRAINT|NOT_NULL_CONSTRAINT)") as error:
        insert(place, table, **values)
    text = str(error.value)
    column = text.partition("NOT NULL constraint violated for column: ")[2].split(".")[0]
    return f"{column} NOT NULL" if column else text.partition("CHECK constraint ")[2].split()[0]


def allowed(place: Place, table: str, column: str, *values: str) -> list[bool | None]:
    """What the constraint of a column, as the table has it, says of values; the engine refuses where it is not true."""
    condition = table_access.read_properties(place, table)[f"delta.constraints.{column}_check"]
    kind = place.table(table).schema[column].dataType.simpleString()
    rows = ", ".join(f"(CAST({value} AS {kind}))" for value in values)
    return [row[0] for row in place.spark.sql(f"SELECT {condition} FROM VALUES {rows} AS given(`{column}`)").collect()]


def test_a_value_out_of_its_range_is_refused_and_the_limits_themselves_are_not(make_place: Callable[..., Place]):
    place, run = make_place(names=WORK), {"query_id": "'q'", "batch_id": "0", "topic": "'t'"}
    for table, column, refused in (
        ("pins", "ind", ["-1"]),
        ("pins", "follower_count", ["-1"]),
        (
            "geolocations",
            "coordinates",
            [
                *("array(1, NULL)", "array(90.1, 0)", "array(0, -180.1)", "array(1, double('NaN'))"),
                *("array(1)", "array(1, 2, 3)"),
            ],
        ),
        ("geolocations", "timestamp", ["TIMESTAMP '1899-12-31 23:59:59.999999Z'", "TIMESTAMP '2101-01-01 00:00:00Z'"]),
        ("users", "age", ["0", "121"]),
    ):
        assert violation(place, table, **{"ind": "7", column: refused[0]}) == f"{column}_check"
        assert True not in allowed(place, table, column, *refused)
    assert violation(place, "pins", ind="NULL") == "ind NOT NULL"
    assert violation(place, "quarantine", topic="'t'", kind="'lost'") == "kind_check"
    assert violation(place, "quarantine", topic="NULL", kind="'rejected'") == "topic NOT NULL"
    assert violation(place, "runs", **run, read="3", merged="1", already_there="1", rejected="0") == "read_check"
    assert all(place.stored(table).is_empty() for table in WORK)

    insert(place, "pins", ind="0", follower_count="0")
    insert(place, "geolocations", ind="0", coordinates="array(-90, 180)", timestamp="TIMESTAMP '1900-01-01 00:00:00Z'")
    insert(place, "users", ind="0", age="120", date_joined="TIMESTAMP '2100-12-31 23:59:59.999999Z'")
    insert(place, "users", ind="1")
    insert(place, "runs", **run, read="3", merged="1", already_there="1", rejected="1")


def test_an_older_table_gets_the_constraints_and_keeps_its_rows_once_none_violates_one(
    make_place: Callable[..., Place], monkeypatch: pytest.MonkeyPatch
):
    """A table of users as version 2 created it; set-up migrates it alone."""
    monkeypatch.setattr(creation, "work_specs", lambda given: [definitions.clean_spec(given, USER)])
    monkeypatch.setattr(creation, "_make_views", lambda *_: None)
    older = make_place(names=["users"])
    spark, settings = older.spark, older.settings
    name, folder = settings.qualified("users"), settings.table_folder("users")
    columns = ", ".join(f"{one.name} {one.dataType.simpleString()}" for one in older.table("users").schema)
    spark.sql(f"DROP TABLE {name}")
    shutil.rmtree(folder)
    spark.sql(
        f"CREATE TABLE {name} ({columns}) USING DELTA LOCATION '{folder}' TBLPROPERTIES "
        "('pinterest.schema_version' = '2', 'pinterest.table_id' = 'one', 'delta.enableDeletionVectors' = 'true')"
    )
    spark.sql(f"INSERT INTO {name} (ind, age) VALUES (7, 30), (8, 777), (NULL, 30)")
    for constraint, violates in (
        ("ind_not_null (`ind` IS NOT NULL)", "ind IS NULL"),
        ("age_check (`age` IS NULL OR (`age` BETWEEN 1 AND 120))", "ind = 8"),
    ):
        with pytest.raises(TableError) as error:
            creation.set_up(older)
        assert str(error.value) == (
            f"table {settings.schema}.users: every row must meet constraint {constraint}, got 1 that violate it: "
            "correct or delete them, then run this again"
        )
        spark.sql(f"DELETE FROM {name} WHERE {violates}")

    creation.set_up(older)
    assert [row[:2] for row in older.table("users").select("ind", "age").collect()] == [(7, 30)]
    assert violation(older, "users", ind="NULL") == "ind_not_null"
    assert violation(older, "users", ind="8", age="121") == "age_check"
    about = table_access.read_properties(older, "users")
    assert (about["pinterest.schema_version"], about["pinterest.table_id"]) == ("3", "one")
    before = older.content()
    creation.set_up(older)
    assert older.content() == before


@pytest.fixture
def managed(spark: SparkSession, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    """A schema whose tables the catalog manages; set-up makes the users' table alone."""
    monkeypatch.setattr(creation, "work_specs", lambda given: [definitions.clean_spec(given, USER)])
    monkeypatch.setattr(creation, "_make_views", lambda *_: None)
    place = Place(spark, Settings(schema=f"managed_{uuid.uuid4().hex[:8]}"))
    yield place
    spark.sql(f"DROP SCHEMA IF EXISTS `{place.settings.schema}` CASCADE")


def test_where_a_catalog_manages_the_tables_they_are_clustered_by_the_key(managed: Place):
    spark, name = managed.spark, managed.qualified("users")
    creation.set_up(managed)
    assert violation(managed, "users", ind="7", age="121") == "age_check"
    before = table_access.read_properties(managed, "users")
    assert not [name for name in before if name.endswith("_not_null")]  # the column itself says so
    creation.set_up(managed)  # as after a kill: what is there is not added again
    assert table_access.read_properties(managed, "users") == before
    spark.sql(f"INSERT INTO {name} (ind, age) VALUES (1, 30), (2, 30), (3, 30)")
    spark.sql(f"OPTIMIZE {name}")
    spark.sql(f"DELETE FROM {name} WHERE ind = 2")
    assert columns(managed) == ["ind"]
    spark.sql(f"ALTER TABLE {name} CLUSTER BY NONE")
    spark.sql(f"ALTER TABLE {name} SET TBLPROPERTIES ('pinterest.schema_version' = '2')")
    creation.set_up(managed)
    assert columns(managed) == ["ind"]

    maintenance.purge_rows(managed, definitions.clean_spec(managed.settings, USER))
    assert columns(managed) == ["ind"]
    files = managed.table("users").inputFiles()
    assert sorted(row["ind"] for row in spark.read.parquet(*files).collect()) == [1, 3]


def columns(place: Place) -> list[str]:
    """Clustering columns."""
    detail = place.spark.sql(f"DESCRIBE DETAIL {place.settings.qualified('users')}")
    return detail.select("clusteringColumns").first()[0]
