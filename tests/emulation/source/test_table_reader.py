"""Sources of others: keys stored in any way, a key by either name, texts that are none, rows that cannot be sent."""

import json
import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa

from emulation.cli.emulation_cli import main
from emulation.emulation_errors import SourceError
from emulation.source.database import connect
from emulation.source.post_reader import draw_posts, read_posts_by_key
from emulation.source.source_records import MAX_KEY, encode_record, parse_key
from emulation.source.table_reader import TableReader
from pinterest_transforms.entities import ENTITIES, GEO, PIN, USER
from tests.emulation import fake_api_server as api
from tests.emulation.emulation_commands import build_arguments, count_stored
from tests.emulation.fake_api_server import Server

WHOLE = [10, 9, 100, 2, 0, 11]
FITTING = f"key must be a whole number from 0 to {MAX_KEY}, got "
# How the key's column is declared, what stands in it, and of that which is no key.
STORED: dict[str, tuple[str, list, list]] = {
    "whole numbers": ("INTEGER", [*WHOLE, MAX_KEY], [-1, None]),
    "a whole number as primary key": ("INTEGER PRIMARY KEY", [*WHOLE, 2**53 + 1], [-3]),
    "doubles": ("REAL", [float(key) for key in WHOLE], [1.5, -1.0, 9.3e18, None]),
    "texts": ("TEXT", [str(key) for key in (*WHOLE, MAX_KEY)], ["n/a", "-1", "1.5", str(MAX_KEY + 1), None]),
    "texts of a CSV": ("", ["10", "9.0", " 100 ", "0002", "0", "11e0"], ["", "seven", "1,000", "７", "7\n8"]),
    "texts of decimals": ("VARCHAR(20) PRIMARY KEY", [f"{key}.00" for key in WHOLE], ["1.50", "NaN"]),
    "everything": ("", [10, "9", 100.0, b"2", "0", 11], [b"x", "CAST(X'37E9' AS TEXT)", -1, 2.5, "", None]),
    "one text among whole numbers": ("BIGINT", WHOLE, ["n/a"]),
}


def make(file: Path, columns: dict[str, str], rows: Iterable[dict[str, object]], table: str = "pinterest_data") -> None:
    """Makes a table as others have it: columns of any names and types; a value ``CAST(…)`` is SQL."""
    with closing(sqlite3.connect(file)) as database, database:
        named = ", ".join(f'"{name}" {kind}' for name, kind in columns.items())
        database.execute(f"CREATE TABLE {table} ({named})")
        for row in rows:
            sql = {name: str(value) for name, value in row.items() if str(value).startswith("CAST(")}
            marks = ", ".join(sql.get(name, "?") for name in row)
            names = ", ".join(f'"{name}"' for name in row)
            bound = [value for name, value in row.items() if name not in sql]
            database.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", bound)


def others(file: Path, kind: str, keys: Sequence[object], **names: str) -> Path:
    """A source with these keys in all three tables; the second field of each row has its number."""
    for entity in ENTITIES:
        key = names.get(entity.name, "ind")
        rows = [{key: stored, entity.fields[0]: str(number)} for number, stored in enumerate(keys)]
        make(file, {key: kind, **dict.fromkeys(entity.fields, "TEXT")}, rows, entity.source_table)
    return file


@pytest.mark.parametrize("page", [1, 2, 3, 100])
@pytest.mark.parametrize("way", STORED)
def test_rows_are_read_in_numeric_key_order(way: str, page: int, tmp_path: Path) -> None:
    kind, good, bad = STORED[way]
    reader = TableReader(connect(str(others(tmp_path / "a.db", kind, [*bad, *good, *bad[:0]]))), PIN)
    expected = sorted((parse_key(stored), str(number)) for number, stored in enumerate(good, len(bad)))
    assert [row[:2] for rows in reader.read_pages(page) for row in rows] == expected
    for after in (0, 9, 10, 50):
        behind = [row[:2] for rows in reader.read_pages(page, after=after) for row in rows]
        assert behind == [(key, number) for key, number in expected if key > after]
    assert list(reader.read_keys()) == [key for key, _ in expected]
    assert [row[:2] for row in reader.read_rows([10, 0, 77, 9])] == [row for row in expected if row[0] in (0, 9, 10)]
    assert sorted(row[1] for row in reader.read_unusable()) == sorted(str(number) for number in range(len(bad)))


@pytest.mark.parametrize("page", [1, 2, 4, 100])
@pytest.mark.parametrize(("kind", "first"), [("", 7), ("TEXT", "7"), ("REAL", 7), ("DECIMAL(9)", "7")])
def test_a_key_stored_in_several_spellings_returns_all_rows(
    kind: str, first: object, page: int, tmp_path: Path
) -> None:
    keys = [8, first, "7.0", "07", 7.0, "7e0", 6, "n/a", first]
    reader = TableReader(connect(str(others(tmp_path / "a.db", kind, keys))), USER)
    rows = [row for rows in reader.read_pages(page) for row in rows]
    assert [row[0] for row in rows] == [6, *[7] * 6, 8]
    assert sorted(row[1] for row in rows) == sorted("012345678".replace("7", ""))
    assert [row[:2] for row in reader.read_unusable()] == [("n/a", "7")]


