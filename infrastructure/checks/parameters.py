"""Checks of parameters."""

import re
from collections.abc import Iterator

from infrastructure.checks.template_view import TemplateView
from infrastructure.stacks import find_producer
from infrastructure.templates import section

_USER_ID = "[a-z0-9]{3,32}"
_SECRET = re.compile(r"password|secret|token|credential|privatekey", re.IGNORECASE)


def check_sources(view: TemplateView) -> Iterator[str]:
    """The user id has a pattern; each other parameter has a default or is an output of an earlier stack."""
    parameters = section(view.template, "Parameters")
    pattern = parameters.get("UserId", {}).get("AllowedPattern")
    if pattern != _USER_ID:
        yield f"UserId must have the pattern {_USER_ID}, got {pattern}"
    for name, parameter in parameters.items():
        if name != "UserId" and "Default" not in parameter and not find_producer(name, view.stack):
            yield f"{name} must have a default or be an output of an earlier stack"


def check_no_secrets(view: TemplateView) -> Iterator[str]:
    """No parameter is a secret: it would be in the command line and the stack's history."""
    for name, parameter in section(view.template, "Parameters").items():
        if parameter.get("NoEcho") or (_SECRET.search(name) and not name.endswith("Arn")):
            yield f"{name} must not be a secret"
