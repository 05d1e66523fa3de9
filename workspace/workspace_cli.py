"""The command line: ``python -m workspace set-up``, ``rotate`` and ``smoke``."""

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from dataclasses import fields
from typing import NoReturn

from pinterest_transforms.error_format import OneLineParser
from pinterest_transforms.errors import PinterestError, SettingsError
from pinterest_transforms.settings import DEFAULT_USER_ID, LEGS
from workspace.redacted_output import RedactedOutput
from workspace.request import KeysRequest, SetUpRequest, SmokeRequest
from workspace.workspace_names import CREDENTIALS_TABLE

FAILED, USAGE, INTERRUPTED = 1, 2, 130

_SET_UP = """\
examples:
  python -m workspace set-up --dry-run --secrets-from prompt --analysts analysts --stewards stewards
      prints what would be created
  python -m workspace set-up --storage-credential pinterest --storage-role arn:aws:iam::123456789012:role/landing \\
      --external-location pinterest-landing
      creates the access to the bucket, and prints the trust policy that the role needs in AWS
  python -m workspace set-up --secrets-from table --drop-credentials-table
      stores the keys of the course's table in the secret scope, and drops the table
"""
_MORE = "Each command has its own --help. Authentication: --profile, or the environment (DATABRICKS_…)."


def build_parser() -> OneLineParser:
    """The parser of all commands."""
    about = "Sets up what a bundle cannot: secrets, AWS credentials, grants, tags, keys; and runs the deployed job."
    top = OneLineParser(prog="python -m workspace", description=about, epilog=_MORE, allow_abbrev=False)
    commands = top.add_subparsers(title="commands", required=True, metavar="COMMAND")
    set_up = commands.add_parser(
        "set-up",
        help="create secrets, credentials, grants, tags and keys",
        description="Creates the requested objects that do not exist, and updates those that differ. It is idempotent.",
        epilog=_SET_UP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    set_up.add_argument("--dry-run", action="store_true", help="print what would be done, and do nothing")
    _add_secrets(set_up, required=False)
    _add_aws(set_up)
    _add_grants(set_up)
    set_up.set_defaults(run=_set_up)

    rotate = commands.add_parser(
        "rotate",
        help="put new keys into the secret scope",
        description="Replaces the keys in the secret scope.",
        allow_abbrev=False,
    )
    rotate.add_argument("--dry-run", action="store_true", help="print what would be done, and do nothing")
    _add_secrets(rotate, required=True)
    rotate.set_defaults(run=_rotate)

    smoke = commands.add_parser(
        "smoke",
        help="run the batch job, wait, print the answers",
        description="Runs the deployed batch job, waits until it ends, and prints the answers.",
        epilog="Ctrl-C and the timeout cancel the run. Exit code 1: a task failed, or an answer is empty.",
        allow_abbrev=False,
    )
    smoke.add_argument(
        "--job", "--target-name", default="pinterest_batch", metavar="NAME", help="the job's name (%(default)s)"
    )
    smoke.add_argument("--timeout", type=float, default=60.0, metavar="MINUTES", help="maximum wait (%(default)g)")
    smoke.add_argument("--rows", type=int, default=3, metavar="N", help="rows printed per answer (%(default)s)")
    smoke.set_defaults(run=_smoke)

    for command in (set_up, rotate, smoke):
        command.add_argument("--profile", default="", metavar="NAME", help="profile of ~/.databrickscfg")
        command.add_argument("--warehouse", default="", metavar="ID|NAME", help="SQL warehouse (default: the only one)")
    return top


def _add_secrets(command: argparse.ArgumentParser, *, required: bool) -> None:
    group = command.add_argument_group("secrets: the AWS keys that the notebooks read")
    group.add_argument(
        "--secrets-from",
        choices=("prompt", "environment", "table"),
        required=required,
        help="values from a prompt, PINTEREST_SECRET_<SCOPE>_ACCESS_KEY and …_SECRET_KEY, or the course's table",
    )
    group.add_argument("--scope", default="pinterest", metavar="NAME", help="secret scope of the bundle (%(default)s)")
    group.add_argument("--credentials-table", default=CREDENTIALS_TABLE, metavar="TABLE", help="%(default)s")
    group.add_argument("--drop-credentials-table", action="store_true", help="drop the table after the keys are stored")


def _add_aws(command: argparse.ArgumentParser) -> None:
    group = command.add_argument_group("access to AWS")
    group.add_argument("--storage-credential", default="", metavar="NAME", help="created with --storage-role")
    group.add_argument("--storage-role", default="", metavar="ARN", help="IAM role that reads the bucket")
    group.add_argument("--external-location", default="", metavar="NAME", help="for --url, with --storage-credential")
    group.add_argument("--url", default="", metavar="S3URL", help="URL of the landing (s3://user-<id>-bucket)")
    group.add_argument(
        "--service-credential", default="", metavar="NAME", help="for Kinesis, created with --service-role"
    )
    group.add_argument("--service-role", default="", metavar="ARN", help="IAM role that reads the streams")
    group.add_argument(
        "--instance-profile", default="", metavar="ARN", help="instance profile to register, for classic compute"
    )


def _add_grants(command: argparse.ArgumentParser) -> None:
    group = command.add_argument_group("grants, tags and keys on tables")
    group.add_argument("--analysts", default="", metavar="PRINCIPAL", help="may read the answers, posts and runs")
    group.add_argument(
        "--stewards", default="", metavar="PRINCIPAL", help="may read clean tables, quarantine and raw records"
    )
    group.add_argument(
        "--runner", default="", metavar="PRINCIPAL", help="runs the jobs: may use location and credential above"
    )
    group.add_argument(
        "--column-tags", action="store_true", help="tag each column with its class: pii, quasi_identifier or public"
    )
    group.add_argument(
        "--key-constraints", action="store_true", help="declare primary and foreign keys, as information"
    )
    group.add_argument("--leg", choices=tuple(LEGS), default="batch", help="leg of the tables (%(default)s)")
    group.add_argument("--catalog", default="main", metavar="NAME", help="catalog of the tables (%(default)s)")
    group.add_argument("--schema", default="", metavar="NAME", help="schema of the tables (default: that of the leg)")
    group.add_argument(
        "--user-id",
        default=os.environ.get("PINTEREST_USER_ID") or DEFAULT_USER_ID,
        metavar="ID",
        help=f"$PINTEREST_USER_ID, else {DEFAULT_USER_ID}",
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command.

    Returns:
        The exit code: 0 success; 1 an error of the workspace or run, an empty answer, or a waiting step; 2 an invalid
        command line; 130 interrupted.
    """
    output = RedactedOutput()
    sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    sys.stderr.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    before = signal.signal(signal.SIGTERM, _interrupt)
    try:
        options = _parse_options(arguments)
        options.run(options, output)
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


def _parse_options(arguments: Sequence[str] | None) -> argparse.Namespace:
    options, unknown = build_parser().parse_known_args(arguments)
    if unknown:
        # Names only: the value of a mistaken `--token` must not be printed.
        names = [word.partition("=")[0] for word in unknown if word.startswith("-")] or [f"{len(unknown)} words"]
        raise SettingsError(f"arguments must be known ones, got {', '.join(names)} (see python -m workspace --help)")
    return options


def _set_up(options: argparse.Namespace, output: RedactedOutput) -> None:
    given = vars(options)
    request = SetUpRequest(
        keys=_read_keys(options), **{one.name: given[one.name] for one in fields(SetUpRequest) if one.name in given}
    )
    from workspace.set_up import set_up  # noqa: PLC0415 - the SDK is slow to import

    set_up(request, output, profile=options.profile, warehouse=options.warehouse, dry_run=options.dry_run)


def _rotate(options: argparse.Namespace, output: RedactedOutput) -> None:
    keys = _read_keys(options)
    from workspace.set_up import rotate  # noqa: PLC0415 - as above

    rotate(keys, output, profile=options.profile, warehouse=options.warehouse, dry_run=options.dry_run)


def _smoke(options: argparse.Namespace, output: RedactedOutput) -> None:
    request = SmokeRequest(job=options.job, timeout=60 * options.timeout, rows=options.rows)
    from workspace.smoke import smoke  # noqa: PLC0415 - as above

    smoke(request, output, profile=options.profile, warehouse=options.warehouse)


def _read_keys(options: argparse.Namespace) -> KeysRequest:
    return KeysRequest(
        source=options.secrets_from or "",
        scope=options.scope,
        table=options.credentials_table,
        drop=options.drop_credentials_table,
    )


def _interrupt(_number: int, _frame: object) -> NoReturn:
    """SIGTERM ends a command as Ctrl-C does, so that a started run is cancelled."""
    raise KeyboardInterrupt