@pytest.mark.parametrize("names", [{}, {"pin": "index", "geo": "index", "user": "INDEX"}, {"pin": "Ind"}], ids=str)
def test_the_key_has_either_name(names: dict[str, str], tmp_path: Path) -> None:
    engine = connect(str(others(tmp_path / "a.db", "BIGINT", [3, 1], **names)))
    sent = [(r.entity.name, r.key, json.loads(r.value)) for some in read_posts_by_key(engine) for r in some]
    assert [(name, key) for name, key, _ in sent] == [(entity.name, key) for key in (1, 3) for entity in ENTITIES]
    # Whatever the column's name, the record is as the contract has it.
    assert [value.get("index", value.get("ind")) for _, _, value in sent] == [1, 1, 1, 3, 3, 3]
    assert [next(iter(value)) for _, _, value in sent] == ["index", "ind", "ind"] * 2


def test_a_table_without_a_key_is_one_line(tmp_path: Path) -> None:
    make(tmp_path / "a.db", {"id": "INTEGER", **dict.fromkeys(PIN.fields, "TEXT")}, [])
    with pytest.raises(SourceError, match=r"\Atable pinterest_data must have a column index or ind, got neither\Z"):
        TableReader(connect(str(tmp_path / "a.db")), PIN).read_keys()
    make(tmp_path / "b.db", {"ind": "INTEGER", "title": "TEXT"}, [{"ind": 1}])
    with pytest.raises(SourceError, match=r"b.db cannot be used: no such column: pinterest_data.unique_id\Z"):
        list(TableReader(connect(str(tmp_path / "b.db")), PIN).read_pages())


@pytest.mark.parametrize("way", ["texts", "doubles", "everything", "one text among whole numbers"])
def test_the_commands_accept_keys_of_every_storage_type(way: str, server: Server, tmp_path: Path, capsys) -> None:
    kind, good, bad = STORED[way]
    file = others(tmp_path / "a.db", kind, [*good, *bad])
    keys = sorted(parse_key(stored) for stored in good)

    def sent(*which: str) -> list[tuple[str, int]]:
        server.taken.clear()
        assert main(build_arguments("batches", server, file, tmp_path, *which)) == (which == ("--all",) and bool(bad))
        return sorted(count_stored(server).elements())

    names = [f"abc123.{entity.name}" for entity in ENTITIES]
    assert sent("--all") == sorted((name, key) for name in names for key in keys)
    assert sent("--rows", "3") == sorted((name, key) for name in names for key in keys[:3])
    assert {key for _, key in sent("--rows", "50", "--random")} == set(keys)
    lines = [json.loads(line) for line in (tmp_path / "failed.jsonl").read_text().splitlines()]
    assert [line["entity"] for line in lines] == [entity.name for entity in ENTITIES for _ in bad]
    none = "a record must have a key, got none"
    assert {line["reason"] for line in lines} <= {none, f"{FITTING}other text", f"{FITTING}another number"}
    capsys.readouterr()
    assert main(["show", "--database", str(file)]) == 0
    shown = [json.loads(line.partition(": ")[2]) for line in capsys.readouterr().out.splitlines()]
    assert len({record.get("index", record.get("ind")) for record in shown}) == 1
    assert len(shown) == len(ENTITIES)


# As SQL or as a value; the reason.
NO_TEXT = {
    "latin-1": ("CAST(X'436166E9' AS TEXT)", "title must be text in UTF-8, got invalid bytes or a lone surrogate"),
    "cut inside a letter": ("CAST(X'43F09F98' AS TEXT)", "title must be text in UTF-8"),
    "half a surrogate pair": ("CAST(X'EDA0BD' AS TEXT)", "title must be text in UTF-8"),
    "bytes of a picture": (b"\x89PNG\r\n\x1a\n\x00", "title must be text"),
}


