"""What the tables hold is compared with what the last run left: a lost commit or a restore is an error, not a gap."""

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from unittest.mock import Mock

import pytest
from pyspark.sql import Row

from pinterest_transforms.entities import PIN
from pinterest_transforms.errors import CheckpointError, TableError
from pinterest_transforms.settings import Leg, Settings
from pinterest_transforms.tables.commits import Commit, check_commits, commits_since, last_commit
from tests.support.table_places import PINS, Place, forget_logs, lost_commit, pin

REMEDY = "nothing was read; run again with --rebuild to clean everything again"


@pytest.fixture(scope="module")
def taken(make_place: Callable[..., Place]) -> Place:
    """Two runs, so that every table has been written to twice."""
    place = make_place(names=(*PINS, "users"))
    for offset in (0, 10):
        place.put(offset, pin(1, f"at {offset}"), pin(offset + 2, "b", follower_count="lots"), "rubbish")
        place.take()
    return place


@pytest.mark.parametrize("table", ["pins", "quarantine", "runs"])
def test_a_lost_commit_is_an_error_that_names_the_way_out(taken: Place, table: str):
    taken.put(20, pin(9, "new"))
    before = taken.content()
    for empty, message in {
        False: "table {}.{} must be at version {} or later, as the last run left it, got version {}",
        True: "table {}.{} must have in version {} the commit that the last run left, got another or an empty one",
    }.items():
        with lost_commit(taken, table, empty=empty) as version, pytest.raises(CheckpointError) as error:
            taken.take()
        said = message.format(taken.settings.schema, table, version, version - 1)
        assert str(error.value) == f"{said}: a commit was lost; {REMEDY}"
    assert taken.content() == before


def test_the_files_of_the_log_and_the_history_tell_the_same(taken: Place):
    def told(place: Place) -> tuple[list[Commit], list[int]]:
        found = commits_since(place, "pins", 1)
        return [replace(one, fingerprint="", metrics={}) for one in found], [one.rows_written for one in found]

    assert told(taken) == told(taken.with_settings(warehouse=""))  # as where a catalog manages the tables
    assert [one.operation for one in told(taken)[0]] == ["MERGE", "WRITE"]
    assert commits_since(taken, "pins", 99) == [last_commit(taken, "pins")]
    assert last_commit(taken, "users").is_creation


def test_a_commit_whose_file_is_torn_is_another_one(tmp_path: Path):
    settings = Settings(schema="torn", warehouse=str(tmp_path))
    log = settings.table_folder("pins") / "_delta_log"
    log.mkdir(parents=True)
    with pytest.raises(TableError) as error:
        last_commit(Leg(None, settings), "pins")
    assert str(error.value) == "table torn.pins must have a history, got none"
    whole = json.dumps({"commitInfo": {"operation": "WRITE", "operationMetrics": {"numOutputRows": "3"}}})
    seen = []
    for content in (whole, whole[:-9], "", f'{{"txn": 1}}\n{whole}', '{"commitInfo": {"operation": "MERGE"}}'):
        (log / "00000000000000000007.json").write_text(content)
        seen.append(last_commit(Leg(None, settings), "pins"))
    assert [(one.version, one.operation, one.rows_written) for one in seen] == [
        *((7, "WRITE", 3), (7, "", 0), (7, "", 0), (7, "WRITE", 3), (7, "MERGE", 0))
    ]
    assert len({one.id for one in seen}) == 5


def test_the_history_of_a_catalog_tells_commits_apart_by_what_they_did():
    """Not by their time, of which a copy of the table has another one."""
    names, rows = ("version", "timestamp", "operation", "operationMetrics"), []

    def told(*commit: object) -> str:
        rows[:] = [Row(**dict(zip(names, commit, strict=True)))]
        return last_commit(leg, "pins").id

    leg = Mock(spec=Leg, settings=Settings())
    leg.sql.return_value.collect.side_effect = lambda: rows
    one = told(7, 1, "MERGE", {"numTargetRowsInserted": "1", "numTargetRowsUpdated": "2"})
    assert told(7, 2, "MERGE", {"numTargetRowsUpdated": "2", "numTargetRowsInserted": "1"}) == one
    others = [(7, 1, "MERGE", {"numTargetRowsInserted": "2"}), (7, 1, "WRITE", None), (7, 1, "MERGE", None)]
    assert len({one, *(told(*other) for other in others)}) == 4
    check_commits(leg, {"pins": told(*others[0])}, REMEDY)
    check_commits(leg, {}, REMEDY)  # of a state that knows none
    with pytest.raises(CheckpointError):
        check_commits(leg, {"pins": one}, REMEDY)


def test_what_others_do_to_a_table_is_no_loss_but_a_restore_is_one(taken: Place):
    """A column that somebody added keeps its values in a merge, an append and a rebuild, in a table of every kind."""
    place = taken
    noted = dict.fromkeys(place.stored("quarantine")["raw"], "mine")
    assert len(noted) == 3
    for table in ("pins", "quarantine", "runs"):
        name = place.settings.qualified(table)
        place.spark.sql(f"ALTER TABLE {name} ADD COLUMNS (my_note STRING, number INT)").collect()
        if table != "runs":  # to which no run does more than append
            place.spark.sql(f"UPDATE {name} SET my_note = 'mine', number = 7").collect()
    # Files joined, and a copy with new times.
    name = place.settings.qualified("pins")
    place.spark.sql(f"OPTIMIZE {name}").collect()
    for file in list((place.settings.table_folder("pins") / "_delta_log").glob("[0-9]*.json")):
        shutil.copyfile(file, file.with_suffix(".copy"))
        file.with_suffix(".copy").replace(file)
    forget_logs(place)
    place.put(20, pin(1, "c"), pin(3, "d"), "more rubbish")
    place.take()
    mine = {1: ("c", "mine", 7), 2: ("b", "mine", 7), 3: ("d", None, None), 12: ("b", "mine", 7)}
    noted["more rubbish"] = None

    def pins() -> dict[int, tuple[object, ...]]:
        return {row[0]: row[1:] for row in place.stored("pins").select("ind", "title", "my_note", "number").rows()}

    def quarantine() -> dict[object, object]:
        return dict(place.stored("quarantine").select("raw", "my_note").rows())

    assert (pins(), quarantine()) == (mine, noted)
    version = last_commit(place, "pins").version
    place.spark.sql(f"RESTORE TABLE {name} TO VERSION AS OF {version - 1}").collect()
    with pytest.raises(CheckpointError) as error:
        place.take()
    assert str(error.value) == (
        f"table {place.settings.schema}.pins must hold what the last run left, got a table that was restored in "
        f"version {version + 1}; {REMEDY}"
    )
    place.take(rebuild=True)
    assert (pins(), quarantine()) == (mine, noted)
    assert sorted(place.stored("runs").select("read", "my_note").rows()) == [*[(3, None)] * 3, (9, None)]
    assert re.fullmatch(r"[0-9]+:[0-9a-f]{12}", next(iter(_commits(place).values())))


def _commits(place: Place) -> dict[str, str]:
    found = json.loads(Path(f"{place.settings.checkpoint(PIN)}.json").read_text())["commits"]
    assert set(found) == {"pins", "quarantine", "runs"}
    return found
