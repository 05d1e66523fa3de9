"""Grants on single tables; a grant on the schema, as a bundle has it, would include the quarantine."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import NotFound
from databricks.sdk.service.catalog import PermissionsChange, Privilege, SecurableType

from pinterest_transforms.settings import Settings
from workspace.step_reporter import EXISTS, WAITING, StepReporter, convert_errors
from workspace.workspace_errors import WorkspaceError


@dataclass(frozen=True)
class Grant:
    """One privilege of a principal.

    Attributes:
        principal: a group, a user, or the application id of a service principal.
        privilege: the privilege.
        kind: type of the securable.
        name: full name of the securable.
    """

    principal: str
    privilege: Privilege
    kind: SecurableType
    name: str

    def __str__(self) -> str:
        """The grant in the form of SQL."""
        privilege, kind = (word.value.replace("_", " ") for word in (self.privilege, self.kind))
        return f"grant {privilege} on {kind.lower()} {self.name} to {self.principal}"


def build_table_grants(settings: Settings, principal: str, tables: Sequence[str]) -> list[Grant]:
    """SELECT on tables of a leg, and USE on their catalog and schema."""
    schema = f"{settings.catalog}.{settings.schema}"
    return [
        Grant(principal, Privilege.USE_CATALOG, SecurableType.CATALOG, settings.catalog),
        Grant(principal, Privilege.USE_SCHEMA, SecurableType.SCHEMA, schema),
        *(Grant(principal, Privilege.SELECT, SecurableType.TABLE, f"{schema}.{table}") for table in tables),
    ]


def apply_grants(client: WorkspaceClient, reporter: StepReporter, grants: Sequence[Grant]) -> None:
    """Applies missing grants; one on a securable that does not exist yet is reported as waiting."""
    for grant in grants:
        step = str(grant)
        held = _read_privileges(client, grant, step)
        if held is None:
            reporter.report(step, WAITING)
        elif held & {grant.privilege, Privilege.ALL_PRIVILEGES}:
            reporter.report(step, EXISTS)
        else:
            reporter.run(step, "created", partial(_add, client, grant))


def _read_privileges(client: WorkspaceClient, grant: Grant, step: str) -> set[Privilege] | None:
    """Privileges granted to the principal directly; None if the securable does not exist."""
    held: set[Privilege] = set()
    token: str | None = None
    with convert_errors(step):
        try:
            while True:
                # A page may be empty although others follow.
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
        # The securable existed a moment ago: the principal does not.
        raise WorkspaceError(
            f"principal must be a group, user or service principal of the account, got {grant.principal!r}"
        ) from None
