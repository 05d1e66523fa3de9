"""Evaluates CloudFormation's intrinsic functions with given parameters, as far as the templates use them.

``Ref`` of a resource is its logical id, ``Fn::GetAtt`` is ``LogicalId.Attribute``.
"""

import base64
import re
from collections.abc import Mapping

from infrastructure.templates import Template, TemplateError, Value, section

_NO_VALUE: Value = {"Ref": "AWS::NoValue"}
_PSEUDO_PARAMETERS: Mapping[str, Value] = {
    "AWS::AccountId": "123456789012",
    "AWS::NoValue": _NO_VALUE,
    "AWS::Partition": "aws",
    "AWS::Region": "us-east-1",
    "AWS::StackId": "arn:aws:cloudformation:us-east-1:123456789012:stack/stack/0",
    "AWS::StackName": "stack",
    "AWS::URLSuffix": "amazonaws.com",
}
_VARIABLE = re.compile(r"\$\{(!?)([^{}]+)\}")


class CfnEvaluator:
    """Evaluates the values of one template.

    Args:
        template: the template in long form.
        parameters: values of its parameters; one without a value and a default has its name as value.
    """

    def __init__(self, template: Template, parameters: Mapping[str, str]) -> None:
        self._resources = section(template, "Resources")
        self._conditions = section(template, "Conditions")
        self._names: dict[str, Value] = {**_PSEUDO_PARAMETERS, **{name: name for name in self._resources}}
        for name, parameter in section(template, "Parameters").items():
            self._names[name] = _parse_parameter(name, parameter, parameters)

    def resources(self) -> dict[str, dict[str, Value]]:
        """The evaluated resources whose conditions are true."""
        found = {}
        for name, resource in self._resources.items():
            if "Condition" not in resource or self._holds(str(resource["Condition"])):
                found[name] = {part: self.value(entry) for part, entry in resource.items() if part != "Condition"}
        return found

    def value(self, value: Value) -> Value:
        """A value with its functions evaluated.

        Raises:
            TemplateError: a name or function is unknown.
        """
        if isinstance(value, list):
            return [found for entry in value if (found := self.value(entry)) != _NO_VALUE]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            [(name, argument)] = value.items()
            if name == "Ref" or name.startswith("Fn::") or (name == "Condition" and isinstance(argument, str)):
                return self._call(name, argument)
        return {name: found for name, entry in value.items() if (found := self.value(entry)) != _NO_VALUE}

    def _holds(self, condition: str) -> bool:
        if condition not in self._conditions:
            raise TemplateError(f"condition must be one of the template's, got {condition!r}")
        return bool(self.value(self._conditions[condition]))

    def _call(self, name: str, argument: Value) -> Value:  # noqa: PLR0911 - one for each function
        match name, argument:
            case "Ref", str(ref):
                return self._resolve(ref)
            case "Condition", str(condition):
                return self._holds(condition)
            case "Fn::GetAtt", [str(resource), attribute]:
                return f"{self._resolve(resource)}.{attribute}"
            case "Fn::If", [str(condition), then, otherwise]:
                return self.value(then if self._holds(condition) else otherwise)
            case "Fn::Sub", str(text):
                return self._substitute(text, {})
            case "Fn::Sub", [str(text), dict(names)]:
                return self._substitute(text, names)
        return _call_function(name, self.value(argument))

    def _resolve(self, name: str) -> Value:
        if name not in self._names:
            raise TemplateError(f"Ref and GetAtt must name a parameter or a resource, got {name!r}")
        return self._names[name]

    def _substitute(self, text: str, names: Mapping[str, Value]) -> str:
        def found(match: re.Match[str]) -> str:
            literal, name = match.groups()
            if literal:
                return f"${{{name}}}"
            if name in names:
                return _to_text(self.value(names[name]))
            resource, dot, attribute = name.partition(".")
            return f"{_to_text(self._resolve(resource))}{dot}{attribute}"

        return _VARIABLE.sub(found, text)


def _call_function(name: str, argument: Value) -> Value:  # noqa: PLR0911 - one for each function
    match name, argument:
        case "Fn::And", list(given):
            return all(given)
        case "Fn::Not", [given]:
            return not given
        case "Fn::Equals", [one, other]:
            return _to_text(one) == _to_text(other)
        case "Fn::Join", [str(separator), list(parts)]:
            return separator.join(map(_to_text, parts))
        case "Fn::Select", [index, list(parts)]:
            return parts[int(_to_text(index))]
        case "Fn::Base64", str(text):
            return base64.b64encode(text.encode()).decode()
        case "Fn::GetAZs", _:
            return [f"us-east-1{letter}" for letter in "abc"]
        case "Fn::Cidr", [block, count, bits]:
            # Names of the blocks, not their addresses, which no check needs.
            return [f"{block}#{number}/{32 - int(_to_text(bits))}" for number in range(int(_to_text(count)))]
    raise TemplateError(f"function must be a known one with valid arguments, got {name}: {argument!r}")


def _parse_parameter(name: str, parameter: Mapping[str, Value], given: Mapping[str, str]) -> Value:
    """The value of a parameter; a list for list types."""
    if str(parameter.get("Type")).startswith(("List<", "CommaDelimitedList")):
        text = _to_text(given.get(name, parameter.get("Default", f"{name}1,{name}2,{name}3")))
        return [part.strip() for part in text.split(",")]
    return _to_text(given.get(name, parameter.get("Default", name)))


def _to_text(value: Value) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return ",".join(map(_to_text, value)) if isinstance(value, list) else str(value)
