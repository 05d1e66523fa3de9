"""Reads the CloudFormation templates: YAML with CloudFormation's tags in their long forms."""

from functools import cache
from pathlib import Path
from typing import TypeAlias

import yaml

from pinterest_transforms.errors import PinterestError

Value: TypeAlias = "bool | int | float | str | list[Value] | dict[str, Value] | None"
Template: TypeAlias = dict[str, Value]

FOLDER = Path(__file__).with_name("templates")
# In deployment order; destroyed in reverse order.
STACKS = ("network", "source", "streaming", "client", "api", "orchestration", "databricks")


class TemplateError(PinterestError):
    """A CloudFormation template cannot be read or evaluated."""


class _Loader(yaml.SafeLoader):
    """YAML with CloudFormation's tags."""


def _construct_function(loader: _Loader, suffix: str, node: yaml.Node) -> Value:
    name = suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}"
    value: Value
    if isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    elif isinstance(node, yaml.MappingNode):
        value = {str(key): entry for key, entry in loader.construct_mapping(node, deep=True).items()}
    else:
        value = node.value.split(".", 1) if suffix == "GetAtt" else node.value
    return {name: value}


_Loader.add_multi_constructor("!", _construct_function)


def get_template_path(stack: str) -> Path:
    """File of a stack's template."""
    return FOLDER / f"{stack}.yaml"


@cache
def get_template(stack: str) -> Template:
    """The template of a stack, read once and shared; do not modify it."""
    return load_template(get_template_path(stack))


def load_template(path: Path) -> Template:
    """Reads a template; see ``parse_template``."""
    return parse_template(path.read_text(encoding="utf-8"), str(path))


def parse_template(text: str, name: str = "template") -> Template:
    """Parses a template; functions have their long form: ``{"Ref": name}``, ``{"Fn::GetAtt": [name, attribute]}``.

    cfn-lint finds what CloudFormation's YAML does not allow.

    Raises:
        TemplateError: it is no template; the message has the line.
    """
    try:
        found = yaml.load(text, Loader=_Loader)  # noqa: S506 - a SafeLoader with CloudFormation's tags
    except yaml.MarkedYAMLError as error:
        line = f", line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise TemplateError(f"{name}{line}: {error.problem}") from None
    if not isinstance(found, dict) or not isinstance(found.get("Resources"), dict):
        raise TemplateError(f"{name} must have Resources, got none")
    return found


def section(template: Template, name: str) -> dict[str, dict[str, Value]]:
    """A section of a template, such as ``Resources`` or ``Parameters``, each entry a mapping; empty if it has none."""
    found = template.get(name)
    entries = found.items() if isinstance(found, dict) else ()
    return {key: entry for key, entry in entries if isinstance(entry, dict)}
