"""The command line: ``python -m workspace set-up``, ``rotate`` and ``smoke``."""

import argparse
import io
import os
import signal
import sys
from collections.abc import Sequence
from pkgutil import resolve_name
from typing import NoReturn

from pinterest_transforms.error_format import OneLineParser
from pinterest_transforms.errors import PinterestError, SettingsError
from pinterest_transforms.settings import LEGS, add_user_id
from workspace.redacted_output import RedactedOutput

FAILED, USAGE, INTERRUPTED = 1, 2, 130


def build_parser() -> OneLineParser:
    """The parser of all commands."""
    about = "Sets up what a bundle cannot: secrets, AWS credentials, grants, tags, keys; and runs the deployed job."
    more = "docs/operations/workspace.md has examples. Authentication: --profile, or the environment (DATABRICKS_…)."
    top = OneLineParser(prog="python -m workspace", description=about, epilog=more, allow_abbrev=False)
    commands = top.add_subparsers(title="commands", required=True, metavar="COMMAND")
    about = "Creates the requested objects that do not exist, and updates those that differ. It is idempotent"
    command = _add_command(commands, "set-up", "set_up:set_up", about)
    _add_secrets(command, required=False)
    _add_aws(command)
    _add_grants(command)
    _add_connection(command)

    command = _add_command(commands, "rotate", "set_up:rotate", "Replaces the AWS keys in the secret scope")
    _add_secrets(command, required=True)
    _add_connection(command)

    about = (
        "Runs the deployed batch job and prints the answers; exit code 1 if it fails or an answer is empty; "
        "Ctrl-C and the timeout cancel it"
    )
    command = _add_command(commands, "smoke", "smoke:smoke", about)
    command.add_argument("--job", default="pinterest_batch", metavar="NAME", help="the job's name (%(default)s)")
    command.add_argument("--timeout", type=float, default=60, metavar="MINUTES", help="maximum wait (%(default)s)")
    _add_connection(command)
    return top


def _add_command(
    commands: "argparse._SubParsersAction[OneLineParser]", name: str, run: str, about: str
) -> OneLineParser:
    command = commands.add_parser(name, help=about, description=about, allow_abbrev=False)
    command.set_defaults(run=run)
    return command


def _add_connection(command: argparse.ArgumentParser) -> None:
    command.add_argument("--profile", metavar="NAME", help="profile of ~/.databrickscfg")
    command.add_argument("--warehouse", default="", metavar="ID|NAME", help="SQL warehouse (default: the only one)")


def _add_secrets(command: argparse.ArgumentParser, *, required: bool) -> None:
    command.add_argument("--dry-run", action="store_true", help="print what would be done, and do nothing")
    group = command.add_argument_group("secrets: the AWS keys that the notebooks read")
    group.add_argument(
        "--secrets-from",
        choices=("prompt", "environment", "table"),
        required=required,
        help="values from a prompt, PINTEREST_SECRET_<SCOPE>_ACCESS_KEY and …_SECRET_KEY, or the course's table",
    )
    group.add_argument("--scope", default="pinterest", metavar="NAME", help="secret scope of the bundle (%(default)s)")
    group.add_argument(
        "--credentials-table",
        default="hive_metastore.default.authentication_credentials",
        metavar="TABLE",
        help="the course's table (%(default)s)",
    )
    group.add_argument("--drop-credentials-table", action="store_true", help="drop the table after the keys are stored")


def _add_aws(command: argparse.ArgumentParser) -> None:
    group = command.add_argument_group("access to AWS")
    for option, metavar, text in (
        ("--storage-credential", "NAME", "created with --storage-role"),
        ("--storage-role", "ARN", "IAM role that reads the bucket"),
        ("--external-location", "NAME", "for --url, with --storage-credential"),
        ("--url", "S3URL", "URL of the landing (s3://user-<id>-bucket)"),
        ("--service-credential", "NAME", "for Kinesis, created with --service-role"),
        ("--service-role", "ARN", "IAM role that reads the streams"),
        ("--instance-profile", "ARN", "instance profile to register, for classic compute"),
    ):
        group.add_argument(option, default="", metavar=metavar, help=text)


def _add_grants(command: argparse.ArgumentParser) -> None:
    group = command.add_argument_group("grants, tags and keys on tables")
    for option, metavar, default, text in (
        ("--analysts", "PRINCIPAL", "", "may read the answers, posts and runs"),
        ("--stewards", "PRINCIPAL", "", "may read clean tables, quarantine and raw records"),
        ("--runner", "PRINCIPAL", "", "runs the jobs: may use location and credential above"),
        ("--catalog", "NAME", "main", "catalog of the tables (%(default)s)"),
        ("--schema", "NAME", "", "schema of the tables (default: that of the leg)"),
    ):
        group.add_argument(option, default=default, metavar=metavar, help=text)
    add_user_id(group)
    group.add_argument("--leg", choices=tuple(LEGS), default="batch", help="leg of the tables (%(default)s)")
    group.add_argument(
        "--column-tags", action="store_true", help="tag each column with its class: pii, quasi_identifier or public"
    )
    group.add_argument(
        "--key-constraints", action="store_true", help="declare primary and foreign keys, as information"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command.

    Returns:
        The exit code: 0 success; 1 an error of the workspace or run, an empty answer, or a waiting step; 2 an invalid
        command line; 130 interrupted.
    """
    output = RedactedOutput()
    # Names and help have characters that not every terminal has.
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    before = signal.signal(signal.SIGTERM, _interrupt)
    try:
        options = build_parser().parse_args(arguments)
        # Imported for the chosen command alone: the SDK is slow to import.
        resolve_name(f"workspace.{options.run}")(options, output)
    except PinterestError as error:
        output.log(f"error: {error}")
        return USAGE if isinstance(error, SettingsError) else FAILED
    except KeyboardInterrupt:
        output.log("interrupted")
        return INTERRUPTED
    except BrokenPipeError:
        # The reader (`| head`) has closed the pipe.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return FAILED
    finally:
        signal.signal(signal.SIGTERM, before)
    return 0


def _interrupt(_number: int, _frame: object) -> NoReturn:
    """SIGTERM ends a command as Ctrl-C does, so that a started run is cancelled."""
    raise KeyboardInterrupt
