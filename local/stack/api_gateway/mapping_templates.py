"""Mapping templates: Velocity, rendered with the variables that API Gateway gives them.

Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-mapping-template-reference.html
"""

import base64
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property

import airspeed  # type: ignore[import-untyped]
from airspeed import operators

from pinterest_transforms.errors import PinterestError

_STEP = re.compile(r"\.([^.\[\]'\"]+)|\[(\d+)\]|\[['\"]([^'\"]*)['\"]\]")
_PATH = re.compile(rf"\$(?:{_STEP.pattern})*")


class MappingError(PinterestError):
    """A mapping template cannot be rendered."""


@dataclass
class MappingContext:
    """What a template may look at, and what it may override.

    Attributes:
        content: the body as it came.
        path: parameters of the path.
        query: parameters of the query string.
        header: headers; their names are the same whatever their case.
        variables: ``$context``, plain values.
        request_override: what the template sets in ``$context.requestOverride``.
    """

    content: bytes = b""
    path: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    header: Mapping[str, str] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)
    request_override: dict[str, object] = field(default_factory=dict)

    @property
    def body(self) -> str:
        """The body as a text."""
        return self.content.decode("utf-8", "replace")

    @property
    def content_type(self) -> str:
        """Media type of the body, without parameters; JSON by default."""
        return self.header.get("content-type", "application/json").partition(";")[0].strip()


class _Text(str):
    """A text, with the methods of Java's that templates use."""

    __slots__ = ()

    def replaceAll(self, pattern: str, replacement: str) -> "_Text":  # noqa: N802 - Java's name
        """The text with every match replaced."""
        # A backslash takes the next character as it is, in Java's replacements too.
        plain = re.sub(r"\\(.)", r"\1", replacement)
        return _Text(re.sub(pattern, lambda _: plain, self))


# Velocity looks for Java's methods by the very class of a value.
operators.__additional_methods__[_Text] = operators.__additional_methods__[str]


class _Util:
    """``$util``, of which the template uses these."""

    def base64Encode(self, text: object) -> str:  # noqa: N802 - API Gateway's name, as below
        """The text's UTF-8, in base64."""
        return base64.b64encode(str(text).encode()).decode()

    def escapeJavaScript(self, text: object) -> _Text:  # noqa: N802
        """As a JavaScript string has it: quotes of both kinds escaped."""
        return _Text(json.dumps(str(text))[1:-1].replace("'", "\\'").replace("/", "\\/"))


class _Input:
    """``$input``."""

    def __init__(self, context: MappingContext) -> None:
        self._context, self.body = context, context.body

    def json(self, path: str) -> str:
        """What a JSONPath finds, as JSON; an empty JSON text if nothing."""
        found = self.path(path)
        return '""' if found is None else json.dumps(found, ensure_ascii=False, separators=(",", ":"))

    def path(self, path: str) -> object:
        """What a JSONPath finds, as objects."""
        found = self._root
        for step in _parse_path(str(path)):
            if isinstance(step, int):
                found = found[step] if isinstance(found, list) and step < len(found) else None
            else:
                found = found.get(step) if isinstance(found, dict) else None
        return found

    def params(self, name: str) -> _Text:
        """A parameter of path, query or headers, in this order."""
        places = (self._context.path, self._context.query, self._context.header)
        return _Text(next((values[name] for values in places if name in values), ""))

    @cached_property
    def _root(self) -> object:
        try:
            return json.loads(self.body) if self.body.strip() else None
        except ValueError:
            raise MappingError("the body must be JSON") from None


_template = cache(airspeed.Template)


def _parse_path(path: str) -> list[str | int]:
    """The names and numbers of a JSONPath; of its other parts none is known here."""
    if not _PATH.fullmatch(path):
        raise MappingError(f"JSONPath must be of names and numbers, as $.records[0].data, got {path!r}")
    return [int(number) if number else name or quoted for name, number, quoted in _STEP.findall(path)]


def render_mapping(template: str, context: MappingContext) -> str:
    """A template's text with everything filled in; what it overrides is left in the context.

    Raises:
        MappingError: it is not Velocity, or what it calls fails.
    """
    names = {
        "input": _Input(context),
        "util": _Util(),
        "context": {**context.variables, "requestOverride": context.request_override},
        "stageVariables": {},
    }
    try:
        text: str = _template(template).merge(names)
    except MappingError:
        raise
    except Exception as error:
        raise MappingError(f"a mapping template fails: {' '.join(str(error).split())}") from None
    return text
