import sqlite3
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import mysql, postgresql
from sqlalchemy.schema import CreateTable

from emulation.source import database as source
from emulation.source.database import (
    RECONNECT_WAITS,
    SourceError,
    check_free,
    connect,
    count_rows,
    described,
    masked,
    read_again,
    source_table,
    write_source,
)
from emulation.source.source_records import column_names
from emulation.source.table_reader import read_pages, read_rows
from emulation.synthetic.generator import chunks
from pinterest_transforms.entities import ENTITIES, GEO, PIN, USER, Entity

CANARY = "c4n4ry"


def tables(posts: int, seed: int = 1) -> list:
    return [(entity, list(chunks(entity, posts, seed))) for entity in ENTITIES]


@pytest.mark.parametrize("engine_options", [{}, {"paramstyle": "named"}], ids=["by position", "by name"])
@pytest.mark.parametrize("entity", ENTITIES, ids=lambda entity: entity.name)
def test_what_is_written_is_read_again(tmp_path: Path, entity: Entity, engine_options: dict) -> None:
    engine = sa.create_engine(f"sqlite:///{tmp_path}/source.db", **engine_options)
    written = {e.name: rows for e, rows in tables(1200)}
    counts = write_source(engine, tables(1200))
    expected = [row for rows in written[entity.name] for row in rows]
    assert list(read_rows(engine, entity)) == expected
    assert counts[entity.source_table] == count_rows(engine, entity) == len(expected)


@pytest.mark.parametrize("page", [1, 2, 7, 299, 300, 301])
def test_pages_hold_every_row_once(tmp_path: Path, page: int) -> None:
    engine = connect(str(tmp_path / "source.db"))
    write_source(engine, tables(300))
    pages = list(read_pages(engine, PIN, page))
    keys = [row[0] for rows in pages for row in rows]
    assert keys == [row[0] for rows in tables(300)[0][1] for row in rows]
    assert all(0 < len(rows) <= max(page, 2) for rows in pages)


@pytest.mark.parametrize("page", [1, 2, 3, 5, 100])
def test_a_key_of_several_rows_is_not_torn_apart(tmp_path: Path, page: int) -> None:
    file = tmp_path / "source.db"
    keys = [1, 2, 2, 2, 2, 3, 5, 5, 9]
    with sqlite3.connect(file) as database:
        database.execute(
            f"CREATE TABLE user_data ({', '.join(column_names(USER))})"  # a source of somebody else: no primary key
        )
        database.executemany("INSERT INTO user_data (ind, age) VALUES (?, ?)", list(enumerate_ages(keys)))
    rows = list(read_rows(connect(str(file)), USER, page))
    assert [row[0] for row in rows] == keys
    assert sorted(row[3] for row in rows) == list(range(len(keys)))


def enumerate_ages(keys: list[int]) -> list[tuple[int, int]]:
    return [(key, number) for number, key in enumerate(keys)]


def test_a_source_is_not_overwritten(tmp_path: Path) -> None:
    file = tmp_path / "folder" / "source.db"
    engine = connect(str(file))
    write_source(engine, tables(20))
    before = list(read_rows(engine, PIN))
    for attempt in (lambda: check_free(engine), lambda: write_source(engine, tables(30))):
        with pytest.raises(SourceError) as raised:
            attempt()
        assert str(raised.value) == (
            f"{file} already has pinterest_data, geolocation_data, user_data: --replace drops and makes them again"
        )
    assert list(read_rows(engine, PIN)) == before
    write_source(engine, tables(30), replace=True)
    assert len(list(read_rows(engine, PIN))) > len(before)


def test_a_failed_replacement_leaves_the_old_source(tmp_path: Path) -> None:
    engine = connect(str(tmp_path / "source.db"))
    write_source(engine, tables(20))
    before = [list(read_rows(engine, entity)) for entity in ENTITIES]

    def breaking():
        yield PIN, chunks(PIN, 50, 2)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_source(engine, breaking(), replace=True)
    assert [list(read_rows(engine, entity)) for entity in ENTITIES] == before


