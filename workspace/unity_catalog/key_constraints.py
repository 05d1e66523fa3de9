"""Primary and foreign keys, as the data contract has them: information for readers and tools, which nothing enforces.

Unity Catalog takes a primary key of columns that are NOT NULL. A table that an older version of the library created has
none of these, so they are made so first; the catalog looks for nulls meanwhile.
"""

from collections.abc import Iterator
from functools import partial

from pinterest_transforms.settings import Settings, quote_identifiers
from workspace.step_reporter import EXISTS, WAITING, StepReporter
from workspace.unity_catalog.contract_tables import read_information, read_tables
from workspace.unity_catalog.sql_warehouse import Warehouse


def build_key_statements(settings: Settings) -> Iterator[tuple[str, str, str, str]]:
    """Table, name of the constraint, column and statement of each key of a leg; a table's primary key comes first."""
    tables = read_tables(settings)
    names = {contract["name"]: table for table, contract in tables.items()}
    keys = [
        (table, column)
        for table, contract in tables.items()
        for column in contract["properties"]
        if column.get("primaryKey")
    ]
    for table, column in keys:
        clause = f"PRIMARY KEY ({quote_identifiers(column['name'])})"
        yield table, f"{table}_pk", column["name"], _build(settings, table, f"{table}_pk", clause)
    for table, column in keys:
        for relationship in column.get("relationships", ()):
            to, _, key = relationship["to"].partition(".")
            clause = (
                f"FOREIGN KEY ({quote_identifiers(column['name'])}) "
                f"REFERENCES {settings.qualified(names[to])} ({quote_identifiers(key)})"
            )
            yield table, f"{table}_{to}_fk", column["name"], _build(settings, table, f"{table}_{to}_fk", clause)


def _build(settings: Settings, table: str, name: str, clause: str) -> str:
    return f"ALTER TABLE {settings.qualified(table)} ADD CONSTRAINT {quote_identifiers(name)} {clause}"


def add_keys(warehouse: Warehouse, reporter: StepReporter, settings: Settings) -> None:
    """Adds the keys that are missing; a table that does not exist yet is waiting."""
    nullable = read_information(warehouse, settings, "columns", "column_name", "is_nullable")
    existing = read_information(warehouse, settings, "table_constraints", "constraint_name", "constraint_type")
    for table, name, column, statement in build_key_statements(settings):
        if table not in nullable:
            reporter.report(statement, WAITING)
        elif name in existing.get(table, {}):
            reporter.report(statement, EXISTS)
        else:
            if nullable[table].get(column) == "YES":
                # It fails where the column holds a null.
                not_null = (
                    f"ALTER TABLE {settings.qualified(table)} ALTER COLUMN {quote_identifiers(column)} SET NOT NULL"
                )
                reporter.run(not_null, "created", partial(warehouse.query, not_null))
                nullable[table][column] = "NO"
            reporter.run(statement, "created", partial(warehouse.query, statement))
