"""The stacks: their names, parameters and outputs.

Stacks pass values as parameters, not as exports: a template can be deployed alone, into an existing network or cluster,
and no import locks a stack. A parameter that is not given is the output with the same name of an earlier stack.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from infrastructure.aws_cli import AwsCli, DeployError
from infrastructure.templates import STACKS, Value, get_template, get_template_path, section
from pinterest_transforms.errors import SettingsError
from pinterest_transforms.settings import Settings


def find_producer(parameter: str, stack: str) -> str:
    """The earlier stack with an output of this name; empty if there is none."""
    for earlier in STACKS[: STACKS.index(stack)]:
        if parameter in section(get_template(earlier), "Outputs"):
            return earlier
    return ""


def find_dependents(stack: str) -> list[str]:
    """The later stacks with a parameter from this stack."""
    later = STACKS[STACKS.index(stack) + 1 :]
    return [
        name
        for name in later
        if any(find_producer(each, name) == stack for each in section(get_template(name), "Parameters"))
    ]


def parse_parameters(pairs: Sequence[str], stacks: Sequence[str]) -> dict[str, str]:
    """Parses ``--param Name=Value`` options.

    Raises:
        SettingsError: an option is invalid, or no stack has the parameter.
    """
    known = {name for stack in stacks for name in section(get_template(stack), "Parameters")} - {"UserId"}
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
            _check_value(section(get_template(stack), "Parameters").get(name, {}), name, value)
        found[name] = value
    return found


def _check_value(parameter: Mapping[str, Value], name: str, value: str) -> None:
    """Checks a value before the first deploy; AWS would only when it deploys the stack, perhaps an hour later."""
    allowed, pattern = parameter.get("AllowedValues"), parameter.get("AllowedPattern")
    if isinstance(allowed, list) and value not in map(str, allowed):
        raise SettingsError(f"param {name} must be one of {', '.join(map(str, allowed))}, got {value!r}")
    if isinstance(pattern, str) and not re.fullmatch(pattern, value):
        raise SettingsError(f"param {name} must match {pattern}, got {value!r}")
    if parameter.get("Type") == "Number":
        least, most = int(str(parameter.get("MinValue", 0))), parameter.get("MaxValue")
        greatest = most if isinstance(most, int) else 10**12
        if not (re.fullmatch("[0-9]{1,12}", value) and least <= int(value) <= greatest):
            upper = f" to {most}" if most is not None else " or more"
            raise SettingsError(f"param {name} must be a number, {least}{upper}, got {value!r}")


@dataclass
class CloudFormation:
    """CloudFormation stacks of one user id.

    Attributes:
        aws: the command line.
        settings: the user id.
        given: given parameters of all stacks.
    """

    aws: AwsCli
    settings: Settings
    given: Mapping[str, str] = field(default_factory=dict)
    _outputs: dict[str, dict[str, str]] = field(default_factory=dict, init=False)

    def stack_name(self, stack: str) -> str:
        """Name of a stack in CloudFormation: it must begin with a letter, which a user id need not."""
        return f"pinterest-{self.settings.user_id}-{stack}"

    def deploy(self, stack: str, **more: str) -> None:
        """Creates or updates a stack, and waits.

        Args:
            stack: the stack.
            more: further parameters.

        Raises:
            DeployError: AWS reports an error, or an earlier stack does not exist.
        """
        values = {**self.parameters(stack), **more}
        self.aws.run(
            *("cloudformation", "deploy", "--stack-name", self.stack_name(stack)),
            *("--template-file", str(get_template_path(stack)), "--capabilities", "CAPABILITY_NAMED_IAM"),
            *("--no-fail-on-empty-changeset", "--tags", "project=pinterest", f"user={self.settings.user_id}"),
            *("--parameter-overrides", *(f"{name}={value}" for name, value in values.items())),
        )
        self._outputs.pop(stack, None)

    def parameters(self, stack: str) -> dict[str, str]:
        """The stack's parameters, given or outputs of earlier stacks; others keep their value or default."""
        values = {"UserId": self.settings.user_id}
        for name in section(get_template(stack), "Parameters"):
            if name in self.given:
                values[name] = self.given[name]
            elif producer := find_producer(name, stack):
                found = self.find_output(producer, name)
                # Without that stack, CloudFormation keeps the value given before.
                if found or not self.status(stack):
                    values[name] = found or self.output(producer, name)
        return values

    def output(self, stack: str, name: str) -> str:
        """An output of a stack.

        Raises:
            DeployError: the stack does not have it.
        """
        found = self.find_output(stack, name)
        if not found:
            raise DeployError(f"stack {stack} must have the output {name}, got none: deploy {stack} first")
        return found

    def find_output(self, stack: str, name: str) -> str:
        """An output of a stack; empty if the stack does not exist or has no outputs."""
        return self.outputs(stack).get(name, f"<{stack}.{name}>" if self.aws.dry_run else "")

    def outputs(self, stack: str) -> Mapping[str, str]:
        """All outputs of a stack, queried once; none in a dry run.

        Raises:
            DeployError: the answer is not the outputs as JSON.
        """
        if stack not in self._outputs:
            answer = self._describe(stack, "Stacks[0].Outputs", "json", "null") or "null"
            try:
                self._outputs[stack] = {one["OutputKey"]: one["OutputValue"] for one in json.loads(answer) or ()}
            except (ValueError, TypeError, KeyError):
                raise DeployError("describe-stacks must answer a stack's outputs as JSON, got something else") from None
        return self._outputs[stack]

    def status(self, stack: str) -> str:
        """Status of a stack; empty if it does not exist."""
        return self._describe(stack, "Stacks[0].StackStatus", "text", "<exists>")

    def parameter(self, stack: str, name: str) -> str:
        """The present value of a stack's parameter; empty if there is none."""
        return self._describe(stack, f"Stacks[0].Parameters[?ParameterKey=='{name}'].ParameterValue", "text", "")

    def _describe(self, stack: str, query: str, form: str, dry_run_result: str) -> str:
        found = self.aws.find(
            *("cloudformation", "describe-stacks", "--stack-name", self.stack_name(stack)),
            *("--query", query, "--output", form),
            dry_run_result=dry_run_result,
        )
        return found or ""
