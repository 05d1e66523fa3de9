"""Options of ``python -m emulation batches`` and ``streaming``."""

import argparse
import os
import random
from pathlib import Path

from emulation.cli.number_arguments import MOST_POSTS, SEED, real, whole
from emulation.producer.state_files import cursor_file, failed_file
from emulation.source.database import DATABASE
from emulation.source.database_credentials import connect_source
from emulation.source.post_reader import posts_at_random
from pinterest_transforms.errors import SettingsError
from pinterest_transforms.settings import DEFAULT_USER_ID

# Gateway answers within 29 s; a client that gives up before it would never know.
_SECONDS = 35.0
_AT_ONCE = 8
_SEED = 1
_SLOWEST = 0.001
_ACCESS = ("none", "api-key", "iam")

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
      makes the three streams; list, delete and describe work alike (exit code 1 where one to describe is not there)
  python -m emulation streaming --all
      every post once, through the API at $PINTEREST_API_URL, up to 500 records a call
  python -m emulation streaming --all --direct
      the same with boto3, no API between; $AWS_ENDPOINT_URL, profiles and roles as boto3 knows them
"""
_ENDING = """
emulation/user_posting_emulation_{}.py is the same command; without arguments it sends as users do (--as-users).

exit codes: 0 done; 1 some records are in the failed file; 2 a mistake, or sending cannot go on; 130 interrupted
"""


def add_commands(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the commands that read a source to the command line."""
    shape = {"formatter_class": argparse.RawDescriptionHelpFormatter, "allow_abbrev": False}
    about = "show one post of a source, a row of each table"
    show = commands.add_parser("show", help=about, description=f"{about.capitalize()}.", allow_abbrev=False)
    _add_database(show)
    show.add_argument(
        "--seed", type=SEED, metavar="N", help="what it is drawn with; another post each time if not given"
    )
    show.set_defaults(run=_show)
    batches = commands.add_parser(
        "batches",
        help="send a source to Kafka, through the REST proxy",
        description="Sends posts to the three Kafka topics through the REST proxy behind API Gateway.",
        epilog=_BATCHES + _ENDING.format("batches"),
        **shape,  # type: ignore[arg-type]
    )
    streaming = commands.add_parser(
        "streaming",
        help="send a source to Kinesis; make and delete its streams",
        description="Sends posts to the three Kinesis streams, through API Gateway or directly.",
        epilog=_STREAMING + _ENDING.format("streaming"),
        **shape,  # type: ignore[arg-type]
    )
    for name, command in (("batches", batches), ("streaming", streaming)):
        _add_which(command)
        _add_places(command, name)
        _add_pace(command)
        command.set_defaults(run=_send, command=name)
    streaming.add_argument("--direct", action="store_true", help="with boto3, no API between")
    streaming.add_argument("--one-a-call", action="store_true", help="one record a call, as the original does")
    streaming.add_argument(
        "--streams",
        choices=["list", "create", "describe", "delete"],
        help="do that with the three streams, send nothing",
    )


def _add_which(command: argparse.ArgumentParser) -> None:
    which = command.add_argument_group("which posts (one of the first four)")
    one = which.add_mutually_exclusive_group()
    one.add_argument("--all", action="store_true", help="every post, once; behind them the rows without a key")
    one.add_argument(
        "--rows",
        type=whole(1, MOST_POSTS),
        metavar="N",
        help="the first N posts by key; all of a source that has fewer",
    )
    one.add_argument("--as-users", action="store_true", help="one random post at a time, with pauses, until Ctrl-C")
    one.add_argument("--resend", type=Path, metavar="FILE", help="the records of a failed file")
    random_help = "with --rows: N posts drawn at random; a post may be drawn more than once"
    which.add_argument("--random", action="store_true", help=random_help)
    which.add_argument("--seed", type=SEED, metavar="N", help=f"what random posts are drawn with ({_SEED})")


def _add_places(command: argparse.ArgumentParser, name: str) -> None:
    group = command.add_argument_group("from where, to where")
    _add_database(group)
    group.add_argument("--url", help="invoke URL of the API, stage included ($PINTEREST_API_URL)")
    group.add_argument(
        "--user-id",
        default=os.environ.get("PINTEREST_USER_ID") or DEFAULT_USER_ID,
        metavar="ID",
        help=f"whose topics or streams these are ($PINTEREST_USER_ID, else {DEFAULT_USER_ID})",
    )
    group.add_argument(
        "--access",
        choices=_ACCESS,
        help="api-key: $PINTEREST_API_KEY; iam: SigV4, credentials as boto3 finds them ($PINTEREST_API_ACCESS, none)",
    )
    group.add_argument("--plain-http", action="store_true", help="allow http to another machine, unencrypted")
    group.add_argument(
        "--failed", type=Path, metavar="FILE", help=f"where failed records go, to be sent again ({failed_file(name)})"
    )
    cursor_help = (
        f"where an interrupted run finds its place; a finished one begins again from the first ({cursor_file(name)})"
    )
    group.add_argument("--cursor", type=Path, metavar="FILE", help=cursor_help)
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
        "--at-once", type=whole(1, 256), default=_AT_ONCE, metavar="N", help=f"requests at one time ({_AT_ONCE})"
    )
    group.add_argument(
        "--rate",
        type=real(_SLOWEST, 1e9, zero=True),
        default=0,
        metavar="N",
        help="records a second at most (no limit)",
    )
    group.add_argument(
        "--attempts",
        type=whole(1, 1000),
        default=8,
        metavar="N",
        help="tries in a row in which none of a request's records is taken, before they go into the failed file (8)",
    )
    group.add_argument(
        "--timeout", type=real(0.001, 3600), default=_SECONDS, metavar="S", help=f"seconds for a request ({_SECONDS:g})"
    )


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
    _fill(options)
    from emulation.cli.send_run import send  # noqa: PLC0415 - the HTTP client takes its time, and only senders need it

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
    if options.seed is not None and not options.random and not options.as_users:
        raise SettingsError("--seed must come with --random or --as-users")
    if getattr(options, "direct", False):
        _check_direct(options)


def _check_direct(options: argparse.Namespace) -> None:
    """Sees to it that nothing of the API was asked for; the environment may have it for other runs."""
    given = {
        "--url": options.url is not None,
        "--access": options.access is not None,
        "--plain-http": options.plain_http,
        "--one-a-call": options.one_a_call,
    }
    if any(given.values()):
        names = ", ".join(name for name, there in given.items() if there)
        raise SettingsError(f"--direct must come without what is for the API, got {names}")


def _fill(options: argparse.Namespace) -> None:
    """Takes from the environment what was not given, and checks it as if it were."""
    options.seed = _SEED if options.seed is None else options.seed
    if getattr(options, "direct", False):
        return
    options.url = options.url or os.environ.get("PINTEREST_API_URL")
    if not options.url:
        raise SettingsError("url must be given: --url, or PINTEREST_API_URL")
    options.access = options.access or os.environ.get("PINTEREST_API_ACCESS") or "none"
    if options.access not in _ACCESS:
        # What was given is not told: it may be a key, put into the wrong variable.
        raise SettingsError(f"PINTEREST_API_ACCESS must be one of {', '.join(_ACCESS)}, got something else")
