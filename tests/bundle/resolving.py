"""Our own resolver of the bundle, since the Databricks CLI cannot be had here; the Python step is the real one.

It follows the order of the CLI's ``Initialize`` phase: includes, the target's overrides, variables, the mode's presets,
bundle-wide ``run_as`` and permissions, defaults, and then ``databricks.bundles.build``, which also parses each resource
into its typed class and refuses unknown keys and values. Left out: what needs a workspace (lookups, paths of uploaded
files).
"""

import functools
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from databricks.bundles import build

from tests.bundle.loading import ROOT, BundleError, for_target, load
from tests.bundle.references import filled, found_at, references, values

USER = {"userName": "someone@example.com", "short_name": "someone", "domain_friendly_name": "someone"}
# What a team gives for the variables without a default.
GIVEN = {
    "notification_email": "alerts@example.com",
    "analysts_group": "analysts",
    "stewards_group": "stewards",
    "service_principal": "00000000-0000-0000-0000-000000000000",
}
TARGETS = ("dev", "staging", "prod")
_PREFIXED = {"jobs": "name", "dashboards": "display_name"}
_LEVELS = {
    "jobs": {"CAN_MANAGE": "CAN_MANAGE", "CAN_VIEW": "CAN_VIEW", "CAN_RUN": "CAN_MANAGE_RUN"},
    "dashboards": {"CAN_MANAGE": "CAN_MANAGE", "CAN_VIEW": "CAN_READ"},
    "secret_scopes": {"CAN_MANAGE": "MANAGE", "CAN_VIEW": "READ"},
}


def resolved(target: str, **variables: str) -> dict:
    """The bundle of a target, as plain data that the caller may change.

    Args:
        target: dev, staging or prod; the last two get ``GIVEN`` for what they must be told.
        **variables: values of variables, as ``--var`` gives them.

    Raises:
        BundleError: the CLI would refuse it; the message says why.
    """
    return json.loads(_resolved_text(target, tuple(sorted(variables.items()))))


@functools.cache
def _resolved_text(target: str, variables: tuple[tuple[str, str], ...]) -> str:
    given = {**({} if target == "dev" else GIVEN), **dict(variables)}
    return json.dumps(resolve(load(), target, given))


def resolve(files: dict, target: str, given: dict[str, str], *, root: Path = ROOT, as_the_cli: bool = False) -> dict:
    """The same of files that were read before, with exactly these variables.

    Args:
        files: what ``load`` gave.
        target: the target.
        given: values of variables.
        root: the bundle's folder.
        as_the_cli: start the Python step as a process of its own, as the CLI does.
    """
    bundle = for_target(files, target)
    found = values(bundle["variables"], given)
    workspace = {"current_user": USER, **bundle.get("workspace", {})}
    workspace.setdefault(
        "root_path", f"/Workspace/Users/{USER['userName']}/.bundle/{bundle['bundle']['name']}/{target}"
    )
    known = {"var": found, "bundle": bundle["bundle"], "workspace": workspace}
    for folder in ("files", "artifacts", "resources", "state"):
        workspace[f"{folder.removesuffix('s')}_path"] = f"{workspace['root_path']}/{folder}"
    bundle["workspace"] = workspace
    bundle["variables"] = {name: {**bundle["variables"][name], "value": found[name]} for name in found}
    bundle = filled(bundle, known)
    del bundle["targets"], bundle["include"]
    _apply_mode(bundle)
    _apply_bundle_wide(bundle)
    for phase in ("load_resources", "apply_mutators"):
        bundle = filled(_python_step(bundle, phase, root, as_the_cli=as_the_cli), known)
    for path in set(references(bundle["resources"])):
        found_at(bundle, path)
    return bundle


