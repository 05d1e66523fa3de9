"""CHECK constraints of a table, made from the limits of its columns in ``schemas``; adding them to an older table."""

import re
from collections.abc import Collection

from pyspark.errors import PySparkException
from pyspark.sql import types as T

from pinterest_transforms.errors import TableError
from pinterest_transforms.settings import Leg, quote_identifiers
from pinterest_transforms.tables.definitions import TableSpec
from pinterest_transforms.tables.retry import with_retries
from pinterest_transforms.tables.table_access import sql_text

PROPERTY_PREFIX = "delta.constraints."
"""Delta stores a CHECK constraint as a table property of this prefix and the constraint's name in lower case."""
_VIOLATED = "DELTA_NEW_CHECK_CONSTRAINT_VIOLATION"


def check_constraints(spec: TableSpec) -> dict[str, str]:
    """SQL of each CHECK constraint of a table by its name, such as ``age_check``."""
    return {f"{column.name}_check": sql for column in spec.columns if (sql := check_condition(column))}


def check_condition(column: T.StructField) -> str:
    """SQL of what a column's value must be; null passes. Empty for a column without limits."""
    name, limits = quote_identifiers(column.name), column.metadata
    least, most = limits.get("minimum"), limits.get("maximum")
    if "values" in limits:
        condition = f"{name} IN ({', '.join(map(sql_text, limits['values']))})"
    elif "sum_of" in limits:
        condition = f"{name} = {' + '.join(map(quote_identifiers, limits['sum_of']))}"
    elif least is None:
        return ""
    elif most is None:
        condition = f"{name} >= {least}"
    elif isinstance(column.dataType, T.ArrayType):
        # A null or NaN element is out of every range.
        parts = [
            f"{name}[{at}] BETWEEN {low} AND {high}" for at, (low, high) in enumerate(zip(least, most, strict=True))
        ]
        condition = " AND ".join([f"size({name}) = {len(parts)}", *parts])
    elif isinstance(column.dataType, T.TimestampType):
        condition = f"{name} >= {_new_year(least)} AND {name} < {_new_year(most + 1)}"
    else:
        condition = f"{name} BETWEEN {least} AND {most}"
    return f"{name} IS NULL OR ({condition})"


def _new_year(year: int) -> str:
    return f"TIMESTAMP '{year}-01-01 00:00:00+00:00'"


def constraint_properties(spec: TableSpec) -> dict[str, str]:
    """The CHECK constraints as table properties, so that a new table has them from its first commit."""
    return {f"{PROPERTY_PREFIX}{name}": sql for name, sql in check_constraints(spec).items()}


def add_constraints(leg: Leg, spec: TableSpec, existing: Collection[str], nullable: Collection[str] = ()) -> None:
    """Adds the CHECK constraints that a table lacks.

    Args:
        leg: session, names and places.
        spec: the table.
        existing: its properties.
        nullable: its columns that may hold null. Open-source Delta makes no column NOT NULL that was not created so,
            so a required one of these gets a CHECK.

    Raises:
        TableError: some of its rows violate a constraint.
    """
    required = {
        f"{column.name}_not_null": f"{quote_identifiers(column.name)} IS NOT NULL"
        for column in spec.columns
        if column.name in nullable and column.metadata.get("required")
    }
    for name, condition in {**required, **check_constraints(spec)}.items():
        if f"{PROPERTY_PREFIX}{name}" not in existing:
            _add(leg, spec.name, name, condition)


def _add(leg: Leg, table: str, name: str, condition: str) -> None:
    statement = f"ALTER TABLE {leg.qualified(table)} ADD CONSTRAINT {quote_identifiers(name)} CHECK ({condition})"
    try:
        with_retries(lambda: leg.sql(statement).collect())
    except PySparkException as error:
        if _VIOLATED not in str(error):
            raise
        found = re.search(rf"{_VIOLATED}\S*\s+(\d+) row", str(error))
        count = found[1] if found else "some"
        raise TableError(
            f"table {leg.settings.schema}.{table}: every row must meet constraint {name} ({condition}), got {count} "
            "that violate it: correct or delete them, then run this again"
        ) from None
