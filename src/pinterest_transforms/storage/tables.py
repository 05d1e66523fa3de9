"""Makes, checks, migrates and attaches the leg's Delta tables and its ``posts`` view; see ``answers`` for the answers'.

A catalog manages the tables on Databricks. On one machine they are folders ``<warehouse>/<schema>/<table>`` that each
session attaches to its own catalog, under the same names.
"""

import re
import shutil
import uuid
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from pyspark.errors import AnalysisException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import types as T

from pinterest_transforms.entities import ENTITIES, GEO, PIN, USER
from pinterest_transforms.errors import TableError
from pinterest_transforms.schemas import CONTRACT, SCHEMA_VERSION
from pinterest_transforms.settings import Settings, quoted
from pinterest_transforms.storage.locks import waiting_lock
from pinterest_transforms.storage.retry import with_retries
from pinterest_transforms.storage.specs import (
    POSTS_VIEW,
    RUNS_TABLE,
    TableSpec,
    answer_specs,
    posts_columns,
    work_specs,
)

VERSION_PROPERTY = "pinterest.schema_version"
ID_PROPERTY = "pinterest.table_id"
"""A table's identity: given when it is made, gone with it. Delta's own id comes with counts, which are dear."""
_AT_ONCE = 4
_DATA_FILE = re.compile(r"\.?part-\S+\.parquet(\.crc)?")


def set_up(spark: SparkSession, settings: Settings) -> None:
    """Makes what is missing, migrates what is older, and checks the rest. Harmless to repeat; run before parallel work.

    The answer tables are made by their first write. ``runs`` comes last: its schema version stands for all of them.

    Raises:
        TableError: a table is not Delta, has another type in a column, or was made by a newer version.
    """
    with waiting_lock(settings):
        _make_schema(spark, settings)
        attach(spark, settings)
        existing = list_tables(spark, settings)

        def make(spec: TableSpec) -> None:
            with_retries(lambda: _make_or_migrate(spark, settings, spec, exists=spec.name in existing))

        specs = work_specs(settings)
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            list(pool.map(make, [spec for spec in specs if spec.name != RUNS_TABLE]))
        for spec in specs:
            if spec.name == RUNS_TABLE:
                make(spec)
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
    known = {spec.name for spec in (*work_specs(settings), *answer_specs())}
    entries = sorted(folder.iterdir()) if folder.is_dir() else []
    complete = {
        entry.name
        for entry in entries
        if (entry.is_dir() and has_commits(entry)) or (entry.name in known and not _is_unfinished(settings, entry))
    }
    existing = list_tables(spark, settings)

    def register(table: str) -> None:
        name = settings.qualified(table)
        spark.sql(f"CREATE TABLE IF NOT EXISTS {name} USING DELTA{location_sql(settings, table)}")

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        list(pool.map(register, sorted(complete - existing)))
    if POSTS_VIEW not in existing and {settings.clean_table(entity) for entity in ENTITIES} <= complete:
        _make_posts(spark, settings)


def list_tables(spark: SparkSession, settings: Settings) -> set[str]:
    """Names of the schema's tables and views in the catalog; none if there is no such schema."""
    try:
        found = spark.sql(f"SHOW TABLES IN {quoted(settings.catalog, settings.schema)}").collect()
    except AnalysisException as error:
        if "SCHEMA_NOT_FOUND" in str(error):
            return set()
        raise
    return {row["tableName"] for row in found if not row["isTemporary"]}


def properties(spark: SparkSession, settings: Settings, table: str) -> dict[str, str]:
    """The table's properties, ``VERSION_PROPERTY`` and ``ID_PROPERTY`` among them."""
    found = spark.sql(f"SHOW TBLPROPERTIES {settings.qualified(table)}").collect()
    return {row["key"]: row["value"] for row in found}


def table_ids(spark: SparkSession, settings: Settings, *names: str) -> dict[str, str]:
    """``ID_PROPERTY`` of tables by their names."""
    return {name: properties(spark, settings, name)[ID_PROPERTY] for name in names}


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


def sql_text(value: str) -> str:
    """A SQL string literal."""
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def properties_sql(of: dict[str, str]) -> str:
    """Table properties as SQL."""
    return ", ".join(f"{sql_text(key)} = {sql_text(value)}" for key, value in of.items())


def location_sql(settings: Settings, table: str) -> str:
    """The ``LOCATION`` clause of a table in a folder; empty where a catalog manages the tables."""
    folder = settings.table_folder(table)
    # A plain path: Spark takes the escapes of a URI for a part of the name.
    return f" LOCATION {sql_text(str(folder.absolute()))}" if folder else ""


def has_commits(folder: Path) -> bool:
    """True if the folder holds a Delta table whose making is complete."""
    return any((folder / "_delta_log").glob("[0-9]*.json")) or any((folder / "_delta_log").glob("[0-9]*.parquet"))


