"""Grants of people: one to nobody (a variable that is empty, as in dev) is left out."""

from databricks.bundles.core import schema_mutator
from databricks.bundles.schemas import Schema

from resources.variables import each


@schema_mutator
def schema_grants(schema: Schema) -> Schema:
    """Grants that name a principal."""
    schema.grants = [grant for grant in each(schema.grants) if grant.principal]
    return schema
