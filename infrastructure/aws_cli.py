"""Runs the AWS command line without a shell, or prints its commands in a dry run."""

import os
import shlex
import subprocess
import sys
from dataclasses import dataclass

from pinterest_transforms.errors import PinterestError

_ERROR_LINES = 3
_MISSING = ("does not exist", "Not Found", "NotFoundException")


class DeployError(PinterestError):
    """AWS or its command line reports an error."""


@dataclass(frozen=True)
class AwsCli:
    """Runs commands of the AWS command line.

    Attributes:
        region: region of every command.
        profile: profile of every command; empty for that of the environment.
        dry_run: print the commands and run none; results are placeholders, ``<name>``.
    """

    region: str
    profile: str = ""
    dry_run: bool = False

    def run(self, *arguments: str, dry_run_result: str = "") -> str:
        """Prints a command as one would type it, runs it and returns its output. No secret is ever an argument.

        Args:
            arguments: the arguments after ``aws``.
            dry_run_result: the result in a dry run.

        Raises:
            DeployError: the command fails; the message has the last lines of its error output.
        """
        command = self._build_command(arguments)
        print(shlex.join(command), file=sys.stdout if self.dry_run else sys.stderr, flush=True)
        return dry_run_result if self.dry_run else _execute(command)

    def find(self, *arguments: str, dry_run_result: str = "") -> str | None:
        """As ``run``, for a query, which is printed in a dry run only; None if the object does not exist."""
        if self.dry_run:
            return self.run(*arguments, dry_run_result=dry_run_result)
        try:
            return _execute(self._build_command(arguments))
        except DeployError as error:
            if any(words in str(error) for words in _MISSING):
                return None
            raise

    def _build_command(self, arguments: tuple[str, ...]) -> list[str]:
        return ["aws", *arguments, "--region", self.region, *(["--profile", self.profile] if self.profile else [])]


def _execute(command: list[str]) -> str:
    try:
        done = subprocess.run(  # noqa: S603 - a list of arguments, no shell
            command,
            capture_output=True,
            text=True,
            encoding="utf-8",
            errors="replace",
            check=False,
            env={**os.environ, "AWS_PAGER": ""},
        )
    except FileNotFoundError:
        raise DeployError("the AWS command line must be installed (aws, version 2), got none on the path") from None
    if done.returncode:
        lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
        reason = " / ".join(lines[-_ERROR_LINES:]) or "no error output"
        raise DeployError(f"{' '.join(command[:3])} failed: {reason}")
    return done.stdout.strip()