def test_a_failed_first_time_leaves_nothing(tmp_path: Path) -> None:
    engine = connect(str(tmp_path / "source.db"))
    rows = next(chunks(PIN, 50, 2))
    with pytest.raises(SourceError, match=r"\Adatabase .*source.db cannot be used: UNIQUE constraint failed: .*\Z"):
        write_source(engine, [(PIN, [rows, rows])])
    check_free(engine)


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
def test_other_databases_get_fitting_tables(dialect: sa.Dialect, key: str, latitude: str) -> None:
    pins = str(CreateTable(source_table(PIN)).compile(dialect=dialect))
    assert f"{key} BIGINT NOT NULL" in pins
    assert f"PRIMARY KEY ({key})" in pins
    assert f"latitude {latitude}" in str(CreateTable(source_table(GEO)).compile(dialect=dialect))
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
        check_free(connect(url))
    assert CANARY not in str(raised.value)
    assert raised.value.__cause__ is None
    assert "\n" not in str(raised.value)


def test_databases_are_described_without_their_secrets() -> None:
    assert described(connect(f"mysql+pymysql://me:{CANARY}@host/posts")) == "mysql+pymysql://me:***@host/posts"
    assert described(connect("sqlite://")) == ":memory:"
    assert masked(f"cannot read a://b:{CANARY}@c and d://e:{CANARY}@f") == "cannot read a://b:***@c and d://e:***@f"


def test_what_is_no_source_says_so_in_one_line(tmp_path: Path) -> None:
    file = tmp_path / "notes.txt"
    file.write_text("no database at all, but long enough to have a header" * 20)
    with pytest.raises(SourceError) as raised:
        check_free(connect(str(file)))
    assert str(raised.value) == f"database {file} cannot be used: file is not a database"
    with pytest.raises(SourceError) as raised:
        list(read_rows(connect(str(tmp_path / "empty.db")), PIN))
    assert str(raised.value) == f"database {tmp_path}/empty.db cannot be used: no such table: pinterest_data"
    with pytest.raises(SourceError) as raised:
        connect(str(file / "below" / "source.db"))
    assert str(raised.value) == f"database {file}/below/source.db cannot be made: Not a directory"


def lost(code: int = 2013, statement: str | None = "SELECT 1", *, closed: bool = False) -> sa.exc.OperationalError:
    """An error as SQLAlchemy wraps a driver's."""
    said = Exception(code, "Lost connection")
    return sa.exc.OperationalError(statement, None, said, connection_invalidated=closed)


LOST = [lost(closed=True), lost(1053), lost(1317), lost(2003, statement=None)]
"""Closed in the middle, a server that goes down, a query it interrupted, and one that cannot be reached again."""


@pytest.mark.parametrize("error", LOST, ids=str)
def test_a_database_that_was_there_is_waited_for(error: Exception, monkeypatch, caplog) -> None:
    engine, waits, failures = connect("sqlite://"), [], [error] * 3
    monkeypatch.setattr(source.time, "sleep", waits.append)

    def read(_: sa.Connection) -> str:
        if failures:
            raise failures.pop()
        return "read"

    assert read_again(engine, read, patient=True) == "read"
    assert waits == list(RECONNECT_WAITS[:3])
    said = f"database :memory:: {error.orig}; tries again in "
    assert [record.message for record in caplog.records] == [f"{said}{wait:g} s" for wait in waits]
    # A bound, and one line; at the first read, or where the statement is to blame, none is waited for.
    for tries, patient, each in ((len(RECONNECT_WAITS) + 1, True, error), (1, False, error), (1, True, lost(1054))):
        failures[:] = [each] * 99
        with pytest.raises(SourceError, match=r"\Adatabase :memory: cannot be used: \(\d+, 'Lost connection'\)\Z"):
            read_again(engine, read, patient=patient)
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
        read_again(connect("sqlite://"), fail, patient=True)
    assert str(raised.value).startswith(f"database :memory: cannot be used: {said}")
    assert "c4n4ry" not in str(raised.value)
    assert "\n" not in str(raised.value)
