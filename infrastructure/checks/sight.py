"""A template as it is looked at: with parameters, its functions evaluated."""

from collections.abc import Iterator, Mapping
from functools import cached_property

from infrastructure.evaluating import Evaluator
from infrastructure.templates import Template, Value, section

BROKERS = "b-1.example.kafka.us-east-1.amazonaws.com:9098"
USER_ID = "0ab"

# Parameters that switch resources on and off, so that every resource is seen.
CASES: Mapping[str, tuple[Mapping[str, str], ...]] = {
    "api": ({}, {"Access": "API_KEY"}, {"CertificateArn": "arn:aws:acm:us-east-1:123456789012:certificate/1"}),
    "streaming": ({"BootstrapBrokers": BROKERS, "PluginKey": "plugins/sink.zip"}, {}),
    "orchestration": ({"RequirementsVersion": "1"}, {}),
}


class Sight:
    """One template with one choice of parameters.

    Args:
        stack: whose template.
        template: long forms.
        given: values of parameters; what has no default gets a value that says its name.
    """

    def __init__(self, stack: str, template: Template, given: Mapping[str, str]) -> None:
        self.stack, self.template = stack, template
        self.given = {"UserId": USER_ID, **given}

    @cached_property
    def evaluator(self) -> Evaluator:
        """Evaluates the template's values."""
        values = {}
        for name, parameter in section(self.template, "Parameters").items():
            if name in self.given:
                values[name] = self.given[name]
            elif "Default" not in parameter:
                several = str(parameter.get("Type")).startswith("List<")
                values[name] = ",".join(f"{name}{number}" for number in "123") if several else name
        return Evaluator(self.template, values)

    @cached_property
    def resources(self) -> dict[str, dict[str, Value]]:
        """The resources that are made, evaluated."""
        return self.evaluator.resources()

    @property
    def everything(self) -> Value:
        """The resources, as one value."""
        return dict[str, Value](self.resources)

    def of(self, *kinds: str) -> Iterator[tuple[str, dict[str, Value]]]:
        """Name and properties of the resources of these types."""
        for name, resource in self.resources.items():
            if resource.get("Type") in kinds:
                yield name, mapping(resource.get("Properties"))


def mapping(value: Value) -> dict[str, Value]:
    """The value, if it is a mapping; else an empty one."""
    return value if isinstance(value, dict) else {}


def listed(value: Value) -> list[Value]:
    """The value as a list: what stands alone is a list of one, nothing is an empty one."""
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def within(value: Value, *path: str) -> Value:
    """What is at a path of names; None if it ends before."""
    for name in path:
        value = mapping(value).get(name)
    return value


def every(value: Value, name: str) -> Iterator[Value]:
    """Everything that has this name, however deep."""
    if isinstance(value, dict):
        for key, entry in value.items():
            if key == name:
                yield entry
            yield from every(entry, name)
    elif isinstance(value, list):
        for entry in value:
            yield from every(entry, name)
