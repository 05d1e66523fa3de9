"""Looks for what cfn-lint and checkov miss in the templates; a mistake is a line that begins with the stack's name."""

from collections.abc import Callable, Iterable

from infrastructure.checks import access, api, encryption, names, parameters
from infrastructure.checks.sight import CASES, Sight
from infrastructure.templates import STACKS, Template, template_of

CHECKS: tuple[Callable[[Sight], Iterable[str]], ...] = (
    parameters.described,
    parameters.without_secrets,
    parameters.outputs_are_used,
    parameters.small_enough,
    names.valid,
    names.as_in_the_contract,
    names.sink_is_as_rendered,
    access.least_privilege,
    access.nobody_from_outside,
    encryption.at_rest,
    encryption.in_transit,
    api.complete,
    api.limited,
    api.roles_can_be_taken,
    api.deployed,
    api.errors_are_errors,
    api.protected,
)


def check_template(stack: str, template: Template) -> list[str]:
    """The mistakes in a stack's template, whatever its parameters are.

    Raises:
        TemplateError: a name in it is not there, or a function is not known.
    """
    found: dict[str, None] = {}
    for case in CASES.get(stack, ({},)):
        sight = Sight(stack, template, case)
        for check in CHECKS:
            found.update(dict.fromkeys(f"{stack}: {mistake}" for mistake in check(sight)))
    return list(found)


def check_all() -> list[str]:
    """The mistakes in all templates."""
    return [mistake for stack in STACKS for mistake in check_template(stack, template_of(stack))]