def _apply_mode(bundle: dict) -> None:
    """The presets of a mode and of the target, on what is there before Python runs."""
    mode, presets = bundle["bundle"]["mode"], bundle.get("presets", {})
    if mode == "development":
        presets = {"name_prefix": f"[dev {USER['short_name']}] ", "trigger_pause_status": "PAUSED", **presets}
        presets["tags"] = {"dev": USER["short_name"], **presets.get("tags", {})}
    elif mode == "production":
        if bundle["workspace"]["root_path"].startswith(f"/Workspace/Users/{USER['userName']}/"):
            raise BundleError("a target of mode production must have a root_path of its own")
    elif mode:
        raise BundleError(f"mode must be development or production, got {mode!r}")
    prefix, resources = presets.get("name_prefix", ""), bundle["resources"]
    for kind, name in _PREFIXED.items():
        for resource in resources.get(kind, {}).values():
            resource[name] = prefix + resource[name]
    for schema in resources.get("schemas", {}).values():
        schema["name"] = plain_prefix(prefix) + schema["name"]
    for job in resources.get("jobs", {}).values():
        job["tags"] = {**presets.get("tags", {}), **job.get("tags", {})}
        job.setdefault("max_concurrent_runs", 4 if mode == "development" else 1)
        # The CLI switches it on where a job does not say, whatever starts the job.
        job.setdefault("queue", {"enabled": True})
        for trigger in ("schedule", "continuous", "trigger"):
            if trigger in job:
                job[trigger].setdefault("pause_status", presets.get("trigger_pause_status", "UNPAUSED"))
    bundle["presets"] = presets


def plain_prefix(prefix: str) -> str:
    """The prefix as names of schemas bear it: ``[dev jo] `` is ``dev_jo_``."""
    text = prefix.replace("[", "").strip()
    end = "_" if text.endswith("]") else ""
    return re.sub(r"_+", "_", re.sub(r"\W", "_", text.lower())).strip("_") + end


def _apply_bundle_wide(bundle: dict) -> None:
    """``run_as`` and ``permissions`` of the whole bundle, on each resource that takes them."""
    run_as = bundle.get("run_as")
    if run_as is not None and not any(run_as.values()):
        raise BundleError("run_as must name a service principal or a user")
    for job in bundle["resources"].get("jobs", {}).values():
        if run_as:
            job.setdefault("run_as", dict(run_as))
    for dashboard in bundle["resources"].get("dashboards", {}).values():
        if dashboard.setdefault("embed_credentials", False) and run_as:
            raise BundleError("a dashboard with embed_credentials must not stand beside run_as")
    for kind, levels in _LEVELS.items():
        for resource in bundle["resources"].get(kind, {}).values():
            for entry in bundle.get("permissions", []):
                added = {**entry, "level": levels[entry["level"]]}
                resource["permissions"] = [*resource.get("permissions", []), added]


def _python_step(bundle: dict, phase: str, root: Path, *, as_the_cli: bool) -> dict:
    """``python -m databricks.bundles.build``, the protocol of the CLI."""
    with tempfile.TemporaryDirectory() as folder:
        paths = {name: str(Path(folder, f"{name}.json")) for name in ("input", "output", "diagnostics", "locations")}
        # Older versions of the package look for the section below `experimental`; the CLI writes both.
        sent = {**bundle, "experimental": {"python": bundle.get("python", {})}}
        Path(paths["input"]).write_text(json.dumps(sent), encoding="utf-8")
        if as_the_cli:
            words = [word for name, path in paths.items() for word in (f"--{name}", path)]
            command = [sys.executable, "-m", "databricks.bundles.build", "--phase", phase, *words]
            subprocess.run(command, cwd=root, check=False, capture_output=True, timeout=60)
            told = [json.loads(line) for line in Path(paths["diagnostics"]).read_text(encoding="utf-8").splitlines()]
            output = json.loads(Path(paths["output"]).read_text(encoding="utf-8"))
        else:
            # Not main(): it sets up logging for the whole process.
            output, _, diagnostics = build.python_mutator(build._Args(phase=phase, unknown_args=[], **paths))
            told = [item.as_dict() for item in diagnostics.items]
    if errors := [entry for entry in told if entry["severity"] == "error"]:
        raise BundleError("; ".join(_told(entry) for entry in errors))
    output.pop("experimental", None)
    return output


def _told(diagnostic: dict) -> str:
    detail = [line for line in diagnostic.get("detail", "").splitlines() if line.strip()]
    path = diagnostic.get("path") or ()
    where = path if isinstance(path, str) else ".".join(path)
    parts = (where, diagnostic["summary"], detail[-1].strip() if detail else "")
    return ": ".join(part for part in parts if part)
