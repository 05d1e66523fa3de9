"""The analysts' dashboard: answers, `posts` and `runs` of the batch leg. Python and not YAML, since it may be left out.

`databricks bundle generate dashboard --resource pinterest --force` saves a change made in the workspace in its file.
"""

from databricks.bundles.core import Bundle, Resources
from databricks.bundles.dashboards import Dashboard, Permission, PermissionLevel

from resources.variables import Variables, value

_NO_WAREHOUSE = "no dashboard: warehouse_id must be the ID of a SQL warehouse (`databricks warehouses list`), got ''"


def load_resources(bundle: Bundle) -> Resources:
    """The dashboard; a line and no dashboard where there is no warehouse for it."""
    resources = Resources()  # type: ignore[no-untyped-call]
    warehouse_id, analysts = (value(bundle, one) for one in (Variables.warehouse_id, Variables.analysts_group))
    if not warehouse_id:
        resources.add_diagnostic_warning(_NO_WAREHOUSE)
        return resources
    can_read = Permission(group_name=analysts, level=PermissionLevel.CAN_READ)
    resources.add_dashboard(
        "pinterest",
        Dashboard(
            display_name="Pinterest posts",
            file_path="resources/pinterest.lvdash.json",
            warehouse_id=warehouse_id,
            # Of the bare table names in the queries. By reference, since dev and staging prefix the schema.
            dataset_catalog="${var.catalog}",
            dataset_schema="${resources.schemas.batch.name}",
            # Viewers read with their own rights, so the dashboard shows nobody more than their grants do.
            embed_credentials=False,
            parent_path="${workspace.resource_path}",
            permissions=[can_read] if analysts else [],
        ),
    )
    return resources
