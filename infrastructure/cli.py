"""The command line: ``python -m infrastructure render``, ``deploy``, ``destroy``, ``check`` and ``stamp``."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from infrastructure.awscli import Aws, CommandLine, Rehearsal
from infrastructure.checking import check_all
from infrastructure.deploying import Deployment
from infrastructure.destroying import Destruction
from infrastructure.errors import DeployError
from infrastructure.settings_files import check_region, render, write
from infrastructure.stacks import Cloud, chosen, given_parameters
from infrastructure.stamping import stamp
from infrastructure.templates import STACKS, template_path
from pinterest_transforms.errors import PinterestError, SettingsError
from pinterest_transforms.settings import DEFAULT_USER_ID, Settings

FAILED, USAGE, INTERRUPTED = 1, 2, 130

_DEPLOY = """\
examples:
  python -m infrastructure deploy all --dry-run
      every command that would be run, and none is
  python -m infrastructure deploy all --software software --param DagsBucketName=mwaa-dags-bucket-123456789012
      everything, in its order; again, it changes what is different
  python -m infrastructure deploy api --param Access=API_KEY
      one stack
"""


class _Parser(argparse.ArgumentParser):
    """One line instead of the whole usage."""

    def error(self, message: str) -> NoReturn:
        raise SettingsError(f"{message} (see {self.prog} --help)")


def parser() -> argparse.ArgumentParser:
    """What the command line takes."""
    about = "AWS as code: deploys and destroys the stacks, renders settings files, checks the templates."
    top = _Parser(prog="python -m infrastructure", description=about, allow_abbrev=False)
    commands = top.add_subparsers(title="commands", required=True, metavar="COMMAND", parser_class=_Parser)

    command = commands.add_parser("render", help="write the settings files of Kafka's clients", allow_abbrev=False)
    _whose(command)
    command.add_argument("--bootstrap", required=True, metavar="HOST:PORT[,…]", help="addresses of the brokers")
    command.add_argument("--to", required=True, type=Path, metavar="DIR", help="folder to write them to")
    command.set_defaults(run=_render)

    command = commands.add_parser(
        "deploy",
        help="make or change a stack",
        description=f"Deploys a stack, or all in their order: {', '.join(STACKS)}.",
        epilog=_DEPLOY,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    _aws(command)
    command.add_argument("--software", type=Path, metavar="DIR", help="archives for the client machine and the sink")
    command.add_argument(
        "--param", action="append", default=[], metavar="NAME=VALUE", help="parameter of a template; may be repeated"
    )
    command.set_defaults(run=_deploy)

    command = commands.add_parser(
        "destroy",
        help="delete a stack",
        description="Destroys a stack, or all from the last to the first. A bucket that holds something is refused.",
        allow_abbrev=False,
    )
    _aws(command)
    command.add_argument("--yes", action="store_true", help="really")
    command.add_argument("--delete-data", action="store_true", help="empty the stacks' buckets first")
    command.set_defaults(run=_destroy)

    command = commands.add_parser("check", help="look for what linters miss", allow_abbrev=False)
    command.set_defaults(run=_check)
    command = commands.add_parser("stamp", help="write the digest of the API's methods", allow_abbrev=False)
    command.set_defaults(run=_stamp)
    return top


def _whose(command: argparse.ArgumentParser) -> None:
    environment = os.environ
    command.add_argument(
        "--user-id",
        default=environment.get("PINTEREST_USER_ID") or DEFAULT_USER_ID,
        metavar="ID",
        help=f"whose names ($PINTEREST_USER_ID, else {DEFAULT_USER_ID})",
    )
    command.add_argument(
        "--region",
        default=environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION") or "us-east-1",
        metavar="REGION",
        help="AWS region ($AWS_REGION, $AWS_DEFAULT_REGION, else us-east-1)",
    )


def _aws(command: argparse.ArgumentParser) -> None:
    command.add_argument("stack", metavar="STACK|all", help=f"all, or one of {', '.join(STACKS)}")
    _whose(command)
    command.add_argument("--profile", default="", metavar="NAME", help="profile of the AWS command line")
    command.add_argument("--dry-run", action="store_true", help="show the commands, and run none")


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command.

    Returns:
        The exit code: 0 done, 1 AWS refused or a check found something, 2 a mistake in the command, 130 interrupted.
    """
    try:
        options = parser().parse_args(arguments)
        code: int = options.run(options)
    except DeployError as error:
        print(f"error: {_line(error)}", file=sys.stderr)
        return FAILED
    except PinterestError as error:
        print(f"error: {_line(error)}", file=sys.stderr)
        return USAGE
    except KeyboardInterrupt:
        print("interrupted; what CloudFormation has begun, if anything, goes on by itself", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever reads has seen enough; nothing more is written, when Python ends either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    return code


def _line(error: Exception) -> str:
    """One line, of letters alone: what AWS says may move a terminal's cursor."""
    return " ".join("".join(c if c.isprintable() or c.isspace() else "?" for c in str(error)).split())


def _render(options: argparse.Namespace) -> int:
    if str(options.to) == ".":
        raise SettingsError("to must be a folder for the files alone, got this one")
    files = render(Settings(user_id=options.user_id), options.bootstrap, options.region)
    write(files, options.to)
    print(f"wrote {', '.join(files)} to {options.to}")
    return 0


def _deploy(options: argparse.Namespace) -> int:
    stacks = chosen(options.stack)
    settings = Settings(user_id=options.user_id)
    cloud = Cloud(_command_line(options), settings.user_id, given_parameters(options.param, stacks))
    deployment = Deployment(cloud, settings, options.region, _says, options.software, options.dry_run)
    deployment.check(stacks)
    for stack in stacks:
        deployment.deploy(stack)
    return 0


def _destroy(options: argparse.Namespace) -> int:
    stacks = chosen(options.stack)
    settings = Settings(user_id=options.user_id)
    if not (options.yes or options.dry_run):
        raise SettingsError("destroy must be confirmed with --yes, got no such word (--dry-run shows what it would do)")
    cloud = Cloud(_command_line(options), settings.user_id)
    say = _nothing if options.dry_run else _says
    Destruction(cloud, say, options.delete_data, options.dry_run).destroy(stacks)
    return 0


def _says(line: str) -> None:
    """At once: commands that are shown elsewhere come between."""
    print(line, flush=True)


def _nothing(_: str) -> None:
    """Nothing was done that could be told of."""


def _command_line(options: argparse.Namespace) -> Aws:
    region = check_region(options.region)
    return (Rehearsal if options.dry_run else CommandLine)(region, options.profile)


def _check(_: argparse.Namespace) -> int:
    found = check_all()
    for mistake in found:
        print(mistake)
    print(f"{len(STACKS)} templates, {len(found)} mistake{'' if len(found) == 1 else 's'}")
    return FAILED if found else 0


def _stamp(_: argparse.Namespace) -> int:
    written = stamp(template_path("api"))
    print("wrote a new digest into api.yaml" if written else "api.yaml has the right digest already")
    return 0
