"""Creates, checks, migrates and registers the leg's Delta tables and its views.

A catalog manages the tables on Databricks. On one machine they are folders ``<warehouse>/<schema>/<table>`` that each
session registers in its own catalog, under the same names. ``answer_tables`` creates those of the answers.
"""

import uuid
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from pyspark.errors import AnalysisException
from pyspark.sql import types as T

from pinterest_transforms.entities import ENTITIES
from pinterest_transforms.errors import TableError
from pinterest_transforms.schemas import SCHEMA_VERSION, type_ddl
from pinterest_transforms.settings import Leg, Settings, quote_identifiers
from pinterest_transforms.tables.constraints import add_constraints, constraint_properties
from pinterest_transforms.tables.definitions import (
    RUNS_TABLE,
    TableSpec,
    answer_specs,
    erased_spec,
    undone_spec,
    work_specs,
)
from pinterest_transforms.tables.locks import setup_lock
from pinterest_transforms.tables.retry import with_retries
from pinterest_transforms.tables.table_access import (
    ID_PROPERTY,
    VERSION_PROPERTY,
    check_folder,
    cluster_by_sql,
    has_commits,
    is_unfinished,
    list_tables,
    location_sql,
    properties_sql,
    read_properties,
    read_usable_properties,
    remove_unfinished,
    sql_text,
)
from pinterest_transforms.tables.views import VIEWS, create_view_sql, view_columns

_AT_ONCE = 4


def set_up(leg: Leg) -> None:
    """Creates missing tables, migrates older ones, and checks the rest. Idempotent; run before parallel work.

    The answer tables are made by their first write. ``runs`` comes last: its schema version stands for all of them.

    Raises:
        TableError: a table is not Delta, has another type in a column, has rows that violate a constraint, or was made
            by a newer version.
    """
    with setup_lock(leg.settings):
        _make_schema(leg)
        register_tables(leg)
        existing = list_tables(leg)

        def make(spec: TableSpec) -> None:
            with_retries(lambda: _make_or_migrate(leg, spec, exists=spec.name in existing))

        specs = work_specs(leg.settings)
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            list(pool.map(make, [spec for spec in specs if spec.name != RUNS_TABLE]))
        for spec in specs:
            if spec.name == RUNS_TABLE:
                make(spec)
        with_retries(lambda: _make_views(leg, existing))


def ensure_tables(leg: Leg) -> None:
    """Runs ``set_up`` if a table or view is missing, or the last set-up was that of another schema version.

    Raises:
        TableError: as ``set_up`` and ``register_tables``.
    """
    register_tables(leg)
    if not _are_current(leg):
        set_up(leg)


def create_table(leg: Leg, spec: TableSpec) -> None:
    """Creates one table if it does not exist."""
    with setup_lock(leg.settings):
        exists = spec.name in list_tables(leg)
        with_retries(lambda: _make_or_migrate(leg, spec, exists=exists))


def _are_current(leg: Leg) -> bool:
    """Two questions whatever the number of tables: the schema's list, and the version of ``runs``, made last."""
    needed = {spec.name for spec in work_specs(leg.settings)}
    if not needed.union(VIEWS) <= list_tables(leg):
        return False
    if not all(has_commits(folder) for name in needed if (folder := leg.settings.table_folder(name))):
        return False
    try:
        version = read_properties(leg, RUNS_TABLE).get(VERSION_PROPERTY)
    except AnalysisException:
        return False
    return version == str(SCHEMA_VERSION)


def register_tables(leg: Leg) -> None:
    """Registers the tables that are there, and the views if their tables are; makes and changes nothing on disk.

    Only for tables in folders; where a catalog manages them they are there already.

    Raises:
        TableError: a table's folder does not hold a Delta table, or the session knows the tables of another warehouse.
    """
    settings = leg.settings
    if not settings.warehouse:
        return
    _make_schema(leg)
    folder = Path(settings.warehouse, settings.schema)
    known = {spec.name for spec in (*work_specs(settings), *answer_specs(), erased_spec(), undone_spec())}
    entries = sorted(folder.iterdir()) if folder.is_dir() else []
    complete = {
        entry.name
        for entry in entries
        if (entry.is_dir() and has_commits(entry)) or (entry.name in known and not is_unfinished(settings, entry))
    }
    existing = list_tables(leg)
    if RUNS_TABLE in existing:
        check_folder(leg, RUNS_TABLE)

    def register(table: str) -> None:
        leg.sql(f"CREATE TABLE IF NOT EXISTS {leg.qualified(table)} USING DELTA{location_sql(settings, table)}")

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        list(pool.map(register, sorted(complete - existing)))
    if not existing.issuperset(VIEWS) and {settings.clean_table(entity) for entity in ENTITIES} <= complete:
        _make_views(leg, existing)


