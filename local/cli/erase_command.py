"""``python -m local erase``: erases posts from a warehouse, a landing, failed files and a source on this machine."""

import argparse
import sys
from dataclasses import dataclass

import sqlalchemy as sa
from pyspark.sql import SparkSession

from emulation.source.database import build_table, connect, convert_database_errors
from local.cli.step_progress import StepReporter
from pinterest_transforms.entities import ENTITIES
from pinterest_transforms.errors import SettingsError
from pinterest_transforms.ingest.excluded_records import count_lines, remove_lines
from pinterest_transforms.operations.erasure import ErasedRows, count_rows, erase, erased_keys, keys_of_user, parse_keys
from pinterest_transforms.settings import LEGS, Settings
from pinterest_transforms.tables.creation import ensure_tables, register_tables

_AT_ONCE = 500


@dataclass(frozen=True)
class Erasure:
    """What is to be erased, and where.

    Attributes:
        options: the options of the command.
        keys: keys of posts that they name.
        legs: the legs that have tables; the batch leg with the landing.
    """

    options: argparse.Namespace
    keys: tuple[int, ...]
    legs: list[Settings]


@dataclass(frozen=True)
class Receipt:
    """What was erased, or would be. It holds no personal value.

    Attributes:
        requested: number of posts that the options name.
        earlier: number of posts that earlier runs have noted besides.
        rows: a schema, or an empty text for what is beside the tables; and what was erased there.
    """

    requested: int
    earlier: int
    rows: list[tuple[str, ErasedRows]]


def check_erasure(options: argparse.Namespace) -> Erasure:
    """Checks what can be checked without Spark.

    Raises:
        SettingsError: an option is not usable.
    """
    erasure = Erasure(options, _given_keys(options), find_legs(options))
    for path in options.failed:
        if not path.is_file():
            raise SettingsError(f"failed file must be there, got {path}")
    return erasure


def run_erasure(spark: SparkSession, erasure: Erasure, steps: StepReporter) -> Receipt:
    """Counts what is to be erased; with ``--apply`` erases it.

    A run that was killed may have erased the user's name, by which its posts were found: whatever any leg has noted as
    erased is erased from every place.

    Raises:
        BusyError: a run is not finished.
    """
    options, requested, noted = erasure.options, set(erasure.keys), set[int]()
    for settings in erasure.legs:
        (ensure_tables if options.apply else register_tables)(spark, settings)
        noted.update(erased_keys(spark, settings))
        if options.user:
            requested.update(keys_of_user(spark, settings, options.user, options.joined))
    keys, rows = requested | noted, []
    for settings in erasure.legs:
        if options.apply:
            found = erase(spark, settings, keys, purge=options.purge)
        else:
            steps(f"counting in {settings.schema}")
            found = count_rows(spark, settings, keys)
        rows += [(settings.schema, row) for row in found]
    return Receipt(len(requested), len(keys - requested), [*rows, *(("", row) for row in _elsewhere(keys, options))])


def _given_keys(options: argparse.Namespace) -> tuple[int, ...]:
    if bool(options.user) != bool(options.joined):
        raise SettingsError("--user and --joined must be given together: two users may have one name")
    if options.purge and not options.apply:
        raise SettingsError("--purge must be given with --apply")
    if options.file is None:
        return parse_keys(" ".join(options.ind or ()))
    if not options.file.is_file():
        raise SettingsError(f"file must be there, got {options.file}")
    return parse_keys(options.file.read_text(encoding="utf-8", errors="replace"))


def find_legs(options: argparse.Namespace) -> list[Settings]:
    """The legs that have tables; the batch leg with the landing.

    Raises:
        SettingsError: there is none.
    """
    warehouse, found = options.warehouse.absolute(), []
    for leg, schema in LEGS.items():
        landing = str(options.landing.absolute()) if options.landing and leg == "batch" else ""
        if (warehouse / schema).is_dir():
            settings = Settings(user_id=options.user_id, leg=leg, landing=landing, warehouse=str(warehouse))
            found.append(settings)
    if not found:
        raise SettingsError(f"warehouse must hold the tables of a leg, {' or '.join(LEGS.values())}, got {warehouse}")
    return found


def _elsewhere(keys: set[int], options: argparse.Namespace) -> list[ErasedRows]:
    """Failed files, the source and the report."""
    change = remove_lines if options.apply else count_lines
    found = [ErasedRows(path.name, change(path, keys)) for path in options.failed]
    if options.database:
        found += _in_source(options.database, sorted(keys), apply=options.apply)
    if options.report and options.report.is_file():
        found.append(ErasedRows(options.report.name, 1))
        if options.apply:
            options.report.unlink()
    return found


def _in_source(database: str, keys: list[int], *, apply: bool) -> list[ErasedRows]:
    """Rows of the source whose key, stored as number or as text, is one of these."""
    engine, found = connect(database, create_folder=False), []
    with convert_database_errors(engine), engine.begin() as connection:
        for entity in ENTITIES:
            table, rows = build_table(entity), 0
            key = sa.cast(table.c[entity.key_fields[0]], sa.BigInteger)
            for first in range(0, len(keys), _AT_ONCE):
                chosen = key.in_(keys[first : first + _AT_ONCE])
                statement = sa.delete(table) if apply else sa.select(sa.func.count()).select_from(table)
                result = connection.execute(statement.where(chosen))
                rows += result.rowcount if apply else result.scalar_one()
            found.append(ErasedRows(entity.source_table, rows))
    return found


def print_receipt(receipt: Receipt, options: argparse.Namespace) -> None:
    """Prints the receipt on standard output, and what it leaves to be done on standard error."""
    print(f"{receipt.requested} posts" + (f", and {receipt.earlier} of earlier erasures" if receipt.earlier else ""))
    width = max(len(f"{schema}.{row.place}") for schema, row in receipt.rows)
    for schema, row in receipt.rows:
        version = "" if row.version is None else f"  version {row.version}"
        print(f"{f'{schema}.{row.place}'.lstrip('.'):<{width}}  {row.rows:>9,}{version}")
    if not options.apply:
        print("nothing was changed; --apply erases", file=sys.stderr)
    elif not options.purge:
        print("files and older versions still hold the rows; --purge removes them", file=sys.stderr)