def test_invalid_text_fails_its_row_only(server: Server, tmp_path: Path, capsys) -> None:
    good = {"bytes of a text": "Café".encode(), "a reversed solidus": "\\u0000", "letters": "é\u2028🙂", "none": None}
    good["U+0000"] = "a\0b"
    titles = [*good.values(), *(value for value, _ in NO_TEXT.values())]
    file = others(tmp_path / "a.db", "INTEGER", [])
    with closing(sqlite3.connect(file)) as database:
        database.execute("DROP TABLE pinterest_data")
    columns = {"index": "INTEGER", **dict.fromkeys(PIN.fields, "")}
    make(file, columns, [{"index": n, "title": title} for n, title in enumerate(titles)])
    assert main(build_arguments("batches", server, file, tmp_path, "--all")) == 1
    assert [value["title"] for _, _, value in server.taken] == ["Café", "\\u0000", "é\u2028🙂", None, "a\0b"]
    failed = tmp_path / "failed.jsonl"
    lines = [json.loads(line) for line in failed.read_text(encoding="utf-8").splitlines()]
    assert [line["key"] for line in lines] == list(range(len(good), len(titles)))
    for line, (value, reason) in zip(lines, NO_TEXT.values(), strict=True):
        assert line["reason"].startswith(reason)
        kept = line["value"]["title"].encode("utf-8", "surrogateescape")
        raw = bytes.fromhex(value[7:-10]) if str(value).startswith("CAST") else value
        assert kept == (raw.encode() if isinstance(raw, str) else raw)
    out, error = capsys.readouterr()
    assert "Caf" not in out + error + "".join(line["reason"] for line in lines)
    # Sent again they are still what they are.
    again = tmp_path / "again.jsonl"
    assert (
        main([*build_arguments("batches", server, file, tmp_path, "--resend", str(failed)), "--failed", str(again)])
        == 1
    )
    assert again.read_bytes() == failed.read_bytes()
    assert len(server.taken) == len(good)


@pytest.mark.parametrize("text", ["\ud83d", "a\udce9b", "\udc00\ud800"])
def test_a_lone_surrogate_is_never_replaced(text: str) -> None:
    value, unfit = encode_record({"ind": 7, "country": text})
    assert unfit == "country must be text in UTF-8, got invalid bytes or a lone surrogate"
    assert value.isascii()
    assert json.loads(value)["country"] == text
    assert encode_record({"ind": 2**70, "country": "é"}) == (f'{{"ind":{2**70},"country":"é"}}'.encode(), "")


def test_posts_are_drawn_from_rows_with_usable_keys(tmp_path: Path) -> None:
    engine = connect(str(others(tmp_path / "a.db", "TEXT", ["n/a", "07", "8", ""])))
    records = next(draw_posts(engine, 1, limit=40))
    assert {record.key for record in records} == {7, 8}
    with pytest.raises(SourceError, match=r"\Atable pinterest_data must have rows with a usable key, got none\Z"):
        next(draw_posts(connect(str(others(tmp_path / "b.db", "TEXT", ["n/a"]))), 1))


def test_a_run_resumes_after_its_last_key(server: Server, tmp_path: Path) -> None:
    file = others(tmp_path / "a.db", "TEXT", ["n/a", *map(str, range(1500))])
    server.script += [api.accept] * 3
    server.usual = api.status(401, "no")
    given = build_arguments("batches", server, file, tmp_path, "--all", "--at-once", "1")
    assert main(given) == 2
    first = set(count_stored(server))
    assert 0 < len(first) < 3 * 1500
    server.taken.clear()
    server.usual = api.accept
    assert main(given) == 1
    assert first.isdisjoint(count_stored(server))
    assert first | set(count_stored(server)) == {
        (f"abc123.{e.name}", key) for e in (PIN, GEO, USER) for key in range(1500)
    }


def test_tables_with_different_key_types_are_read_together(tmp_path: Path) -> None:
    keys = [9, 10, 2, 100, 33]
    for entity, (kind, stored) in zip(ENTITIES, (("TEXT", str), ("BIGINT", int), ("REAL", float)), strict=True):
        rows = [{"ind": stored(key), entity.fields[0]: str(key)} for key in keys]
        make(tmp_path / "a.db", {"ind": kind, **dict.fromkeys(entity.fields, "")}, rows, entity.source_table)
    engine = connect(str(tmp_path / "a.db"))
    sent = [(r.post, r.key, r.entity.name) for some in read_posts_by_key(engine) for r in some]
    names = [entity.name for entity in ENTITIES]
    assert sorted(sent) == sorted((post, key, name) for post, key in enumerate(sorted(keys)) for name in names)
    assert [key for _, key, name in sent if name == "pin"] == sorted(keys)
    assert {r.key for some in read_posts_by_key(engine, after=9, first=2, limit=2) for r in some} == {10, 33}


@pytest.mark.parametrize("way", STORED)
def test_a_key_is_found_in_every_spelling_and_no_other_value_is_taken_for_it(tmp_path: Path, way: str) -> None:
    kind, keys, broken = STORED[way]
    engine = connect(str(others(tmp_path / "source.db", kind, [*keys, *broken], pin="index")))
    for entity in ENTITIES:
        name, stored = TableReader(engine, entity).find_stored_keys({0, 9, 1, 7})
        assert name == ("index" if entity == PIN else "ind")
        with engine.connect() as connection:
            column = sa.column(name)
            query = sa.select(column).select_from(sa.table(entity.source_table, column)).where(column.in_(stored))
            found = connection.execute(query).scalars().all()
        assert sorted(map(repr, found)) == sorted(repr(key) for key in keys if parse_key(key) in {0, 9, 1, 7})
