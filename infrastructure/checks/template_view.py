"""A template with parameters and evaluated functions, for checks."""

from collections.abc import Iterator, Mapping

from infrastructure.cfn_evaluator import CfnEvaluator
from infrastructure.templates import Template, Value

BROKERS = "b-1.example.kafka.us-east-1.amazonaws.com:9098"
USER_ID = "0ab"

# Parameters of conditions, so that every resource is checked.
CASES: Mapping[str, tuple[Mapping[str, str], ...]] = {
    "api": ({}, {"Access": "API_KEY"}, {"CertificateArn": "arn:aws:acm:us-east-1:123456789012:certificate/1"}),
    "streaming": ({"BootstrapBrokers": BROKERS, "PluginKey": "plugins/sink.zip"}, {}),
    "orchestration": ({"RequirementsVersion": "1"}, {}),
}


class TemplateView:
    """One template with one set of parameters.

    Args:
        stack: the stack.
        template: its template in long form.
        given: values of parameters.

    Attributes:
        resources: the evaluated resources.
    """

    def __init__(self, stack: str, template: Template, given: Mapping[str, str]) -> None:
        self.stack, self.template = stack, template
        self.given = {"UserId": USER_ID, **given}
        self.resources = CfnEvaluator(template, self.given).resources()

    def find_resources(self, *kinds: str) -> Iterator[tuple[str, dict[str, Value]]]:
        """Name and properties of the resources of these types."""
        for name, resource in self.resources.items():
            if resource.get("Type") in kinds:
                yield name, as_mapping(resource.get("Properties"))


def as_mapping(value: Value) -> dict[str, Value]:
    """The value if it is a mapping, else an empty one."""
    return value if isinstance(value, dict) else {}


def as_list(value: Value) -> list[Value]:
    """The value as a list; a single value is a list of one, None an empty one."""
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def get_path(value: Value, *path: str) -> Value:
    """The value at a path of keys; None if a key is missing."""
    for name in path:
        value = as_mapping(value).get(name)
    return value


def find_all(value: object, name: str) -> Iterator[Value]:
    """All values of a key, at any depth."""
    if isinstance(value, dict):
        for key, entry in value.items():
            if key == name:
                yield entry
            yield from find_all(entry, name)
    elif isinstance(value, list):
        for entry in value:
            yield from find_all(entry, name)
