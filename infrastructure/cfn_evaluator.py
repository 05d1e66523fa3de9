"""Evaluates CloudFormation's intrinsic functions with given parameters, as far as checks of the templates need it.

``Ref`` of a resource is its logical id, ``Fn::GetAtt`` is ``LogicalId.Attribute``.
"""

import base64
import operator
import re
from collections.abc import Callable, Mapping

from infrastructure.infrastructure_errors import TemplateError
from infrastructure.templates import Template, Value, section

PSEUDO_PARAMETERS: Mapping[str, str] = {
    "AWS::AccountId": "123456789012",
    "AWS::Region": "us-east-1",
    "AWS::Partition": "aws",
    "AWS::URLSuffix": "amazonaws.com",
    "AWS::StackName": "stack",
    "AWS::StackId": "arn:aws:cloudformation:us-east-1:123456789012:stack/stack/0",
}
_NO_VALUE = "AWS::NoValue"
_VARIABLE = re.compile(r"\$\{(!?)([^{}]+)\}")


class CfnEvaluator:
    """Evaluates the values of one template.

    Args:
        template: the template in long form.
        parameters: values of its parameters; the others have their defaults.

    Raises:
        TemplateError: a parameter is unknown, or has neither value nor default.
    """

    def __init__(self, template: Template, parameters: Mapping[str, str] | None = None) -> None:
        self._template = template
        declared, given = section(template, "Parameters"), dict(parameters or {})
        if unknown := sorted(given.keys() - declared.keys()):
            raise TemplateError(f"parameter must be one of the template's, got {', '.join(unknown)}")
        for name, parameter in declared.items():
            if name not in given and "Default" not in parameter:
                raise TemplateError(f"parameter {name} must be given, got none")
        self._parameters: dict[str, Value] = {
            name: _parse_parameter(parameter, given.get(name, parameter.get("Default")))
            for name, parameter in declared.items()
        }

    def resources(self) -> dict[str, dict[str, Value]]:
        """The evaluated resources whose conditions are true."""
        return self._evaluate_section("Resources")

    def outputs(self) -> dict[str, Value]:
        """The values of the outputs whose conditions are true."""
        return {name: output.get("Value") for name, output in self._evaluate_section("Outputs").items()}

    def holds(self, condition: str) -> bool:
        """Whether a condition of the template is true."""
        conditions = self._template.get("Conditions", {})
        if not isinstance(conditions, dict) or condition not in conditions:
            raise TemplateError(f"condition must be one of the template's, got {condition!r}")
        return bool(self.value(conditions[condition]))

    def value(self, value: Value) -> Value:
        """A value with its functions evaluated.

        Raises:
            TemplateError: a name or function is unknown.
        """
        if isinstance(value, list):
            found = [self.value(entry) for entry in value]
            return [entry for entry in found if entry != {"Ref": _NO_VALUE}]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            name, argument = next(iter(value.items()))
            if name == "Ref" or name.startswith("Fn::") or (name == "Condition" and isinstance(argument, str)):
                return self._call(name, argument)
        evaluated = {name: self.value(entry) for name, entry in value.items()}
        return {name: entry for name, entry in evaluated.items() if entry != {"Ref": _NO_VALUE}}

    def _evaluate_section(self, name: str) -> dict[str, dict[str, Value]]:
        found = {}
        for key, entry in section(self._template, name).items():
            condition = entry.get("Condition")
            if condition is None or self.holds(str(condition)):
                rest = {part: self.value(content) for part, content in entry.items() if part != "Condition"}
                found[key] = rest
        return found

    def _call(self, name: str, argument: Value) -> Value:
        if name == "Ref":
            return self._evaluate_ref(str(argument))
        if name == "Condition":
            return self.holds(str(argument))
        if name == "Fn::If":
            condition, then, otherwise = _check_arguments(name, argument, 3)
            return self.value(then if self.holds(str(condition)) else otherwise)
        if name == "Fn::Sub":
            return self._evaluate_sub(argument)
        if name == "Fn::GetAtt":
            parts = argument.split(".", 1) if isinstance(argument, str) else _check_arguments(name, argument, 2)
            return self._evaluate_get_att(".".join(map(str, parts)))
        return _call_function(name, self.value(argument))

    def _evaluate_ref(self, name: str) -> Value:
        if name == _NO_VALUE:
            return {"Ref": _NO_VALUE}
        if name in self._parameters:
            return self._parameters[name]
        if name in PSEUDO_PARAMETERS:
            return PSEUDO_PARAMETERS[name]
        if name not in section(self._template, "Resources"):
            raise TemplateError(f"Ref must name a parameter or a resource, got {name!r}")
        return name

    def _evaluate_get_att(self, path: str) -> str:
        if path.split(".", 1)[0] not in section(self._template, "Resources"):
            raise TemplateError(f"GetAtt must name a resource, got {path!r}")
        return path

    def _evaluate_sub(self, argument: Value) -> str:
        own: dict[str, Value] = {}
        if isinstance(argument, list):
            argument, names = _check_arguments("Fn::Sub", argument, 2)
            own = names if isinstance(names, dict) else {}

        def found(match: re.Match[str]) -> str:
            literal, name = match.groups()
            if literal:
                return f"${{{name}}}"
            if name in own:
                return _to_text(self.value(own[name]))
            return _to_text(self._evaluate_get_att(name) if "." in name else self._evaluate_ref(name))

        return _VARIABLE.sub(found, str(argument))


