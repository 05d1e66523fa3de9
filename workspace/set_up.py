"""Creates the requested objects in the order of their dependencies."""

from databricks.sdk import WorkspaceClient
from databricks.sdk.service.catalog import Privilege, SecurableType

from workspace.redacted_output import RedactedOutput
from workspace.request import KeysRequest, SetUpRequest
from workspace.secret_scope import (
    drop_credentials_table,
    put_keys,
    read_keys_from_environment,
    read_keys_from_prompt,
    read_keys_from_table,
)
from workspace.step_reporter import StepReporter
from workspace.unity_catalog import aws_credentials
from workspace.unity_catalog.column_tags import tag_columns
from workspace.unity_catalog.grants import Grant, apply_grants, build_table_grants
from workspace.unity_catalog.key_constraints import add_keys
from workspace.unity_catalog.sql_warehouse import choose_warehouse
from workspace.workspace_client import connect
from workspace.workspace_errors import WorkspaceError
from workspace.workspace_names import list_analyst_tables, list_steward_tables


def set_up(
    request: SetUpRequest, output: RedactedOutput, *, profile: str = "", warehouse: str = "", dry_run: bool = False
) -> None:
    """Creates the requested objects that do not exist, and updates those that differ.

    Args:
        request: the objects.
        output: receives one line per step.
        profile: profile of the SDK's configuration file.
        warehouse: id or name of the SQL warehouse; empty for the only one.
        dry_run: print what would be done, and do nothing.

    Raises:
        WorkspaceError: a step failed, or is waiting.
    """
    client, reporter = connect(output, profile), StepReporter(output, dry_run=dry_run)
    if request.keys.source:
        _store_keys(client, reporter, request.keys, warehouse, replace=False)
    if request.storage_role:
        aws_credentials.set_up_storage_credential(client, reporter, request.storage_credential, request.storage_role)
    if request.external_location:
        aws_credentials.set_up_external_location(
            client, reporter, request.external_location, request.landing, request.storage_credential
        )
    if request.service_role:
        aws_credentials.set_up_service_credential(client, reporter, request.service_credential, request.service_role)
    if request.instance_profile:
        aws_credentials.set_up_instance_profile(client, reporter, request.instance_profile)
    apply_grants(client, reporter, _build_grants(request))
    if request.column_tags:
        tag_columns(choose_warehouse(client, warehouse), reporter, request.settings())
    if request.key_constraints:
        add_keys(choose_warehouse(client, warehouse), reporter, request.settings())
    output.write(reporter.format_summary())
    if reporter.waiting and not dry_run:
        raise WorkspaceError(
            "waiting steps need objects that do not exist: deploy the bundle, run the job, then run this command again"
        )


def rotate(
    keys: KeysRequest, output: RedactedOutput, *, profile: str = "", warehouse: str = "", dry_run: bool = False
) -> None:
    """Replaces the keys in the scope."""
    client, reporter = connect(output, profile), StepReporter(output, dry_run=dry_run)
    _store_keys(client, reporter, keys, warehouse, replace=True)
    output.write(reporter.format_summary())
    output.log("running jobs keep the old keys: restart streams, then deactivate the old key in AWS")


def _store_keys(
    client: WorkspaceClient, reporter: StepReporter, keys: KeysRequest, warehouse: str, *, replace: bool
) -> None:
    output = reporter.output
    if keys.source == "prompt":
        put_keys(client, reporter, keys.scope, lambda: read_keys_from_prompt(output), replace=replace)
    elif keys.source == "environment":
        put_keys(client, reporter, keys.scope, lambda: read_keys_from_environment(output, keys.scope), replace=replace)
    else:
        chosen = choose_warehouse(client, warehouse)
        put_keys(
            client, reporter, keys.scope, lambda: read_keys_from_table(output, chosen, keys.table), replace=replace
        )
        drop_credentials_table(chosen, reporter, keys.table, drop=keys.drop)


def _build_grants(request: SetUpRequest) -> list[Grant]:
    settings, grants = request.settings(), []
    if request.analysts:
        grants += build_table_grants(settings, request.analysts, list_analyst_tables())
    if request.stewards:
        grants += build_table_grants(settings, request.stewards, list_steward_tables(settings))
    if request.runner and request.external_location:
        location = request.external_location
        grants.append(Grant(request.runner, Privilege.READ_FILES, SecurableType.EXTERNAL_LOCATION, location))
    if request.runner and request.service_credential:
        grants.append(Grant(request.runner, Privilege.ACCESS, SecurableType.CREDENTIAL, request.service_credential))
    return grants
