"""Checks of parameters and outputs."""

import re
from collections.abc import Iterator
from pathlib import Path

from infrastructure.checks.template_view import TemplateView
from infrastructure.stacks import find_producer
from infrastructure.templates import STACKS, get_template, section

_USER_ID = "[a-z0-9]{3,32}"
_SECRET = re.compile(r"password|secret|token|credential|privatekey", re.IGNORECASE)
_ROOM = Path(__file__).parent.parent
# Outputs for users are documented on this page.
_PAGE = _ROOM.parent / "docs/infrastructure.md"


def check_descriptions(view: TemplateView) -> Iterator[str]:
    """Parameters and outputs have descriptions; the user id has a pattern; each parameter has a source."""
    for kind in ("Parameters", "Outputs"):
        for name, entry in section(view.template, kind).items():
            if len(str(entry.get("Description") or "")) < len("A thing."):
                yield f"{name} must have a description"
    parameters = section(view.template, "Parameters")
    pattern = parameters.get("UserId", {}).get("AllowedPattern")
    if pattern != _USER_ID:
        yield f"UserId must have the pattern {_USER_ID}, got {pattern}"
    if not view.template.get("Description"):
        yield "the template must have a description"
    for name, parameter in parameters.items():
        if name != "UserId" and "Default" not in parameter and not find_producer(name, view.stack):
            yield f"{name} must have a default or be an output of an earlier stack"


def check_no_secrets(view: TemplateView) -> Iterator[str]:
    """No parameter is a secret: it would be in the command line and the stack's history."""
    for name, parameter in section(view.template, "Parameters").items():
        if parameter.get("NoEcho") or (_SECRET.search(name) and not name.endswith("Arn")):
            yield f"{name} must not be a secret"


def check_outputs_used(view: TemplateView) -> Iterator[str]:
    """Every output is a parameter of a later stack, documented, or read by the deploy command."""
    later = STACKS[STACKS.index(view.stack) + 1 :]
    taken = {name for stack in later for name in section(get_template(stack), "Parameters")}
    text = _PAGE.read_text(encoding="utf-8") + "".join(
        file.read_text(encoding="utf-8") for file in sorted(_ROOM.glob("*.py"))
    )
    for name in section(view.template, "Outputs"):
        if name not in taken and f'"{name}"' not in text and f"`{name}`" not in text:
            yield f"output {name} must be used by a later stack, or be in docs/infrastructure.md"
