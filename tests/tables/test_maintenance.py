"""Maintenance: what it removes, what it leaves, and that it is in nobody's way."""

import os
import shutil
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars
import pytest
from pyspark.sql import SparkSession

from pinterest_transforms.entities import GEO, PIN, USER
from pinterest_transforms.errors import SettingsError, TableError
from pinterest_transforms.json_parsing import RAW_RECORD
from pinterest_transforms.tables import maintenance, raw_archive, table_access
from pinterest_transforms.tables.definitions import raw_table, work_specs
from pinterest_transforms.tables.maintenance import MaintenanceResult, Retention
from tests.support.log_lines import log_lines
from tests.support.stream_places import SHARD, MakeStreams
from tests.support.table_places import Place, pin

DAY = 86_400
NOW = datetime(2026, 7, 31, 12, tzinfo=UTC)
KEPT_FOR = "delta.deletedFileRetentionDuration"


@pytest.fixture
def maintained(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Tables that are looked after: what is done to one is done to each. Only files of ``pins`` are removed."""
    names: list[str] = []
    vacuum = maintenance._vacuum  # takes seconds, and is the same statement for each table
    monkeypatch.setattr(maintenance, "_vacuum", lambda *given: vacuum(*given) if given[1] == "pins" else None)
    monkeypatch.setattr(
        maintenance, "work_specs", lambda given: [spec for spec in work_specs(given) if spec.name in names]
    )
    return names


def by_table(done: list[MaintenanceResult]) -> dict[str, MaintenanceResult]:
    return {one.table: one for one in done}


def data_files(place: Place) -> set[str]:
    return {name for name in place.content() if name.endswith(".parquet")}


def leftover(place: Place, table: str, name: str, age: int) -> Path:
    """A file in a table's folder that the table does not name, as a killed writer leaves one; `age` in seconds."""
    folder = place.settings.table_folder(table)
    assert folder is not None
    file = folder / f"{name}.parquet"
    shutil.copy(next(folder.glob("*.parquet")), file)
    then = time.time() - age
    os.utime(file, (then, then))
    return file


def test_what_is_over_its_time_goes_and_the_rest_stays(make_place: Callable[..., Place], maintained: list[str]):
    """Of two tables; the notebook's test sees that each table has its turn."""
    maintained += ["pins", "quarantine"]
    place = make_place()
    spark, settings = place.spark, place.settings
    pins, quarantine = map(settings.qualified, maintained)
    spark.sql(f"INSERT INTO {pins} (ind, title, category) VALUES (1, 'a', 'art'), (2, 'c', 'tattoos')")
    spark.sql(f"ALTER TABLE {pins} SET TBLPROPERTIES ('{KEPT_FOR}' = 'interval 24 hours')")
    values = ", ".join(
        f"('{topic}', 'rejected', '{text}', TIMESTAMP '{seen_at}Z')"
        for topic, text, seen_at in (
            ("abc.pin", "[old]", "2026-05-01 23:59:59"),
            ("abc.pin", "[border]", "2026-05-02 00:00:00"),
            ("abc.pin", "[new]", "2026-07-31 00:00:00"),
            ("xyz.pin", "[theirs]", "2026-01-01 00:00:00"),
        )
    )
    one_file = f"SELECT /*+ COALESCE(1) */ * FROM VALUES {values}"
    spark.sql(f"INSERT INTO {quarantine} (topic, kind, raw, seen_at) {one_file}")
    before = sorted(place.stored("pins").rows())
    old, young = (leftover(place, "pins", name, age) for name, age in (("old", 8 * DAY), ("young", 6 * DAY)))
    replaced = {Path(path).name for path in place.table("pins").inputFiles()}

    content, check = place.content(), "spark.databricks.delta.retentionDurationCheck.enabled"
    for hours in (0, 24, 167):
        with pytest.raises(SettingsError) as error:
            maintenance.maintain(place, Retention(vacuum_hours=hours))
        assert str(error.value) == (
            "vacuum_hours must be at least 168, so that readers and writers under way keep their files, "
            f"got {hours}; {check}=false allows less"
        )
    assert place.content() == content

    with log_lines() as said:
        done = by_table(maintenance.maintain(place, Retention(), now=NOW))

    assert sorted(place.stored("pins").rows()) == before
    assert sorted(place.stored("quarantine")["raw"]) == ["[border]", "[new]"]
    assert list(done) == maintained
    assert {name: one.rows_removed for name, one in done.items() if one.rows_removed} == {"quarantine": 2}
    assert (done["pins"].files_before, done["pins"].files_after) == (2, 1)
    assert done["pins"].bytes_after == Path(place.table("pins").inputFiles()[0].removeprefix("file:")).stat().st_size
    assert f"{settings.schema}.pins" in said

    # The text of what was removed is in no file that the table still reads.
    texts = {
        row["raw"]
        for file in place.table("quarantine").inputFiles()
        for row in polars.read_parquet(file.removeprefix("file:")).to_dicts()
    }
    assert texts == {"[border]", "[new]"}

    # Nothing that a reader under way may need is gone: only what no table has named for a week.
    def kept_for() -> str | None:
        return table_access.read_properties(place, "pins").get(KEPT_FOR)

    assert (old.exists(), young.exists(), kept_for()) == (False, True, "interval 168 hours")
    # Unless the session allows less.
    maintained.remove("quarantine")
    spark.conf.set(check, "false")
    try:
        maintenance.maintain(place, Retention(vacuum_hours=24))
    finally:
        spark.conf.unset(check)
    assert (young.exists(), kept_for()) == (False, "interval 24 hours")
    folder = settings.table_folder("pins")
    assert folder is not None
    assert all((folder / name).exists() for name in replaced)


def test_with_nothing_to_do_no_file_is_written_anew_over_spark_connect_too(
    make_place: Callable[..., Place], connect: SparkSession, maintained: list[str]
):
    maintained.append("quarantine")
    place = replace(make_place(), spark=connect)
    name = place.settings.qualified("quarantine")
    rows = "('abc.pin', 'rejected', 'x', TIMESTAMP '2020-01-01 00:00:00Z'), ('abc.geo', 'rejected', 'y', NULL)"
    connect.sql(f"INSERT INTO {name} (topic, kind, raw, seen_at) VALUES {rows}")
    files = data_files(place)
    for_ever = maintenance.maintain(place, Retention(quarantine_days=0), now=NOW)
    assert data_files(place) == files
    shown = maintenance.results_frame(connect, for_ever)
    assert shown.columns == ["table", "rows_removed", "files_before", "files_after", "bytes_after"]
    assert [tuple(row)[:4] for row in shown.where("table = 'quarantine'").collect()] == [("quarantine", 0, 2, 2)]

    maintained.append("pins")
    done = by_table(maintenance.maintain(place, Retention(), now=NOW))
    assert (done["quarantine"].rows_removed, done["quarantine"].files_after) == (1, 1)
    assert KEPT_FOR not in table_access.read_properties(place, "pins")  # a week is Delta's own


def test_raw_records_over_their_time_go_and_that_they_are_gone_is_known(
    make_streams: MakeStreams, maintained: list[str]
):
    place = make_streams(GEO, PIN)
    spark, settings = place.spark, place.settings
    name = raw_table(settings)
    maintained.append(name)
    border = datetime(2026, 7, 1, tzinfo=UTC)
    days = [border - timedelta(seconds=1), border, NOW]
    records = [(f"record {at}", (SHARD, str(at), arrived, None)) for at, arrived in enumerate(days)]
    rows = spark.createDataFrame(records, RAW_RECORD)
    for entity, files in ((GEO, 2), (PIN, 1)):
        raw_archive.append(place.for_entity(entity), rows.coalesce(files), None)
    assert raw_archive.read_newest_arrival(place.for_entity(GEO)) == NOW.timestamp()
    assert raw_archive.read_newest_arrival(place.for_entity(USER)) is None

    def kept() -> list[list[int]]:
        return [[position for position, _ in place.raw(entity)] for entity in (GEO, PIN)]

    def purged() -> list[str]:
        return [raw_archive.purged_before(place.for_entity(entity)) for entity in (GEO, PIN)]

    raw_archive.maintain(place.with_settings(raw_days=0).for_entity(GEO), NOW)
    assert (kept(), purged()) == ([[0, 1, 2]] * 2, ["", ""])
    zone = spark.conf.get("spark.sql.session.timeZone")
    spark.conf.set("spark.sql.session.timeZone", "America/New_York")  # a day is one of UTC
    try:
        raw_archive.maintain(place.for_entity(GEO), NOW)
    finally:
        spark.conf.set("spark.sql.session.timeZone", zone)
    assert (kept(), purged()) == ([[1, 2], [0, 1, 2]], ["2026-07-01", ""])

    (done,) = maintenance.maintain(place, Retention(), now=NOW)
    assert (done.table, done.rows_removed, done.files_after) == (name, 1, 2)
    assert (kept(), purged()) == ([[1, 2]] * 2, ["2026-07-01"] * 2)
    assert {Path(path).parent.name for path in place.table(name).inputFiles()} == {"kind=geo", "kind=pin"}

    with pytest.raises(TableError, match="records before 2026-07-01 were purged; set allow_losses=true"):
        place.take(rebuild=True)
    assert place.counted() == []


@pytest.mark.parametrize(
    ("days", "hours", "said"),
    [
        ("x", "168", "quarantine_days must be a whole number from 0 to 36500, got 'x'"),
        ("90.5", "168", "quarantine_days must be a whole number from 0 to 36500, got '90.5'"),
        ("-1", "168", "quarantine_days must be a whole number from 0 to 36500, got '-1'"),
        ("90", "", "vacuum_hours must be a whole number from 0 to 720, got ''"),
        ("90", "721", "vacuum_hours must be a whole number from 0 to 720, got '721'"),
    ],
)
def test_a_retention_that_is_none_is_a_clear_error(days: str, hours: str, said: str):
    with pytest.raises(SettingsError) as error:
        Retention.from_text(days, hours)
    assert str(error.value) == said
    assert Retention.from_text("90", "168") == Retention()


def test_without_tables_it_is_a_clear_error(make_place: Callable[..., Place]):
    nowhere = make_place(names=()).with_settings(schema="nowhere", warehouse="")
    with pytest.raises(TableError) as error:
        maintenance.maintain(nowhere, Retention())
    assert str(error.value) == "table nowhere.pins must be there: run the batch first"


def test_a_running_job_and_maintenance_are_not_in_each_others_way(
    make_place: Callable[..., Place], maintained: list[str]
):
    maintained += ["pins", "quarantine"]
    place = make_place()
    first = "named_struct('shard', '0', 'position', '00', 'arrived', NULL, 'file', NULL)"
    pins, quarantine = map(place.settings.qualified, maintained)
    place.spark.sql(f"INSERT INTO {pins} (ind, title, _source) SELECT id, 'first', {first} FROM range(10)")
    place.spark.sql(f"INSERT INTO {quarantine} (topic, kind, raw) VALUES ('abc.pin', 'rejected', '[0]')")
    failures: list[BaseException] = []

    def work() -> None:
        try:
            place.put(100, *(pin(key, "second") for key in range(5, 15)), "[1]")
            place.take()
        except BaseException as error:
            failures.append(error)

    job = threading.Thread(target=work)
    job.start()
    maintenance.maintain(place, Retention(), now=NOW)  # takes about as long as the job
    job.join()
    assert failures == []
    assert place.titles() == {key: "first" if key < 5 else "second" for key in range(15)}
    assert sorted(place.stored("quarantine")["raw"]) == ["[0]", "[1]"]
    assert [(row["read"], row["merged"]) for row in place.counted()] == [(11, 10)]
