"""The commands and options of ``python -m local``."""

import argparse
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

from emulation.cli.number_arguments import MAX_POSTS, int_between
from pinterest_transforms.entities import ENTITIES
from pinterest_transforms.error_format import OneLineParser
from pinterest_transforms.errors import SettingsError
from pinterest_transforms.settings import DEFAULT_USER_ID, LEGS

USAGE = 2
_MAX_NUMBER = 999_999_999
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_Commands: TypeAlias = "argparse._SubParsersAction[OneLineParser]"


def build_parser() -> OneLineParser:
    """Builds the parser of the command line; ``run`` of its options is the function of the command."""
    top = OneLineParser(prog="python -m local", description="The pipeline on one machine.")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_batch_command(commands)
    _add_stream_command(commands)
    _add_notebook_command(commands)
    _add_sql_command(commands)
    _add_explain_command(commands)
    _add_erase_command(commands)
    _add_undo_command(commands)
    jars = _add_command(commands, "jars", "fetch the jars that Spark needs beside its own")
    jars.add_argument("--stack", action="store_true", help="also those of Kafka and of S3")
    jars.set_defaults(run="stack_command:fetch_jars")
    _add_stack_command(commands)
    return top


def _add_command(commands: _Commands, name: str, about: str) -> OneLineParser:
    command = commands.add_parser(name, help=about, description=f"{about[0].upper()}{about[1:]}.")
    command.add_argument("-v", "--verbose", action="store_true", help="show the traceback of an error")
    command.set_defaults(run=f"{name}_command:run")
    return command


def _add_path(
    command: argparse._ActionsContainer,
    option: str,
    about: str = "folder of the tables",
    *,
    default: str | None = None,
    required: bool = False,
    metavar: str = "DIR",
) -> None:
    about = f"{about} (default: %(default)s)" if default else about
    command.add_argument(option, type=parse_path, default=default, required=required, metavar=metavar, help=about)


def _add_user_id(command: OneLineParser) -> None:
    command.add_argument(
        "--user-id",
        default=os.environ.get("PINTEREST_USER_ID") or DEFAULT_USER_ID,
        metavar="ID",
        help=f"user id in all names ($PINTEREST_USER_ID, else {DEFAULT_USER_ID})",
    )


def _add_entity(command: OneLineParser) -> None:
    choices = ["all", *(entity.name for entity in ENTITIES)]
    command.add_argument("--entity", default="all", choices=choices, help="the kind of record (default: %(default)s)")


def _add_result_options(command: OneLineParser) -> None:
    command.add_argument("--schema", help=f"schema of the tables (default: {LEGS['batch']}, else the only one there)")
    command.add_argument(
        "--format", default="table", choices=("table", "jsonl", "csv"), help="of the rows (default: %(default)s)"
    )


def _add_batch_command(commands: _Commands) -> None:
    batch = _add_command(commands, "batch", "run the batch notebooks over a landing, and print the answers")
    _add_path(batch, "--landing", "folder with topics/… in it", required=True)
    _add_path(batch, "--warehouse", required=True)
    _add_user_id(batch)
    _add_entity(batch)
    batch.add_argument("--rebuild", action="store_true", help="clean everything again, after a rule changed")
    _add_path(batch, "--report", "also write a report page", metavar="FILE")


def _add_stream_command(commands: _Commands) -> None:
    stream = _add_command(commands, "stream", "run the stream notebook on a Kinesis endpoint, and print the answers")
    _add_path(stream, "--warehouse", required=True)
    where = stream.add_mutually_exclusive_group(required=True)
    where.add_argument(
        "--database", metavar="URL|FILE", help="start a Kinesis emulator, and send this source's posts to it"
    )
    where.add_argument(
        "--endpoint", metavar="URL", help="address of a Kinesis endpoint, or `aws` for that of the region"
    )
    where.add_argument("--rebuild", action="store_true", help="rebuild the tables from raw records, read no stream")
    _add_user_id(stream)
    _add_entity(stream)
    stream.add_argument("--region", default="", help="AWS region of the streams (default: what boto3 finds)")
    stream.add_argument(
        "--initial-position",
        default="trim_horizon",
        metavar="WHERE",
        help="where a stream without checkpoint begins: latest, trim_horizon or a time (default: %(default)s)",
    )
    stream.add_argument(
        "--trigger",
        default="available_now",
        metavar="WHEN",
        help="available_now, or a time such as '5 seconds', to go on until Ctrl-C (default: %(default)s)",
    )
    stream.add_argument("--new-checkpoint", action="store_true", help="begin at the initial position again")
    stream.add_argument("--allow-losses", action="store_true", help="go on though records may be lost")


def _add_notebook_command(commands: _Commands) -> None:
    notebook = _add_command(commands, "notebook", "run one notebook, as a task of a job does")
    notebook.add_argument(
        "path", type=parse_path, metavar="PATH", help="the notebook's file, such as notebooks/maintain.py"
    )
    notebook.add_argument("values", nargs="*", default=[], type=_pair, metavar="name=value", help="value of a widget")


