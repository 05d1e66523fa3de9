"""Runs the AWS command line without a shell, or prints its commands in a dry run."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from infrastructure.infrastructure_errors import DeployError

_ERROR_LINES = 3


class AwsCli(Protocol):
    """Runs commands of the AWS command line."""

    def run(self, *arguments: str, dry_run_result: str = "") -> str:
        """Runs ``aws`` with these arguments and returns its output.

        Args:
            arguments: the arguments.
            dry_run_result: the result in a dry run.

        Raises:
            DeployError: the command fails; the message has the last lines of its error output.
        """

    def find(self, *arguments: str, dry_run_result: str = "") -> str | None:
        """As ``run``, for a query; None if the object does not exist."""


def _log_to_stderr(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


@dataclass
class AwsCommandLine:
    """Runs the commands.

    Attributes:
        region: region of every command.
        profile: profile of every command; empty for that of the environment.
        log: receives each command before it runs.
    """

    region: str
    profile: str = ""
    log: Callable[[str], None] = _log_to_stderr
    program: str = field(default="", init=False)

    def __post_init__(self) -> None:
        """Finds the program before the first command."""
        self.program = shutil.which("aws") or ""
        if not self.program:
            raise DeployError("the AWS command line must be installed (aws, version 2), got none on the path")

    def run(self, *arguments: str, dry_run_result: str = "") -> str:  # noqa: ARG002 - of a dry run
        """Runs it; the error has its error output."""
        self.log(format_command([*arguments, *build_common_options(self.region, self.profile)]))
        completed = self._execute(arguments)
        if completed.returncode:
            raise DeployError(f"aws {' '.join(arguments[:2])} failed: {_get_last_lines(completed.stderr)}")
        return completed.stdout.strip()

    def find(self, *arguments: str, dry_run_result: str = "") -> str | None:  # noqa: ARG002 - of a dry run
        """Runs it; None if the object does not exist."""
        completed = self._execute(arguments)
        if not completed.returncode:
            return completed.stdout.strip()
        if any(
            words in completed.stderr for words in ("does not exist", "Not Found", "NoSuchBucket", "NotFoundException")
        ):
            return None
        raise DeployError(f"aws {' '.join(arguments[:2])} failed: {_get_last_lines(completed.stderr)}")

    def _execute(self, arguments: Sequence[str]) -> subprocess.CompletedProcess[str]:
        try:
            return subprocess.run(  # noqa: S603 - a list of arguments, no shell
                [self.program, *arguments, *build_common_options(self.region, self.profile)],
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
class DryRun:
    """Prints the commands and runs none; results are placeholders, ``<name>``."""

    region: str
    profile: str = ""
    log: Callable[[str], None] = print

    def run(self, *arguments: str, dry_run_result: str = "") -> str:
        """Prints it."""
        self.log(format_command([*arguments, *build_common_options(self.region, self.profile)]))
        return dry_run_result

    def find(self, *arguments: str, dry_run_result: str = "") -> str | None:
        """Prints it."""
        return self.run(*arguments, dry_run_result=dry_run_result)


def build_common_options(region: str, profile: str) -> list[str]:
    """Options of every command."""
    return ["--region", region, *(["--profile", profile] if profile else [])]


def format_command(arguments: Sequence[str]) -> str:
    """A command as one would type it; no secret is ever an argument."""
    return " ".join(["aws", *(_quote(argument) for argument in arguments)])


def parse_outputs(answer: str) -> dict[str, str]:
    """The outputs of a stack from the result of ``describe-stacks --query Stacks[0].Outputs``.

    Raises:
        DeployError: the result is invalid.
    """
    try:
        return {entry["OutputKey"]: entry["OutputValue"] for entry in json.loads(answer or "null") or []}
    except (ValueError, TypeError, KeyError):
        raise DeployError("describe-stacks must answer a stack's outputs as JSON, got something else") from None


def _quote(argument: str) -> str:
    plain = argument and all(letter.isalnum() or letter in "-_=+:/.,@%<>[]" for letter in argument)
    return argument if plain else "'" + argument.replace("'", "'\\''") + "'"


def _get_last_lines(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return " / ".join(lines[-_ERROR_LINES:]) or "no error output"
