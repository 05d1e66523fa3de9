"""The AWS command line, run or only rehearsed: one list of arguments a command, no shell between."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from infrastructure.errors import DeployError

_LAST_LINES = 3


class Aws(Protocol):
    """Runs commands of the AWS command line."""

    def run(self, *arguments: str, stands_for: str = "") -> str:
        """Runs ``aws`` with these arguments and returns what it prints.

        Args:
            arguments: what stands behind ``aws``.
            stands_for: what a rehearsal returns instead, as the answer is not known.

        Raises:
            DeployError: the command fails; the message has the last lines of what it said.
        """

    def finds(self, *arguments: str, stands_for: str = "") -> str | None:
        """As ``run``, for a question: None where AWS says that there is no such thing."""


def _prints(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


@dataclass
class CommandLine:
    """The real one.

    Attributes:
        region: for every command.
        profile: for every command; empty for what the environment says.
        say: is told each command before it runs.
    """

    region: str
    profile: str = ""
    say: Callable[[str], None] = _prints
    program: str = field(default="", init=False)

    def __post_init__(self) -> None:
        """Looks for the program before anything is begun."""
        self.program = shutil.which("aws") or ""
        if not self.program:
            raise DeployError("the AWS command line must be installed (aws, version 2), got none on the path")

    def run(self, *arguments: str, stands_for: str = "") -> str:  # noqa: ARG002 - a rehearsal's
        """Runs it; what it says on standard error is shown if it fails."""
        self.say(shown([*arguments, *everywhere(self.region, self.profile)]))
        done = self._done(arguments)
        if done.returncode:
            raise DeployError(f"aws {' '.join(arguments[:2])} failed: {_last(done.stderr)}")
        return done.stdout.strip()

    def finds(self, *arguments: str, stands_for: str = "") -> str | None:  # noqa: ARG002 - a rehearsal's
        """Runs it; None where the thing is not there."""
        done = self._done(arguments)
        if not done.returncode:
            return done.stdout.strip()
        if any(words in done.stderr for words in ("does not exist", "Not Found", "NoSuchBucket", "NotFoundException")):
            return None
        raise DeployError(f"aws {' '.join(arguments[:2])} failed: {_last(done.stderr)}")

    def _done(self, arguments: Sequence[str]) -> subprocess.CompletedProcess[str]:
        try:
            return subprocess.run(  # noqa: S603 - a list of arguments, no shell
                [self.program, *arguments, *everywhere(self.region, self.profile)],
                capture_output=True,
                text=True,
                encoding="utf-8",
                errors="replace",
                check=False,
                env={**os.environ, "AWS_PAGER": ""},
            )
        except OSError as error:
            raise DeployError(f"{self.program} cannot be run: {error.strerror}") from None


@dataclass
class Rehearsal:
    """Shows every command, and runs none; what an answer would be stands as ``<name>``."""

    region: str
    profile: str = ""
    say: Callable[[str], None] = print

    def run(self, *arguments: str, stands_for: str = "") -> str:
        """Shows it."""
        self.say(shown([*arguments, *everywhere(self.region, self.profile)]))
        return stands_for

    def finds(self, *arguments: str, stands_for: str = "") -> str | None:
        """Shows it."""
        return self.run(*arguments, stands_for=stands_for)


def everywhere(region: str, profile: str) -> list[str]:
    """What goes with every command."""
    return ["--region", region, *(["--profile", profile] if profile else [])]


def shown(arguments: Sequence[str]) -> str:
    """A command as a person would type it; nothing in it is secret, since no secret is ever an argument."""
    return " ".join(["aws", *(_typed(argument) for argument in arguments)])


def outputs_of(answer: str) -> dict[str, str]:
    """The outputs of a stack, of the answer to ``describe-stacks --query Stacks[0].Outputs``.

    Raises:
        DeployError: the answer is none.
    """
    try:
        return {entry["OutputKey"]: entry["OutputValue"] for entry in json.loads(answer or "null") or []}
    except (ValueError, TypeError, KeyError):
        raise DeployError("describe-stacks must answer a stack's outputs as JSON, got something else") from None


def _typed(argument: str) -> str:
    plain = argument and all(letter.isalnum() or letter in "-_=+:/.,@%<>[]" for letter in argument)
    return argument if plain else "'" + argument.replace("'", "'\\''") + "'"


def _last(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return " / ".join(lines[-_LAST_LINES:]) or "it said nothing"
