"""Everything that our own checks find wrong with a resolved bundle, beyond what its typed classes refuse."""

from collections.abc import Iterator
from pathlib import Path

from tests.bundle.checks import checking_files, checking_jobs, checking_widgets
from tests.bundle.loading import ROOT, load


def findings(bundle: dict, *, root: Path = ROOT) -> list[str]:
    """A line for each thing that is wrong; none for a good bundle.

    Args:
        bundle: what ``resolved`` gave.
        root: the bundle's folder.
    """
    return [
        *checking_jobs.findings(bundle, root),
        *checking_widgets.findings(bundle, root),
        *checking_files.dashboards(bundle, root),
        *_mode(bundle),
        *_access(bundle),
    ]


def findings_in_files(root: Path = ROOT) -> list[str]:
    """The same of what the files say, whatever target."""
    return list(checking_files.findings(load(root), root))


def _mode(bundle: dict) -> Iterator[str]:
    """Dev is paused and bears its prefix; what is not dev belongs to no person."""
    mode, target = bundle["bundle"]["mode"], bundle["bundle"]["target"]
    resources = bundle["resources"]
    if mode not in ("development", "production"):
        yield f"mode of {target} must be development or production, got {mode!r}"
    if mode == "development":
        names = [(f"jobs.{key}", job["name"]) for key, job in resources.get("jobs", {}).items()]
        names += [(f"dashboards.{key}", one["display_name"]) for key, one in resources.get("dashboards", {}).items()]
        yield from (
            f"{where}: name must begin with [dev …], got {name}" for where, name in names if name[:5] != "[dev "
        )
        for key, schema in resources.get("schemas", {}).items():
            if not schema["name"].startswith("dev_"):
                yield f"schemas.{key}: name must begin with dev_…, got {schema['name']}"
        for key, job in resources.get("jobs", {}).items():
            for trigger in ("schedule", "continuous", "trigger"):
                if job.get(trigger, {"pause_status": "PAUSED"}).get("pause_status") != "PAUSED":
                    yield f"jobs.{key}: must be paused in dev"
    else:
        for key, job in resources.get("jobs", {}).items():
            if not job.get("run_as", {}).get("service_principal_name"):
                yield f"jobs.{key}: must run as a service principal in {target}"


def _access(bundle: dict) -> Iterator[str]:
    """Analysts read single tables, never a whole schema, and no secrets; a grant names somebody."""
    analysts = bundle["variables"]["analysts_group"]["value"]
    for kind in ("schemas", "volumes", "external_locations"):
        for key, resource in bundle["resources"].get(kind, {}).items():
            for grant in resource.get("grants", []):
                if not grant["principal"]:
                    yield f"{kind}.{key}: a grant must name a principal"
                elif grant["principal"] == analysts and grant["privileges"] != ["USE_SCHEMA"]:
                    yield f"{kind}.{key}: analysts must have USE_SCHEMA alone, got {', '.join(grant['privileges'])}"
    for key, scope in bundle["resources"].get("secret_scopes", {}).items():
        for entry in scope.get("permissions", []):
            if analysts and entry.get("group_name") == analysts:
                yield f"secret_scopes.{key}: analysts must not read secrets"
