"""Our own resolver of the bundle, for tests that need no Databricks CLI; the Python step is the real one.

It follows the order of the CLI's ``Initialize`` phase: includes, the target's overrides, variables, the mode's presets,
bundle-wide ``run_as`` and permissions, defaults, and then ``databricks.bundles.build``, which also parses each resource
into its typed class and refuses unknown keys and values. ``test_bundle_cli.py`` holds its results against the CLI's.
Left out: what needs a workspace.
"""

import functools
import json
import re
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from databricks.bundles import build

from tests.bundle.loading import BundleError, check_resource_keys, for_target, load
from tests.bundle.references import filled, settled, values

USER = {"userName": "someone@example.com", "short_name": "someone", "domain_friendly_name": "someone"}
# What a team gives for the variables without a default.
GIVEN = {
    "warehouse_id": "0123456789abcdef",
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
# The deployer's own level, where a resource names anybody's.
_OWNER = {"jobs": "IS_OWNER", "dashboards": "CAN_MANAGE"}
_ONE_OF = {
    "bundle": {"engine": ("direct", "terraform"), "mode": ("development", "production")},
    "presets": {"trigger_pause_status": ("PAUSED", "UNPAUSED")},
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


def resolve(files: dict, target: str, given: dict[str, str]) -> dict:
    """The same of files that were read before, with exactly these variables; ``warnings`` has the Python step's.

    Args:
        files: what ``load`` gave.
        target: the target.
        given: values of variables.
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
    _check_settings(bundle)
    _apply_mode(bundle)
    _initialize(bundle, bundle["resources"])
    loaded, warnings = _python_step(bundle, "load_resources")
    loaded = filled(loaded, known)
    _initialize(loaded, _added(bundle["resources"], loaded["resources"]))
    changed, more = _python_step(loaded, "apply_mutators")
    bundle = filled(changed, known)
    settled(bundle)
    return {**bundle, "warnings": [*warnings, *more]}


def _check_settings(bundle: dict) -> None:
    for part, settings in _ONE_OF.items():
        for name, allowed in settings.items():
            if (got := bundle.get(part, {}).get(name)) and got not in allowed:
                raise BundleError(f"{name} must be {' or '.join(allowed)}, got {got!r}")
    if (root := bundle["workspace"]["root_path"]).startswith("/Volumes/"):
        raise BundleError(f"root_path must not be in /Volumes, got {root!r}")
    run_as = bundle.get("run_as")
    if run_as is not None and len([name for name in run_as.values() if name]) != 1:
        raise BundleError("run_as must name a service principal or a user")
    for entry in bundle.get("permissions", []):
        if entry["level"] not in _LEVELS["jobs"]:
            raise BundleError(f"level must be {' or '.join(_LEVELS['jobs'])}, got {entry['level']!r}")


def _apply_mode(bundle: dict) -> None:
    """The presets of a mode and of the target."""
    presets = bundle.get("presets", {})
    if bundle["bundle"]["mode"] == "development":
        presets = {"name_prefix": f"[dev {USER['short_name']}] ", "trigger_pause_status": "PAUSED", **presets}
        presets["tags"] = {"dev": USER["short_name"], **presets.get("tags", {})}
        presets["jobs_max_concurrent_runs"] = 4
        if USER["short_name"] not in presets["name_prefix"]:
            raise BundleError(
                f"name_prefix must hold the user's name in mode development, got {presets['name_prefix']!r}"
            )
        if presets["trigger_pause_status"] == "UNPAUSED":
            raise BundleError("trigger_pause_status must not be UNPAUSED in mode development")
    elif bundle["workspace"]["root_path"].startswith(f"/Workspace/Users/{USER['userName']}/"):
        raise BundleError("a target of mode production must have a root_path of its own")
    bundle["presets"] = presets


def _initialize(bundle: dict, resources: dict) -> None:
    """Presets, defaults, ``run_as`` and permissions on resources that were declared in YAML, or then by Python."""
    presets = bundle["presets"]
    prefix = presets.get("name_prefix", "")
    for kind, name in _PREFIXED.items():
        for resource in resources.get(kind, {}).values():
            resource[name] = prefix + resource[name]
    for schema in resources.get("schemas", {}).values():
        schema["name"] = plain_prefix(prefix) + schema["name"]
    for volume in resources.get("volumes", {}).values():
        volume.setdefault("volume_type", "MANAGED")
    for job in resources.get("jobs", {}).values():
        job["tags"] = {**presets.get("tags", {}), **job.get("tags", {})}
        job.setdefault("max_concurrent_runs", presets.get("jobs_max_concurrent_runs", 1))
        # The CLI switches it on where a job does not say, whatever starts the job.
        job.setdefault("queue", {"enabled": True})
        for trigger in ("schedule", "continuous", "trigger"):
            if trigger in job:
                job[trigger].setdefault("pause_status", presets.get("trigger_pause_status", "UNPAUSED"))
        if run_as := bundle.get("run_as"):
            job.setdefault("run_as", dict(run_as))
    for dashboard in resources.get("dashboards", {}).values():
        if dashboard.setdefault("embed_credentials", False) and bundle.get("run_as"):
            raise BundleError("a dashboard with embed_credentials must not stand beside run_as")
    _permit(bundle, resources)


def _permit(bundle: dict, resources: dict) -> None:
    for kind, levels in _LEVELS.items():
        for resource in resources.get(kind, {}).values():
            entries = [*resource.get("permissions", [])]
            entries += [{**entry, "level": levels[entry["level"]]} for entry in bundle.get("permissions", [])]
            if entries and kind in _OWNER:
                entries.append({"level": _OWNER[kind], "user_name": USER["userName"]})
            if entries:
                resource["permissions"] = entries


def plain_prefix(prefix: str) -> str:
    """The prefix as names of schemas bear it: ``[dev jo] `` is ``dev_jo_``."""
    text = prefix.replace("[", "").strip()
    end = "_" if text.endswith("]") else ""
    return re.sub(r"_+", "_", re.sub(r"\W", "_", text.lower())).strip("_") + end


def _added(before: dict, after: dict) -> dict:
    """Resources that Python declared; it may add to those of YAML, and change none."""
    for kind, named in before.items():
        for key, resource in named.items():
            if _without_empty(after[kind].get(key)) != _without_empty(resource):
                raise BundleError(f"{kind}.{key} must be declared once, in YAML or in Python")
    check_resource_keys({"resources": after}, "Python")
    return {
        kind: {key: one for key, one in named.items() if key not in before.get(kind, {})}
        for kind, named in after.items()
    }


def _without_empty(value: object) -> object:
    if isinstance(value, dict):
        return {key: inner for key, one in value.items() if (inner := _without_empty(one)) not in ({}, [], None)}
    return [_without_empty(one) for one in value] if isinstance(value, list) else value


def _python_step(bundle: dict, phase: str) -> tuple[dict, list[str]]:
    """``python -m databricks.bundles.build``, the protocol of the CLI; its result and its warnings."""
    with tempfile.TemporaryDirectory() as folder:
        paths = {name: str(Path(folder, f"{name}.json")) for name in ("input", "output", "diagnostics", "locations")}
        # Older versions of the package look for the section below `experimental`; the CLI writes both.
        sent = {**bundle, "experimental": {"python": bundle.get("python", {})}}
        Path(paths["input"]).write_text(json.dumps(sent), encoding="utf-8")
        # Not main(): it sets up logging for the whole process. In a thread: for each resource it looks through the
        # whole stack, which is short there.
        with ThreadPoolExecutor(1) as thread:
            asked = build._Args(phase=phase, unknown_args=[], **paths)
            output, _, diagnostics = thread.submit(build.python_mutator, asked).result()
        told = [item.as_dict() for item in diagnostics.items]
    if errors := [entry for entry in told if entry["severity"] == "error"]:
        raise BundleError("; ".join(_told(entry) for entry in errors))
    output.pop("experimental", None)
    return output, [_told(entry) for entry in told]


def _told(diagnostic: dict) -> str:
    detail = [line for line in diagnostic.get("detail", "").splitlines() if line.strip()]
    path = diagnostic.get("path") or ()
    where = path if isinstance(path, str) else ".".join(path)
    parts = (where, diagnostic["summary"], detail[-1].strip() if detail else "")
    return ": ".join(part for part in parts if part)
