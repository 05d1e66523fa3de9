"""Reads the CloudFormation templates: YAML with CloudFormation's tags in their long forms."""

from functools import cache
from pathlib import Path
from typing import TypeAlias

import yaml

from infrastructure.infrastructure_errors import TemplateError

Value: TypeAlias = "bool | int | float | str | list[Value] | dict[str, Value] | None"
Template: TypeAlias = dict[str, Value]

FOLDER = Path(__file__).with_name("templates")
# In deployment order; destroyed in reverse order.
STACKS = ("network", "source", "streaming", "client", "api", "orchestration", "databricks")

_PLAIN_TAGS = ("Ref", "Condition")
_FUNCTIONS = (
    *("And", "Base64", "Cidr", "Equals", "FindInMap", "GetAtt", "GetAZs", "If", "ImportValue", "Join"),
    *("Not", "Or", "Select", "Split", "Sub"),
)


class _Loader(yaml.SafeLoader):
    """YAML as CloudFormation reads it: aliases and duplicate keys are errors."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            raise yaml.composer.ComposerError(None, None, "CloudFormation knows no aliases", mark)
        return super().compose_node(parent, index)


def _function(loader: _Loader, suffix: str, node: yaml.Node) -> Value:
    if suffix not in (*_PLAIN_TAGS, *_FUNCTIONS):
        raise yaml.constructor.ConstructorError(
            None, None, f"!{suffix} is no function of CloudFormation", node.start_mark
        )
    value: Value
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
        if suffix == "GetAtt":
            value = list(str(value).split(".", 1))
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = _mapping(loader, node)
    return {suffix if suffix in _PLAIN_TAGS else f"Fn::{suffix}": value}


def _mapping(loader: _Loader, node: yaml.Node) -> dict[str, Value]:
    found: dict[str, Value] = {}
    if not isinstance(node, yaml.MappingNode):
        raise yaml.constructor.ConstructorError(None, None, "a mapping must be here", node.start_mark)
    for key_node, value_node in node.value:
        key = str(loader.construct_object(key_node, deep=True))
        if key in found:
            raise yaml.constructor.ConstructorError(None, None, f"{key} is given twice", key_node.start_mark)
        found[key] = loader.construct_object(value_node, deep=True)
    return found


_Loader.add_multi_constructor("!", _function)
_Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)


def get_template_path(stack: str) -> Path:
    """File of a stack's template.

    Raises:
        TemplateError: the stack is unknown.
    """
    if stack not in STACKS:
        raise TemplateError(f"stack must be one of {', '.join(STACKS)}, got {stack!r}")
    return FOLDER / f"{stack}.yaml"


@cache
def get_template(stack: str) -> Template:
    """The template of a stack, read once and shared; do not modify it."""
    return load_template(get_template_path(stack))


def load_template(path: str | Path) -> Template:
    """Reads a template; functions have their long form: ``{"Ref": name}``, ``{"Fn::GetAtt": [name, attribute]}``.

    Raises:
        TemplateError: the file cannot be read, or is no template; the message has the line.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except OSError as error:
        raise TemplateError(f"template {path} cannot be read: {error.strerror}") from None
    return parse_template(text, str(path))


def parse_template(text: str, name: str = "template") -> Template:
    """Parses a template; see ``load_template``."""
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
    found = template.get(name, {})
    if not isinstance(found, dict):
        raise TemplateError(f"{name} must be a mapping, got {type(found).__name__}")
    return {key: entry for key, entry in found.items() if isinstance(entry, dict)}
