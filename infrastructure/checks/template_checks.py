"""Checks that cfn-lint and checkov do not have; an error is a line that begins with the stack's name."""

from collections.abc import Callable, Iterable

from infrastructure.checks import api, iam_policies, names, required_settings
from infrastructure.checks.template_view import CASES, TemplateView
from infrastructure.templates import STACKS, Template, get_template

CHECKS: tuple[Callable[[TemplateView], Iterable[str]], ...] = (
    names.check_sources,
    names.check_no_secrets,
    names.check_versions,
    names.check_contract_names,
    iam_policies.check_least_privilege,
    iam_policies.check_no_public_access,
    required_settings.check_settings,
    required_settings.check_encryption_at_rest,
    required_settings.check_encryption_in_transit,
    api.check_calls,
    api.check_resource_policy,
    api.check_role_trust,
    api.check_deployment,
    api.check_error_statuses,
    api.check_authorization,
)


def check_template(stack: str, template: Template) -> list[str]:
    """Errors in a stack's template with each set of parameters.

    Raises:
        TemplateError: the template has an unknown name or function.
    """
    found: dict[str, None] = {}
    for case in CASES.get(stack, ({},)):
        view = TemplateView(stack, template, case)
        for check in CHECKS:
            found.update(dict.fromkeys(f"{stack}: {error}" for error in check(view)))
    return list(found)


def check_all() -> list[str]:
    """Errors in all templates."""
    return [error for stack in STACKS for error in check_template(stack, get_template(stack))]
