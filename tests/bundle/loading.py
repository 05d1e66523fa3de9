"""Reads the bundle's files as the Databricks CLI does: includes, paths, a target's overrides, unknown keys."""

import copy
import functools
import os
from pathlib import Path

import yaml
from databricks.bundles.core._resource_type import _ResourceType

ROOT = Path(__file__).parents[2]
KINDS = tuple(kind.plural_name for kind in _ResourceType.all())

# Settings whose value is a path, relative to the file that it stands in.
PATHS = ("notebook_path", "whl", "file_path")

# Keys of everything but resources, which the typed classes of databricks-bundles know. None: a mapping of any keys; a
# string: a scalar or a list.
_TARGET = {
    "mode": "",
    "default": "",
    "presets": {"name_prefix": "", "trigger_pause_status": "", "tags": None, "artifacts_dynamic_version": ""},
    "variables": None,
    "workspace": {"host": "", "profile": "", "root_path": ""},
    "run_as": {"service_principal_name": "", "user_name": ""},
    "permissions": "",
    "resources": None,
}
_ROOT = {
    "bundle": {"name": "", "engine": "", "databricks_cli_version": ""},
    "include": "",
    "python": {"venv_path": "", "resources": "", "mutators": ""},
    "artifacts": None,
    "sync": {"paths": "", "include": "", "exclude": ""},
    "variables": None,
    "resources": None,
    "targets": None,
}
_NAMED = {
    "artifacts": {"type": "", "path": "", "build": "", "dynamic_version": ""},
    "variables": {"description": "", "type": "", "default": ""},
    "targets": _TARGET,
}


class BundleError(Exception):
    """The CLI would refuse this bundle."""


def load(root: Path = ROOT) -> dict:
    """``databricks.yml`` with what it includes; paths are relative to the bundle's root afterwards."""
    bundle = _read(root / "databricks.yml", root)
    check_resource_keys(bundle, "databricks.yml")
    for path in [path for path in bundle.get("sync", {}).get("paths", []) if not (root / path).exists()]:
        raise BundleError(f"sync.paths must name what is there, got {path!r}")
    for pattern in bundle.get("include", []):
        files = sorted(path.relative_to(root) for path in root.glob(pattern))
        if not files or any(file.suffix not in (".yml", ".yaml", ".json") for file in files):
            raise BundleError(f"include must name YAML or JSON files, got {pattern!r}")
        for file in files:
            bundle = _with_resources(bundle, _read(root / file, root), file.as_posix())
    return bundle


def for_target(bundle: dict, target: str) -> dict:
    """The bundle with a target's overrides merged into it, as ``MergeTargetOverrides`` of the CLI does."""
    targets = bundle["targets"]
    if target not in targets:
        raise BundleError(f"target must be one of {', '.join(targets)}, got {target!r}")
    over, result = targets[target] or {}, copy.deepcopy(bundle)
    result["bundle"] |= {"target": target, "mode": over.get("mode", "")}
    for part in ("workspace", "resources", "presets", "permissions"):
        if part in over:
            result[part] = merged(result.get(part), over[part])
    for name, value in (over.get("variables") or {}).items():
        if name not in result["variables"]:
            raise BundleError(f"variable {name!r} of target {target} must be declared")
        result["variables"][name] = {**result["variables"][name], "default": value}
    if "run_as" in over:
        result["run_as"] = copy.deepcopy(over["run_as"])
    return result


def merged(base: object, over: object) -> object:
    """Mappings are merged, lists joined, and everything else replaced."""
    if isinstance(base, dict) and isinstance(over, dict):
        return {**base, **{key: merged(base.get(key), value) for key, value in over.items()}}
    if isinstance(base, list) and isinstance(over, list):
        return base + copy.deepcopy(over)
    return copy.deepcopy(over)


@functools.cache
def _parsed(text: str) -> object:
    """Parsing is most of what a test here costs, and nearly all tests read the same files."""
    return yaml.safe_load(text)


def _read(path: Path, root: Path) -> dict:
    name = path.relative_to(root).as_posix()
    try:
        content = copy.deepcopy(_parsed(path.read_text(encoding="utf-8")))
    except yaml.YAMLError as error:
        raise BundleError(f"{name} must be YAML, got {type(error).__name__}") from error
    if not isinstance(content, dict):
        raise BundleError(f"{name} must be a mapping, got {type(content).__name__}")
    _check_keys(content, _ROOT, name)
    for part, shape in _NAMED.items():
        for key, value in (content.get(part) or {}).items():
            _check_keys(value or {}, shape, f"{name}: {part}.{key}")
    for holder in (content, *(target or {} for target in (content.get("targets") or {}).values())):
        if unknown := set(holder.get("resources") or {}) - set(KINDS):
            raise BundleError(f"{name}: unknown kind of resource {', '.join(sorted(unknown))}")
    return _rooted(content, os.path.relpath(path.parent, root))


def _check_keys(content: dict, shape: dict, where: str) -> None:
    if unknown := set(content) - set(shape):
        raise BundleError(f"{where}: unknown key {', '.join(sorted(unknown))}")
    for key, inner in shape.items():
        if isinstance(inner, dict) and isinstance(content.get(key), dict):
            _check_keys(content[key], inner, f"{where}: {key}")


def _rooted(value: object, folder: str) -> object:
    if isinstance(value, dict):
        return {
            key: os.path.normpath(f"{folder}/{inner}")
            if key in PATHS and isinstance(inner, str) and not inner.startswith(("/", "$"))
            else _rooted(inner, folder)
            for key, inner in value.items()
        }
    return [_rooted(inner, folder) for inner in value] if isinstance(value, list) else value


def _with_resources(bundle: dict, more: dict, file: str) -> dict:
    for kind, named in (more.get("resources") or {}).items():
        if twice := set(named) & set(bundle.get("resources", {}).get(kind, {})):
            raise BundleError(f"{file}: {kind}.{', '.join(sorted(twice))} must be declared once")
    result = merged(bundle, more)
    check_resource_keys(result, file)
    return result


def check_resource_keys(bundle: dict, where: str) -> None:
    """Refuses a key that two kinds of resource share (commands take bare keys), is a variable, or names nothing."""
    first: dict[str, str] = {}
    for kind, named in (bundle.get("resources") or {}).items():
        for key, resource in named.items():
            if key in first:
                raise BundleError(f"{where}: key {key} must be of one kind of resource, got {first[key]} and {kind}")
            if "${" in key or not resource:
                raise BundleError(f"{where}: {kind}.{key} must have a plain key and a definition")
            first[key] = kind
