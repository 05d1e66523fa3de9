"""The commands and options of ``python -m local``."""

import argparse
from pathlib import Path
from typing import Any, TypeAlias
from unicodedata import category

from emulation.cli.number_arguments import MAX_POSTS, int_between
from pinterest_transforms.entities import ENTITIES
from pinterest_transforms.error_format import OneLineParser
from pinterest_transforms.settings import LEGS, add_user_id

USAGE = 2
_Commands: TypeAlias = "argparse._SubParsersAction[OneLineParser]"


def build_parser() -> OneLineParser:
    """Builds the parser of the command line.

    ``run`` of its options names the function of the command. It returns the exit code, or nothing for 0; what cannot
    be done is a PinterestError.
    """
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
    _add_command(commands, "classes", "write Java's class archive, for quick starts").set_defaults(
        run="class_archive:run"
    )
    _add_stack_command(commands)
    return top


def _add_command(commands: _Commands, name: str, about: str) -> OneLineParser:
    command = commands.add_parser(name, help=about, description=f"{about[0].upper()}{about[1:]}.")
    command.add_argument("-v", "--verbose", action="store_true", help="show the traceback of an error")
    command.set_defaults(run=f"{name}_command:run")
    return command


def _add_warehouse(command: OneLineParser, default: str | None = None) -> None:
    about = "folder of the tables (default: %(default)s)" if default else "folder of the tables"
    command.add_argument(
        "--warehouse", type=parse_path, default=default, required=not default, metavar="DIR", help=about
    )


def _add_result_options(command: OneLineParser) -> None:
    command.add_argument("--schema", help=f"schema of the tables (default: {LEGS['batch']}, else the only one there)")
    command.add_argument(
        "--format", default="table", choices=("table", "jsonl", "csv"), help="of the rows (default: %(default)s)"
    )


def _add_batch_command(commands: _Commands) -> None:
    batch = _add_command(commands, "batch", "run the batch notebooks over a landing, and print the answers")
    batch.add_argument("--landing", type=parse_path, required=True, metavar="DIR", help="folder with topics/… in it")
    _add_warehouse(batch)
    add_user_id(batch)
    batch.add_argument("--rebuild", action="store_true", help="clean everything again, after a rule changed")
    batch.add_argument("--report", type=parse_path, metavar="FILE", help="also write a report page")


def _add_stream_command(commands: _Commands) -> None:
    stream = _add_command(commands, "stream", "run the stream notebook on a Kinesis endpoint, and print the answers")
    _add_warehouse(stream)
    where = stream.add_mutually_exclusive_group(required=True)
    where.add_argument(
        "--database", metavar="URL|FILE", help="start a Kinesis emulator, and send this source's posts to it"
    )
    where.add_argument(
        "--endpoint", metavar="URL", help="address of a Kinesis endpoint, or `aws` for that of the region"
    )
    where.add_argument("--rebuild", action="store_true", help="rebuild the tables from raw records, read no stream")
    add_user_id(stream)
    choices = ["all", *(entity.name for entity in ENTITIES)]
    stream.add_argument("--entity", default="all", choices=choices, help="the kind of record (default: %(default)s)")
    stream.add_argument("--region", default="", help="AWS region of the streams (default: what boto3 finds)")
    stream.add_argument(
        "--trigger",
        default="available_now",
        metavar="WHEN",
        help="available_now, or a time such as '5 seconds', to go on until Ctrl-C (default: %(default)s)",
    )
    stream.add_argument("--new-checkpoint", action="store_true", help="begin with the oldest record again")
    stream.add_argument("--allow-losses", action="store_true", help="go on though records may be lost")


def _add_notebook_command(commands: _Commands) -> None:
    notebook = _add_command(commands, "notebook", "run one notebook, as a task of a job does")
    about = "the notebook's file, such as notebooks/maintain.py"
    notebook.add_argument("path", type=parse_path, metavar="PATH", help=about)
    notebook.add_argument(
        "values", nargs="*", default={}, action=_CollectPairs, metavar="name=value", help="value of a widget"
    )


def _add_sql_command(commands: _Commands) -> None:
    sql = _add_command(commands, "sql", "query the tables of a warehouse folder")
    sql.add_argument("query", help="one query, such as 'SELECT * FROM posts LIMIT 5'")
    _add_warehouse(sql)
    _add_result_options(sql)
    sql.set_defaults(run="query_command:run")


