"""Runs the AWS command line without a shell, or prints its commands in a dry run."""

import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from infrastructure.infrastructure_errors import DeployError

_ERROR_LINES = 3
_MISSING = ("does not exist", "Not Found", "NoSuchBucket", "NotFoundException")


@dataclass
class AwsCli:
    """Runs commands of the AWS command line.

    Attributes:
        region: region of every command.
        profile: profile of every command; empty for that of the environment.
    """

    region: str
    profile: str = ""

    def __post_init__(self) -> None:
        """Finds the program before the first command."""
        self._program = shutil.which("aws") or ""
        if not self._program:
            raise DeployError("the AWS command line must be installed (aws, version 2), got none on the path")

    def run(self, *arguments: str, dry_run_result: str = "") -> str:  # noqa: ARG002 - of a dry run
        """Runs ``aws`` with these arguments and returns its output.

        Args:
            arguments: the arguments.
            dry_run_result: the result in a dry run.

        Raises:
            DeployError: the command fails; the message has the last lines of its error output.
        """
        print(format_command(self.complete(arguments)), file=sys.stderr, flush=True)
        completed = self._execute(arguments)
        if completed.returncode:
            raise DeployError(f"aws {' '.join(arguments[:2])} failed: {_get_last_lines(completed.stderr)}")
        return completed.stdout.strip()

    def find(self, *arguments: str, dry_run_result: str = "") -> str | None:  # noqa: ARG002 - of a dry run
        """As ``run``, for a query; None if the object does not exist."""
        completed = self._execute(arguments)
        if not completed.returncode:
            return completed.stdout.strip()
        if any(words in completed.stderr for words in _MISSING):
            return None
        raise DeployError(f"aws {' '.join(arguments[:2])} failed: {_get_last_lines(completed.stderr)}")

    def complete(self, arguments: Sequence[str]) -> list[str]:
        """The arguments, with region and profile."""
        return [*arguments, "--region", self.region, *(["--profile", self.profile] if self.profile else [])]

    def _execute(self, arguments: Sequence[str]) -> subprocess.CompletedProcess[str]:
        try:
            return subprocess.run(  # noqa: S603 - a list of arguments, no shell
                [self._program, *self.complete(arguments)],
                capture_output=True,
                text=True,
                encoding="utf-8",
                errors="replace",
                check=False,
                env={**os.environ, "AWS_PAGER": ""},
            )
        except OSError as error:
            raise DeployError(f"{self._program} cannot be run: {error.strerror}") from None


class DryRun(AwsCli):
    """Prints the commands and runs none; results are placeholders, ``<name>``."""

    def __post_init__(self) -> None:
        """Needs no program."""

    def run(self, *arguments: str, dry_run_result: str = "") -> str:
        """Prints it."""
        print(format_command(self.complete(arguments)))
        return dry_run_result

    def find(self, *arguments: str, dry_run_result: str = "") -> str | None:
        """Prints it."""
        return self.run(*arguments, dry_run_result=dry_run_result)


def format_command(arguments: Sequence[str]) -> str:
    """A command as one would type it; no secret is ever an argument."""
    return shlex.join(["aws", *arguments])


def parse_outputs(answer: str) -> dict[str, str]:
    """The outputs of a stack from the result of ``describe-stacks --query Stacks[0].Outputs``.

    Raises:
        DeployError: the result is invalid.
    """
    try:
        return {entry["OutputKey"]: entry["OutputValue"] for entry in json.loads(answer or "null") or []}
    except (ValueError, TypeError, KeyError):
        raise DeployError("describe-stacks must answer a stack's outputs as JSON, got something else") from None


def _get_last_lines(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return " / ".join(lines[-_ERROR_LINES:]) or "no error output"
