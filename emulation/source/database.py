"""Connects to the source database through SQLAlchemy, and creates and fills its tables; ``table_reader`` reads them.

Source: the data contract, section 2, for tables and columns. A password in the URL is never printed.
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

from emulation.emulation_errors import SourceError, redact
from emulation.source.source_records import Row
from pinterest_transforms.entities import ENTITIES, Entity
from pinterest_transforms.errors import PinterestError

DATABASE = "build/source.db"
RECONNECT_WAITS = (0.5, 1, 2, 4, 8, *[15] * 8)
"""Seconds before each attempt to reconnect: an RDS failover takes one to two minutes."""

_MAX_LATIN_1 = 255
_SECRET_OPTION = re.compile(r"pass|secret|token|key", re.IGNORECASE)
_READ_TIMEOUT = 300
_UTC = {
    "mysql": "SET time_zone = '+00:00'",
    "mariadb": "SET time_zone = '+00:00'",
    "postgresql": "SET TIME ZONE 'UTC'",
}
# MySQL: shutdown in progress; query interrupted. SQLAlchemy knows the other errors of a closed connection.
_INTERRUPTED = (1053, 1317)
_SQLITE_INVALID_TEXT = "Could not decode to UTF-8"
_T = TypeVar("_T")
_LOG = logging.getLogger(__name__)
# The pool logs a traceback for each connection that the server closed; ``read_with_retry`` logs one line.
logging.getLogger("sqlalchemy.pool").addHandler(logging.NullHandler())

_KEY_TYPE = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_NUMBER_TYPES: dict[str, type[sa.Integer] | type[sa.Double[float]]] = {
    "downloaded": sa.Integer,
    "age": sa.Integer,
    "latitude": sa.Double,
    "longitude": sa.Double,
}


def connect(database: str, *, create_folder: bool = True) -> sa.Engine:
    """An engine for a SQLAlchemy URL or the path of an SQLite file.

    Args:
        database: the URL or path.
        create_folder: create the SQLite file's folder; if false, the file must exist.

    Raises:
        SourceError: the URL is invalid, its driver is not installed, or a required file is missing.
    """
    try:
        url = sa.make_url(database) if "://" in database else sa.URL.create("sqlite", database=database)
        if url.get_backend_name() in ("mysql", "mariadb") and "charset" in url.query:
            # With any other charset the server silently replaces letters.
            url = url.update_query_dict({"charset": "utf8mb4"})
        is_limited = url.get_driver_name() != "pymysql" or "read_timeout" in url.query
        options = {} if is_limited else {"read_timeout": _READ_TIMEOUT}
        engine = sa.create_engine(url, hide_parameters=True, pool_pre_ping=True, connect_args=options)
    except (ArgumentError, ValueError):
        raise SourceError("database must be a file or a SQLAlchemy URL, as mysql+pymysql://user@host/name") from None
    except (NoSuchModuleError, ModuleNotFoundError) as error:
        raise SourceError(f"database needs a driver that is not installed: {redact(str(error))}") from None
    if url.get_backend_name() == "sqlite" and url.database and not url.database.startswith((":memory:", "file:")):
        _check_file(Path(url.database), create_folder=create_folder)
    if engine.dialect.driver == "pymysql" and any(ord(letter) > _MAX_LATIN_1 for letter in url.password or ""):
        # PyMySQL cannot send such a password, and its error quotes a part of it.
        raise SourceError("password of the database must have Latin-1 letters only, got others")
    sa.event.listen(engine, "connect", partial(_set_session_time_zone, engine.dialect.name))
    return engine


def _set_session_time_zone(dialect: str, connection: DBAPIConnection, _: object) -> None:
    """Sets the session's time zone to UTC, in which TIMESTAMP columns are returned."""
    if dialect in _UTC:
        cursor = connection.cursor()
        cursor.execute(_UTC[dialect])
        cursor.close()
        connection.commit()


def _check_file(file: Path, *, create_folder: bool) -> None:
    if file.is_dir():
        raise SourceError(f"database must be a file or a SQLAlchemy URL, got the folder {file}")
    if not create_folder:
        if not file.is_file():
            raise SourceError(f"database {file} must exist: create it with python -m emulation generate")
        return
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SourceError(f"database {file} cannot be created: {error.strerror}") from None


def describe_database(engine: sa.Engine) -> str:
    """The path of an SQLite file, else the URL without secrets."""
    url = engine.url
    if url.get_backend_name() == "sqlite" and not url.query:
        return url.database or ":memory:"
    options = {name: "***" if _SECRET_OPTION.search(name) else value for name, value in url.query.items()}
    return url.set(query=options).render_as_string(hide_password=True)


def build_table(entity: Entity) -> sa.Table:
    """The entity's table as ``write_source`` creates it: the key is the primary key, other columns are nullable."""
    key = sa.Column(entity.key_fields[0], _KEY_TYPE, primary_key=True, autoincrement=False)
    columns = [sa.Column(name, _NUMBER_TYPES.get(name, sa.Text)) for name in entity.fields]
    return sa.Table(entity.source_table, sa.MetaData(), key, *columns, mysql_charset="utf8mb4")


