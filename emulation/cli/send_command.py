"""Options of ``python -m emulation show``, ``batches`` and ``streaming``."""

import argparse
import os
import random
from pathlib import Path

from emulation.cli.number_arguments import MAX_POSTS, SEED, float_between, int_between
from emulation.producer.state_files import get_cursor_path, get_failed_path
from emulation.source.database import DATABASE
from emulation.source.database_credentials import connect_source
from emulation.source.post_reader import draw_posts
from pinterest_transforms.error_format import OneLineParser
from pinterest_transforms.errors import SettingsError
from pinterest_transforms.settings import DEFAULT_USER_ID

# The gateway answers within 29 s; a client that gives up earlier would not receive its answer.
_TIMEOUT = 35.0
_MAX_IN_FLIGHT = 8
_SEED = 1
_MIN_RATE = 0.001
_ACCESS = ("none", "api-key", "iam")

_BATCHES = """\
examples:
  python -m emulation batches --url https://<api>.execute-api.<region>.amazonaws.com/<stage> --all
      every post once, in key order; after an interruption, the same command resumes
  python -m emulation batches --rows 500 --random --seed 7
      500 posts drawn at random; the URL from $PINTEREST_API_URL
  python -m emulation batches --as-users
      one random post at a time, with random pauses, until Ctrl-C
  python -m emulation batches --resend build/emulation/batches-failed.jsonl
      the records that failed before
"""
_STREAMING = """\
examples:
  python -m emulation streaming --streams create
      create the three streams; list, describe and delete likewise (exit code 1 if one to describe does not exist)
  python -m emulation streaming --all
      every post once, through the API at $PINTEREST_API_URL, up to 500 records per call
  python -m emulation streaming --all --direct
      the same with boto3, without the API; boto3 reads $AWS_ENDPOINT_URL, profiles and roles
"""
_ENDING = """
emulation/user_posting_emulation_{}.py is the same command; without arguments it runs with --as-users.

exit codes: 0 success; 1 some records are in the failed file; 2 an error, or sending cannot continue; 130 interrupted
"""


