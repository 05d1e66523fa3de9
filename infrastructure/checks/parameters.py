"""Parameters and outputs: what goes into a stack, and what comes out."""

import re
from collections.abc import Iterator
from pathlib import Path

from infrastructure.checks.sight import Sight
from infrastructure.stacks import producer_of
from infrastructure.templates import STACKS, section, template_of, template_path

# CloudFormation takes no longer template from a command line.
MOST_BYTES = 51_200
_USER_ID = "[a-z0-9]{3,32}"
_SECRET = re.compile(r"password|secret|token|credential|privatekey", re.IGNORECASE)
_ROOM = Path(__file__).parent.parent
# Outputs for people are named on this page.
_PAGE = _ROOM.parent / "docs/infrastructure.md"


def described(sight: Sight) -> Iterator[str]:
    """Every parameter and output says what it is; the user id is checked; what has no default comes from somewhere."""
    for kind in ("Parameters", "Outputs"):
        for name, entry in section(sight.template, kind).items():
            if len(str(entry.get("Description") or "")) < len("A thing."):
                yield f"{name} must have a description"
    parameters = section(sight.template, "Parameters")
    pattern = parameters.get("UserId", {}).get("AllowedPattern")
    if pattern != _USER_ID:
        yield f"UserId must have the pattern {_USER_ID}, got {pattern}"
    if not sight.template.get("Description"):
        yield "the template must have a description"
    for name, parameter in parameters.items():
        if name != "UserId" and "Default" not in parameter and not producer_of(name, sight.stack):
            yield f"{name} must have a default or be an output of an earlier stack"


def without_secrets(sight: Sight) -> Iterator[str]:
    """No parameter holds a secret: it would stand in a command line, and in the stack's history."""
    for name, parameter in section(sight.template, "Parameters").items():
        if parameter.get("NoEcho") or (_SECRET.search(name) and not name.endswith("Arn")):
            yield f"{name} must not be a secret"


def outputs_are_used(sight: Sight) -> Iterator[str]:
    """Every output goes into a later stack, or is one that a person or the deploy command reads."""
    later = STACKS[STACKS.index(sight.stack) + 1 :]
    taken = {name for stack in later for name in section(template_of(stack), "Parameters")}
    said = _PAGE.read_text(encoding="utf-8") + "".join(
        file.read_text(encoding="utf-8") for file in sorted(_ROOM.glob("*.py"))
    )
    for name in section(sight.template, "Outputs"):
        if name not in taken and f'"{name}"' not in said and f"`{name}`" not in said:
            yield f"output {name} must be used by a later stack, or be on the page docs/infrastructure.md"


def small_enough(sight: Sight) -> Iterator[str]:
    """The file is one that CloudFormation takes as it is."""
    size = template_path(sight.stack).stat().st_size
    if size > MOST_BYTES:
        yield f"the template must have at most {MOST_BYTES} bytes, got {size}"