def remove_unfinished(settings: Settings, table: str) -> None:
    """Removes what a kill in the middle of a table's making has left. To be called under the set-up lock.

    Raises:
        TableError: the folder holds something else.
    """
    folder = settings.table_folder(table)
    if folder is not None and folder.exists() and _is_unfinished(settings, folder):
        shutil.rmtree(folder)


def _is_unfinished(settings: Settings, folder: Path) -> bool:
    """True for a log with no commit in it, with nothing beside it but data files of a first write.

    Raises:
        TableError: there is no Delta table, and something else.
    """
    if has_commits(folder):
        return False
    log = folder / "_delta_log"
    entries = list(folder.iterdir()) if folder.is_dir() else [folder]
    if any(entry != log and not (log.is_dir() and _DATA_FILE.fullmatch(entry.name)) for entry in entries):
        raise TableError(f"table {settings.schema}.{folder.name} must be a Delta table, got something else in {folder}")
    return True


def _make_schema(spark: SparkSession, settings: Settings) -> None:
    location = ""
    if settings.warehouse:
        location = f" LOCATION {sql_text(str(Path(settings.warehouse, settings.schema).absolute()))}"
    name = quoted(settings.catalog, settings.schema)
    with_retries(lambda: spark.sql(f"CREATE SCHEMA IF NOT EXISTS {name}{location}"))


def _column_ddl(column: T.StructField) -> str:
    comment = sql_text(column.metadata["comment"])
    return f"{quoted(column.name)} {column.dataType.simpleString()} COMMENT {comment}"


def _make_or_migrate(spark: SparkSession, settings: Settings, spec: TableSpec, *, exists: bool) -> None:
    name = settings.qualified(spec.name)
    if exists:
        _check(spark, settings, spec)
        return
    remove_unfinished(settings, spec.name)
    columns = ", ".join(_column_ddl(column) for column in spec.columns)
    partitions = f" PARTITIONED BY ({', '.join(map(quoted, spec.partitioned_by))})" if spec.partitioned_by else ""
    pairs = properties_sql({**spec.properties, VERSION_PROPERTY: str(SCHEMA_VERSION), ID_PROPERTY: uuid.uuid4().hex})
    spark.sql(
        f"CREATE TABLE IF NOT EXISTS {name} ({columns}) USING DELTA{partitions} "
        f"COMMENT {sql_text(spec.comment)}{location_sql(settings, spec.name)} TBLPROPERTIES ({pairs})"
    )


def usable_properties(spark: SparkSession, settings: Settings, table: str) -> dict[str, str]:
    """The properties of an existing table, if this library can use it; the schema version is ``0`` where it has none.

    Raises:
        TableError: it is not a Delta table, or a newer version of the library has made it.
    """
    label = f"table {settings.schema}.{table}"
    try:
        about = properties(spark, settings, table)
        # Only a table of somebody else has no version; one that has it is Delta.
        form = "delta" if VERSION_PROPERTY in about else _form(spark, settings, table)
    except AnalysisException as error:
        raise TableError(f"{label} must be a Delta table, got {type(error).__name__}") from error
    if form != "delta":
        raise TableError(f"{label} must be a Delta table, got {form}")
    version = about.setdefault(VERSION_PROPERTY, "0")
    if not version.isdigit() or int(version) > SCHEMA_VERSION:
        raise TableError(
            f"{label} must have schema version {SCHEMA_VERSION} or older, got {version}: use a newer library"
        )
    return about


def _check(spark: SparkSession, settings: Settings, spec: TableSpec) -> None:
    """Raises for a table this library cannot use; brings an older one up to date, adding only."""
    about = usable_properties(spark, settings, spec.name)
    there = {field.name: field.dataType for field in spark.table(settings.qualified(spec.name)).schema}
    for column in spec.columns:
        kind = there.get(column.name, column.dataType)
        if kind.simpleString() != column.dataType.simpleString():
            raise TableError(
                f"table {settings.schema}.{spec.name}: column {column.name} must be "
                f"{column.dataType.simpleString()}, got {kind.simpleString()}"
            )
    if int(about[VERSION_PROPERTY]) < SCHEMA_VERSION or ID_PROPERTY not in about:
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
    pairs = properties_sql({**spec.properties, VERSION_PROPERTY: str(SCHEMA_VERSION), ID_PROPERTY: table_id})
    spark.sql(f"ALTER TABLE {name} SET TBLPROPERTIES ({pairs})")


def _make_posts(spark: SparkSession, settings: Settings) -> None:
    """``posts``: pins with their geolocation and user, one row a post."""
    columns = ", ".join(f"{quoted(name)} COMMENT {sql_text(comment)}" for name, comment in posts_columns())
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
