"""The command line: ``python -m emulation generate``, ``show``, ``batches`` and ``streaming``."""

import argparse
import os
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NoReturn

from emulation.cli.number_arguments import MOST_POSTS, SEED, whole
from emulation.cli.progress_display import watched
from emulation.cli.send_command import add_commands
from emulation.emulation_errors import unexpected
from emulation.source.database import DATABASE, check_free, connect, described, masked, write_source
from emulation.source.source_records import Row
from emulation.synthetic.delivery import DELIVERIES
from emulation.synthetic.landing_writer import PARTITIONS, RECORDS_PER_FILE, Landed, check_landing, land_source
from pinterest_transforms.entities import ENTITIES, Entity
from pinterest_transforms.errors import LandingError, PinterestError, SettingsError
from pinterest_transforms.settings import DEFAULT_USER_ID, Settings

POSTS = 11_000
# No topic gets more than about this many files, unless --records-per-file asks for it.
FILES = 100

_EPILOG = """\
examples:
  python -m emulation generate
      11,000 posts in build/source.db
  python -m emulation generate --posts 1000000 --seed 7 --database big.db --landing build/landing
      a million, and the landing files of that source
  PINTEREST_DATABASE=mysql+pymysql://user:password@host/name python -m emulation generate --replace
      any database that SQLAlchemy reaches, the password neither in the command nor in what is printed
"""
_MORE = "Each command has its own --help."


class _Parser(argparse.ArgumentParser):
    """An argument parser whose mistakes are this project's errors: one line, and no password in it."""

    def error(self, message: str) -> NoReturn:
        raise SettingsError(masked(message))


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line.

    Returns:
        The exit code: 0 done, 1 records failed, 2 a mistake that one line on standard error explains, 130 interrupted.
    """
    try:
        options = _parser().parse_args(arguments)
        line, code = options.run(options)
        _print(line)
        return int(code)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    except Exception as error:
        print(f"error: {error if isinstance(error, PinterestError) else unexpected(error)}", file=sys.stderr)
        return 2


def _print(line: str) -> None:
    try:
        print(line, flush=True)
    except OSError as error:
        # What is left of the line must not be written when Python ends, either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        # The reader (`| head`) may have had enough: then nobody is left to tell anything.
        if not isinstance(error, BrokenPipeError):
            raise SettingsError(f"output cannot be written: {error.strerror}") from None


def generate(options: argparse.Namespace) -> tuple[str, int]:
    """Makes the source, and its landing files where asked; the line that says what was made, and the exit code."""
    began = time.monotonic()
    delivery = DELIVERIES[options.delivery]
    _check_numpy()
    settings = Settings(user_id=options.user_id, landing=options.landing)
    if options.landing:
        check_landing(settings, options.partitions, append=options.append)
        _make_landing(options.landing)
    engine = connect(options.database)
    try:
        if not options.replace:
            check_free(engine)
        rows = write_source(engine, _tables(options.posts, options.seed), replace=options.replace)
        counted = ", ".join(f"{count:,} rows in {table}" for table, count in rows.items())
        made = f"{options.posts:,} posts ({counted}) in {described(engine)}"
        if options.landing:
            landed = land_source(
                engine,
                settings,
                partitions=options.partitions,
                records_per_file=options.records_per_file or max(RECORDS_PER_FILE, options.posts // FILES),
                delivery=delivery,
                seed=options.seed,
                append=options.append,
                watch=watched,
            )
            made += _landed(landed, options.landing)
    finally:
        engine.dispose()
    return f"made {made}, {time.monotonic() - began:.1f} s", 0


def _check_numpy() -> None:
    """Sees to it that posts can be made here: a client machine that only sends has no numpy."""
    try:
        import numpy as np  # noqa: F401, PLC0415 - only looked for
    except ModuleNotFoundError:
        raise SettingsError(
            "numpy must be installed for generate, got none: pip install --require-hashes -r requirements/local.txt"
        ) from None


def _make_landing(folder: str) -> None:
    """Makes the landing before the source: what cannot be landed is not made."""
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LandingError(f"landing {folder} cannot be written: {error.strerror}") from None


def _tables(posts: int, seed: int) -> Iterator[tuple[Entity, Iterator[Sequence[Row]]]]:
    """The three tables of a source, watched while they are made."""
    from emulation.synthetic.generator import chunks  # noqa: PLC0415 - needs numpy, which a client machine has not

    for entity in ENTITIES:
        yield entity, watched(f"making {entity.source_table}", posts, chunks(entity, posts, seed))


def _landed(landed: list[Landed], folder: str) -> str:
    """What stands in the landing, in words."""
    records, files = sum(topic.records for topic in landed), sum(topic.files for topic in landed)
    return f", {records:,} records in {files:,} files in {folder}"


def _parser() -> argparse.ArgumentParser:
    """The options, with help that is enough to use them."""
    about = "Makes a source of posts, shows one of them, and sends them to Kafka or Kinesis."
    parser = _Parser(prog="python -m emulation", description=about, epilog=_MORE, allow_abbrev=False)
    commands: argparse._SubParsersAction[argparse.ArgumentParser]
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND", parser_class=_Parser)
    command = commands.add_parser(
        "generate",
        help="make a source database of dirty posts, and its landing files",
        description="Makes a source database: posts with every dirtiness of real ones, the same for the same seed.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    command.add_argument(
        "--posts", type=whole(1, MOST_POSTS), default=POSTS, metavar="N", help=f"how many posts ({POSTS})"
    )
    command.add_argument("--seed", type=SEED, default=1, metavar="N", help="what everything is drawn from (1)")
    command.add_argument(
        "--database",
        default=os.environ.get("PINTEREST_DATABASE") or DATABASE,
        metavar="URL|FILE",
        help=f"SQLAlchemy URL, or an SQLite file ($PINTEREST_DATABASE, else {DATABASE})",
    )
    command.add_argument("--replace", action="store_true", help="drop a source that is there already")
    _add_landing_options(command)
    command.set_defaults(run=generate)
    add_commands(commands)
    return parser


def _add_landing_options(command: argparse.ArgumentParser) -> None:
    """Options of the way from the source into landing files."""
    group = command.add_argument_group("landing files, in the layout of the S3 sink")
    group.add_argument("--landing", default="", metavar="DIR", help="write them there, read back from the database")
    group.add_argument(
        "--user-id",
        default=os.environ.get("PINTEREST_USER_ID") or DEFAULT_USER_ID,
        metavar="ID",
        help=f"whose topics these are ($PINTEREST_USER_ID, else {DEFAULT_USER_ID})",
    )
    group.add_argument(
        "--delivery",
        choices=sorted(DELIVERIES),
        default="usual",
        help="once: each row once; usual: some twice, some changed later; dirty: unusable lines and values too (usual)",
    )
    group.add_argument(
        "--partitions", type=whole(1, 1000), default=PARTITIONS, metavar="N", help=f"of a topic ({PARTITIONS})"
    )
    group.add_argument(
        "--records-per-file",
        type=whole(1, MOST_POSTS),
        metavar="N",
        help=f"records in a file ({RECORDS_PER_FILE}, or a hundredth of the posts if that is more)",
    )
    group.add_argument("--append", action="store_true", help="go on behind the files that are there already")
