"""The source database: written and read through SQLAlchemy, whatever database the URL names.

Source: the data contract, section 2, for tables and columns. A password is part of the URL and is never printed.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain, pairwise
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

from emulation.records import Row, column_names, key_of
from pinterest_transforms.entities import ENTITIES, Entity
from pinterest_transforms.errors import PinterestError

PAGE = 10_000
DATABASE = "build/source.db"
_PASSWORD_IN_TEXT = re.compile(r"(://[^:/@\s]*):[^\s]*@")
_LAST_OF_LATIN_1 = 255
_SECRET_OPTION = re.compile(r"pass|secret|token|key", re.IGNORECASE)

_KEY = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_NUMBERS: dict[str, type[sa.Integer] | type[sa.Double[float]]] = {
    "downloaded": sa.Integer,
    "age": sa.Integer,
    "latitude": sa.Double,
    "longitude": sa.Double,
}


class SourceError(PinterestError):
    """The source database cannot be reached, read or written, or holds a source already."""


def masked(text: str) -> str:
    """The text with the password of any URL in it replaced by ``***``."""
    return _PASSWORD_IN_TEXT.sub(r"\1:***@", text)


def connect(database: str, *, make_folder: bool = True) -> sa.Engine:
    """An engine for a SQLAlchemy URL, or for the path of an SQLite file, whose folder is made if it may.

    Raises:
        SourceError: if the URL cannot be read, its driver is not installed, or a file that may not be made is missing.
    """
    try:
        url = sa.make_url(database) if "://" in database else sa.URL.create("sqlite", database=database)
        engine = sa.create_engine(url, hide_parameters=True)
    except (ArgumentError, ValueError):
        raise SourceError("database must be a file or a SQLAlchemy URL, as mysql+pymysql://user@host/name") from None
    except (NoSuchModuleError, ModuleNotFoundError) as error:
        raise SourceError(f"database needs a driver that is not installed: {masked(str(error))}") from None
    if url.get_backend_name() == "sqlite" and url.database and not url.database.startswith((":memory:", "file:")):
        _check_file(Path(url.database), make_folder=make_folder)
    if engine.dialect.driver == "pymysql" and any(ord(letter) > _LAST_OF_LATIN_1 for letter in url.password or ""):
        # PyMySQL cannot send it, and its own error has a part of it.
        raise SourceError("password of the database must be of Latin-1 letters alone, got others")
    return engine


def _check_file(file: Path, *, make_folder: bool) -> None:
    """Sees to it that an SQLite file can be made, or is there."""
    if file.is_dir():
        raise SourceError(f"database must be a file or a SQLAlchemy URL, got the folder {file}")
    if not make_folder:
        if not file.is_file():
            raise SourceError(f"database {file} must be there: python -m emulation generate makes one")
        return
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SourceError(f"database {file} cannot be made: {error.strerror}") from None


def described(engine: sa.Engine) -> str:
    """The database's name for people: the path of an SQLite file, else the URL without its password."""
    url = engine.url
    if url.get_backend_name() == "sqlite" and not url.query:
        return url.database or ":memory:"
    options = {name: "***" if _SECRET_OPTION.search(name) else value for name, value in url.query.items()}
    return url.set(query=options).render_as_string(hide_password=True)


def source_table(entity: Entity) -> sa.Table:
    """The entity's table as this project creates it: the key is the primary key, everything else may be null."""
    columns: list[sa.Column[object]] = [sa.Column(entity.key_fields[0], _KEY, primary_key=True, autoincrement=False)]
    columns += [sa.Column(name, _NUMBERS.get(name, sa.Text)) for name in entity.fields]
    return sa.Table(entity.source_table, sa.MetaData(), *columns, mysql_charset="utf8mb4")


def check_free(engine: sa.Engine) -> None:
    """Sees to it that no source is overwritten by accident.

    Raises:
        SourceError: if one of the three tables exists.
    """
    with _told(engine):
        there = [e.source_table for e in ENTITIES if sa.inspect(engine).has_table(e.source_table)]
    if there:
        raise SourceError(f"{described(engine)} already has {', '.join(there)}: --replace drops and makes them again")


def write_source(
    engine: sa.Engine, tables: Iterable[tuple[Entity, Iterable[Sequence[Row]]]], *, replace: bool = False
) -> dict[str, int]:
    """Makes the source tables, with an index on the key, and fills them.

    Where the database can (SQLite, PostgreSQL) it is one transaction: after a failure the old source is still there.

    Args:
        engine: the database.
        tables: for each table its rows, in lists of any length; values in the order of ``column_names``.
        replace: drop tables that exist; without it they are an error.

    Returns:
        How many rows each table has got, by the table's name.

    Raises:
        SourceError: if a table exists and ``replace`` is not set, or the database refuses.
    """
    if not replace:
        check_free(engine)
    rows: dict[str, int] = {}
    with _told(engine), engine.connect() as connection:
        _begin(connection)
        for entity, lists in tables:
            table = source_table(entity)
            table.drop(connection, checkfirst=True)
            table.create(connection)
            rows[table.name] = sum(_inserted(connection, table, batch) for batch in lists)
        connection.commit()
    return rows


