import sqlite3
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import mysql, postgresql
from sqlalchemy.schema import CreateTable

from emulation.emulation_errors import SourceError, redact
from emulation.source import database
from emulation.source.database import (
    RECONNECT_WAITS,
    build_table,
    check_no_source,
    connect,
    count_rows,
    describe_database,
    read_with_retry,
    write_source,
)
from emulation.source.source_records import column_names
from emulation.source.table_reader import TableReader
from emulation.synthetic.generator import generate_rows
from pinterest_transforms.entities import ENTITIES, GEO, PIN, USER, Entity

CANARY = "c4n4ry"


def read_rows(engine: sa.Engine, entity: Entity, size: int = 10_000) -> list[tuple]:
    return [row for page in TableReader(engine, entity).read_pages(size) for row in page]


def tables(posts: int, seed: int = 1) -> list:
    return [(entity, list(generate_rows(entity, posts, seed))) for entity in ENTITIES]


@pytest.mark.parametrize("engine_options", [{}, {"paramstyle": "named"}], ids=["by position", "by name"])
@pytest.mark.parametrize("entity", ENTITIES, ids=lambda entity: entity.name)
def test_written_rows_are_read_unchanged(tmp_path: Path, entity: Entity, engine_options: dict) -> None:
    engine = sa.create_engine(f"sqlite:///{tmp_path}/source.db", **engine_options)
    written = {e.name: rows for e, rows in tables(1200)}
    counts = write_source(engine, tables(1200))
    expected = [row for rows in written[entity.name] for row in rows]
    assert read_rows(engine, entity) == expected
    assert counts[entity.source_table] == count_rows(engine, entity) == len(expected)


@pytest.mark.parametrize("page", [1, 2, 7, 299, 300, 301])
def test_pages_have_each_row_once(tmp_path: Path, page: int) -> None:
    engine = connect(str(tmp_path / "source.db"))
    write_source(engine, tables(300))
    pages = list(TableReader(engine, PIN).read_pages(page))
    keys = [row[0] for rows in pages for row in rows]
    assert keys == [row[0] for rows in tables(300)[0][1] for row in rows]
    assert all(0 < len(rows) <= max(page, 2) for rows in pages)


@pytest.mark.parametrize("page", [1, 2, 3, 5, 100])
def test_rows_of_one_key_are_on_one_page(tmp_path: Path, page: int) -> None:
    file = tmp_path / "source.db"
    keys = [1, 2, 2, 2, 2, 3, 5, 5, 9]
    with sqlite3.connect(file) as database:
        database.execute(
            f"CREATE TABLE user_data ({', '.join(column_names(USER))})"  # a source of somebody else: no primary key
        )
        database.executemany("INSERT INTO user_data (ind, age) VALUES (?, ?)", list(enumerate_ages(keys)))
    rows = read_rows(connect(str(file)), USER, page)
    assert [row[0] for row in rows] == keys
    assert sorted(row[3] for row in rows) == list(range(len(keys)))


def enumerate_ages(keys: list[int]) -> list[tuple[int, int]]:
    return [(key, number) for number, key in enumerate(keys)]


def test_a_source_is_not_overwritten(tmp_path: Path) -> None:
    file = tmp_path / "folder" / "source.db"
    engine = connect(str(file))
    write_source(engine, tables(20))
    before = read_rows(engine, PIN)
    for attempt in (lambda: check_no_source(engine), lambda: write_source(engine, tables(30))):
        with pytest.raises(SourceError) as raised:
            attempt()
        assert str(raised.value) == (
            f"{file} already has pinterest_data, geolocation_data, user_data: --replace drops and creates them again"
        )
    assert read_rows(engine, PIN) == before
    write_source(engine, tables(30), replace=True)
    assert len(read_rows(engine, PIN)) > len(before)


def test_a_failed_replacement_keeps_the_old_source(tmp_path: Path) -> None:
    engine = connect(str(tmp_path / "source.db"))
    write_source(engine, tables(20))
    before = [read_rows(engine, entity) for entity in ENTITIES]

    def breaking():
        yield PIN, generate_rows(PIN, 50, 2)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_source(engine, breaking(), replace=True)
    assert [read_rows(engine, entity) for entity in ENTITIES] == before


def test_a_failed_first_write_leaves_nothing(tmp_path: Path) -> None:
    engine = connect(str(tmp_path / "source.db"))
    rows = next(generate_rows(PIN, 50, 2))
    with pytest.raises(SourceError, match=r"\Adatabase .*source.db cannot be used: UNIQUE constraint failed: .*\Z"):
        write_source(engine, [(PIN, [rows, rows])])
    check_no_source(engine)


def test_the_key_is_indexed(tmp_path: Path) -> None:
    engine = connect(str(tmp_path / "source.db"))
    write_source(engine, tables(10))
    with engine.connect() as connection:
        plan = connection.exec_driver_sql('EXPLAIN QUERY PLAN SELECT * FROM pinterest_data WHERE "index" > 5').all()
    assert "USING INTEGER PRIMARY KEY" in plan[0][-1]


