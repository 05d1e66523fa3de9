"""Makes, checks, migrates and attaches the leg's Delta tables and its ``posts`` view.

A catalog manages the tables on Databricks. On one machine they are folders ``<warehouse>/<schema>/<table>`` that each
session attaches to its own catalog, under the same names.
"""

import shutil
import uuid
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from pyspark.errors import AnalysisException
from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import types as T

from pinterest_transforms.entities import GEO, PIN, USER
from pinterest_transforms.errors import TableError
from pinterest_transforms.schemas import CONTRACT, SCHEMA_VERSION
from pinterest_transforms.settings import Settings, quoted
from pinterest_transforms.storage.locks import waiting_lock
from pinterest_transforms.storage.retry import with_retries
from pinterest_transforms.storage.specs import POSTS_VIEW, TableSpec, answer_specs, posts_columns, work_specs

VERSION_PROPERTY = "pinterest.schema_version"
ID_PROPERTY = "pinterest.table_id"
"""A table's identity: given when it is made, gone with it. Delta's own id comes with counts, which are dear."""
_AT_ONCE = 4


def set_up(spark: SparkSession, settings: Settings) -> None:
    """Makes what is missing, migrates what is older, and checks the rest. Harmless to repeat; run before parallel work.

    Raises:
        TableError: a table is not Delta, has another type in a column, or was made by a newer version.
    """
    with waiting_lock(settings):
        _make_schema(spark, settings)

        def make(spec: TableSpec) -> None:
            with_retries(lambda: _make_or_migrate(spark, settings, spec))

        with ThreadPoolExecutor(_AT_ONCE) as pool:
            list(pool.map(make, (*work_specs(settings), *answer_specs())))
        with_retries(lambda: _make_posts(spark, settings))


def attach(spark: SparkSession, settings: Settings) -> None:
    """Registers the tables that are there, and ``posts`` if its tables are; makes and changes nothing on disk.

    Only for tables in folders; where a catalog manages them they are there already.

    Raises:
        TableError: a table's folder does not hold a Delta table.
    """
    if not settings.warehouse:
        return
    _make_schema(spark, settings)
    folder = Path(settings.warehouse, settings.schema)
    specs = {spec.name: spec for spec in (*work_specs(settings), *answer_specs())}
    entries = sorted(folder.iterdir()) if folder.is_dir() else []
    found = [entry.name for entry in entries if entry.is_dir() or entry.name in specs]
    for name in found:
        if name in specs or _has_commits(folder / name):
            _attach_folder(spark, settings, name)
    if {settings.clean_table(entity) for entity in (PIN, GEO, USER)} <= set(found):
        _make_posts(spark, settings)


def properties(spark: SparkSession, settings: Settings, table: str) -> dict[str, str]:
    """The table's properties, ``VERSION_PROPERTY`` and ``ID_PROPERTY`` among them."""
    found = spark.sql(f"SHOW TBLPROPERTIES {settings.qualified(table)}").collect()
    return {row["key"]: row["value"] for row in found}


def last_commit(spark: SparkSession, settings: Settings, table: str) -> Row:
    """The table's last commit: ``version``, ``timestamp``, ``operation`` and more.

    Raises:
        TableError: it has none.
    """
    rows = history(spark, settings, table, 1)
    if not rows:
        raise TableError(f"table {settings.schema}.{table} must have a history, got none")
    return rows[0]


def history(spark: SparkSession, settings: Settings, table: str, limit: int) -> list[Row]:
    """The table's last commits, the newest first."""
    return spark.sql(f"DESCRIBE HISTORY {settings.qualified(table)} LIMIT {limit:d}").collect()


def read(spark: SparkSession, settings: Settings, table: str) -> DataFrame:
    """The table or view as a frame.

    Raises:
        TableError: it is not there.
    """
    try:
        frame = spark.table(settings.qualified(table))
        frame.schema  # noqa: B018 - Spark Connect finds out only when asked
    except AnalysisException as error:
        if "TABLE_OR_VIEW_NOT_FOUND" in str(error):
            raise TableError(f"table {settings.schema}.{table} must be there: run the batch first") from None
        raise
    return frame


def _sql_text(value: str) -> str:
    """A SQL string literal."""
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _pairs(of: dict[str, str]) -> str:
    """Table properties as SQL."""
    return ", ".join(f"{_sql_text(key)} = {_sql_text(value)}" for key, value in of.items())


def _make_schema(spark: SparkSession, settings: Settings) -> None:
    location = ""
    if settings.warehouse:
        location = f" LOCATION {_sql_text(str(Path(settings.warehouse, settings.schema).absolute()))}"
    name = quoted(settings.catalog, settings.schema)
    with_retries(lambda: spark.sql(f"CREATE SCHEMA IF NOT EXISTS {name}{location}"))


def _location(settings: Settings, table: str) -> str:
    folder = settings.table_folder(table)
    # A plain path: Spark takes the escapes of a URI for a part of the name.
    return f" LOCATION {_sql_text(str(folder.absolute()))}" if folder else ""


