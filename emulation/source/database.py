"""The source database, reached and written through SQLAlchemy, whatever database the URL names; ``reader`` reads it.

Source: the data contract, section 2, for tables and columns. A password is part of the URL and is never printed.
"""

import logging
import re
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TypeVar

import sqlalchemy as sa
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, OperationalError, SQLAlchemyError

from emulation.source.source_records import Row
from pinterest_transforms.entities import ENTITIES, Entity
from pinterest_transforms.errors import PinterestError

DATABASE = "build/source.db"
RECONNECT_WAITS = (0.5, 1, 2, 4, 8, *[15] * 8)
"""Seconds before each attempt to reach again a database that was lost: a fail-over of RDS takes one to two minutes."""

_PASSWORD_IN_TEXT = re.compile(r"(://[^:/@\s]*):[^\s]*@")
_LAST_OF_LATIN_1 = 255
_SECRET_OPTION = re.compile(r"pass|secret|token|key", re.IGNORECASE)
# A server that vanished without a word would be waited for without an end.
_READ_SECONDS = 300
_UTC = {
    "mysql": "SET time_zone = '+00:00'",
    "mariadb": "SET time_zone = '+00:00'",
    "postgresql": "SET TIME ZONE 'UTC'",
}
# MySQL: shutdown in progress; query interrupted. What else closes a connection is known to SQLAlchemy.
_INTERRUPTED = (1053, 1317)
# What SQLite's driver says of bytes where text belongs.
_NO_TEXT = "Could not decode to UTF-8"
_T = TypeVar("_T")
_LOG = logging.getLogger(__name__)
# Its pool writes a traceback for each connection that a server closed; what is to be said of it is said here.
logging.getLogger("sqlalchemy.pool").addHandler(logging.NullHandler())

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
        if url.get_backend_name() in ("mysql", "mariadb") and "charset" in url.query:
            # Any other one has letters that it cannot hold, and the server replaces them without a word.
            url = url.update_query_dict({"charset": "utf8mb4"})
        engine = sa.create_engine(url, hide_parameters=True, pool_pre_ping=True)
    except (ArgumentError, ValueError):
        raise SourceError("database must be a file or a SQLAlchemy URL, as mysql+pymysql://user@host/name") from None
    except (NoSuchModuleError, ModuleNotFoundError) as error:
        raise SourceError(f"database needs a driver that is not installed: {masked(str(error))}") from None
    if url.get_backend_name() == "sqlite" and url.database and not url.database.startswith((":memory:", "file:")):
        _check_file(Path(url.database), make_folder=make_folder)
    if engine.dialect.driver == "pymysql" and any(ord(letter) > _LAST_OF_LATIN_1 for letter in url.password or ""):
        # PyMySQL cannot send it, and its own error has a part of it.
        raise SourceError("password of the database must be of Latin-1 letters alone, got others")
    sa.event.listen(engine, "do_connect", _add_driver_options)
    sa.event.listen(engine, "connect", partial(_begin_session, engine.dialect.name))
    return engine


def _add_driver_options(dialect: sa.Dialect, _: object, __: object, options: dict[str, object]) -> None:
    """Bounds the wait for an answer, and has bit fields read as the numbers that they are."""
    if dialect.driver == "pymysql":
        from pymysql import constants, converters  # type: ignore[import-untyped]  # noqa: PLC0415 - other drivers do without

        options.setdefault("read_timeout", _READ_SECONDS)
        bit = {constants.FIELD_TYPE.BIT: partial(int.from_bytes, byteorder="big")}
        options["conv"] = {**converters.conversions, **bit}


def _begin_session(dialect: str, connection: DBAPIConnection, _: object) -> None:
    """Has the session's zone be UTC, which decides what a TIMESTAMP reads as."""
    if dialect in _UTC:
        cursor = connection.cursor()
        cursor.execute(_UTC[dialect])
        cursor.close()
        connection.commit()


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
    with database_errors(engine):
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
    with database_errors(engine), engine.connect() as connection:
        _begin(connection)
        for entity, lists in tables:
            table = source_table(entity)
            table.drop(connection, checkfirst=True)
            table.create(connection)
            rows[table.name] = sum(_inserted(connection, table, batch) for batch in lists)
        connection.commit()
    return rows


def count_rows(engine: sa.Engine, entity: Entity) -> int:
    """How many rows a source table has."""
    with database_errors(engine), engine.connect() as connection:
        return connection.execute(sa.select(sa.func.count()).select_from(sa.table(entity.source_table))).scalar_one()


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


def read_again(engine: sa.Engine, read: Callable[[sa.Connection], _T], *, patient: bool) -> _T:
    """What a function reads on a connection that is held no longer; on another one where the server closed it.

    Args:
        engine: the database.
        read: reads, and may be called again.
        patient: try again for about two minutes where the connection is lost.

    Raises:
        SourceError: the database refuses, or stays away.
    """
    with database_errors(engine):
        for wait in RECONNECT_WAITS if patient else ():
            try:
                return _read_once(engine, read)
            except DBAPIError as error:
                if not _is_lost(error):
                    raise
                _LOG.warning("database %s: %s; tries again in %g s", described(engine), _said(engine, error), wait)
            time.sleep(wait)
        return _read_once(engine, read)


def _read_once(engine: sa.Engine, read: Callable[[sa.Connection], _T]) -> _T:
    with engine.connect() as connection:
        try:
            return read(connection)
        except OperationalError as error:
            if _NO_TEXT not in str(error.orig):
                raise
            session = connection.connection.dbapi_connection
            if not isinstance(session, sqlite3.Connection):
                raise
            # So that one row costs no other one; ``records`` tells it apart. It takes three times as long.
            session.text_factory = partial(str, encoding="utf-8", errors="surrogateescape")
            try:
                return read(connection)
            finally:
                session.text_factory = str


def _is_lost(error: DBAPIError) -> bool:
    """Whether the connection is to blame, and not the statement; one that cannot be opened has no statement."""
    code = next(iter(getattr(error.orig, "args", ())), None)
    return error.connection_invalidated or error.statement is None or code in _INTERRUPTED


@contextmanager
def database_errors(engine: sa.Engine) -> Iterator[None]:
    """Turns an error of the database or its driver, whatever its kind, into one line without a password."""
    try:
        yield
    except PinterestError:
        raise
    except (SQLAlchemyError, ImportError, RuntimeError, TypeError, ValueError, OverflowError, OSError) as error:
        raise SourceError(f"database {described(engine)} cannot be used: {_said(engine, error)}") from None


def _said(engine: sa.Engine, error: Exception) -> str:
    """What an error says, in one line, without a password; that of a value is left out, since it may quote a row."""
    quotes = isinstance(error, ValueError) and not isinstance(error, UnicodeError)
    text = "" if quotes else str(getattr(error, "orig", None) or error).strip()
    said = text.split("\n")[0] or type(error).__name__
    if engine.url.password:
        said = said.replace(str(engine.url.password), "***")
    return masked(said)
