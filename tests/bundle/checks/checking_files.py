"""What must hold for the bundle's files as they are written: variables, names of people, secrets, dashboards."""

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path

from pinterest_transforms.settings import DEFAULT_USER_ID

_VARIABLE = re.compile(r"\$\{var\.([\w-]+)\}")
_PERSONAL = {
    "an e-mail address": re.compile(r"[\w.+-]+@[\w-]+\.\w+"),
    "an AWS access key": re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"),
    "an AWS account": re.compile(r"\barn:aws[\w-]*:\w+:[\w-]*:\d{12}:"),
    "a workspace token": re.compile(r"\bdapi[0-9a-f]{32}"),
    "a private key": re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY"),
    "a workspace's address": re.compile(r"https://[\w.-]+\.(?:cloud\.databricks\.com|azuredatabricks\.net)"),
    "a person's folder": re.compile(r"/Users/(?!\$\{)[\w.@-]+"),
}


def texts(root: Path) -> dict[str, str]:
    """The bundle's files by name."""
    files = [root / "databricks.yml", *sorted((root / "resources").rglob("*"))]
    return {
        file.relative_to(root).as_posix(): file.read_text(encoding="utf-8")
        for file in files
        if file.suffix in (".yml", ".py", ".json") and file.is_file()
    }


def findings(files: dict, root: Path) -> Iterator[str]:
    """A line for each thing that is wrong with the files.

    Args:
        files: what ``load`` made of them.
        root: the bundle's folder.
    """
    written = texts(root)
    yield from _variables(files["variables"], written)
    for name, text in written.items():
        for what, pattern in _PERSONAL.items():
            if found := pattern.search(text):
                yield f"{name}: must not name {what}, got {found[0]}"
        for number, line in enumerate(text.splitlines(), 1):
            if DEFAULT_USER_ID in line and line.strip() != f"default: {DEFAULT_USER_ID}":
                yield f"{name}, line {number}: the user id must come from the variable"


def _variables(declared: dict[str, dict], written: dict[str, str]) -> Iterator[str]:
    used = {name for text in written.values() for name in _VARIABLE.findall(text)}
    for name, text in written.items():
        if name.endswith(".py"):
            used |= set(_of_python(text))
    for name in sorted(used - set(declared)):
        yield f"variable {name} must be declared"
    for name in sorted(set(declared) - used):
        yield f"variable {name} must be used, or not be declared"
    for name, declaration in declared.items():
        if not declaration.get("description"):
            yield f"variable {name} must have a description"


def _of_python(text: str) -> Iterator[str]:
    """Members of a class with the decorator ``variables``."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ClassDef) and any(getattr(one, "id", "") == "variables" for one in node.decorator_list):
            yield from (one.target.id for one in node.body if isinstance(one, ast.AnnAssign))


def dashboards(bundle: dict, root: Path) -> Iterator[str]:
    """A line for each dashboard whose file, or a dataset that a widget shows, is not there."""
    found = bundle["resources"].get("dashboards", {})
    if not found and bundle["variables"]["warehouse_id"]["value"]:
        yield "dashboards: there must be one"
    for key, dashboard in found.items():
        path = root / dashboard.get("file_path", "")
        if not path.is_file():
            yield f"dashboards.{key}: file must exist, got {path.relative_to(root).as_posix()}"
            continue
        content = json.loads(path.read_text(encoding="utf-8"))
        datasets = {dataset["name"] for dataset in content.get("datasets", [])}
        shown = set(_named(content.get("pages", []), "datasetName"))
        if not shown:
            yield f"dashboards.{key}: must show a dataset"
        for name in sorted(shown - datasets):
            yield f"dashboards.{key}: dataset {name} must exist, a widget shows it"
        for name in sorted(datasets - shown):
            yield f"dashboards.{key}: dataset {name} must be shown, or not be there"


def _named(value: object, key: str) -> Iterator[str]:
    if isinstance(value, dict):
        yield from ([value[key]] if key in value else [])
        for inner in value.values():
            yield from _named(inner, key)
    elif isinstance(value, list):
        for inner in value:
            yield from _named(inner, key)
