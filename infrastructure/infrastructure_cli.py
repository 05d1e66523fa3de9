"""The command line: ``python -m infrastructure render``, ``deploy``, ``destroy``, ``check`` and ``stamp``."""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from infrastructure.api_deployment_hash import write_digest
from infrastructure.aws_cli import AwsCli
from infrastructure.checks.template_checks import check_all
from infrastructure.deployment import Deployment
from infrastructure.settings_files import check_region, render, write_files
from infrastructure.stack_deletion import destroy
from infrastructure.stacks import CloudFormation, parse_parameters
from infrastructure.templates import STACKS, get_template_path
from pinterest_transforms.error_format import OneLineParser, clean_text
from pinterest_transforms.errors import PinterestError, SettingsError
from pinterest_transforms.settings import Settings, add_user_id

FAILED, USAGE, INTERRUPTED = 1, 2, 130


def build_parser() -> OneLineParser:
    """The parser of all commands."""
    about = "AWS as code: deploys and destroys the stacks, renders settings files, checks the templates."
    more = "docs/operations/infrastructure.md has examples."
    top = OneLineParser(prog="python -m infrastructure", description=about, epilog=more, allow_abbrev=False)
    commands = top.add_subparsers(title="commands", required=True, metavar="COMMAND")

    about = "Writes the settings files of Kafka's clients for a cluster"
    command = _add_command(commands, "render", _render, about)
    _add_names(command)
    command.add_argument("--bootstrap", required=True, metavar="HOST:PORT[,…]", help="addresses of the brokers")
    command.add_argument("--to", required=True, type=Path, metavar="DIR", help="folder to write them to")

    command = _add_command(commands, "deploy", _deploy, "Creates or updates a stack, or all of them in their order")
    _add_stack(command)
    command.add_argument("--software", type=Path, metavar="DIR", help="archives for the client machine and the sink")
    command.add_argument(
        "--param", action="append", default=[], metavar="NAME=VALUE", help="parameter of a template; may be repeated"
    )

    command = _add_command(commands, "destroy", _destroy, "Deletes a stack, or all of them from the last to the first")
    _add_stack(command)
    command.add_argument("--yes", action="store_true", help="confirm")
    delete_help = "empty the stacks' buckets first; without it, a bucket that is not empty is an error"
    command.add_argument("--delete-data", action="store_true", help=delete_help)

    _add_command(commands, "check", _check, "Checks the templates for errors that linters miss, and prints each")
    about = "Updates the digest of the API's methods in the template: a new one makes AWS deploy them"
    _add_command(commands, "stamp", _stamp, about)
    return top


def _add_command(
    commands: "argparse._SubParsersAction[OneLineParser]",
    name: str,
    run: Callable[[argparse.Namespace], int],
    about: str,
) -> OneLineParser:
    command = commands.add_parser(name, help=about, description=about, allow_abbrev=False)
    command.set_defaults(run=run)
    return command


def _add_names(command: argparse.ArgumentParser) -> None:
    add_user_id(command)
    command.add_argument(
        "--region",
        default=os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1",
        metavar="REGION",
        help="AWS region ($AWS_REGION, $AWS_DEFAULT_REGION, else us-east-1)",
    )


def _add_stack(command: argparse.ArgumentParser) -> None:
    command.add_argument("stack", choices=("all", *STACKS), metavar="STACK", help=f"all, or one of {', '.join(STACKS)}")
    _add_names(command)
    command.add_argument("--profile", default="", metavar="NAME", help="profile of the AWS command line")
    command.add_argument("--dry-run", action="store_true", help="print the commands, and run none")


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command.

    Returns:
        The exit code: 0 success, 1 an error of AWS or a failed check, 2 an invalid command line, 130 interrupted.
    """
    try:
        options = build_parser().parse_args(arguments)
        code: int = options.run(options)
    except KeyboardInterrupt:
        print("interrupted; CloudFormation continues an operation that has started", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # The reader (`| head`) has closed the pipe.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except (PinterestError, OSError) as error:
        text = str(error)
        if isinstance(error, OSError) and error.filename:  # its own text begins with a number
            text = f"{error.filename} cannot be read or written: {error.strerror}"
        print(f"error: {clean_text(text)}", file=sys.stderr)
        return USAGE if isinstance(error, SettingsError) else FAILED
    return code


def _render(options: argparse.Namespace) -> int:
    if str(options.to) == ".":
        raise SettingsError("to must be a folder for these files only, got the current folder")
    files = render(Settings(user_id=options.user_id), options.bootstrap, options.region)
    write_files(files, options.to)
    print(f"wrote {', '.join(files)} to {options.to}")
    return 0


def _deploy(options: argparse.Namespace) -> int:
    stacks = _select_stacks(options)
    deployment = Deployment(_build_cloud(options, parse_parameters(options.param, stacks)), options.software)
    deployment.check(stacks)
    for stack in stacks:
        deployment.deploy(stack)
    return 0


def _destroy(options: argparse.Namespace) -> int:
    if not (options.yes or options.dry_run):
        raise SettingsError("destroy must be confirmed with --yes (--dry-run prints what it would do)")
    destroy(_build_cloud(options, {}), _select_stacks(options), delete_data=options.delete_data)
    return 0


def _select_stacks(options: argparse.Namespace) -> tuple[str, ...]:
    return STACKS if options.stack == "all" else (options.stack,)


def _build_cloud(options: argparse.Namespace, given: dict[str, str]) -> CloudFormation:
    aws = AwsCli(check_region(options.region), options.profile, options.dry_run)
    return CloudFormation(aws, Settings(user_id=options.user_id), given)


def _check(_: argparse.Namespace) -> int:
    found = check_all()
    for error in found:
        print(error)
    print(f"{len(STACKS)} templates, {len(found)} error{'' if len(found) == 1 else 's'}")
    return FAILED if found else 0


def _stamp(_: argparse.Namespace) -> int:
    written = write_digest(get_template_path("api"))
    print("wrote a new digest into api.yaml" if written else "api.yaml has the right digest already")
    return 0
