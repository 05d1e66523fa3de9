"""A run that was undone, on Delta: as if its records had never come, whatever is killed, rebuilt or read again."""

from datetime import UTC, datetime, timedelta
from unittest.mock import Mock

import pytest
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from pinterest_transforms.entities import GEO, PIN
from pinterest_transforms.errors import BusyError, UndoError
from pinterest_transforms.ingest import micro_batch
from pinterest_transforms.ingest.excluded_records import read_excluded
from pinterest_transforms.operations import undo
from pinterest_transforms.operations.undo_effects import DeltaUndo, UndoTopic
from pinterest_transforms.operations.undo_plan import UndoPlan
from pinterest_transforms.schemas import KINESIS_POSITION_WIDTH
from pinterest_transforms.settings import EntityLeg
from pinterest_transforms.tables import raw_archive, writers
from pinterest_transforms.tables.locks import entity_lock
from tests.support.log_lines import log_lines
from tests.support.stream_places import MakeStreams, StreamPlace, geo
from tests.support.table_places import Line, Place, dying_before, pin

CANARY, RESTORE = "c4n4ry", writers.restore_clean


@pytest.fixture(autouse=True)
def _interpreting(interpreted: SparkSession) -> None:
    """Every test here makes many plans of few records."""


def undo_run(place: Place, run_id: str, **how: bool) -> list[tuple[int, int]]:
    """Rows that the run had written, and how many of them another version took the place of."""
    entity = GEO if isinstance(place, StreamPlace) else PIN
    done = undo.undo_run(place, [entity], run_id, refresh=False, **how)
    return [(one.keys, one.restored) for one in done]


def refused(place: Place, run_id: str) -> str:
    before = place.content()
    with pytest.raises(UndoError) as error:
        undo_run(place, run_id)
    assert place.content() == before
    return str(error.value)


def copy_rows(place: Place, table: str, where: str, **changed: Column) -> None:
    """Adds a table's rows once more, with other values in some columns."""
    place.table(table).where(where).withColumns(changed).writeTo(place.settings.qualified(table)).append()


def restore_among_others(leg: EntityLeg, rows: DataFrame) -> None:
    """Also rows of which key, shard or position is another by now: those are left alone."""
    position = "lpad('20', 20, '0')"
    others = f"VALUES (9, '0', {position}), (1, '1', {position}), (1, '0', lpad('19', 20, '0'))"
    gone = leg.sql(f"SELECT * FROM {others} AS gone(_key, _shard, _position)")
    RESTORE(leg, rows.unionByName(gone, allowMissingColumns=True))


