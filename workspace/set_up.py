"""Checks the options of the set-up, and creates the requested objects in the order of their dependencies."""

import argparse

from databricks.sdk.service.catalog import CredentialPurpose, Privilege, SecurableType

from pinterest_transforms.errors import SettingsError
from pinterest_transforms.settings import Settings, check_identifier
from workspace.redacted_output import RedactedOutput
from workspace.secret_scope import check_secret_options, store_keys
from workspace.step_reporter import StepReporter
from workspace.unity_catalog.aws_credentials import (
    set_up_credential,
    set_up_external_location,
    set_up_instance_profile,
)
from workspace.unity_catalog.column_tags import tag_columns
from workspace.unity_catalog.grants import Grant, apply_grants, build_table_grants
from workspace.unity_catalog.key_constraints import add_keys
from workspace.unity_catalog.sql_warehouse import choose_warehouse
from workspace.workspace_client import connect
from workspace.workspace_errors import WorkspaceError
from workspace.workspace_names import (
    INSTANCE_PROFILE,
    list_analyst_tables,
    list_steward_tables,
    parse_role_arn,
)

# An option, and others of which it needs one.
_NEEDS = {
    "storage_role": ("storage_credential",),
    "storage_credential": ("storage_role", "external_location"),
    "external_location": ("storage_credential",),
    "service_role": ("service_credential",),
    "service_credential": ("service_role", "runner"),
    "runner": ("external_location", "service_credential"),
}
# With one of these there is something to do.
_REQUESTS = (
    *("secrets_from", "storage_role", "external_location", "service_credential", "instance_profile"),
    *("analysts", "stewards", "column_tags", "key_constraints"),
)


def set_up(options: argparse.Namespace, output: RedactedOutput) -> None:
    """Creates the requested objects that do not exist, and updates those that differ.

    Raises:
        SettingsError: an option is invalid, or none requests anything.
        WorkspaceError: a step failed, or is waiting.
    """
    settings = _check_options(options)
    client, reporter = connect(output, options.profile), StepReporter(output, dry_run=options.dry_run)
    if options.secrets_from:
        store_keys(client, reporter, options, replace=False)
    if options.storage_role:
        set_up_credential(client, reporter, CredentialPurpose.STORAGE, options.storage_credential, options.storage_role)
    if options.external_location:
        url = options.url or f"s3://{settings.bucket}"
        set_up_external_location(client, reporter, options.external_location, url, options.storage_credential)
    if options.service_role:
        set_up_credential(client, reporter, CredentialPurpose.SERVICE, options.service_credential, options.service_role)
    if options.instance_profile:
        set_up_instance_profile(client, reporter, options.instance_profile)
    apply_grants(client, reporter, _build_grants(options, settings))
    if options.column_tags:
        tag_columns(choose_warehouse(client, options.warehouse), reporter, settings)
    if options.key_constraints:
        add_keys(choose_warehouse(client, options.warehouse), reporter, settings)
    output.write(reporter.format_summary())
    if reporter.is_waiting and not options.dry_run:
        raise WorkspaceError(
            "waiting steps need objects that do not exist: deploy the bundle, run the job, then run this command again"
        )


def rotate(options: argparse.Namespace, output: RedactedOutput) -> None:
    """Replaces the keys in the scope."""
    check_secret_options(options)
    client, reporter = connect(output, options.profile), StepReporter(output, dry_run=options.dry_run)
    store_keys(client, reporter, options, replace=True)
    output.write(reporter.format_summary())
    output.log("running jobs keep the old keys: restart streams, then deactivate the old key in AWS")


def _check_options(options: argparse.Namespace) -> Settings:
    """Checks each value, and that dependent ones are given together; returns the settings of the leg."""
    for name, others in _NEEDS.items():
        if getattr(options, name) and not any(getattr(options, other) for other in others):
            raise SettingsError(f"{_spell(name)} must come with --{' or --'.join(map(_spell, others))}, got none")
    for role in filter(None, (options.storage_role, options.service_role)):
        parse_role_arn(role)
    for name in ("storage_credential", "external_location", "service_credential"):
        if getattr(options, name):
            check_identifier(getattr(options, name), _spell(name))
    if options.instance_profile and not INSTANCE_PROFILE.match(options.instance_profile):
        example = "arn:aws:iam::123456789012:instance-profile/name"
        raise SettingsError(f"instance-profile must be an ARN such as {example}, got {options.instance_profile!r}")
    if options.url and not options.url.startswith("s3://"):
        raise SettingsError(f"url must begin with s3://, got {options.url!r}")
    check_secret_options(options)
    if not any(getattr(options, name) for name in _REQUESTS):
        raise SettingsError("set-up must have something to create, got nothing (python -m workspace set-up --help)")
    return Settings(user_id=options.user_id, leg=options.leg, catalog=options.catalog, schema=options.schema)


def _spell(name: str) -> str:
    return name.replace("_", "-")


def _build_grants(options: argparse.Namespace, settings: Settings) -> list[Grant]:
    grants = []
    if options.analysts:
        grants += build_table_grants(settings, options.analysts, list_analyst_tables())
    if options.stewards:
        grants += build_table_grants(settings, options.stewards, list_steward_tables(settings))
    if options.runner and options.external_location:
        location = options.external_location
        grants.append(Grant(options.runner, Privilege.READ_FILES, SecurableType.EXTERNAL_LOCATION, location))
    if options.runner and options.service_credential:
        grants.append(Grant(options.runner, Privilege.ACCESS, SecurableType.CREDENTIAL, options.service_credential))
    return grants
