"""The AWS keys that notebooks read from the secret scope: put there once, never shown."""

import getpass
import os
import re
import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field

from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import NotFound
from databricks.sdk.service.workspace import SecretMetadata

from pinterest_transforms.errors import SettingsError
from workspace.errors import WorkspaceError
from workspace.names import ACCESS_NAME, KEY_NAMES, quoted_table
from workspace.screen import Screen
from workspace.statements import StatementError, Warehouse
from workspace.steps import Steps, named

_ACCESS = re.compile(r"\A[A-Z0-9]{16,128}\Z")
_SECRET = re.compile(r"\A[!-~]{16,128}\Z")


@dataclass(frozen=True)
class KeyPair:
    """An AWS access key. Its values are in no text made of it.

    Attributes:
        access: the access key's id.
        secret: the secret access key.
    """

    access: str = field(repr=False)
    secret: str = field(repr=False)


def key_pair(screen: Screen, access: str, secret: str) -> KeyPair:
    """A checked pair, hidden from the screen from here on.

    Raises:
        SettingsError: a value cannot be one. The message does not quote it.
    """
    access, secret = access.strip(), secret.strip()
    screen.hide(access, secret)
    if access.startswith("ASIA"):
        raise SettingsError(
            "access key must be a lasting one (AKIA…), got a temporary one (ASIA…), which ends in hours"
        )
    if not _ACCESS.match(access):
        raise SettingsError(f"access key must be 16 to 128 of A-Z and 0-9, got {len(access)} characters that are not")
    if not _SECRET.match(secret):
        raise SettingsError(f"secret key must be 16 to 128 characters without spaces, got {len(secret)}")
    return KeyPair(access, secret)


def from_prompt(screen: Screen) -> KeyPair:
    """Asks at the terminal, without showing what is typed."""
    if not sys.stdin.isatty():
        raise SettingsError("a prompt needs a terminal, got none: use --secrets-from environment or table")
    with warnings.catch_warnings():
        # Where echo cannot be turned off, getpass only warns, and shows what is typed.
        warnings.simplefilter("error", getpass.GetPassWarning)
        try:
            return key_pair(screen, getpass.getpass("Access key ID: "), getpass.getpass("Secret access key: "))
        except (getpass.GetPassWarning, EOFError):
            raise SettingsError("a prompt needs a terminal that can hide what is typed, got none") from None


def from_environment(screen: Screen, scope: str) -> KeyPair:
    """Takes what ``python -m local`` takes too: ``PINTEREST_SECRET_<SCOPE>_ACCESS_KEY`` and ``…_SECRET_KEY``."""
    start = "PINTEREST_SECRET_" + re.sub(r"[^A-Z0-9]", "_", scope.upper())
    names = (f"{start}_ACCESS_KEY", f"{start}_SECRET_KEY")
    missing = [name for name in names if not os.environ.get(name)]
    if missing:
        raise SettingsError(f"{' and '.join(missing)} must be set in the environment, got nothing")
    return key_pair(screen, os.environ[names[0]], os.environ[names[1]])


def from_table(screen: Screen, warehouse: Warehouse, table: str) -> KeyPair:
    """Reads the one row of the course's table, columns ``Access key ID`` and ``Secret access key``."""
    found = warehouse.rows(f"SELECT `Access key ID`, `Secret access key` FROM {quoted_table(table)} LIMIT 2").rows
    screen.hide(*(value for row in found for value in row))
    if len(found) != 1:
        raise WorkspaceError(f"credentials table {table} must have one row, got {'none' if not found else 'several'}")
    access, secret = found[0]
    return key_pair(screen, access or "", secret or "")


def put_keys(
    client: WorkspaceClient, steps: Steps, scope: str, read: Callable[[], KeyPair], *, replace: bool = False
) -> None:
    """Puts the keys into the scope. Both are written together, so that no two keys are ever mixed.

    Args:
        client: the workspace.
        steps: tells and counts.
        scope: the secret scope, which the bundle makes.
        read: gives the values; called only if they are needed.
        replace: write even if all names are there: the keys were rotated.
    """
    what = f"secrets of scope {scope} ({', '.join(KEY_NAMES)})"
    try:
        with named(what):
            there = {secret.key for secret in _listed(client, scope)}
    except LookupError:
        raise WorkspaceError(
            f"secret scope must be there, the bundle makes it (databricks bundle deploy), got none named {scope!r}"
        ) from None
    if there.issuperset(KEY_NAMES) and not replace:
        steps.there(what)
        return

    def put() -> None:
        pair = read()
        for name in KEY_NAMES:
            client.secrets.put_secret(scope, name, string_value=pair.access if name == ACCESS_NAME else pair.secret)

    if there.isdisjoint(KEY_NAMES):
        steps.make(what, put)
    else:
        steps.change(what, "both", put)


def drop_table(warehouse: Warehouse, steps: Steps, table: str, *, drop: bool) -> None:
    """Drops the course's table where that was asked for; else says that the keys still stand in it."""
    what = f"credentials table {table}"
    try:
        warehouse.rows(f"SELECT 1 FROM {quoted_table(table)} LIMIT 0")
    except StatementError as error:
        if not error.missing:
            raise
        steps.gone(what)
        return
    if drop:
        steps.drop(what, lambda: warehouse.rows(f"DROP TABLE {quoted_table(table)}"))
        steps.screen.note("its keys were readable until now: make new ones in AWS, then `python -m workspace rotate`")
    else:
        steps.screen.note(f"{what} still holds the keys in plain text: --drop-credentials-table drops it")


def _listed(client: WorkspaceClient, scope: str) -> list[SecretMetadata]:
    try:
        return list(client.secrets.list_secrets(scope))
    except NotFound:
        raise LookupError from None