def check_no_source(engine: sa.Engine) -> None:
    """Checks that no source would be overwritten.

    Raises:
        SourceError: one of the three tables exists.
    """
    with convert_database_errors(engine):
        existing = [e.source_table for e in ENTITIES if sa.inspect(engine).has_table(e.source_table)]
    if existing:
        database = describe_database(engine)
        raise SourceError(f"{database} already has {', '.join(existing)}: --replace drops and creates them again")


def write_source(
    engine: sa.Engine, tables: Iterable[tuple[Entity, Iterable[Sequence[Row]]]], *, replace: bool = False
) -> dict[str, int]:
    """Creates the source tables, with an index on the key, and inserts their rows.

    In databases with transactional DDL (SQLite, PostgreSQL) it is one transaction: after a failure the previous source
    is unchanged.

    Args:
        engine: the database.
        tables: for each table its rows in lists of any length, values in the order of ``column_names``.
        replace: drop existing tables; without it they are an error.

    Returns:
        Number of rows by table name.

    Raises:
        SourceError: a table exists and ``replace`` is not set, or the database reports an error.
    """
    if not replace:
        check_no_source(engine)
    rows: dict[str, int] = {}
    with convert_database_errors(engine), engine.connect() as connection:
        if connection.dialect.name == "sqlite":
            # The driver's implicit transactions exclude DDL. Synced to disk at the end only.
            connection.exec_driver_sql("PRAGMA synchronous = OFF")
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        for entity, batches in tables:
            table = build_table(entity)
            table.drop(connection, checkfirst=True)
            table.create(connection)
            rows[table.name] = sum(_insert(connection, table, batch) for batch in batches)
        connection.commit()
    return rows


def count_rows(engine: sa.Engine, entity: Entity) -> int:
    """Number of rows in a source table."""
    with convert_database_errors(engine), engine.connect() as connection:
        return connection.execute(sa.select(sa.func.count()).select_from(sa.table(entity.source_table))).scalar_one()


def _insert(connection: sa.Connection, table: sa.Table, rows: Sequence[Row]) -> int:
    """Inserts rows; by position where the driver can, which is faster."""
    if not rows:
        return 0
    compiled = table.insert().compile(dialect=connection.dialect)
    if compiled.positional:
        connection.exec_driver_sql(str(compiled), list(rows))
    else:
        names = table.columns.keys()
        connection.execute(table.insert(), [dict(zip(names, row, strict=True)) for row in rows])
    return len(rows)


def read_with_retry(engine: sa.Engine, read: Callable[[sa.Connection], _T], *, retry: bool) -> _T:
    """Calls ``read`` with a connection that is released afterwards.

    Args:
        engine: the database.
        read: the function; may be called several times.
        retry: reconnect for about two minutes where the connection is lost.

    Raises:
        SourceError: the database reports an error or stays unreachable.
    """
    with convert_database_errors(engine):
        for wait in RECONNECT_WAITS if retry else ():
            try:
                return _read_once(engine, read)
            except DBAPIError as error:
                if not _is_connection_lost(error):
                    raise
                message = _describe_error(engine, error)
                _LOG.warning("database %s: %s; retries in %g s", describe_database(engine), message, wait)
            time.sleep(wait)
        return _read_once(engine, read)


def _read_once(engine: sa.Engine, read: Callable[[sa.Connection], _T]) -> _T:
    with engine.connect() as connection:
        try:
            return read(connection)
        except OperationalError as error:
            if _SQLITE_INVALID_TEXT not in str(error.orig):
                raise
            session = connection.connection.dbapi_connection
            if not isinstance(session, sqlite3.Connection):
                raise
            # Keeps the other rows; ``source_records`` finds the invalid ones. Three times slower, so only where needed.
            session.text_factory = partial(str, encoding="utf-8", errors="surrogateescape")
            try:
                return read(connection)
            finally:
                session.text_factory = str


def _is_connection_lost(error: DBAPIError) -> bool:
    """Whether the connection failed, not the statement; a failed connect has no statement."""
    code = next(iter(getattr(error.orig, "args", ())), None)
    return error.connection_invalidated or error.statement is None or code in _INTERRUPTED


@contextmanager
def convert_database_errors(engine: sa.Engine) -> Iterator[None]:
    """Converts any error of the database or its driver into one line without a password."""
    try:
        yield
    except PinterestError:
        raise
    except (SQLAlchemyError, ImportError, RuntimeError, TypeError, ValueError, OverflowError, OSError) as error:
        message = f"database {describe_database(engine)} cannot be used: {_describe_error(engine, error)}"
        raise SourceError(message) from None


def _describe_error(engine: sa.Engine, error: Exception) -> str:
    """The error's first line without a password. The text of a ValueError is left out: it may quote a row."""
    quotes_row = isinstance(error, ValueError) and not isinstance(error, UnicodeError)
    text = "" if quotes_row else str(getattr(error, "orig", None) or error).strip()
    line = text.split("\n")[0] or type(error).__name__
    if engine.url.password:
        line = line.replace(str(engine.url.password), "***")
    return redact(line)
