"""Tags of columns: each column's class, as the data contract has it."""

from functools import partial

from pinterest_transforms.settings import Settings, quote_identifiers
from workspace.step_reporter import EXISTS, WAITING, StepReporter
from workspace.unity_catalog.contract_tables import read_information, read_tables
from workspace.unity_catalog.sql_warehouse import Warehouse

TAG = "class"


def read_classes(settings: Settings) -> dict[str, dict[str, str]]:
    """The class of each column by its name, of each table of a leg; a view's columns take no tags."""
    return {
        table: {column["name"]: column["classification"] for column in contract["properties"]}
        for table, contract in read_tables(settings).items()
    }


def build_tag_statement(settings: Settings, table: str, column: str, column_class: str) -> str:
    """The statement that tags a column of a table; a tag that is there gets the new value."""
    return (
        f"ALTER TABLE {settings.qualified(table)} ALTER COLUMN {quote_identifiers(column)} "
        f"SET TAGS ('{TAG}' = '{column_class}')"
    )


def tag_columns(warehouse: Warehouse, reporter: StepReporter, settings: Settings) -> None:
    """Tags each column whose class is not tagged yet, or another one; a table that does not exist yet is waiting."""
    existing = read_information(warehouse, settings, "columns", "column_name", "is_nullable")
    tagged = read_information(warehouse, settings, "column_tags", "column_name", "tag_value", f"tag_name = '{TAG}'")
    for table, classes in read_classes(settings).items():
        step = f"tags of the columns of {settings.catalog}.{settings.schema}.{table}"
        if table not in existing:
            reporter.report(step, WAITING)
            continue
        found = tagged.get(table, {})
        missing = {column: name for column, name in classes.items() if found.get(column) != name}
        if not missing:
            reporter.report(step, EXISTS)
        for column, column_class in missing.items():
            statement = build_tag_statement(settings, table, column, column_class)
            result = f"updated, from {found[column]}" if column in found else "created"
            reporter.run(statement, result, partial(warehouse.query, statement))
