"""The command line: ``python -m workspace set-up``, ``rotate`` and ``smoke``."""

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from dataclasses import fields
from typing import NoReturn

from pinterest_transforms.errors import PinterestError, SettingsError
from pinterest_transforms.settings import DEFAULT_USER_ID, LEGS
from workspace.asked import Keys, SetUp, Smoke
from workspace.names import CREDENTIALS_TABLE
from workspace.screen import Screen

FAILED, USAGE, INTERRUPTED = 1, 2, 130

_SET_UP = """\
examples:
  python -m workspace set-up --dry-run --secrets-from prompt --analysts analysts --stewards stewards
      what it would do
  python -m workspace set-up --storage-credential pinterest --storage-role arn:aws:iam::123456789012:role/landing \\
      --external-location pinterest-landing
      the way to the bucket, and the trust policy that the role needs in AWS
  python -m workspace set-up --secrets-from table --drop-credentials-table
      the keys of the course's table into the scope, and the table away
"""
_MORE = "Each command has its own --help. Who you are: --profile, or what the environment says (DATABRICKS_…)."


class _Parser(argparse.ArgumentParser):
    """One line instead of the whole usage."""

    def error(self, message: str) -> NoReturn:
        raise SettingsError(f"{message} (see {self.prog} --help)")


def parser() -> argparse.ArgumentParser:
    """What the command line takes."""
    about = "What a bundle does not hold: secrets, credentials, grants on tables; and a run that proves the rest."
    top = _Parser(prog="python -m workspace", description=about, epilog=_MORE, allow_abbrev=False)
    commands = top.add_subparsers(title="commands", required=True, metavar="COMMAND", parser_class=_Parser)
    set_up = commands.add_parser(
        "set-up",
        help="make what is asked for and not there yet",
        description="Makes what is asked for and not there yet; what is as it should be stays. It may be repeated.",
        epilog=_SET_UP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    set_up.add_argument("--dry-run", action="store_true", help="say what would be done, and do nothing")
    _secrets(set_up, required=False)
    _aws(set_up)
    _grants(set_up)
    set_up.set_defaults(run=_set_up)

    rotate = commands.add_parser(
        "rotate",
        help="put new keys into the secret scope",
        description="Puts new keys into the secret scope, in place of what is there.",
        allow_abbrev=False,
    )
    rotate.add_argument("--dry-run", action="store_true", help="say what would be done, and do nothing")
    _secrets(rotate, required=True)
    rotate.set_defaults(run=_rotate)

    smoke = commands.add_parser(
        "smoke",
        help="run the batch job, wait, show the answers",
        description="Runs the deployed batch job, waits for its end, and shows the answers it made.",
        epilog="Ctrl-C and the time-out cancel the run. Exit code 1: a task failed, or an answer is empty.",
        allow_abbrev=False,
    )
    smoke.add_argument(
        "--job", "--target-name", default="pinterest_batch", metavar="NAME", help="the job's name (%(default)s)"
    )
    smoke.add_argument("--timeout", type=float, default=60.0, metavar="MINUTES", help="longest wait (%(default)g)")
    smoke.add_argument("--every", type=float, default=10.0, metavar="SECONDS", help="between looks (%(default)g)")
    smoke.add_argument("--rows", type=int, default=3, metavar="N", help="rows shown of an answer (%(default)s)")
    smoke.set_defaults(run=_smoke)

    for command in (set_up, rotate, smoke):
        command.add_argument("--profile", default="", metavar="NAME", help="profile of ~/.databrickscfg")
        command.add_argument("--warehouse", default="", metavar="ID|NAME", help="SQL warehouse (default: the only one)")
    return top


def _secrets(command: argparse.ArgumentParser, *, required: bool) -> None:
    group = command.add_argument_group("secrets: the AWS keys that the notebooks read")
    group.add_argument(
        "--secrets-from",
        choices=("prompt", "environment", "table"),
        required=required,
        help="where the values come from: asked for, PINTEREST_SECRET_<SCOPE>_ACCESS_KEY and …_SECRET_KEY, or the "
        "course's table",
    )
    group.add_argument("--scope", default="pinterest", metavar="NAME", help="secret scope, of the bundle (%(default)s)")
    group.add_argument("--credentials-table", default=CREDENTIALS_TABLE, metavar="TABLE", help="%(default)s")
    group.add_argument("--drop-credentials-table", action="store_true", help="drop it once the scope has the keys")


def _aws(command: argparse.ArgumentParser) -> None:
    group = command.add_argument_group("ways into AWS")
    group.add_argument("--storage-credential", default="", metavar="NAME", help="made of --storage-role")
    group.add_argument("--storage-role", default="", metavar="ARN", help="IAM role that reads the bucket")
    group.add_argument("--external-location", default="", metavar="NAME", help="over --url, by --storage-credential")
    group.add_argument("--url", default="", metavar="S3URL", help="of the landing (s3://user-<id>-bucket)")
    group.add_argument("--service-credential", default="", metavar="NAME", help="for Kinesis, made of --service-role")
    group.add_argument("--service-role", default="", metavar="ARN", help="IAM role that reads the streams")
    group.add_argument("--instance-profile", default="", metavar="ARN", help="register it, for classic compute")


def _grants(command: argparse.ArgumentParser) -> None:
    group = command.add_argument_group("grants")
    group.add_argument("--analysts", default="", metavar="WHO", help="reads the answers, posts and runs, nothing else")
    group.add_argument("--stewards", default="", metavar="WHO", help="reads the quarantine, and raw records of streams")
    group.add_argument("--runner", default="", metavar="WHO", help="runs the jobs: uses location and credential above")
    group.add_argument("--leg", choices=tuple(LEGS), default="batch", help="whose tables (%(default)s)")
    group.add_argument("--catalog", default="main", metavar="NAME", help="of the tables (%(default)s)")
    group.add_argument("--schema", default="", metavar="NAME", help="of the tables (default: the leg's)")
    group.add_argument(
        "--user-id",
        default=os.environ.get("PINTEREST_USER_ID") or DEFAULT_USER_ID,
        metavar="ID",
        help=f"$PINTEREST_USER_ID, else {DEFAULT_USER_ID}",
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command.

    Returns:
        The exit code: 0 done, 1 the workspace refused, or something failed, is empty or has to wait; 2 a mistake in the
        command; 130 interrupted.
    """
    screen = Screen()
    sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    sys.stderr.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    before = signal.signal(signal.SIGTERM, _interrupt)
    try:
        options = _options(arguments)
        options.run(options, screen)
    except PinterestError as error:
        screen.note(f"error: {error}")
        return USAGE if isinstance(error, SettingsError) else FAILED
    except KeyboardInterrupt:
        screen.note("interrupted")
        return INTERRUPTED
    except BrokenPipeError:
        # The reader (`| head`) has had enough: nobody is left to tell anything.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return FAILED
    finally:
        signal.signal(signal.SIGTERM, before)
    return 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    options, unknown = parser().parse_known_args(arguments)
    if unknown:
        # By name alone: what somebody gave to `--token` is not to be seen.
        names = [word.partition("=")[0] for word in unknown if word.startswith("-")] or [f"{len(unknown)} words"]
        raise SettingsError(f"arguments must be known ones, got {', '.join(names)} (see python -m workspace --help)")
    return options


def _set_up(options: argparse.Namespace, screen: Screen) -> None:
    given = vars(options)
    asked = SetUp(keys=_keys(options), **{one.name: given[one.name] for one in fields(SetUp) if one.name in given})
    from workspace.set_up import set_up  # noqa: PLC0415 - the SDK takes seconds to import

    set_up(asked, screen, profile=options.profile, warehouse=options.warehouse, dry_run=options.dry_run)


def _rotate(options: argparse.Namespace, screen: Screen) -> None:
    keys = _keys(options)
    from workspace.set_up import rotate  # noqa: PLC0415 - as above

    rotate(keys, screen, profile=options.profile, warehouse=options.warehouse, dry_run=options.dry_run)


def _smoke(options: argparse.Namespace, screen: Screen) -> None:
    asked = Smoke(job=options.job, timeout=60 * options.timeout, every=options.every, rows=options.rows)
    from workspace.smoke import smoke  # noqa: PLC0415 - as above

    smoke(asked, screen, profile=options.profile, warehouse=options.warehouse)


def _keys(options: argparse.Namespace) -> Keys:
    return Keys(
        source=options.secrets_from or "",
        scope=options.scope,
        table=options.credentials_table,
        drop=options.drop_credentials_table,
    )


def _interrupt(_number: int, _frame: object) -> NoReturn:
    """A request to end is told as Ctrl-C is: a run that was begun must be cancelled."""
    raise KeyboardInterrupt
