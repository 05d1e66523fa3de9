"""Tables of a leg, as the data contract has them, and what the information schema has of them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from pinterest_transforms.settings import Settings, quote_identifiers
from workspace.unity_catalog.sql_warehouse import Warehouse

CONTRACT = Path(__file__).parents[2] / "docs" / "contract.odcs.yaml"


def read_tables(settings: Settings) -> dict[str, Mapping[str, Any]]:
    """The tables of a leg by their physical names, in the form of the Open Data Contract Standard; no views."""
    tables = yaml.safe_load(CONTRACT.read_text(encoding="utf-8"))["schema"]
    return {
        own["value"].replace("<id>", settings.user_id): table
        for table in tables
        if table["physicalType"] == "table"
        for own in table["customProperties"]
        if own["property"] == f"{settings.leg}Table"
    }


def read_information(
    warehouse: Warehouse, settings: Settings, view: str, name: str, value: str, condition: str = "true"
) -> dict[str, dict[str, str]]:
    """A view of the information schema: for each table of the leg's schema a value by a name, such as a column's."""
    schema = "schema_name" if view == "column_tags" else "table_schema"
    rows = warehouse.query(
        f"SELECT table_name, {name}, {value} FROM {quote_identifiers(settings.catalog)}.information_schema.{view} "
        f"WHERE {schema} = '{settings.schema}' AND {condition}"
    ).rows
    found: dict[str, dict[str, str]] = {}
    for table, key, text in rows:
        found.setdefault(table or "", {})[key or ""] = text or ""
    return found
