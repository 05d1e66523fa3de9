"""Sending from a real MariaDB, as from RDS: its types, its pages, its credentials file."""

import datetime as dt
import decimal
import time
from collections import Counter
from pathlib import Path

import pymysql
import pytest
import yaml

from emulation import posts
from emulation.cli import main
from emulation.credentials import database_url
from emulation.reader import read_pages
from emulation.source import connect, write_source
from emulation.synthetic import chunks
from local.mariadb import DATABASE, USER
from pinterest_transforms.entities import ENTITIES, GEO, PIN
from tests.emulation.misbehaving import serving
from tests.stack.conftest import PASSWORD

POSTS = 20_000


@pytest.fixture
def credentials(mariadb: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A ``db_creds.yaml`` in the folder the test runs in."""
    file = tmp_path / "db_creds.yaml"
    given = {"HOST": "127.0.0.1", "USER": USER, "PASSWORD": PASSWORD, "PORT": mariadb, "DATABASE": DATABASE}
    file.write_text(yaml.safe_dump(given))
    monkeypatch.chdir(tmp_path)
    return file


def filled(credentials: Path, count: int = POSTS):
    engine = connect(database_url(None, "", {}, credentials))
    write_source(engine, ((entity, chunks(entity, count, 1)) for entity in ENTITIES), replace=True)
    return engine


def test_every_record_of_a_database_is_sent_once(credentials: Path, capsys) -> None:
    engine = filled(credentials)
    there = {entity.name: {row[0]: row for page in read_pages(engine, entity) for row in page} for entity in ENTITIES}
    with serving() as server:
        assert main(["batches", "--all", "--url", server.url, "--user-id", "abc123"]) == 0
        sent = Counter((origin, key) for origin, key, _ in server.taken)
        texts = {key: value["title"] for origin, key, value in server.taken if origin == "abc123.pin"}
    assert sent == Counter({(f"abc123.{name}", key): 1 for name, rows in there.items() for key in rows})
    assert texts == {key: row[2] for key, row in there["pin"].items()}
    assert PASSWORD not in "".join(capsys.readouterr())


def test_types_of_a_database_survive(credentials: Path, mariadb: int) -> None:
    engine = filled(credentials, 10)
    connection = pymysql.connect(
        host="127.0.0.1", port=mariadb, user=USER, password=PASSWORD, database=DATABASE, charset="utf8mb4"
    )
    with connection, connection.cursor() as cursor:
        cursor.execute(
            "ALTER TABLE geolocation_data MODIFY timestamp DATETIME, "
            "MODIFY latitude DECIMAL(9,6), MODIFY longitude FLOAT"
        )
        cursor.execute("DELETE FROM geolocation_data")
        row = (1, dt.datetime(2020, 8, 28, 3, 52, 47), decimal.Decimal("-77.967800"), 12.5, "Côte d'Ivoire 🙂")
        cursor.execute("INSERT INTO geolocation_data VALUES (%s, %s, %s, %s, %s)", row)
        connection.commit()
    found = [r.value.decode() for some in posts.posts_by_key(engine) for r in some if r.entity is GEO]
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


def test_late_pages_are_as_quick_as_early_ones(credentials: Path) -> None:
    engine = filled(credentials, 200_000)
    pages = read_pages(engine, PIN, 2000)
    times = []
    start = time.perf_counter()
    for _ in pages:
        times.append(time.perf_counter() - start)
        start = time.perf_counter()
    early, late = sorted(times[1:31])[15], sorted(times[-30:])[15]
    assert len(times) == 100
    assert late < 3 * early