def test_an_undone_run_of_the_batch_leg_never_came(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has a post changed, one new, one repaired, one rejected; a run after it has a later version."""
    lines: list[Line] = [pin(1, "a"), pin(2, "b"), "[1]"]
    place.put(0, *lines)
    place.take(run_id="first")
    first = place.read_quarantine()
    topic = UndoTopic(place.for_entity(PIN), "first", UndoPlan((), {}))  # a run that brought nothing
    DeltaUndo(topic, place.table("pins"), place.table("pins")).note_undone()
    assert read_excluded(place, "undone") is None  # no table that every later batch would read
    lines += [pin(1, CANARY), pin(2, CANARY, follower_count="lots"), f'["{CANARY}"]']
    place.put(0, *lines)  # grown
    place.put(13, pin(3, CANARY))
    place.take(run_id="bad")
    copy_rows(place, "runs", "run_id = 'bad'", topic=F.lit("abc.geo"))  # of another topic: it is not to be undone
    with log_lines("json") as said:
        with dying_before(writers, "restore_clean"):
            undo_run(place, "bad")
        place.put(20, pin(1, "newer"), pin(4, "d"), pin(6, "f"))
        place.put(3, pin(5, "e"), partition=1)
        place.take(run_id="later")  # a run comes between
        # The file was joined to another one since, whose run has noted the record too.
        source = F.col("_source").withField("file", F.lit("joined")).withField("position", F.lit("4".zfill(20)))
        copy_rows(place, "quarantine", "raw = '[1]'", _source=source)
        with monkeypatch.context() as patched:
            patched.setattr(writers, "restore_clean", restore_among_others)
            assert undo_run(place, "bad") == [(2, 1)]
    assert CANARY not in "".join(said)
    assert place.titles() == {1: "newer", 2: "b", 4: "d", 5: "e", 6: "f"}
    assert place.sources() == {1: ("0", 20), 2: ("0", 1), 4: ("0", 21), 5: ("1", 3), 6: ("0", 22)}
    assert place.read_quarantine() == [*first, (*first[0][:7], 4)]
    assert len(place.stored("undone")) == 2  # noted once each
    assert refused(place, "bad") == "run bad was undone before"
    assert refused(place, "no") == f"run must be the run_id of a row of {place.settings.schema}.runs, got 'no'"
    marked = place.stored("runs").sort("started", "topic").select("run_id", "topic", "undone_at").rows()
    assert [(run, topic[4:], at is not None) for run, topic, at in marked] == [
        *(("first", "pin", False), ("bad", "geo", False), ("bad", "pin", True), ("later", "pin", False))
    ]

    place.put(13, pin(3, "right"), pin(6, "earlier"), age=-5)  # rewritten: that is another file
    place.put(8, pin(8, "y"))
    file = place.put(15, pin(9, "z"), partition=1)
    with log_lines("text") as said:
        place.take(rebuild=True)
    assert [line.strip() for line in said if "undone" in line] == [
        "abc.pin: 3 records of undone runs are not read again"
    ]
    assert place.titles() == {1: "newer", 2: "b", 3: "right", 4: "d", 5: "e", 6: "f", 8: "y", 9: "z"}
    assert place.read_quarantine() == first
    # What was undone is new to nobody.
    assert [row["read"] for row in place.counted() if row["topic"] == "abc.pin"] == [3, 7, 4, 11]

    # What is needed must be there.
    with entity_lock(place.settings, PIN), pytest.raises(BusyError):
        undo_run(place, "later")
    file.unlink()
    place.put(8, pin(1, "rewritten"), age=-9)
    # Later ones of 1 and 4; that of 6 is behind it, and 5 is of the other partition, where the lost one is behind it.
    gone = (
        "run later: 2 keys of abc.pin may have other versions in landing files such as "
        "topics/abc.pin/partition=0/abc.pin+0+0000000008.json, which are gone or were rewritten since they were "
        "read; set allow_losses=true to use the rest"
    )
    assert refused(place, "later") == gone
    assert undo_run(place, "later", allow_losses=True) == [(4, 2)]
    assert place.titles() == {1: "a", 2: "b", 3: "right", 6: "earlier", 8: "y", 9: "z"}


def test_a_rebuild_is_no_first_reader_though_the_clock_was_set_back_before_it(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.put(0, pin(1, "a"))
    place.take(run_id="first")
    with monkeypatch.context() as patched:
        patched.setattr(micro_batch, "datetime", Mock(now=lambda zone: datetime.now(zone) - timedelta(hours=1)))
        for run_id in ("again", "once more"):
            place.take(run_id=run_id, rebuild=True)
            assert undo_run(place, run_id) == [(0, 0)]
    assert place.titles() == {1: "a"}
    assert undo_run(place, "first") == [(1, 0)]


def add_beside(place: Place, table: str, column: str, text: str, at: list[int]) -> None:
    """Adds a table's row once more as of another topic or kind, as of another shard, and behind all the positions."""
    one, source = place.table(table).where(f"{text} = '[1]'"), F.col("_source")
    first, behind = (F.lit(str(number).zfill(KINESIS_POSITION_WIDTH)) for number in (at[0], at[-1] + 1))
    inside = one.withColumn("_source", source.withField("position", first))
    rows = inside.withColumn(column, F.lit(PIN.name))
    rows = rows.union(inside.withColumn("_source", source.withField("shard", F.lit("another"))))
    rows = rows.union(one.withColumn("_source", source.withField("position", behind)))
    rows.writeTo(place.settings.qualified(table)).append()


def test_an_undone_run_of_the_stream_leg_never_came(make_streams: MakeStreams) -> None:
    place = make_streams(GEO, shards=2)
    place.put(geo(1, "a"), "[1]")
    place.put(geo(2, "b"), key="a")  # of the other shard, as before the stream was resharded
    place.take(run_id="first")
    at = place.put(geo(1, CANARY), geo(2, CANARY, latitude=400), geo(3, CANARY), f'["{CANARY}"]')
    add_beside(place, "quarantine", "topic", "raw", at)
    add_beside(place, "abc_raw_table", "kind", "CAST(data AS STRING)", at)
    first, raw = place.read_quarantine(), sorted(place.stored("abc_raw_table")["data"])
    place.take(run_id="bad")
    raw_archive.record_purge(place.for_entity(GEO), datetime(2020, 1, 1, tzinfo=UTC))
    assert refused(place, "bad") == (
        "run bad: 1 keys of streaming-abc-geo may have other versions in raw records from before 2020-01-01, which "
        "were purged; set allow_losses=true to use the rest"
    )
    assert undo_run(place, "bad", allow_losses=True) == [(3, 2)]
    assert place.countries() == {1: "a", 2: "b"}
    assert sorted(place.stored("abc_raw_table")["data"]) == raw
    place.put(geo(1, "newer"), geo(4, "d"))
    place.take(new_checkpoint=True, run_id="later")  # everything comes once more
    assert place.countries() == {1: "newer", 2: "b", 4: "d"}
    assert place.read_quarantine() == first
    kept = place.stored("abc_raw_table")["data"]
    assert not [data for data in kept if CANARY.encode() in data]  # nor would a rebuild bring it back
