"""Options of ``python -m emulation batches`` and ``streaming``."""

import argparse
import os
import random
from pathlib import Path

from emulation.credentials import connect_source
from emulation.posts import posts_at_random
from emulation.source import DATABASE
from pinterest_transforms.errors import SettingsError
from pinterest_transforms.settings import DEFAULT_USER_ID

# Gateway answers within 29 s; a client that gives up before it would never know.
_SECONDS = 35.0
_AT_ONCE = 8

_BATCHES = """\
examples:
  python -m emulation batches --url https://<api>.execute-api.<region>.amazonaws.com/<stage> --all
      every post once, in the order of its key; run again after an interruption, it goes on where it was
  python -m emulation batches --rows 500 --random --seed 7
      500 posts drawn at random; the address from $PINTEREST_API_URL
  python -m emulation batches --as-users
      one random post at a time, with human pauses, until Ctrl-C
  python -m emulation batches --resend build/emulation/batches-failed.jsonl
      what could not be sent before
"""
_STREAMING = """\
examples:
  python -m emulation streaming --streams create
      makes the three streams; list, describe and delete work alike
  python -m emulation streaming --all
      every post once, through the API at $PINTEREST_API_URL, up to 500 records a call
  python -m emulation streaming --all --direct
      the same with boto3, no API between; $AWS_ENDPOINT_URL, profiles and roles as boto3 knows them
"""


def add_commands(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the commands that read a source to the command line."""
    shape = {"formatter_class": argparse.RawDescriptionHelpFormatter, "allow_abbrev": False}
    show = commands.add_parser("show", help="show one post of a source, a row of each table", allow_abbrev=False)
    _add_database(show)
    show.add_argument(
        "--seed", type=int, metavar="N", help="what it is drawn with; another post each time if not given"
    )
    show.set_defaults(run=_show)
    batches = commands.add_parser(
        "batches",
        help="send a source to Kafka, through the REST proxy",
        description="Sends posts to the three Kafka topics through the REST proxy behind API Gateway.",
        epilog=_BATCHES,
        **shape,  # type: ignore[arg-type]
    )
    streaming = commands.add_parser(
        "streaming",
        help="send a source to Kinesis; make and delete its streams",
        description="Sends posts to the three Kinesis streams, through API Gateway or directly.",
        epilog=_STREAMING,
        **shape,  # type: ignore[arg-type]
    )
    for name, command in (("batches", batches), ("streaming", streaming)):
        which = command.add_argument_group("which posts (one of the first four)")
        one = which.add_mutually_exclusive_group()
        one.add_argument("--all", action="store_true", help="every post")
        one.add_argument("--rows", type=_positive, metavar="N", help="N posts")
        one.add_argument("--as-users", action="store_true", help="one random post at a time, with pauses, until Ctrl-C")
        one.add_argument("--resend", type=Path, metavar="FILE", help="the records of a failed file")
        which.add_argument("--random", action="store_true", help="with --rows: drawn at random, not the first ones")
        which.add_argument("--seed", type=int, default=1, metavar="N", help="what random posts are drawn with (1)")
        _add_places(command)
        _add_pace(command)
        command.set_defaults(run=_send, command=name)
    streaming.add_argument("--direct", action="store_true", help="with boto3, no API between")
    streaming.add_argument("--one-a-call", action="store_true", help="one record a call, as the original does")
    streaming.add_argument(
        "--streams",
        choices=["list", "create", "describe", "delete"],
        help="do that with the three streams, send nothing",
    )


def _add_places(command: argparse.ArgumentParser) -> None:
    group = command.add_argument_group("from where, to where")
    _add_database(group)
    url = os.environ.get("PINTEREST_API_URL", "")
    group.add_argument("--url", default=url, help="invoke URL of the API, stage included ($PINTEREST_API_URL)")
    group.add_argument("--user-id", default=os.environ.get("PINTEREST_USER_ID", DEFAULT_USER_ID), metavar="ID")
    group.add_argument(
        "--access",
        choices=["none", "api-key", "iam"],
        default=os.environ.get("PINTEREST_API_ACCESS", "none"),
        help="api-key: $PINTEREST_API_KEY; iam: SigV4, credentials as boto3 finds them ($PINTEREST_API_ACCESS, none)",
    )
    group.add_argument("--plain-http", action="store_true", help="allow http to another machine, unencrypted")
    group.add_argument("--failed", type=Path, metavar="FILE", help="where failed records go, to be sent again")
    group.add_argument("--cursor", type=Path, metavar="FILE", help="where an interrupted run finds its place")
    group.add_argument("--restart", action="store_true", help="forget the cursor, begin with the first post")


def _add_database(group: argparse._ActionsContainer) -> None:
    group.add_argument(
        "--database",
        metavar="URL|FILE",
        help=f"SQLAlchemy URL or SQLite file ($PINTEREST_DATABASE, else db_creds.yaml, else {DATABASE})",
    )


def _add_pace(command: argparse.ArgumentParser) -> None:
    group = command.add_argument_group("how fast")
    group.add_argument(
        "--at-once", type=_positive, default=_AT_ONCE, metavar="N", help=f"requests at one time ({_AT_ONCE})"
    )
    group.add_argument("--rate", type=float, default=0, metavar="N", help="records a second at most (no limit)")
    group.add_argument(
        "--attempts", type=_positive, default=8, metavar="N", help="how often in a row a request may bring nothing (8)"
    )
    group.add_argument(
        "--timeout", type=float, default=_SECONDS, metavar="S", help=f"seconds for a request ({_SECONDS:g})"
    )


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, got {number}")
    return number


def _show(options: argparse.Namespace) -> tuple[str, int]:
    engine = connect_source(options.database)
    try:
        seed = random.randrange(2**32) if options.seed is None else options.seed
        post = next(posts_at_random(engine, seed, limit=1))
    finally:
        engine.dispose()
    return "\n".join(f"{record.entity.source_table}: {record.value.decode()}" for record in post), 0


def _send(options: argparse.Namespace) -> tuple[str, int]:
    _check(options)
    from emulation.sending_run import send  # noqa: PLC0415 - the HTTP client takes its time, and only senders need it

    return send(options, options.command)


def _check(options: argparse.Namespace) -> None:
    asked = any((options.all, options.rows, options.as_users, options.resend))
    managed = getattr(options, "streams", None)
    if not asked and not managed:
        raise SettingsError("which posts must be said: --all, --rows N, --as-users or --resend FILE")
    if asked and managed:
        raise SettingsError("--streams sends nothing: give it without --all, --rows, --as-users and --resend")
    if options.random and not options.rows:
        raise SettingsError("--random must come with --rows N")
    for name, usable in (("rate", options.rate >= 0), ("timeout", options.timeout > 0)):
        if not usable:
            raise SettingsError(f"--{name} must be above 0, got {getattr(options, name)}")
    if not getattr(options, "direct", False) and not options.url:
        raise SettingsError("url must be given: --url, or PINTEREST_API_URL")