def _add_sql_command(commands: _Commands) -> None:
    sql = _add_command(commands, "sql", "query the tables of a warehouse folder")
    sql.add_argument("query", help="one query, such as 'SELECT * FROM posts LIMIT 5'")
    _add_path(sql, "--warehouse", required=True)
    _add_result_options(sql)
    sql.set_defaults(run="query_command:run")


def _add_explain_command(commands: _Commands) -> None:
    explain = _add_command(commands, "explain", "show the posts behind a row of an answer")
    explain.add_argument("answer", metavar="ANSWER", help="name of the answer, such as top_category_by_country")
    explain.add_argument(
        "cell", nargs="*", default=[], type=_pair, metavar="column=value", help="which row, such as country=Cameroon"
    )
    _add_path(explain, "--warehouse", default="build/warehouse")
    explain.add_argument(
        "--raw", action="store_true", help="also show the raw text of each record, where it is still kept"
    )
    _add_path(explain, "--landing", "folder of the raw records, for --raw", default="build/landing")
    _add_user_id(explain)
    _add_result_options(explain)


def _add_erase_command(commands: _Commands) -> None:
    erase = _add_command(commands, "erase", "erase posts, or those of a user; without --apply only count them")
    which = erase.add_mutually_exclusive_group(required=True)
    which.add_argument("--ind", action="append", metavar="N", help="key of a post; may be repeated")
    _add_path(which, "--file", "file with keys, separated by white space or commas", metavar="FILE")
    which.add_argument("--user", metavar="NAME", help="first and last name; needs --joined")
    erase.add_argument("--joined", default="", metavar="DATE", help="day, or time in UTC, that the user joined")
    _add_path(erase, "--warehouse", required=True)
    _add_path(erase, "--landing", "folder of the landing, which --purge rewrites")
    _add_user_id(erase)
    erase.add_argument("--database", metavar="URL|FILE", help="also delete the posts from this source")
    erase.add_argument(
        "--failed",
        action="append",
        default=[],
        type=parse_path,
        metavar="FILE",
        help="failed file of a producer, also rewritten; may be repeated",
    )
    _add_path(erase, "--report", "report page, also removed", metavar="FILE")
    erase.add_argument("--apply", action="store_true", help="erase; without it nothing is changed")
    erase.add_argument("--purge", action="store_true", help="with --apply: also remove the bytes, and older versions")


def _add_undo_command(commands: _Commands) -> None:
    undo = _add_command(commands, "undo", "make the tables as if a run's records had never come")
    undo.add_argument("run_id", metavar="RUN_ID", help="the run, as the table runs names it")
    _add_path(undo, "--warehouse", default="build/warehouse")
    _add_path(undo, "--landing", "landing that the run has read", default="build/landing")
    _add_user_id(undo)
    undo.add_argument("--allow-losses", action="store_true", help="go on though other versions of posts may be gone")


def _add_stack_command(commands: _Commands) -> None:
    stack = _add_command(commands, "stack", "run the whole system until Ctrl-C (make stack)")
    stack.add_argument(
        "what",
        nargs="?",
        default="up",
        choices=["up", "clean", "batch"],
        help="up: start it; clean: clean the bucket of a running stack; batch: compute the answers too (default: up)",
    )
    _add_path(stack, "--folder", "folder of its state", default="build/stack")
    _add_user_id(stack)
    posts, seed = int_between(1, MAX_POSTS), int_between(0, _MAX_NUMBER)
    stack.add_argument("--posts", type=posts, default=11_000, metavar="N", help="posts of the source (%(default)s)")
    stack.add_argument("--seed", type=seed, default=1, metavar="N", help="random seed of the source (%(default)s)")
    _add_path(stack, "--warehouse", "folder of the tables (DIR/warehouse)")


def parse_path(text: str) -> Path:
    """A path that both Python and Java can name; an empty one would be the folder that happens to be the current one.

    Raises:
        argparse.ArgumentTypeError: if it is empty, or has control characters or bytes that are not UTF-8.
    """
    if not text:
        raise argparse.ArgumentTypeError("must be a path, got ''")
    try:
        named = not _CONTROL.search(os.fsencode(text).decode("utf-8"))
    except UnicodeDecodeError:
        named = False
    if not named:
        raise argparse.ArgumentTypeError(f"must be a path in UTF-8 without control characters, got {text!a}")
    return Path(text)


def _pair(text: str) -> tuple[str, str]:
    name, sign, value = text.partition("=")
    if not (name and sign):
        raise argparse.ArgumentTypeError(f"must be name=value, got {text!r}")
    return name, value


def check_given_once(names: Sequence[str], what: str) -> None:
    """Refuses a name that is given twice.

    Raises:
        SettingsError: naming the first one.
    """
    for name in names:
        if names.count(name) > 1:
            raise SettingsError(f"{what} must be given once, got {name} {names.count(name)} times")