def _add_explain_command(commands: _Commands) -> None:
    explain = _add_command(commands, "explain", "show the posts behind a row of an answer")
    explain.add_argument("answer", metavar="ANSWER", help="name of the answer, such as top_category_by_country")
    about = "which row, such as country=Cameroon"
    explain.add_argument("cell", nargs="*", default={}, action=_CollectPairs, metavar="column=value", help=about)
    _add_warehouse(explain, "build/warehouse")
    explain.add_argument(
        "--raw", action="store_true", help="also show the raw text of each record, where it is still kept"
    )
    about = "folder of the raw records, for --raw (default: %(default)s)"
    explain.add_argument("--landing", type=parse_path, default="build/landing", metavar="DIR", help=about)
    add_user_id(explain)
    _add_result_options(explain)


def _add_erase_command(commands: _Commands) -> None:
    erase = _add_command(commands, "erase", "erase posts, or those of a user; without --apply only count them")
    which = erase.add_mutually_exclusive_group(required=True)
    which.add_argument("--ind", action="append", metavar="N", help="key of a post, or several; may be repeated")
    which.add_argument("--user", metavar="NAME", help="first and last name; needs --joined")
    erase.add_argument("--joined", metavar="DATE", help="day, or time in UTC, that the user joined")
    _add_warehouse(erase)
    erase.add_argument("--landing", type=parse_path, metavar="DIR", help="the landing, which --purge rewrites")
    add_user_id(erase)
    erase.add_argument("--database", metavar="URL|FILE", help="also delete the posts from this source")
    about = "failed file of a producer, also rewritten; may be repeated"
    erase.add_argument("--failed", action="append", default=[], type=parse_path, metavar="FILE", help=about)
    erase.add_argument("--report", type=parse_path, metavar="FILE", help="report page, also removed")
    erase.add_argument("--apply", action="store_true", help="erase; without it nothing is changed")
    erase.add_argument("--purge", action="store_true", help="with --apply: also remove the bytes, and older versions")


def _add_undo_command(commands: _Commands) -> None:
    undo = _add_command(commands, "undo", "make the tables as if a run's records had never come")
    undo.add_argument("run_id", metavar="RUN_ID", help="the run, as the table runs names it")
    _add_warehouse(undo, "build/warehouse")
    about = "landing that the run has read (default: %(default)s)"
    undo.add_argument("--landing", type=parse_path, default="build/landing", metavar="DIR", help=about)
    add_user_id(undo)
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
    about = "folder of its state (default: %(default)s)"
    stack.add_argument("--folder", type=parse_path, default="build/stack", metavar="DIR", help=about)
    add_user_id(stack)
    posts, seed = int_between(1, MAX_POSTS), int_between(0, 999_999_999)
    stack.add_argument("--posts", type=posts, default=11_000, metavar="N", help="posts of the source (%(default)s)")
    stack.add_argument("--seed", type=seed, default=1, metavar="N", help="random seed of the source (%(default)s)")
    stack.add_argument("--warehouse", type=parse_path, metavar="DIR", help="folder of the tables (DIR/warehouse)")


class _CollectPairs(argparse.Action):
    """Collects words name=value, each name once."""

    def __call__(self, _parser: object, namespace: argparse.Namespace, words: Any, _: object = None) -> None:  # noqa: ANN401
        pairs: dict[str, str] = {}
        for word in words:
            name, sign, value = word.partition("=")
            if not (name and sign):
                raise argparse.ArgumentError(self, f"must be name=value, got {word!r}")
            if name in pairs:
                raise argparse.ArgumentError(self, f"must be given once, got {name} twice")
            pairs[name] = value
        setattr(namespace, self.dest, pairs)


def parse_path(text: str) -> Path:
    """An absolute path that both Python and Java can name; an empty one would be the current folder.

    Raises:
        argparse.ArgumentTypeError: if it is empty, or has control characters or bytes that are not UTF-8.
    """
    if not text:
        raise argparse.ArgumentTypeError("must be a path, got ''")
    # A byte that is not UTF-8 is half a surrogate pair in Python's text.
    if any(category(char) in ("Cc", "Cs") for char in text):
        raise argparse.ArgumentTypeError(f"must be a path in UTF-8 without control characters, got {text!a}")
    return Path(text).absolute()
