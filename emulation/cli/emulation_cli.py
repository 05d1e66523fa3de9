"""The command line: ``python -m emulation generate``, ``show``, ``batches`` and ``streaming``."""

import argparse
import os
import sys
import time
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from itertools import chain

from sqlalchemy import Engine

from emulation.cli.number_arguments import MAX_POSTS, SEED, int_between
from emulation.cli.part_paths import open_landing, open_source
from emulation.cli.progress_display import track
from emulation.cli.send_command import add_commands
from emulation.emulation_errors import format_unexpected_error, redact
from emulation.source.database import DATABASE, connect, describe_database, write_source
from emulation.source.table_reader import TableReader
from emulation.synthetic.delivery import DELIVERIES
from emulation.synthetic.landing_writer import RECORDS_PER_FILE, check_landing_target, write_landing
from pinterest_transforms.entities import ENTITIES
from pinterest_transforms.error_format import OneLineParser
from pinterest_transforms.errors import PinterestError, SettingsError
from pinterest_transforms.settings import Settings, add_user_id

POSTS = 11_000
MAX_DEFAULT_FILES = 100
"""Approximate maximum number of files per topic."""

_EPILOG = """\
examples:
  python -m emulation generate
      11,000 posts in build/source.db
  python -m emulation generate --posts 1000000 --seed 7 --database big.db --landing build/landing
      a million posts, and landing files of them
  PINTEREST_DATABASE=mysql+pymysql://user:password@host/name python -m emulation generate --replace
      any SQLAlchemy database; the password is neither in the command nor in the output
"""
_MORE = "Each command has its own --help."


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line.

    Returns:
        The exit code: 0 success, 1 records failed, 2 an error (one line on standard error), 130 interrupted.
    """
    try:
        options = build_parser().parse_args(arguments)
        line, code = options.run(options)
        _print(line)
        return int(code)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    except Exception as error:
        message = redact(str(error)) if isinstance(error, PinterestError) else format_unexpected_error(error)
        print(f"error: {message}", file=sys.stderr)
        return 2


def _print(line: str) -> None:
    try:
        print(line, flush=True)
    except OSError as error:
        # Otherwise Python writes the rest of the line again when it exits.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        # A reader that has closed the pipe (`| head`) is no error.
        if not isinstance(error, BrokenPipeError):
            raise SettingsError(f"output cannot be written: {error.strerror}") from None


def generate(options: argparse.Namespace) -> tuple[str, int]:
    """Generates the source, and landing files with ``--landing``; returns the output line and the exit code."""
    started = time.monotonic()
    # Its numpy is not on a client machine that only sends.
    try:
        from emulation.synthetic.generator import generate_rows  # noqa: PLC0415
    except ModuleNotFoundError as error:
        remedy = "pip install --require-hashes -r requirements/seed.txt"
        raise SettingsError(f"{error.name} must be installed to generate a source: {remedy}") from None

    settings = Settings(user_id=options.user_id, landing=options.landing)
    if options.landing:
        check_landing_target(settings)
    landing = open_landing(options.landing) if options.landing else nullcontext("")
    with landing as folder, open_source(options.database) as engine:
        tables = (
            (e, track(f"generating {e.source_table}", options.posts, generate_rows(e, options.posts, options.seed)))
            for e in ENTITIES
        )
        rows = write_source(engine, tables, replace=options.replace)
        counts = ", ".join(f"{count:,} rows in {table}" for table, count in rows.items())
        line = f"made {options.posts:,} posts ({counts}) in {describe_database(connect(options.database))}"
        if options.landing:
            records, files = _write_landing(engine, rows, replace(settings, landing=folder), options)
            line += f", {records:,} records in {files:,} files in {options.landing}"
    return f"{line}, {time.monotonic() - started:.1f} s", 0


def _write_landing(
    engine: Engine, rows: dict[str, int], settings: Settings, options: argparse.Namespace
) -> tuple[int, int]:
    """Writes landing files of the source; the numbers of records and files."""
    records = files = 0
    for entity in ENTITIES:
        pages = TableReader(engine, entity).read_pages()
        written = write_landing(
            chain.from_iterable(track(f"landing {entity.name}", rows[entity.source_table], pages)),
            entity,
            settings,
            records_per_file=max(RECORDS_PER_FILE, options.posts // MAX_DEFAULT_FILES),
            delivery=DELIVERIES[options.delivery],
            seed=options.seed,
        )
        records, files = records + written.records, files + written.files
    return records, files


def build_parser() -> OneLineParser:
    """The parser of all commands."""
    about = "Generates a source of posts, shows one of them, and sends them to Kafka or Kinesis."
    parser = OneLineParser(prog="python -m emulation", description=about, epilog=_MORE, allow_abbrev=False)
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    command = commands.add_parser(
        "generate",
        help="generate a source database of dirty posts, and landing files",
        description="Generates a source database with the defects of real posts; the same for the same seed.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    command.add_argument(
        "--posts", type=int_between(1, MAX_POSTS), default=POSTS, metavar="N", help=f"number of posts ({POSTS})"
    )
    command.add_argument("--seed", type=SEED, default=1, metavar="N", help="random seed (1)")
    command.add_argument(
        "--database",
        default=os.environ.get("PINTEREST_DATABASE") or DATABASE,
        metavar="URL|FILE",
        help=f"SQLAlchemy URL, or an SQLite file ($PINTEREST_DATABASE, else {DATABASE})",
    )
    command.add_argument("--replace", action="store_true", help="drop an existing source")
    group = command.add_argument_group("landing files, in the layout of the S3 sink")
    group.add_argument("--landing", default="", metavar="DIR", help="folder to write them to")
    add_user_id(group)
    group.add_argument(
        "--delivery",
        choices=sorted(DELIVERIES),
        default="usual",
        help="once: each row once; usual: with duplicates and updates; dirty: and unusable records (usual)",
    )
    command.set_defaults(run=generate)
    add_commands(commands)
    return parser
