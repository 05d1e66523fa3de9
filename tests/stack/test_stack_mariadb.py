"""Sending from a real MariaDB, as from RDS: its types, its pages, its credentials file."""

import datetime as dt
import decimal
import itertools
from collections import Counter
from pathlib import Path

import pymysql
import pytest
import sqlalchemy as sa
import yaml

from emulation.cli.emulation_cli import main
from emulation.emulation_errors import SourceError
from emulation.source import database, post_reader
from emulation.source.database import connect, write_source
from emulation.source.database_credentials import resolve_database_url
from emulation.source.source_records import column_names, encode_record, parse_key
from emulation.source.table_reader import TableReader
from emulation.synthetic.generator import generate_rows
from local.stack.mariadb import DATABASE, USER
from pinterest_transforms.entities import ENTITIES, GEO, PIN
from pinterest_transforms.entities import USER as PERSON
from tests.emulation.fake_api_server import serve_api
from tests.stack.conftest import PASSWORD

POSTS, PAGE = 1_200, 100


@pytest.fixture
def credentials(mariadb: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A ``db_creds.yaml`` in the folder the test runs in."""
    file = tmp_path / "db_creds.yaml"
    given = {"HOST": "127.0.0.1", "USER": USER, "PASSWORD": PASSWORD, "PORT": mariadb, "DATABASE": DATABASE}
    file.write_text(yaml.safe_dump(given))
    monkeypatch.chdir(tmp_path)
    return file


def filled(credentials: Path, count: int = POSTS):
    engine = connect(resolve_database_url(None, "", {}, credentials))
    write_source(engine, ((entity, generate_rows(entity, count, 1)) for entity in ENTITIES), replace=True)
    return engine


@pytest.mark.usefixtures("mariadb")
def test_temporary_tables_of_another_server_are_left_alone(shared_temporary_folder: Path) -> None:
    """MariaDB deletes what is left in its temporary folder: two that start together failed by chance."""
    assert [file.name for file in shared_temporary_folder.iterdir()] == ["#sql-temptable-1-1.MAI"]


def connected(port: int) -> pymysql.Connection:
    """A connection beside the sender's."""
    return pymysql.connect(
        host="127.0.0.1", port=port, user=USER, password=PASSWORD, database=DATABASE, charset="utf8mb4", autocommit=True
    )


def test_every_record_of_a_database_is_sent_once(credentials: Path, monkeypatch, capsys) -> None:
    monkeypatch.setattr(TableReader.read_pages, "__defaults__", (PAGE,))
    engine = filled(credentials)
    there = {
        entity.name: {row[0]: row for page in TableReader(engine, entity).read_pages() for row in page}
        for entity in ENTITIES
    }
    with serve_api() as server:
        assert main(["batches", "--all", "--url", server.url, "--user-id", "abc123"]) == 0
        sent = Counter((origin, key) for origin, key, _ in server.taken)
        texts = {key: value["title"] for origin, key, value in server.taken if origin == "abc123.pin"}
    assert sent == Counter({(f"abc123.{name}", key): 1 for name, rows in there.items() for key in rows})
    assert texts == {key: row[2] for key, row in there["pin"].items()}
    assert PASSWORD not in "".join(capsys.readouterr())


def test_types_of_a_database_survive(credentials: Path, mariadb: int) -> None:
    engine = filled(credentials, 10)
    with connected(mariadb) as connection, connection.cursor() as cursor:
        cursor.execute(
            "ALTER TABLE geolocation_data MODIFY timestamp DATETIME, "
            "MODIFY latitude DECIMAL(9,6), MODIFY longitude FLOAT"
        )
        cursor.execute("DELETE FROM geolocation_data")
        row = (1, dt.datetime(2020, 8, 28, 3, 52, 47), decimal.Decimal("-77.967800"), 12.5, "Côte d'Ivoire 🙂")
        cursor.execute("INSERT INTO geolocation_data VALUES (%s, %s, %s, %s, %s)", row)
        connection.commit()
    found = [r.value.decode() for some in post_reader.read_posts_by_key(engine) for r in some if r.entity is GEO]
    said = '"timestamp":"2020-08-28T03:52:47","latitude":-77.9678,"longitude":12.5,"country":"Côte d\'Ivoire 🙂"'
    assert found == [f'{{"ind":1,{said}}}']


def test_a_wrong_password_is_one_line_without_it(credentials: Path, capsys) -> None:
    given = yaml.safe_load(credentials.read_text())
    credentials.write_text(yaml.safe_dump({**given, "PASSWORD": "c4n4ryWRONG"}))
    assert main(["batches", "--all", "--url", "http://127.0.0.1:1/s"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: database mysql+pymysql://sender:***@127.0.0.1")
    assert "Access denied" in said
    assert "c4n4ry" not in said
    assert said.count("\n") == 1


def test_a_late_page_reads_no_more_rows_than_an_early_one(credentials: Path, mariadb: int) -> None:
    engine = connect(resolve_database_url(None, "", {}, credentials))
    write_source(engine, [(PIN, generate_rows(PIN, POSTS, 1))], replace=True)
    counts = []
    with connected(mariadb) as connection, connection.cursor() as cursor:

        def count_rows(_: object = None) -> None:
            cursor.execute("SHOW GLOBAL STATUS LIKE 'Handler_read_next'")
            counts.append(int(cursor.fetchone()[1]))

        pages = TableReader(engine, PIN).read_pages(PAGE)
        count_rows()
        rows = sum(len(page) for page in pages if not count_rows())
        read = [after - before for before, after in itertools.pairwise(counts)]
        assert len(read) > 10
        assert max(read) <= 2 * PAGE, read
        cursor.execute(f"SELECT * FROM pinterest_data ORDER BY `index` LIMIT 1 OFFSET {rows - 1}")
        count_rows()
        assert counts[-1] - counts[-2] >= rows - 1  # what is counted


# How the key's column is declared; keys in it, those that are none.
STORED = {
    "VARCHAR(20) CHARACTER SET latin1 PRIMARY KEY": (["10", "9", "0100", "2.0", "11"], ["n/a", "-1", "", "clé"]),
    "TEXT CHARACTER SET utf8mb4": (["10", "9", " 100", "2", "2 ", "11"], ["７", "N/A", "n/a", None]),
    "DECIMAL(22,2)": (["10", "9", "100", "9223372036854775807"], ["1.5", "-1", "9223372036854775808", None]),
    "BIGINT UNSIGNED PRIMARY KEY": ([10, 9, 100, 9223372036854775807], [9223372036854775808, 2**64 - 1]),
    "DOUBLE": ([10, 9, 100, 2, 2], [0.5, -3, 9.3e18, None]),
    "VARBINARY(20)": (["10", "9", "100", "07"], ["x"]),
}


def test_keys_and_texts_are_read_as_stored(credentials: Path, mariadb: int) -> None:
    engine = connect(resolve_database_url(None, "", {}, credentials).replace("utf8mb4", "latin1"))
    for kind, (good, bad) in STORED.items():
        with connected(mariadb) as connection, connection.cursor() as cursor:
            cursor.execute("DROP TABLE IF EXISTS user_data")
            names = "first_name VARCHAR(9), last_name TEXT CHARACTER SET utf8mb4, age INT, date_joined DATE"
            cursor.execute(f"CREATE TABLE user_data (`Index` {kind}, {names}) CHARACTER SET latin1")
            rows = [(key, f"Zoë{n}", "Côté 🙂", 33, "2017-01-02") for n, key in enumerate([*bad, *good])]
            cursor.executemany("INSERT INTO user_data VALUES (%s, %s, %s, %s, %s)", rows)
        expected = sorted((parse_key(key), f"Zoë{n}") for n, key in enumerate(good, len(bad)))
        reader = TableReader(engine, PERSON)
        for page in (1, 3, 100):
            assert [row[:2] for rows in reader.read_pages(page) for row in rows] == expected, kind
            behind = [row[:2] for rows in reader.read_pages(page, after=9) for row in rows]
            assert behind == [row for row in expected if row[0] > 9], kind
        assert sorted(row[1] for row in reader.read_unusable()) == [f"Zoë{n}" for n in range(len(bad))], kind
        row = reader.read_rows([10, 77])[0]
        assert encode_record(dict(zip(column_names(PERSON), row, strict=True))) == (
            f'{{"ind":10,"first_name":"{row[1]}","last_name":"Côté 🙂","age":33,"date_joined":"2017-01-02"}}'.encode(),
            "",
        )
    engine.dispose()


def test_instants_are_read_as_utc(credentials: Path, mariadb: int) -> None:
    engine = filled(credentials, 10)
    with connected(mariadb) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT TIMESTAMPDIFF(MINUTE, UTC_TIMESTAMP(), NOW())")
        assert cursor.fetchone() == (330,)
        cursor.execute("DELETE FROM geolocation_data")
        cursor.execute("ALTER TABLE geolocation_data MODIFY timestamp TIMESTAMP NULL")
        cursor.execute("SET time_zone = '+00:00'")
        cursor.execute("INSERT INTO geolocation_data (ind, timestamp) VALUES (1, '2017-12-31 20:00:00'), (2, NULL)")
    assert [row[1] for page in TableReader(engine, GEO).read_pages() for row in page] == [
        dt.datetime(2017, 12, 31, 20),
        None,
    ]


def test_a_connection_that_is_closed_costs_nothing(credentials: Path, mariadb: int, monkeypatch) -> None:
    monkeypatch.setattr(database, "RECONNECT_WAITS", (0.0, 0.01, 0.01))
    engine = filled(credentials, 3000)
    keys = list(TableReader(engine, PIN).read_keys())
    statements = itertools.count()
    killed: set[int] = set()

    @sa.event.listens_for(engine, "before_cursor_execute")
    def kill(connection: sa.Connection, *_: object) -> None:
        if next(statements) in killed:
            with connected(mariadb) as other, other.cursor() as at:
                at.execute(f"KILL {connection.connection.thread_id()}")

    pages = TableReader(engine, PIN).read_pages(500)
    read = [row[0] for row in next(pages)]
    # One that waits in the pool, one in the middle, and three in a row.
    with engine.connect() as waiting, connected(mariadb) as other, other.cursor() as at:
        at.execute(f"KILL {waiting.connection.thread_id()}")
    first = next(statements)
    killed.update(first + n for n in (1, 3, 4, 5))
    read += [row[0] for page in pages for row in page]
    assert read == keys
    pages = TableReader(engine, PIN).read_pages(500)
    next(pages)
    killed.update(range(10_000))
    with pytest.raises(SourceError, match=r"\Adatabase mysql\S+:\*\*\*@\S+ cannot be used: \([^\n]+\)\Z"):
        next(pages)
    engine.dispose()
