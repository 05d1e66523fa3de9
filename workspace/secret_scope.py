"""Stores the AWS keys that notebooks read in the secret scope; they are never printed."""

import argparse
import getpass
import os
import re
import sys
import warnings

from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import NotFound

from pinterest_transforms.errors import SettingsError
from workspace.redacted_output import RedactedOutput
from workspace.step_reporter import ABSENT, EXISTS, StepReporter, convert_errors
from workspace.unity_catalog.sql_warehouse import Warehouse, choose_warehouse
from workspace.workspace_errors import WorkspaceError
from workspace.workspace_names import KEY_NAMES, quote_table

_ACCESS = re.compile(r"\A[A-Z0-9]{16,128}\Z")
_SECRET = re.compile(r"\A[!-~]{16,128}\Z")
_MISSING = ("[TABLE_OR_VIEW_NOT_FOUND", "[SCHEMA_NOT_FOUND", "[NO_SUCH_CATALOG")


def check_secret_options(options: argparse.Namespace) -> None:
    """Checks the table, and that only a table that was read is dropped."""
    quote_table(options.credentials_table)
    if options.drop_credentials_table and options.secrets_from != "table":
        raise SettingsError(
            f"drop-credentials-table must come with --secrets-from table, got {options.secrets_from or 'none'}"
        )


def store_keys(client: WorkspaceClient, reporter: StepReporter, options: argparse.Namespace, *, replace: bool) -> None:
    """Stores the keys in the scope that the bundle creates. Both are written together, so that two are never mixed.

    Args:
        client: the workspace.
        reporter: reports the steps.
        options: where the keys are, and the scope.
        replace: write even if both secrets exist.
    """
    scope, table, from_table = options.scope, options.credentials_table, options.secrets_from == "table"
    warehouse = choose_warehouse(client, options.warehouse) if from_table else None
    step = f"secrets of scope {scope} ({', '.join(KEY_NAMES)})"
    with convert_errors(step):
        try:
            existing = {secret.key for secret in client.secrets.list_secrets(scope)}
        except NotFound:
            raise WorkspaceError(
                f"secret scope must exist, the bundle creates it (databricks bundle deploy), got none named {scope!r}"
            ) from None

    def put() -> None:
        if warehouse:
            keys = _read_table(reporter.output, warehouse, table)
        elif options.secrets_from == "environment":
            keys = _read_environment(reporter.output, scope)
        else:
            keys = _read_prompt(reporter.output)
        for name, value in zip(KEY_NAMES, keys, strict=True):
            client.secrets.put_secret(scope, name, string_value=value)

    if existing.issuperset(KEY_NAMES) and not replace:
        reporter.report(step, EXISTS)
    elif existing.isdisjoint(KEY_NAMES):
        reporter.run(step, "created", put)
    else:
        reporter.run(step, "updated, both", put)
    if warehouse:
        _drop_table(warehouse, reporter, table, drop=options.drop_credentials_table)


def _check_keys(output: RedactedOutput, access: str, secret: str) -> tuple[str, str]:
    """Access key id and secret access key, checked; both values are hidden in the output.

    Raises:
        SettingsError: a value is invalid. The message does not contain it.
    """
    access, secret = access.strip(), secret.strip()
    output.hide(access, secret)
    if access.startswith("ASIA"):
        raise SettingsError(
            "access key must be a long-term one (AKIA…), got a temporary one (ASIA…), which expires in hours"
        )
    if not _ACCESS.match(access):
        raise SettingsError(f"access key must be 16 to 128 of A-Z and 0-9, got {len(access)} characters that are not")
    if not _SECRET.match(secret):
        raise SettingsError(f"secret key must be 16 to 128 characters without spaces, got {len(secret)}")
    return access, secret


def _read_prompt(output: RedactedOutput) -> tuple[str, str]:
    """Prompts at the terminal without echo."""
    if not sys.stdin.isatty():
        raise SettingsError("a prompt needs a terminal, got none: use --secrets-from environment or table")
    with warnings.catch_warnings():
        # Where echo cannot be turned off, getpass only warns.
        warnings.simplefilter("error", getpass.GetPassWarning)
        try:
            return _check_keys(output, getpass.getpass("Access key ID: "), getpass.getpass("Secret access key: "))
        except (getpass.GetPassWarning, EOFError):
            raise SettingsError("a prompt needs a terminal without echo, got none") from None


def _read_environment(output: RedactedOutput, scope: str) -> tuple[str, str]:
    """Reads ``PINTEREST_SECRET_<SCOPE>_ACCESS_KEY`` and ``…_SECRET_KEY``, as ``python -m local`` does."""
    start = "PINTEREST_SECRET_" + re.sub(r"[^A-Z0-9]", "_", scope.upper())
    names = (f"{start}_ACCESS_KEY", f"{start}_SECRET_KEY")
    missing = [name for name in names if not os.environ.get(name)]
    if missing:
        raise SettingsError(f"{' and '.join(missing)} must be set in the environment, got nothing")
    return _check_keys(output, os.environ[names[0]], os.environ[names[1]])


def _read_table(output: RedactedOutput, warehouse: Warehouse, table: str) -> tuple[str, str]:
    """Reads the row of the course's table, columns ``Access key ID`` and ``Secret access key``."""
    found = warehouse.query(f"SELECT `Access key ID`, `Secret access key` FROM {quote_table(table)} LIMIT 2").rows
    output.hide(*(value for row in found for value in row))
    if len(found) != 1:
        raise WorkspaceError(f"credentials table {table} must have one row, got {'none' if not found else 'several'}")
    access, secret = found[0]
    return _check_keys(output, access or "", secret or "")


def _drop_table(warehouse: Warehouse, reporter: StepReporter, table: str, *, drop: bool) -> None:
    """Drops the course's table if it exists and this is requested, else logs that it keeps the keys."""
    step = f"credentials table {table}"
    try:
        warehouse.query(f"SELECT 1 FROM {quote_table(table)} LIMIT 0")
    except WorkspaceError as error:
        if not any(code in str(error) for code in _MISSING):
            raise
        reporter.report(step, ABSENT)
        return
    if drop:
        reporter.run(step, "dropped", lambda: warehouse.query(f"DROP TABLE {quote_table(table)}"))
        reporter.output.log(
            "its keys were readable until now: create new ones in AWS, then run `python -m workspace rotate`"
        )
    else:
        reporter.output.log(f"{step} keeps the keys in plain text until --drop-credentials-table drops it")
