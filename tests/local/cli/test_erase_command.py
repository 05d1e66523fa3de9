"""``python -m local erase``: its options, and what it erases beside the tables, whose part is faked here."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from emulation.source.database import connect, count_rows, write_source
from emulation.synthetic.generator import generate_rows
from local.cli import erase_command
from local.cli.step_progress import StepProgress
from pinterest_transforms.entities import ENTITIES
from pinterest_transforms.operations.erasure import ErasedRows
from pinterest_transforms.settings import Leg
from tests.local.conftest import Call

KEYS = (3, 5)
FAILED = b'{"entity": "geo", "key": 3, "reason": "r", "value": {"ind": 3}}\n{"entity": "geo", "value": {"ind": 4}}\n'


@pytest.fixture
def erased(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[tuple[object, ...]]:
    """What the library was asked to erase; it has tables of the batch leg only."""
    (tmp_path / "w" / "pinterest").mkdir(parents=True)
    asked: list[tuple[object, ...]] = []

    @contextmanager
    def session(*_: object, **__: object) -> Iterator[tuple[None, StepProgress]]:
        with StepProgress() as steps:
            yield None, steps

    def erase(leg: Leg, keys: set[int], *, purge: bool, **_log: object) -> list[ErasedRows]:
        asked.append((leg.settings.landing, sorted(keys), purge))
        return [ErasedRows("pins", len(keys), 7)]

    monkeypatch.setattr(erase_command, "open_session", session)
    monkeypatch.setattr(erase_command, "ensure_tables", lambda *_: None)
    monkeypatch.setattr(erase_command, "register_tables", lambda *_: None)
    monkeypatch.setattr(erase_command, "read_erased_keys", lambda *_: ())
    monkeypatch.setattr(erase_command, "find_keys_of_user", lambda *_: KEYS)
    monkeypatch.setattr(erase_command, "count_rows", lambda *_: [ErasedRows("pins", 2)])
    monkeypatch.setattr(erase_command, "erase", erase)
    return asked


def test_it_counts_first_and_then_erases_in_every_place(
    erased: list[tuple[object, ...]], call: Call, tmp_path: Path
) -> None:
    engine = connect(str(tmp_path / "source.db"))
    write_source(engine, ((entity, generate_rows(entity, 9, 1)) for entity in ENTITIES))
    rows = {entity: count_rows(engine, entity) for entity in ENTITIES}
    (tmp_path / "failed.jsonl").write_bytes(FAILED)
    (tmp_path / "report.html").write_text("report")
    given = ["erase", "--user", "Ada Example", "--joined", "2016-03-01", "--warehouse", "w", "--landing", "landing"]
    given += ["--database", "source.db", "--failed", "failed.jsonl", "--report", "report.html"]
    code, out, err = call(*given)
    assert (code, erased) == (0, [])
    assert [line.split() for line in out.splitlines()] == [
        ["2", "posts"],
        ["pinterest.pins", "2"],
        ["failed.jsonl", "1"],
        *([entity.source_table, "2"] for entity in ENTITIES),
        ["report.html", "1"],
    ]
    assert err.endswith("nothing was changed; --apply erases\n")
    assert (tmp_path / "failed.jsonl").read_bytes() == FAILED

    code, out, err = call(*given, "--apply")
    assert (code, erased) == (0, [(str(tmp_path / "landing"), [*KEYS], False)])
    assert out.splitlines()[1].split() == ["pinterest.pins", "2", "version", "7"]
    assert "--purge removes them" in err
    assert "Ada" not in out + err
    assert (tmp_path / "failed.jsonl").read_bytes() == FAILED.splitlines(keepends=True)[1]
    assert {entity: count_rows(engine, entity) for entity in ENTITIES} == {e: rows[e] - 2 for e in ENTITIES}
    assert not (tmp_path / "report.html").exists()


@pytest.mark.usefixtures("erased")
def test_rows_of_a_source_are_found_by_the_key_rule_and_no_other_row_goes(call: Call, tmp_path: Path) -> None:
    keys = ["3", "3.0", "3abc", "3.5", "4", "n/a"]
    with closing(sqlite3.connect(tmp_path / "source.db")) as database, database:
        for entity in ENTITIES:  # the key of the pins is `ind`, too
            database.execute(f"CREATE TABLE {entity.source_table} (ind TEXT)")
            database.executemany(f"INSERT INTO {entity.source_table} VALUES (?)", [(key,) for key in keys])
    given = ["erase", "--ind", "0 3", "--warehouse", "w", "--database", "source.db"]
    for code, out, _ in (call(*given), call(*given, "--apply")):
        assert code == 0
        assert [line.split() for line in out.splitlines()[-3:]] == [[e.source_table, "2"] for e in ENTITIES]
    with closing(sqlite3.connect(tmp_path / "source.db")) as database:
        for entity in ENTITIES:
            left = database.execute(f"SELECT ind FROM {entity.source_table} ORDER BY rowid").fetchall()
            assert [key for (key,) in left] == ["3abc", "3.5", "4", "n/a"]


def test_streams_of_another_user_id_are_named_and_get_no_tables(
    erased: list[tuple[object, ...]], call: Call, tmp_path: Path
) -> None:
    (tmp_path / "w" / "pinterest_stream" / "other1_raw_table").mkdir(parents=True)
    (tmp_path / "streams" / "pinterest_stream" / "other1_raw_table").mkdir(parents=True)
    line = "pinterest_stream has tables of user id other1, which are left out: --user-id chooses"
    code, out, err = call("erase", "--ind", "1", "--warehouse", "w", "--apply")
    assert (code, len(erased), "pinterest_stream" in out) == (0, 1, False)
    assert line in err.splitlines()
    code, out, err = call("erase", "--ind", "1", "--warehouse", "streams", "--apply")
    assert (code, out, len(erased)) == (2, "", 1)
    assert err.splitlines()[0] == line
    code, out, err = call("erase", "--ind", "1", "--warehouse", "streams", "--apply", "--user-id", "other1")
    assert (code, "pinterest_stream.pins" in out, line in err) == (0, True, False)


def test_what_a_killed_run_has_noted_is_erased_everywhere_though_the_user_is_gone(
    erased: list[tuple[object, ...]], call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(erase_command, "find_keys_of_user", lambda *_: ())
    monkeypatch.setattr(erase_command, "read_erased_keys", lambda *_: KEYS)
    (tmp_path / "failed.jsonl").write_bytes(FAILED)
    given = ["erase", "--user", "Ada Example", "--joined", "2016-03-01", "--warehouse", "w", "--failed", "failed.jsonl"]
    code, out, _ = call(*given, "--apply", "--purge")
    assert (code, erased) == (0, [("", [*KEYS], True)])
    assert out.splitlines()[0] == "0 posts, and 2 of earlier erasures"
    assert (tmp_path / "failed.jsonl").read_bytes() == FAILED.splitlines(keepends=True)[1]


def test_a_dry_run_makes_no_table(
    erased: list[tuple[object, ...]], call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(erase_command, "ensure_tables")
    assert call("erase", "--ind", "1", "--warehouse", "w")[0] == 0
    assert erased == []


def test_an_option_has_one_key_or_several(erased: list[tuple[object, ...]], call: Call) -> None:
    assert call("erase", "--ind", "8\n9, 8\n", "--warehouse", "w", "--apply", "--purge")[0] == 0
    assert call("erase", "--ind", "2", "--ind", "1", "--warehouse", "w", "--apply")[0] == 0
    assert erased == [("", [8, 9], True), ("", [1, 2], False)]


@pytest.mark.usefixtures("erased")
@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--ind", "x"], "error: ind must be whole numbers of 0 or more, got 'x'"),
        (["--ind", ""], "error: --ind must be the key of a post, or --user a name, got none"),
        (["--user", "", "--joined", ""], "error: --ind must be the key of a post, or --user a name, got none"),
        (["--user", "Ada"], "error: --user and --joined must be given together: two users may have one name"),
        (["--ind", "1", "--joined", "2016-01-01"], "error: --user and --joined must be given together: two"),
        (["--user", "Ada", "--joined", "nix"], "error: --joined must be a date or time such as 2016-03-01 or 2016-03-"),
        (["--ind", "1", "--purge"], "error: --purge must be given with --apply"),
        (["--ind", "1", "--failed", "/none"], "error: failed file must be there, got /none"),
        (["--ind", "1", "--warehouse", "empty"], "error: warehouse must hold the tables of a leg, pinterest or"),
        ([], "error: one of the arguments --ind --user is required"),
    ],
)
def test_a_mistake_is_one_line(call: Call, given: list[str], said: str) -> None:
    code, out, err = call("erase", "--warehouse", "w", *given)
    assert (code, out) == (2, "")
    assert err.startswith(said)
    assert err.count("\n") == 1