def _attach_folder(spark: SparkSession, settings: Settings, table: str) -> None:
    folder = settings.table_folder(table)
    if folder is None or not folder.exists():
        return
    if not _has_commits(folder):
        # A kill in the middle of its making leaves a log with no commit in it, and nothing else; set-up makes it anew.
        if folder.is_file() or any(entry.name != "_delta_log" for entry in folder.iterdir()):
            raise TableError(f"table {settings.schema}.{table} must be a Delta table, got something else in {folder}")
        return
    name = settings.qualified(table)
    if not spark.catalog.tableExists(name):
        spark.sql(f"CREATE TABLE IF NOT EXISTS {name} USING DELTA{_location(settings, table)}")


def _has_commits(folder: Path) -> bool:
    """True if the folder holds a Delta table whose making is complete."""
    return any((folder / "_delta_log").glob("[0-9]*.json")) or any((folder / "_delta_log").glob("[0-9]*.parquet"))


def _column_ddl(column: T.StructField) -> str:
    comment = _sql_text(column.metadata["comment"])
    return f"{quoted(column.name)} {column.dataType.simpleString()} COMMENT {comment}"


def _make_or_migrate(spark: SparkSession, settings: Settings, spec: TableSpec) -> None:
    _attach_folder(spark, settings, spec.name)
    name = settings.qualified(spec.name)
    if spark.catalog.tableExists(name):
        _check(spark, settings, spec)
        return
    folder = settings.table_folder(spec.name)
    if folder is not None and not _has_commits(folder):
        shutil.rmtree(folder / "_delta_log", ignore_errors=True)
    columns = ", ".join(_column_ddl(column) for column in spec.columns)
    partitions = f" PARTITIONED BY ({', '.join(map(quoted, spec.partitioned_by))})" if spec.partitioned_by else ""
    pairs = _pairs({**spec.properties, VERSION_PROPERTY: str(SCHEMA_VERSION), ID_PROPERTY: uuid.uuid4().hex})
    spark.sql(
        f"CREATE TABLE IF NOT EXISTS {name} ({columns}) USING DELTA{partitions} "
        f"COMMENT {_sql_text(spec.comment)}{_location(settings, spec.name)} TBLPROPERTIES ({pairs})"
    )


def _check(spark: SparkSession, settings: Settings, spec: TableSpec) -> None:
    """Raises for a table this library cannot use; brings an older one up to date, adding only."""
    label = f"table {settings.schema}.{spec.name}"
    try:
        form, about = _form(spark, settings, spec.name), properties(spark, settings, spec.name)
    except AnalysisException as error:
        raise TableError(f"{label} must be a Delta table, got {type(error).__name__}") from error
    if form != "delta":
        raise TableError(f"{label} must be a Delta table, got {form}")
    version = about.get(VERSION_PROPERTY, "0")
    if not version.isdigit() or int(version) > SCHEMA_VERSION:
        raise TableError(
            f"{label} must have schema version {SCHEMA_VERSION} or older, got {version}: use a newer library"
        )
    there = {field.name: field.dataType for field in spark.table(settings.qualified(spec.name)).schema}
    for column in spec.columns:
        kind = there.get(column.name, column.dataType)
        if kind.simpleString() != column.dataType.simpleString():
            raise TableError(
                f"{label}: column {column.name} must be {column.dataType.simpleString()}, got {kind.simpleString()}"
            )
    if int(version) < SCHEMA_VERSION or ID_PROPERTY not in about:
        table_id = about.get(ID_PROPERTY, uuid.uuid4().hex)
        _migrate(spark, settings, spec, [column for column in spec.columns if column.name not in there], table_id)


def _form(spark: SparkSession, settings: Settings, table: str) -> str:
    """The table's format, of its metadata alone: Delta's own description also counts its files."""
    name = settings.qualified(table)
    about = {row["col_name"]: row["data_type"] for row in spark.sql(f"DESCRIBE TABLE EXTENDED {name}").collect()}
    return str(about.get("Provider", about.get("Type", "something else"))).lower()


def _migrate(
    spark: SparkSession, settings: Settings, spec: TableSpec, missing: Sequence[T.StructField], table_id: str
) -> None:
    name = settings.qualified(spec.name)
    if missing:
        spark.sql(f"ALTER TABLE {name} ADD COLUMNS ({', '.join(map(_column_ddl, missing))})")
    pairs = _pairs({**spec.properties, VERSION_PROPERTY: str(SCHEMA_VERSION), ID_PROPERTY: table_id})
    spark.sql(f"ALTER TABLE {name} SET TBLPROPERTIES ({pairs})")


def _make_posts(spark: SparkSession, settings: Settings) -> None:
    """``posts``: pins with their geolocation and user, one row a post."""
    columns = ", ".join(f"{quoted(name)} COMMENT {_sql_text(comment)}" for name, comment in posts_columns())
    picked = []
    for alias, entity in (("p", PIN), ("g", GEO), ("u", USER)):
        own = [field.name for field in CONTRACT[entity.name].fields if alias == "p" or field.name != "ind"]
        picked += [f"{alias}.{quoted(name)}" for name in own]
    pins, geolocations, users = (settings.qualified(settings.clean_table(entity)) for entity in (PIN, GEO, USER))
    spark.sql(
        f"CREATE OR REPLACE VIEW {settings.qualified(POSTS_VIEW)} ({columns}) "
        f"COMMENT 'One row a post: the pin with its geolocation and user' AS SELECT {', '.join(picked)} "
        f"FROM {pins} p LEFT JOIN {geolocations} g ON p.ind = g.ind LEFT JOIN {users} u ON p.ind = u.ind"
    )