@pytest.mark.parametrize(
    ("dialect", "key", "latitude"),
    [(mysql.dialect(), "`index`", "DOUBLE"), (postgresql.dialect(), "index", "DOUBLE PRECISION")],
    ids=["mysql", "postgresql"],
)
def test_tables_have_the_types_of_each_database(dialect: sa.Dialect, key: str, latitude: str) -> None:
    pins = str(CreateTable(build_table(PIN)).compile(dialect=dialect))
    assert f"{key} BIGINT NOT NULL" in pins
    assert f"PRIMARY KEY ({key})" in pins
    assert f"latitude {latitude}" in str(CreateTable(build_table(GEO)).compile(dialect=dialect))
    if dialect.name == "mysql":
        assert "CHARSET=utf8mb4" in pins


@pytest.mark.parametrize(
    "url",
    [
        f"mysql+pymysql://somebody:{CANARY}@127.0.0.1:1/posts",
        f"mysql+pymysql://somebody:%40{CANARY}%2F@127.0.0.1:1/posts",
        f"mysql+pymysql://somebody@127.0.0.1:1/posts?password={CANARY}",
        f"mysql+pymysql://somebody:{CANARY}@127.0.0.1:notaport/posts",
        f"mysql+nodriver://somebody:{CANARY}@127.0.0.1/posts",
        f"nodatabase://somebody:{CANARY}@127.0.0.1/posts",
        f"://somebody:{CANARY}@x",
    ],
)
def test_a_password_is_never_shown(url: str) -> None:
    with pytest.raises(SourceError) as raised:
        check_no_source(connect(url))
    assert CANARY not in str(raised.value)
    assert raised.value.__cause__ is None
    assert "\n" not in str(raised.value)


def test_databases_are_described_without_their_secrets() -> None:
    assert describe_database(connect(f"mysql+pymysql://me:{CANARY}@host/posts")) == "mysql+pymysql://me:***@host/posts"
    assert describe_database(connect("sqlite://")) == ":memory:"
    assert redact(f"cannot read a://b:{CANARY}@c and d://e:{CANARY}@f") == "cannot read a://b:***@c and d://e:***@f"


def test_a_file_that_is_no_database_is_one_line(tmp_path: Path) -> None:
    file = tmp_path / "notes.txt"
    file.write_text("no database at all, but long enough to have a header" * 20)
    with pytest.raises(SourceError) as raised:
        check_no_source(connect(str(file)))
    assert str(raised.value) == f"database {file} cannot be used: file is not a database"
    with pytest.raises(SourceError) as raised:
        read_rows(connect(str(tmp_path / "empty.db")), PIN)
    assert str(raised.value) == f"database {tmp_path}/empty.db cannot be used: no such table: pinterest_data"
    with pytest.raises(SourceError) as raised:
        connect(str(file / "below" / "source.db"))
    assert str(raised.value) == f"database {file}/below/source.db cannot be created: Not a directory"


def lost(code: int = 2013, statement: str | None = "SELECT 1", *, closed: bool = False) -> sa.exc.OperationalError:
    """An error as SQLAlchemy wraps a driver's."""
    said = Exception(code, "Lost connection")
    return sa.exc.OperationalError(statement, None, said, connection_invalidated=closed)


LOST = [lost(closed=True), lost(1053), lost(1317), lost(2003, statement=None)]
"""Closed in the middle, a server that goes down, a query it interrupted, and one that cannot be reached again."""


@pytest.mark.parametrize("error", LOST, ids=str)
def test_a_lost_connection_is_retried(error: Exception, monkeypatch, caplog) -> None:
    engine, waits, failures = connect("sqlite://"), [], [error] * 3
    monkeypatch.setattr(database.time, "sleep", waits.append)

    def read(_: sa.Connection) -> str:
        if failures:
            raise failures.pop()
        return "read"

    assert read_with_retry(engine, read, retry=True) == "read"
    assert waits == list(RECONNECT_WAITS[:3])
    said = f"database :memory:: {error.orig}; retries in "
    assert [record.message for record in caplog.records] == [f"{said}{wait:g} s" for wait in waits]
    # A bound, and one line; at the first read, or where the statement is to blame, none is waited for.
    for tries, retry, each in ((len(RECONNECT_WAITS) + 1, True, error), (1, False, error), (1, True, lost(1054))):
        failures[:] = [each] * 99
        with pytest.raises(SourceError, match=r"\Adatabase :memory: cannot be used: \(\d+, 'Lost connection'\)\Z"):
            read_with_retry(engine, read, retry=retry)
        assert len(failures) == 99 - tries
    assert 60 < sum(RECONNECT_WAITS) < 180


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (RuntimeError("'cryptography' package is required for caching_sha2_password"), "'cryptography' package is "),
        (OverflowError("int too large"), "int too large"),
        (UnicodeDecodeError("utf-8", b"c4n4ry\xe9", 6, 7, "invalid"), "'utf-8' codec can't decode byte 0xe9"),
        (FileNotFoundError(2, "No such file or directory", "ca.pem"), "[Errno 2] No such file"),
        (TypeError("unexpected keyword argument 'foo'\nmore"), "unexpected keyword argument 'foo'"),
        (ValueError("year 10000 is out of range: c4n4ry"), "ValueError"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_an_error_of_a_driver_is_one_line(error: Exception, said: str) -> None:
    def fail(_: sa.Connection) -> None:
        raise error

    with pytest.raises(SourceError) as raised:
        read_with_retry(connect("sqlite://"), fail, retry=True)
    assert str(raised.value).startswith(f"database :memory: cannot be used: {said}")
    assert "c4n4ry" not in str(raised.value)
    assert "\n" not in str(raised.value)
