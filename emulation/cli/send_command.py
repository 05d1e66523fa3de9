"""Options of ``python -m emulation show``, ``batches`` and ``streaming``."""

import argparse
import os
import random
from pathlib import Path

from emulation.cli.number_arguments import MAX_POSTS, SEED, int_between
from emulation.source.database import DATABASE
from emulation.source.database_credentials import connect_source
from emulation.source.post_reader import draw_posts
from pinterest_transforms.error_format import OneLineParser
from pinterest_transforms.errors import SettingsError
from pinterest_transforms.settings import add_user_id

_FOLDER = Path("build/emulation")

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
      create the three streams; describe and delete likewise (exit code 1 if one to describe does not exist)
  python -m emulation streaming --all
      every post once, through the API at $PINTEREST_API_URL, up to 500 records per call
  python -m emulation streaming --all --direct
      the same with boto3, without the API; boto3 reads $AWS_ENDPOINT_URL, profiles and roles
"""
_ENDING = """
emulation/user_posting_emulation_{}.py is the same command; without arguments it runs with --as-users.

exit codes: 0 success; 1 some records failed; 2 an error, or sending cannot continue; 130 interrupted (Ctrl-C, SIGTERM)
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
        command.set_defaults(run=_send, command=name, direct=False, streams=None)
        _add_selection(command, name)
        _add_connection(command, name)
        _add_retry_policy(command)


def _add_selection(command: argparse.ArgumentParser, name: str) -> None:
    group = command.add_argument_group("which posts")
    one = group.add_mutually_exclusive_group(required=True)
    one.add_argument("--all", action="store_true", help="every post once, then the rows without a key")
    one.add_argument(
        "--rows",
        type=int_between(1, MAX_POSTS),
        metavar="N",
        help="the first N posts in key order, or all if there are fewer",
    )
    one.add_argument("--as-users", action="store_true", help="one random post at a time, with pauses, until Ctrl-C")
    one.add_argument("--resend", type=Path, metavar="FILE", help="the records of a failed file")
    if name == "streaming":
        streams_help = "manage the three streams, send nothing"
        one.add_argument("--streams", choices=["create", "describe", "delete"], help=streams_help)
    random_help = "with --rows: N posts drawn at random; a post may be drawn more than once"
    group.add_argument("--random", action="store_true", help=random_help)
    group.add_argument("--seed", type=SEED, default=1, metavar="N", help="random seed of random posts (1)")


def _add_connection(command: argparse.ArgumentParser, name: str) -> None:
    group = command.add_argument_group("source, target and files")
    _add_database(group)
    target = group.add_mutually_exclusive_group()
    target.add_argument(
        "--url",
        default=os.environ.get("PINTEREST_API_URL", ""),
        help="invoke URL of the API with its stage ($PINTEREST_API_URL)",
    )
    if name == "streaming":
        target.add_argument("--direct", action="store_true", help="with boto3, without the API")
    add_user_id(group)
    group.add_argument(
        "--access",
        choices=["none", "api-key", "iam"],
        default=os.environ.get("PINTEREST_API_ACCESS") or "none",
        help="api-key: $PINTEREST_API_KEY; iam: SigV4 with the credentials of boto3 ($PINTEREST_API_ACCESS, else none)",
    )
    group.add_argument("--plain-http", action="store_true", help="allow unencrypted http to another machine")
    failed, cursor = _FOLDER / f"{name}-failed.jsonl", _FOLDER / f"{name}-cursor.json"
    failed_help = f"file of failed records, for --resend ({failed})"
    group.add_argument("--failed", type=Path, default=failed, metavar="FILE", help=failed_help)
    cursor_help = f"file from which an interrupted run resumes; removed after a complete run ({cursor})"
    group.add_argument("--cursor", type=Path, default=cursor, metavar="FILE", help=cursor_help)
    group.add_argument("--restart", action="store_true", help="ignore the cursor and start with the first post")


def _add_database(group: argparse._ActionsContainer) -> None:
    group.add_argument(
        "--database",
        metavar="URL|FILE",
        help=f"SQLAlchemy URL or SQLite file ($PINTEREST_DATABASE, else db_creds.yaml, else {DATABASE})",
    )


def _add_retry_policy(command: argparse.ArgumentParser) -> None:
    group = command.add_argument_group("rate and retries")
    attempts = "consecutive attempts of a request without an acknowledged record before its records fail"
    for name, minimum, maximum, default, about in (
        ("at-once", 1, 256, 8, "maximum number of concurrent requests"),
        ("rate", 0, 1_000_000_000, 0, "maximum number of records per second; 0 for no limit"),
        ("attempts", 1, 1000, 8, attempts),
    ):
        group.add_argument(
            f"--{name}", type=int_between(minimum, maximum), default=default, metavar="N", help=f"{about} ({default})"
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
    if options.random and not options.rows:
        raise SettingsError("--random must come with --rows N")
    from emulation.cli.send_run import send  # noqa: PLC0415 - the HTTP client is slow to import

    return send(options)