def read_pages(
    engine: sa.Engine, entity: Entity, page: int = PAGE, *, after: int | None = None
) -> Iterator[Sequence[Row]]:
    """The rows of a source table in the order of their keys, each once, a page at a time.

    Each page starts after the last key of the one before: an OFFSET would read everything before it again. A key that
    several rows have (some sources have no primary key) never falls between two pages.

    Args:
        engine: the database.
        entity: whose table.
        page: rows a page.
        after: begin behind this key; None for the first row.

    Raises:
        SourceError: if the table or a column is missing, or the database refuses.
    """
    table, key = _keyed(entity)
    query, last, limit = sa.select(table).where(key.is_not(None)).order_by(key), after, page
    with _told(engine), engine.connect() as connection:
        while True:
            behind = query if last is None else query.where(key > last)
            rows: Sequence[Row] = list(map(tuple, connection.execute(behind.limit(limit)).all()))
            if len(rows) < limit:
                if rows:
                    yield rows
                return
            whole = _whole_keys(rows)
            if not whole:
                limit *= 2
                continue
            yield rows[:whole]
            last, limit = key_of(rows[whole - 1]), page


def read_rows(engine: sa.Engine, entity: Entity, page: int = PAGE, *, after: int | None = None) -> Iterator[Row]:
    """The rows of a source table one by one; see ``read_pages``."""
    return chain.from_iterable(read_pages(engine, entity, page, after=after))


def read_keys(engine: sa.Engine, entity: Entity, page: int = PAGE) -> Iterator[Sequence[int]]:
    """The keys of a source table, ascending, a page at a time."""
    _, key = _keyed(entity)
    with _told(engine), engine.connect() as connection:
        found = connection.execution_options(yield_per=page).execute(
            sa.select(key).where(key.is_not(None)).order_by(key)
        )
        yield from found.scalars().partitions()


def read_keyless(engine: sa.Engine, entity: Entity, page: int = PAGE) -> Iterator[Row]:
    """The rows of a source table that have no key, as a source without a primary key may hold."""
    table, key = _keyed(entity)
    with _told(engine), engine.connect() as connection:
        found = connection.execution_options(yield_per=page).execute(sa.select(table).where(key.is_(None)))
        for row in found:
            yield tuple(row)


def read_of(engine: sa.Engine, entity: Entity, keys: Sequence[int]) -> Sequence[Row]:
    """The rows of a source table that have one of the keys, in the order of their keys."""
    table, key = _keyed(entity)
    query = sa.select(table).where(key.in_(keys)).order_by(key)
    with _told(engine), engine.connect() as connection:
        return [tuple(row) for row in connection.execute(query)]


def _keyed(entity: Entity) -> tuple[sa.TableClause, sa.ColumnClause[int]]:
    """The table as any source has it, and its key."""
    names = column_names(entity)
    columns: list[sa.ColumnClause[int]] = [sa.column(name) for name in names]
    return sa.table(entity.source_table, *columns), columns[0]


def count_rows(engine: sa.Engine, entity: Entity) -> int:
    """How many rows a source table has."""
    with _told(engine), engine.connect() as connection:
        return connection.execute(sa.select(sa.func.count()).select_from(sa.table(entity.source_table))).scalar_one()


def _whole_keys(rows: Sequence[Row]) -> int:
    """How many rows to keep of a full page so that its last key is complete: all before the last key begins."""
    edges = (n for n, (one, other) in enumerate(pairwise(reversed(rows)), 1) if one[0] != other[0])
    return len(rows) - next(edges, len(rows))


def _begin(connection: sa.Connection) -> None:
    """On SQLite opens a transaction that holds the tables' creation too, and waits for no disk before its end."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("PRAGMA synchronous = OFF")
        connection.exec_driver_sql("BEGIN IMMEDIATE")


def _inserted(connection: sa.Connection, table: sa.Table, rows: Sequence[Row]) -> int:
    """Inserts rows, on the driver's own fast way where it takes values by position."""
    if not rows:
        return 0
    compiled = table.insert().compile(dialect=connection.dialect)
    if compiled.positional:
        connection.exec_driver_sql(str(compiled), list(rows))
    else:
        names = table.columns.keys()
        connection.execute(table.insert(), [dict(zip(names, row, strict=True)) for row in rows])
    return len(rows)


@contextmanager
def _told(engine: sa.Engine) -> Iterator[None]:
    """Turns an error of the database or its driver into one line without a password."""
    try:
        yield
    except (SQLAlchemyError, ModuleNotFoundError) as error:
        said = str(getattr(error, "orig", None) or error).strip().split("\n")[0]
        if engine.url.password:
            said = said.replace(str(engine.url.password), "***")
        raise SourceError(f"database {described(engine)} cannot be used: {masked(said)}") from None