def add_commands(commands: "argparse._SubParsersAction[OneLineParser]") -> None:
    """Adds the commands that read a source."""
    about = "show one post of a source, one row per table"
    show = commands.add_parser("show", help=about, description=f"{about.capitalize()}.", allow_abbrev=False)
    _add_database(show)
    show.add_argument("--seed", type=SEED, metavar="N", help="random seed; another post each time if not given")
    show.set_defaults(run=_show)
    for name, about, description, examples in (
        (
            "batches",
            "send a source to Kafka through the REST proxy",
            "Sends posts to the three Kafka topics through the REST proxy behind API Gateway.",
            _BATCHES,
        ),
        (
            "streaming",
            "send a source to Kinesis; create and delete its streams",
            "Sends posts to the three Kinesis streams, through API Gateway or directly.",
            _STREAMING,
        ),
    ):
        command = commands.add_parser(
            name,
            help=about,
            description=description,
            epilog=examples + _ENDING.format(name),
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        _add_selection(command)
        _add_connection(command, name)
        _add_retry_policy(command)
        command.set_defaults(run=_send, command=name)
    # The last command is streaming.
    command.add_argument("--direct", action="store_true", help="with boto3, without the API")
    command.add_argument("--one-a-call", action="store_true", help="one record per call, as in the original project")
    command.add_argument(
        "--streams",
        choices=["list", "create", "describe", "delete"],
        help="manage the three streams, send nothing",
    )


def _add_selection(command: argparse.ArgumentParser) -> None:
    group = command.add_argument_group("which posts (one of the first four)")
    one = group.add_mutually_exclusive_group()
    one.add_argument("--all", action="store_true", help="every post once, then the rows without a key")
    one.add_argument(
        "--rows",
        type=int_between(1, MAX_POSTS),
        metavar="N",
        help="the first N posts in key order, or all if there are fewer",
    )
    one.add_argument("--as-users", action="store_true", help="one random post at a time, with pauses, until Ctrl-C")
    one.add_argument("--resend", type=Path, metavar="FILE", help="the records of a failed file")
    random_help = "with --rows: N posts drawn at random; a post may be drawn more than once"
    group.add_argument("--random", action="store_true", help=random_help)
    group.add_argument("--seed", type=SEED, metavar="N", help=f"random seed of random posts ({_SEED})")


def _add_connection(command: argparse.ArgumentParser, name: str) -> None:
    group = command.add_argument_group("source, target and files")
    _add_database(group)
    group.add_argument("--url", help="invoke URL of the API with its stage ($PINTEREST_API_URL)")
    group.add_argument(
        "--user-id",
        default=os.environ.get("PINTEREST_USER_ID") or DEFAULT_USER_ID,
        metavar="ID",
        help=f"user id in the names of topics and streams ($PINTEREST_USER_ID, else {DEFAULT_USER_ID})",
    )
    group.add_argument(
        "--access",
        choices=_ACCESS,
        help="api-key: $PINTEREST_API_KEY; iam: SigV4 with the credentials of boto3 ($PINTEREST_API_ACCESS, else none)",
    )
    group.add_argument("--plain-http", action="store_true", help="allow unencrypted http to another machine")
    group.add_argument(
        "--failed", type=Path, metavar="FILE", help=f"file of failed records, for --resend ({get_failed_path(name)})"
    )
    cursor_help = f"file from which an interrupted run resumes; removed after a complete run ({get_cursor_path(name)})"
    group.add_argument("--cursor", type=Path, metavar="FILE", help=cursor_help)
    group.add_argument("--restart", action="store_true", help="ignore the cursor and start with the first post")


def _add_database(group: argparse._ActionsContainer) -> None:
    group.add_argument(
        "--database",
        metavar="URL|FILE",
        help=f"SQLAlchemy URL or SQLite file ($PINTEREST_DATABASE, else db_creds.yaml, else {DATABASE})",
    )


def _add_retry_policy(command: argparse.ArgumentParser) -> None:
    group = command.add_argument_group("rate and retries")
    group.add_argument(
        "--at-once",
        type=int_between(1, 256),
        default=_MAX_IN_FLIGHT,
        metavar="N",
        help=f"maximum number of concurrent requests ({_MAX_IN_FLIGHT})",
    )
    group.add_argument(
        "--rate",
        type=float_between(_MIN_RATE, 1e9, zero=True),
        default=0,
        metavar="N",
        help="maximum number of records per second (no limit)",
    )
    group.add_argument(
        "--attempts",
        type=int_between(1, 1000),
        default=8,
        metavar="N",
        help="consecutive attempts of a request without an acknowledged record before its records fail (8)",
    )
    group.add_argument(
        "--timeout",
        type=float_between(0.001, 3600),
        default=_TIMEOUT,
        metavar="S",
        help=f"seconds per request ({_TIMEOUT:g})",
    )


def _show(options: argparse.Namespace) -> tuple[str, int]:
    engine = connect_source(options.database)
    try:
        seed = random.randrange(2**32) if options.seed is None else options.seed
        post = next(draw_posts(engine, seed, limit=1))
    finally:
        engine.dispose()
    return "\n".join(f"{record.entity.source_table}: {record.value.decode()}" for record in post), 0


def _send(options: argparse.Namespace) -> tuple[str, int]:
    _check_options(options)
    _set_defaults(options)
    from emulation.cli.send_run import send  # noqa: PLC0415 - the HTTP client is slow to import

    return send(options, options.command)


def _check_options(options: argparse.Namespace) -> None:
    selected = any((options.all, options.rows, options.as_users, options.resend))
    action = getattr(options, "streams", None)
    if not selected and not action:
        raise SettingsError("posts must be selected: --all, --rows N, --as-users or --resend FILE")
    if selected and action:
        raise SettingsError("--streams sends nothing: give it without --all, --rows, --as-users and --resend")
    if options.random and not options.rows:
        raise SettingsError("--random must come with --rows N")
    if options.seed is not None and not options.random and not options.as_users:
        raise SettingsError("--seed must come with --random or --as-users")
    if getattr(options, "direct", False):
        _check_direct(options)


def _check_direct(options: argparse.Namespace) -> None:
    """Checks that no option of the API is given; its variables may be set for other runs."""
    given = {
        "--url": options.url is not None,
        "--access": options.access is not None,
        "--plain-http": options.plain_http,
        "--one-a-call": options.one_a_call,
    }
    if any(given.values()):
        names = ", ".join(name for name, is_given in given.items() if is_given)
        raise SettingsError(f"--direct must come without options of the API, got {names}")


def _set_defaults(options: argparse.Namespace) -> None:
    """Sets missing options from the environment, and checks them."""
    options.seed = _SEED if options.seed is None else options.seed
    if getattr(options, "direct", False):
        return
    options.url = options.url or os.environ.get("PINTEREST_API_URL")
    if not options.url:
        raise SettingsError("url must be given: --url, or PINTEREST_API_URL")
    options.access = options.access or os.environ.get("PINTEREST_API_ACCESS") or "none"
    if options.access not in _ACCESS:
        # Its value is not printed: it may be a key in the wrong variable.
        raise SettingsError(f"PINTEREST_API_ACCESS must be one of {', '.join(_ACCESS)}, got something else")
