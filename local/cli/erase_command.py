"""``python -m local erase``: erases posts from a warehouse, a landing, failed files and a source on this machine."""

import argparse
import sys
from collections.abc import Collection
from functools import partial
from pathlib import Path

import sqlalchemy as sa

from emulation.source.database import connect, convert_database_errors
from emulation.source.table_reader import TableReader
from local.cli.command_session import open_session
from pinterest_transforms.entities import ENTITIES
from pinterest_transforms.errors import SettingsError
from pinterest_transforms.ingest.excluded_records import count_lines, remove_lines
from pinterest_transforms.operations.erasure import (
    ErasedRows,
    count_rows,
    erase,
    find_keys_of_user,
    parse_keys,
    parse_time,
    read_erased_keys,
)
from pinterest_transforms.settings import LEGS, Leg, Settings
from pinterest_transforms.tables.creation import ensure_tables, register_tables
from pinterest_transforms.tables.definitions import raw_table

_AT_ONCE = 500


def run(options: argparse.Namespace) -> None:
    """Counts what is to be erased; with ``--apply`` erases it. Prints no personal value.

    A run that was killed may have erased the user's name, by which its posts were found: whatever any leg has noted as
    erased is erased from every place.

    Raises:
        SettingsError: an option is not usable.
        BusyError: a run is not finished.
    """
    requested, noted = _check_erasure(options), set[int]()
    found, rows = find_legs(options), list[tuple[str, ErasedRows]]()
    with open_session(options.warehouse) as (spark, steps):
        legs = [Leg(spark, settings) for settings in found]
        for leg in legs:
            (ensure_tables if options.apply else register_tables)(leg)
            noted.update(read_erased_keys(leg))
            if options.user:
                requested.update(find_keys_of_user(leg, options.user, options.joined))
        keys = requested | noted
        for leg in legs:
            steps(f"{'erasing' if options.apply else 'counting'} in {leg.settings.schema}")
            change = partial(erase, purge=options.purge) if options.apply else count_rows
            rows += [(leg.settings.schema, row) for row in change(leg, keys)]
        rows += [("", row) for row in _erase_outside_tables(keys, options)]
    earlier = len(keys - requested)
    print(f"{len(requested)} posts" + (f", and {earlier} of earlier erasures" if earlier else ""))
    _print_receipt(rows, options)


def _check_erasure(options: argparse.Namespace) -> set[int]:
    """Checks what can be checked without Spark; the keys that are named by ``--ind``."""
    if bool(options.user) != bool(options.joined):
        raise SettingsError("--user and --joined must be given together: two users may have one name")
    if options.joined:
        parse_time(options.joined, "--joined")
    if options.purge and not options.apply:
        raise SettingsError("--purge must be given with --apply")
    for path in options.failed:
        if not path.is_file():
            raise SettingsError(f"failed file must be there, got {path}")
    keys = set(parse_keys(" ".join(options.ind or ())))
    if not keys and not options.user:
        raise SettingsError("--ind must be the key of a post, or --user a name, got none")
    return keys


def find_legs(options: argparse.Namespace) -> list[Settings]:
    """The legs that have tables; the batch leg with the landing.

    Raises:
        SettingsError: there is none.
    """
    warehouse, landings = options.warehouse, {"batch": str(options.landing or "")}
    found = [
        Settings(user_id=options.user_id, leg=leg, landing=landings.get(leg, ""), warehouse=str(warehouse))
        for leg, schema in LEGS.items()
        if (warehouse / schema).is_dir()
    ]
    found = [settings for settings in found if _has_tables_of_user(settings)]
    if not found:
        raise SettingsError(f"warehouse must hold the tables of a leg, {' or '.join(LEGS.values())}, got {warehouse}")
    return found


def _has_tables_of_user(settings: Settings) -> bool:
    """False where a schema of streams holds tables of other user ids alone, which a line on standard error names."""
    if settings.leg == "batch":  # its tables are those of every user id
        return True
    raw_tables = {folder.name for folder in Path(settings.warehouse, settings.schema).glob("*_raw_table")}
    if others := sorted(raw_tables - {raw_table(settings)}):
        ids = ", ".join(name.removesuffix("_raw_table") for name in others)
        print(f"{settings.schema} has tables of user id {ids}, which are left out: --user-id chooses", file=sys.stderr)
    return not others or raw_table(settings) in raw_tables


def _erase_outside_tables(keys: set[int], options: argparse.Namespace) -> list[ErasedRows]:
    """Counts in failed files, the source and the report; with ``--apply`` erases there."""
    change = remove_lines if options.apply else count_lines
    found = [ErasedRows(path.name, change(path, keys)) for path in options.failed]
    if options.database:
        found += _erase_source_rows(options.database, keys, apply=options.apply)
    if options.report and options.report.is_file():
        found.append(ErasedRows(options.report.name, 1))
        if options.apply:
            options.report.unlink()
    return found


def _erase_source_rows(database: str, keys: Collection[int], *, apply: bool) -> list[ErasedRows]:
    """Counts the rows of the source that have one of these keys, however it is stored, or erases them."""
    engine, found = connect(database, create_folder=False), []
    # The database's own conversion to a number would make 17 of 17.5 and of 17abc, which are other rows' or no keys.
    stored = [TableReader(engine, entity).find_stored_keys(keys) for entity in ENTITIES]
    with convert_database_errors(engine), engine.begin() as connection:
        for entity, (name, values) in zip(ENTITIES, stored, strict=True):
            key: sa.ColumnClause[object] = sa.column(name)
            table, rows = sa.table(entity.source_table, key), 0
            for first in range(0, len(values), _AT_ONCE):
                chosen = key.in_(values[first : first + _AT_ONCE])
                statement = sa.delete(table) if apply else sa.select(sa.func.count()).select_from(table)
                result = connection.execute(statement.where(chosen))
                rows += result.rowcount if apply else result.scalar_one()
            found.append(ErasedRows(entity.source_table, rows))
    return found


def _print_receipt(rows: list[tuple[str, ErasedRows]], options: argparse.Namespace) -> None:
    """Prints the rows of each schema and place on standard output, and what is left to be done on standard error."""
    width = max(len(f"{schema}.{row.place}") for schema, row in rows)
    for schema, row in rows:
        version = "" if row.version is None else f"  version {row.version}"
        print(f"{f'{schema}.{row.place}'.lstrip('.'):<{width}}  {row.rows:>9,}{version}")
    if not options.apply:
        print("nothing was changed; --apply erases", file=sys.stderr)
    elif not options.purge:
        print("files and older versions still hold the rows; --purge removes them", file=sys.stderr)
