"""Tags of columns: each column's class, as the data contract has it."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path

import yaml

from pinterest_transforms.settings import Settings, quote_identifiers
from workspace.step_reporter import StepReporter
from workspace.unity_catalog.sql_warehouse import Warehouse

CONTRACT = Path(__file__).parents[2] / "docs" / "contract.odcs.yaml"
TAG = "class"

Classes = Mapping[str, Mapping[str, str]]
"""The class of each column by its name, by table."""


def read_classes(settings: Settings) -> Classes:
    """Classes of the columns of a leg's tables, from the contract's file; a view's columns take no tags."""
    tables = yaml.safe_load(CONTRACT.read_text(encoding="utf-8"))["schema"]
    return {
        own["value"].replace("<id>", settings.user_id): {
            column["name"]: column["classification"] for column in table["properties"]
        }
        for table in tables
        if table["physicalType"] == "table"
        for own in table["customProperties"]
        if own["property"] == f"{settings.leg}Table"
    }


def build_tag_statement(settings: Settings, table: str, column: str, column_class: str) -> str:
    """The statement that tags a column of a table; a tag that is there gets the new value."""
    return (
        f"ALTER TABLE {settings.qualified(table)} ALTER COLUMN {quote_identifiers(column)} "
        f"SET TAGS ('{TAG}' = '{column_class}')"
    )


def tag_columns(warehouse: Warehouse, reporter: StepReporter, settings: Settings) -> None:
    """Tags each column whose class is not tagged yet, or another one; a table that does not exist yet is waiting."""
    existing = _read(warehouse, settings, "columns", "table_schema", "''", "true")
    tagged = _read(warehouse, settings, "column_tags", "schema_name", "tag_value", f"tag_name = '{TAG}'")
    for table, classes in read_classes(settings).items():
        step = f"tags of the columns of {settings.catalog}.{settings.schema}.{table}"
        if table not in existing:
            reporter.report_waiting(step, "it does not exist yet")
            continue
        found = tagged.get(table, {})
        missing = {column: name for column, name in classes.items() if found.get(column) != name}
        if not missing:
            reporter.report_existing(step)
        for column, column_class in missing.items():
            statement = build_tag_statement(settings, table, column, column_class)
            if column in found:
                reporter.update(statement, f"from {found[column]}", partial(warehouse.query, statement))
            else:
                reporter.create(statement, partial(warehouse.query, statement))


def _read(warehouse: Warehouse, settings: Settings, view: str, schema: str, value: str, condition: str) -> Classes:
    """A value of each column of the schema, from a view of the information schema."""
    rows = warehouse.query(
        f"SELECT table_name, column_name, {value} FROM {quote_identifiers(settings.catalog)}.information_schema.{view} "
        f"WHERE {schema} = '{settings.schema}' AND {condition}"
    ).rows
    found: dict[str, dict[str, str]] = {}
    for table, column, text in rows:
        found.setdefault(table or "", {})[column or ""] = text or ""
    return found
