"""The stacks: their names, what each needs of the ones before it, what CloudFormation is told.

Values go from stack to stack as parameters and not as exports: a template may so be deployed alone, into a network or
onto a cluster that a company has already, and no stack is held fast by another's import. A parameter that nobody gave
is the output of the same name of an earlier stack.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from infrastructure.awscli import Aws, outputs_of
from infrastructure.errors import DeployError
from infrastructure.templates import STACKS, Value, section, template_of, template_path
from pinterest_transforms.errors import SettingsError
from pinterest_transforms.settings import check_user_id

_REHEARSED = "<rehearsed>"


def stack_name(user_id: str, stack: str) -> str:
    """Name of a stack in CloudFormation: it must begin with a letter, which a user id need not."""
    return f"pinterest-{check_user_id(user_id)}-{stack}"


def chosen(stack: str) -> tuple[str, ...]:
    """The stacks that ``STACK`` or ``all`` asks for, in the order of their deployment.

    Raises:
        SettingsError: it is neither.
    """
    if stack != "all" and stack not in STACKS:
        raise SettingsError(f"stack must be all or one of {', '.join(STACKS)}, got {stack!r}")
    return STACKS if stack == "all" else (stack,)


def parameters_of(stack: str) -> dict[str, bool]:
    """The parameters of a stack's template, and whether each has a default."""
    declared = section(template_of(stack), "Parameters")
    return {name: "Default" in parameter for name, parameter in declared.items()}


def producer_of(parameter: str, stack: str) -> str:
    """The earlier stack with an output of that name; empty if there is none."""
    for earlier in STACKS[: STACKS.index(stack)]:
        if parameter in section(template_of(earlier), "Outputs"):
            return earlier
    return ""


def users_of(stack: str) -> list[str]:
    """The later stacks that take something of this one."""
    later = STACKS[STACKS.index(stack) + 1 :]
    return [name for name in later if any(producer_of(each, name) == stack for each in parameters_of(name))]


def given_parameters(pairs: Sequence[str], stacks: Sequence[str]) -> dict[str, str]:
    """What ``--param Name=Value`` says.

    Raises:
        SettingsError: it is no pair, or none of the stacks has such a parameter.
    """
    known = {name for stack in stacks for name in parameters_of(stack)} - {"UserId"}
    found: dict[str, str] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals:
            raise SettingsError(f"param must be Name=Value, got {pair!r}")
        if name not in known:
            raise SettingsError(f"param must be one of {', '.join(sorted(known))}, got {name!r}")
        if name in found:
            raise SettingsError(f"param {name} must be given once, got {found[name]!r} and {value!r}")
        for stack in stacks:
            _check_value(section(template_of(stack), "Parameters").get(name, {}), name, value)
        found[name] = value
    return found


def _check_value(parameter: Mapping[str, Value], name: str, value: str) -> None:
    """AWS looks at it, too, but only when it comes to that stack: perhaps an hour later."""
    allowed, pattern = parameter.get("AllowedValues"), parameter.get("AllowedPattern")
    if isinstance(allowed, list) and value not in map(str, allowed):
        raise SettingsError(f"param {name} must be one of {', '.join(map(str, allowed))}, got {value!r}")
    if isinstance(pattern, str) and not re.fullmatch(pattern, value):
        raise SettingsError(f"param {name} must match {pattern}, got {value!r}")
    least, most = parameter.get("MinValue"), parameter.get("MaxValue")
    if parameter.get("Type") == "Number":
        number = int(value) if re.fullmatch(r"\d{1,12}", value) else None
        low = least if isinstance(least, int) else 0
        if number is None or number < low or (isinstance(most, int) and number > most):
            upper = f" to {most}" if most is not None else " or more"
            raise SettingsError(f"param {name} must be a number, {low}{upper}, got {value!r}")


@dataclass
class Cloud:
    """CloudFormation, for one user id.

    Attributes:
        aws: the command line.
        user_id: whose stacks.
        given: parameters that were given, for whichever stack has them.
    """

    aws: Aws
    user_id: str
    given: Mapping[str, str] = field(default_factory=dict)
    _known: dict[str, dict[str, str] | None] = field(default_factory=dict, init=False)

    def deploy(self, stack: str, **more: str) -> None:
        """Deploys one template: makes the stack, or changes it, and waits.

        Args:
            stack: which.
            more: parameters that only this step knows.

        Raises:
            DeployError: AWS refuses, or an earlier stack is not there.
        """
        values = {**self.parameters(stack), **more}
        self.aws.run(
            *("cloudformation", "deploy", "--stack-name", stack_name(self.user_id, stack)),
            *("--template-file", str(template_path(stack)), "--capabilities", "CAPABILITY_NAMED_IAM"),
            *("--no-fail-on-empty-changeset", "--tags", "project=pinterest", f"user={self.user_id}"),
            *("--parameter-overrides", *(f"{name}={value}" for name, value in values.items())),
        )
        self._known.pop(stack, None)

    def parameters(self, stack: str) -> dict[str, str]:
        """The stack's parameters: given, or outputs of earlier stacks; what has a default else keeps what it has."""
        values = {"UserId": self.user_id}
        for name, has_default in parameters_of(stack).items():
            if name in self.given:
                values[name] = self.given[name]
            elif producer := producer_of(name, stack):
                found = self.known(producer, name)
                # Without that stack the value was given once, and CloudFormation keeps it.
                if found or not self.status(stack):
                    values[name] = found or self.output(producer, name)
            elif not has_default and name not in values:
                raise DeployError(f"parameter {name} of {stack} must be given with --param, got none")
        return values

    def output(self, stack: str, name: str) -> str:
        """One output of a stack that is there.

        Raises:
            DeployError: it is not.
        """
        found = self.known(stack, name)
        if not found:
            raise DeployError(f"stack {stack} must have the output {name}, got none: deploy {stack} first")
        return found

    def known(self, stack: str, name: str) -> str:
        """One output of a stack, or nothing if there is none: no stack, or one that was never finished."""
        outputs = self.outputs(stack)
        return f"<{stack}.{name}>" if outputs is None else outputs.get(name, "")

    def outputs(self, stack: str) -> Mapping[str, str] | None:
        """Every output of a stack, asked for once; None in a rehearsal, which knows none."""
        if stack not in self._known:
            answer = self.aws.finds(
                *("cloudformation", "describe-stacks", "--stack-name", stack_name(self.user_id, stack)),
                *("--query", "Stacks[0].Outputs", "--output", "json"),
                stands_for=_REHEARSED,
            )
            self._known[stack] = None if answer == _REHEARSED else outputs_of(answer or "")
        return self._known[stack]

    def status(self, stack: str) -> str:
        """What AWS says of a stack; empty if it is not there."""
        found = self.aws.finds(
            *("cloudformation", "describe-stacks", "--stack-name", stack_name(self.user_id, stack)),
            *("--query", "Stacks[0].StackStatus", "--output", "text"),
            stands_for="<there>",
        )
        return found or ""