def _make_schema(leg: Leg) -> None:
    settings, location = leg.settings, ""
    if settings.warehouse:
        location = f" LOCATION {sql_text(str(Path(settings.warehouse, settings.schema).absolute()))}"
    name = quote_identifiers(settings.catalog, settings.schema)
    with_retries(lambda: leg.sql(f"CREATE SCHEMA IF NOT EXISTS {name}{location}"))


def _column_ddl(column: T.StructField, *, is_added: bool = False) -> str:
    # A column that is added to a table is null in the rows it has.
    required = " NOT NULL" if column.metadata.get("required") and not is_added else ""
    comment = sql_text(column.metadata["comment"])
    return f"{quote_identifiers(column.name)} {type_ddl(column.dataType)}{required} COMMENT {comment}"


def _make_or_migrate(leg: Leg, spec: TableSpec, *, exists: bool) -> None:
    if exists:
        _check(leg, spec)
        return
    settings = leg.settings
    remove_unfinished(settings, spec.name)
    columns = ", ".join(_column_ddl(column) for column in spec.columns)
    # In the first commit on one machine; Databricks documents ALTER TABLE alone.
    constraints = constraint_properties(spec) if settings.warehouse else {}
    own = {VERSION_PROPERTY: str(SCHEMA_VERSION), ID_PROPERTY: uuid.uuid4().hex}
    leg.sql(
        f"CREATE TABLE IF NOT EXISTS {leg.qualified(spec.name)} ({columns}) USING DELTA{_layout_sql(settings, spec)} "
        f"COMMENT {sql_text(spec.comment)}{location_sql(settings, spec.name)} "
        f"TBLPROPERTIES ({properties_sql({**spec.properties, **constraints, **own})})"
    )
    if not settings.warehouse:
        # Looked up, since another attempt may have added some.
        add_constraints(leg, spec, read_properties(leg, spec.name))


def _layout_sql(settings: Settings, spec: TableSpec) -> str:
    if spec.partitioned_by:
        return f" PARTITIONED BY ({', '.join(map(quote_identifiers, spec.partitioned_by))})"
    return f" {cluster_by_sql(spec.clustered_by)}" if spec.clustered_by and not settings.warehouse else ""


def _check(leg: Leg, spec: TableSpec) -> None:
    """Raises for a table this library cannot use; brings an older one up to date, adding only."""
    about = read_usable_properties(leg, spec.name)
    there = {field.name: field for field in leg.table(spec.name).schema}
    for column in spec.columns:
        kind = there.get(column.name, column).dataType
        if kind.simpleString() != column.dataType.simpleString():
            raise TableError(
                f"table {leg.settings.schema}.{spec.name}: column {column.name} must be "
                f"{column.dataType.simpleString()}, got {kind.simpleString()}"
            )
    name, is_older = leg.qualified(spec.name), int(about[VERSION_PROPERTY]) < SCHEMA_VERSION
    missing = [column for column in spec.columns if column.name not in there]
    if is_older and missing:
        added = ", ".join(_column_ddl(column, is_added=True) for column in missing)
        leg.sql(f"ALTER TABLE {name} ADD COLUMNS ({added})")
    nullable = {field.name for field in there.values() if field.nullable} if is_older else ()
    # Also to a table whose set-up was killed before it had all of them.
    add_constraints(leg, spec, about, nullable)
    if is_older and (layout := _layout_sql(leg.settings, spec)) and not spec.partitioned_by:
        leg.sql(f"ALTER TABLE {name}{layout}")
    if is_older or ID_PROPERTY not in about:
        own = {VERSION_PROPERTY: str(SCHEMA_VERSION), ID_PROPERTY: about.get(ID_PROPERTY, uuid.uuid4().hex)}
        leg.sql(f"ALTER TABLE {name} SET TBLPROPERTIES ({properties_sql({**spec.properties, **own})})")


def _make_views(leg: Leg, existing: Collection[str]) -> None:
    """Creates the views that are missing or have other columns; a view that is replaced loses its grants."""
    for view in VIEWS:
        if view not in existing or leg.table(view).columns != view_columns(view).names:
            leg.sql(create_view_sql(leg.settings, view))