def _call_function(name: str, argument: Value) -> Value:
    if name in _FUNCTIONS and isinstance(argument, list):
        return _FUNCTIONS[name](argument)
    if name == "Fn::Base64":
        return base64.b64encode(_to_text(argument).encode()).decode()
    if name == "Fn::GetAZs":
        return [f"us-east-1{letter}" for letter in "abc"]
    raise TemplateError(f"function must be a known one with valid arguments, got {name}: {argument!r}")


def _join(separator: Value, parts: Value) -> Value:
    return str(separator).join(map(_to_text, parts if isinstance(parts, list) else [parts]))


def _select(index: Value, parts: Value) -> Value:
    return parts[int(_to_text(index))] if isinstance(parts, list) else None


def _build_cidr_blocks(block: Value, count: Value, bits: Value) -> Value:
    """Names of the blocks, not their addresses, which no check needs."""
    return [f"{_to_text(block)}#{number}/{32 - int(_to_text(bits))}" for number in range(int(_to_text(count)))]


_FUNCTIONS: Mapping[str, Callable[[list[Value]], Value]] = {
    "Fn::And": all,
    "Fn::Or": any,
    "Fn::Not": lambda given: not _check_arguments("Fn::Not", given, 1)[0],
    "Fn::Equals": lambda given: operator.eq(*map(_to_text, _check_arguments("Fn::Equals", given, 2))),
    "Fn::Join": lambda given: _join(*_check_arguments("Fn::Join", given, 2)),
    "Fn::Select": lambda given: _select(*_check_arguments("Fn::Select", given, 2)),
    "Fn::Split": lambda given: list(_to_text(given[1]).split(_to_text(_check_arguments("Fn::Split", given, 2)[0]))),
    "Fn::Cidr": lambda given: _build_cidr_blocks(*_check_arguments("Fn::Cidr", given, 3)),
}


def _check_arguments(name: str, argument: Value, count: int) -> list[Value]:
    if not isinstance(argument, list) or len(argument) != count:
        raise TemplateError(f"{name} must have {count} arguments, got {argument!r}")
    return argument


def _parse_parameter(parameter: Mapping[str, Value], value: Value) -> Value:
    """The value of a parameter; a list for list types."""
    kind = str(parameter.get("Type"))
    if kind.startswith("List<") or kind == "CommaDelimitedList":
        return [part.strip() for part in _to_text(value).split(",")]
    return _to_text(value)


def _to_text(value: Value) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return ",".join(map(_to_text, value)) if isinstance(value, list) else str(value)
