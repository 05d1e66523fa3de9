"""Grants and permissions of people: one to nobody (a variable that is empty, as in dev) is left out."""

from databricks.bundles.core import dashboard_mutator, schema_mutator
from databricks.bundles.dashboards import Dashboard
from databricks.bundles.schemas import Schema

from resources.variables import each


@schema_mutator
def schema_grants(schema: Schema) -> Schema:
    """Grants that name a principal."""
    schema.grants = [grant for grant in each(schema.grants) if grant.principal]
    return schema


@dashboard_mutator
def dashboard_permissions(dashboard: Dashboard) -> Dashboard:
    """Permissions that name somebody."""
    dashboard.permissions = [
        entry
        for entry in each(dashboard.permissions)
        if entry.group_name or entry.service_principal_name or entry.user_name
    ]
    return dashboard
