"""The set-up: what was asked for, in the order in which one thing needs another."""

from databricks.sdk import WorkspaceClient
from databricks.sdk.service.catalog import Privilege, SecurableType

from workspace import credentials
from workspace.asked import Keys, SetUp
from workspace.client import connect
from workspace.errors import WorkspaceError
from workspace.grants import Grant, give, table_grants
from workspace.names import analysts_tables, stewards_tables
from workspace.screen import Screen
from workspace.secrets import drop_table, from_environment, from_prompt, from_table, put_keys
from workspace.statements import choose_warehouse
from workspace.steps import Steps


def set_up(asked: SetUp, screen: Screen, *, profile: str = "", warehouse: str = "", dry_run: bool = False) -> None:
    """Makes what was asked for and is not there yet.

    Args:
        asked: what to make.
        screen: is told each step.
        profile: profile of the SDK's configuration file.
        warehouse: id or name of the SQL warehouse; empty for the only one.
        dry_run: only say what would be done.

    Raises:
        WorkspaceError: the workspace refused a step, or one has to wait.
    """
    client, steps = connect(screen, profile), Steps(screen, dry_run=dry_run)
    if asked.keys.source:
        _keys(client, steps, asked.keys, warehouse, replace=False)
    if asked.storage_role:
        credentials.storage_credential(client, steps, asked.storage_credential, asked.storage_role)
    if asked.external_location:
        credentials.external_location(client, steps, asked.external_location, asked.landing, asked.storage_credential)
    if asked.service_role:
        credentials.service_credential(client, steps, asked.service_credential, asked.service_role)
    if asked.instance_profile:
        credentials.instance_profile(client, steps, asked.instance_profile)
    give(client, steps, _grants(asked))
    screen.say(steps.summary())
    if steps.waiting and not dry_run:
        raise WorkspaceError("what waits must be there first: deploy the bundle, run the job, then this command again")


def rotate(keys: Keys, screen: Screen, *, profile: str = "", warehouse: str = "", dry_run: bool = False) -> None:
    """Puts new keys into the scope, in place of what is there."""
    client, steps = connect(screen, profile), Steps(screen, dry_run=dry_run)
    _keys(client, steps, keys, warehouse, replace=True)
    screen.say(steps.summary())
    screen.note("what runs keeps the keys it began with: start streams again, then make the old key inactive in AWS")


def _keys(client: WorkspaceClient, steps: Steps, keys: Keys, warehouse: str, *, replace: bool) -> None:
    screen = steps.screen
    if keys.source == "prompt":
        put_keys(client, steps, keys.scope, lambda: from_prompt(screen), replace=replace)
    elif keys.source == "environment":
        put_keys(client, steps, keys.scope, lambda: from_environment(screen, keys.scope), replace=replace)
    else:
        chosen = choose_warehouse(client, warehouse)
        put_keys(client, steps, keys.scope, lambda: from_table(screen, chosen, keys.table), replace=replace)
        drop_table(chosen, steps, keys.table, drop=keys.drop)


def _grants(asked: SetUp) -> list[Grant]:
    settings, grants = asked.settings(), []
    if asked.analysts:
        grants += table_grants(settings, asked.analysts, analysts_tables())
    if asked.stewards:
        grants += table_grants(settings, asked.stewards, stewards_tables(settings))
    if asked.runner and asked.external_location:
        location = asked.external_location
        grants.append(Grant(asked.runner, Privilege.READ_FILES, SecurableType.EXTERNAL_LOCATION, location))
    if asked.runner and asked.service_credential:
        grants.append(Grant(asked.runner, Privilege.ACCESS, SecurableType.CREDENTIAL, asked.service_credential))
    return grants
