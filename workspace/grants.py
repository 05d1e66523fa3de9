"""Who may read what, table by table: granted on a schema, as a bundle does it, the quarantine would be open to all."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import NotFound
from databricks.sdk.service.catalog import PermissionsChange, Privilege, SecurableType

from pinterest_transforms.settings import Settings
from workspace.errors import WorkspaceError
from workspace.steps import Steps, named


@dataclass(frozen=True)
class Grant:
    """One privilege that somebody is to have.

    Attributes:
        principal: a group, a user, or the application id of a service principal.
        privilege: what they may do.
        kind: kind of thing.
        name: its full name.
    """

    principal: str
    privilege: Privilege
    kind: SecurableType
    name: str

    def __str__(self) -> str:
        """As SQL would say it."""
        privilege, kind = (word.value.replace("_", " ") for word in (self.privilege, self.kind))
        return f"grant {privilege} on {kind.lower()} {self.name} to {self.principal}"


def table_grants(settings: Settings, principal: str, tables: Sequence[str]) -> list[Grant]:
    """SELECT on these tables of a leg, and the way to them."""
    schema = f"{settings.catalog}.{settings.schema}"
    return [
        Grant(principal, Privilege.USE_CATALOG, SecurableType.CATALOG, settings.catalog),
        Grant(principal, Privilege.USE_SCHEMA, SecurableType.SCHEMA, schema),
        *(Grant(principal, Privilege.SELECT, SecurableType.TABLE, f"{schema}.{table}") for table in tables),
    ]


def give(client: WorkspaceClient, steps: Steps, grants: Sequence[Grant]) -> None:
    """Gives each grant that is not there yet; one on something that is not there yet has to wait."""
    for grant in grants:
        what = str(grant)
        held = _held(client, grant, what)
        if held is None:
            steps.wait(what, "it is not there yet")
        elif held & {grant.privilege, Privilege.ALL_PRIVILEGES}:
            steps.there(what)
        else:
            steps.make(what, partial(_add, client, grant))


def _held(client: WorkspaceClient, grant: Grant, what: str) -> set[Privilege] | None:
    """What the principal holds directly; None if the thing is not there."""
    held: set[Privilege] = set()
    token: str | None = None
    with named(what):
        try:
            while True:
                # Pages: a page may be empty and others follow.
                page = client.grants.get(grant.kind.value, grant.name, max_results=0, page_token=token)
                for assignment in page.privilege_assignments or []:
                    if assignment.principal == grant.principal:
                        held.update(assignment.privileges or [])
                token = page.next_page_token
                if not token:
                    return held
        except NotFound:
            return None


def _add(client: WorkspaceClient, grant: Grant) -> None:
    change = PermissionsChange(principal=grant.principal, add=[grant.privilege])
    try:
        client.grants.update(grant.kind.value, grant.name, changes=[change])
    except NotFound:
        # It was there a moment ago; what is not there is whom it is given to.
        raise WorkspaceError(
            f"principal must be a group, user or service principal of the account, got {grant.principal!r}"
        ) from None
