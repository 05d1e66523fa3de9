"""A notebook's widgets and a job's parameters must agree; the widgets are read from the notebook's source."""

import ast
import functools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.bundle.references import settled

_KINDS = ("text", "dropdown", "combobox", "multiselect")


@dataclass(frozen=True)
class Widget:
    """A widget of a notebook: its name, and for a dropdown what it may be."""

    name: str
    choices: tuple[str, ...] = ()


@functools.cache
def widgets(notebook: Path) -> dict[str, Widget]:
    """The widgets that a notebook declares, by name."""
    found = {}
    for node in ast.walk(ast.parse(notebook.read_text(encoding="utf-8"))):
        match node:
            case ast.Call(
                func=ast.Attribute(attr=kind, value=ast.Attribute(attr="widgets", value=ast.Name(id="dbutils"))),
                args=[ast.Constant(value=str(name)), *more],
            ) if kind in _KINDS:
                choices = more[1] if kind == "dropdown" and len(more) > 1 else None
                literal = isinstance(choices, ast.List) and all(isinstance(one, ast.Constant) for one in choices.elts)
                found[name] = Widget(name, tuple(one.value for one in choices.elts) if literal else ())
    return found


def findings(bundle: dict, root: Path) -> Iterator[str]:
    """A line for each widget that no job sets, each parameter without a widget, each value that a dropdown refuses."""
    for key, job in settled(bundle)["resources"].get("jobs", {}).items():
        pushed = {parameter["name"]: parameter["default"] for parameter in job.get("parameters", [])}
        wanted: set[str] = set()
        for task in job.get("tasks", []):
            base = task.get("notebook_task", {}).get("base_parameters", {})
            notebook = root / task.get("notebook_task", {}).get("notebook_path", "")
            if not notebook.is_file():
                continue
            declared = widgets(notebook)
            wanted |= set(declared)
            where = f"jobs.{key}.{task['task_key']}"
            for name in sorted(set(base) - set(declared)):
                yield f"{where}: parameter {name} must be a widget of {notebook.name}, which has none of that name"
            for name in sorted(set(declared) - set(base) - set(pushed)):
                yield f"{where}: widget {name} of {notebook.name} must be set by the job"
            for name in sorted(set(base) & set(pushed)):
                yield f"{where}: parameter {name} must not stand in the job too, which would win"
            yield from _refused(where, declared, {**base, **pushed})
        for name in sorted(set(pushed) - wanted):
            yield f"jobs.{key}: parameter {name} must be a widget of one of its notebooks"


def _refused(where: str, declared: dict[str, Widget], given: dict[str, str]) -> Iterator[str]:
    for name, value in given.items():
        choices = declared[name].choices if name in declared else ()
        if choices and value not in choices:
            yield f"{where}: {name} must be one of {', '.join(choices)}, got {value!r}"
