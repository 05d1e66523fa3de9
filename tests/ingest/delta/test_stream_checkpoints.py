"""Whose checkpoint a stream's is, and what it may lose: nothing is lost, and nothing is there twice."""

import json
import shutil
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pinterest_transforms.entities import GEO
from pinterest_transforms.errors import CheckpointError, StreamError, TableError
from pinterest_transforms.ingest.checkpoint_state import OTHER_TABLES, load_state
from pinterest_transforms.json_parsing import NOT_AN_OBJECT
from pinterest_transforms.tables import raw_archive, table_access
from tests.support.stream_places import SHARD, STREAM, MakeStreams, StreamPlace, geo, geo_counts, stream_place  # noqa: F401 - one is a fixture
from tests.support.table_places import lost_commit

RAW_TABLE, TABLE = "abc_raw_table", "abc_geo_table"
RAW_FIRST = "rebuild makes the tables again of the raw records that are kept"
NEW_CHECKPOINT = (
    "new_checkpoint begins at the initial position again; records that are there already are found by position"
)


def rejected(raw_text: str, position: int) -> tuple[object, ...]:
    return (STREAM, "rejected", NOT_AN_OBJECT, "", raw_text, None, SHARD, position)


def belongs(place: StreamPlace, what: str, wanted: str, given: str) -> str:
    folder = place.settings.checkpoint(GEO)
    return f"checkpoint {folder} belongs to other data: {what} must be {wanted}, got {given}; nothing was read; "


def identity(place: StreamPlace) -> str:
    found = place.client().describe_stream_summary(StreamName=STREAM)["StreamDescriptionSummary"]
    return f"{found['StreamARN']} made {found['StreamCreationTimestamp'].astimezone(UTC).isoformat()}"


def remembered(place: StreamPlace) -> set[str]:
    """The tables whose last commit the next run is to find again."""
    return set(load_state(str(place.checkpoint())).commits)


def test_checkpoints_belong_to_their_tables_and_stream(place: StreamPlace):
    def of(name: str) -> str:
        return table_access.read_properties(place, name)[table_access.ID_PROPERTY]

    at = place.put(geo(1, "a"), "[]", geo(2, "b"))
    place.take()
    everything, old = place.everything(), of(TABLE)
    for table, rebuild, remedy in (
        (RAW_TABLE, False, NEW_CHECKPOINT),
        (RAW_TABLE, True, NEW_CHECKPOINT),
        (TABLE, False, RAW_FIRST),
    ):
        with lost_commit(place, table, empty=True) as version, pytest.raises(CheckpointError) as error:
            place.take(rebuild=rebuild)
        assert str(error.value) == (
            f"table {place.settings.schema}.{table} must have in version {version} the commit that the last run "
            f"left, got another or an empty one: a commit was lost; nothing was read; {remedy}"
        )

    place.make_again(TABLE)
    with pytest.raises(CheckpointError) as error:
        place.take()
    assert str(error.value) == belongs(place, f"table {TABLE}", f"id {old}", f"id {of(TABLE)}") + RAW_FIRST
    assert place.rows() == {}
    place.take(rebuild=True)
    assert remembered(place) == {TABLE, RAW_TABLE, "quarantine", "runs"}
    assert place.everything() == everything
    numbers = [geo_counts(3, 2, rejected=1)] * 2
    assert place.counted() == numbers

    old = of(RAW_TABLE)
    place.make_again(RAW_TABLE)
    with pytest.raises(CheckpointError) as error:
        place.take()
    wanted = belongs(place, f"table {RAW_TABLE}", f"id {old}", f"id {of(RAW_TABLE)}") + NEW_CHECKPOINT
    assert str(error.value) == wanted
    with pytest.raises(CheckpointError) as error:
        place.take(rebuild=True)
    assert str(error.value) == (
        f"table {place.settings.schema}.{RAW_TABLE} must be the one that the streams were read into, got another: "
        f"nothing can be made of it again; {NEW_CHECKPOINT}"
    )
    place.delete_stream()
    place.kinesis.create(STREAM)
    (later,) = place.put(geo(2, "of another stream"))
    # Where no raw record is left, what was purged says how far the stream was read.
    raw_archive.record_purge(place.for_entity(GEO), datetime(2020, 1, 1, tzinfo=UTC))
    with pytest.raises(StreamError) as error:
        place.take(new_checkpoint=True)
    assert str(error.value) == (
        f"stream {STREAM} must still hold the records after 2020-01-01T00:00:00+00:00, got those of the last 24 hours: "
        "records may be lost; set allow_losses=true to continue with the rest"
    )
    place.take(new_checkpoint=True, allow_losses=True)
    assert (place.countries(), place.sources()[2]) == ({1: "a", 2: "of another stream"}, (SHARD, later))
    assert (len(place.raw()), place.counted()) == (1, [*numbers, geo_counts(1, 1)])

    made = identity(place)
    place.delete_stream()
    place.kinesis.create(STREAM)
    with pytest.raises(CheckpointError) as error:
        place.take()
    assert str(error.value) == belongs(place, "source", made, identity(place)) + NEW_CHECKPOINT + OTHER_TABLES

    # Raw records were dropped above: what was before them is not there to be made again.
    place.make_again(TABLE)
    with pytest.raises(TableError) as error:
        place.take(rebuild=True)
    today = datetime.now(UTC).date().isoformat()
    assert str(error.value) == (
        f"cannot rebuild the empty table {place.settings.schema}.{TABLE}: raw records before {today} were purged; "
        "set allow_losses=true to use the rest"
    )
    place.take(rebuild=True, allow_losses=True)
    assert place.countries() == {2: "of another stream"}
    assert place.read_quarantine()[0][4:] == ("[]", None, SHARD, at[1])


def test_a_checkpoint_that_has_lost_what_it_said_last(place: StreamPlace):
    at = place.put(geo(1, "a"), "[]", geo(1, "b"), geo(2, "x", latitude=400))
    place.take()
    assert place.countries() == {1: "b", 2: "x"}
    place.forget_last("commits", "offsets")
    at += place.put(geo(1, "c"), "rubbish", geo(3, "new"))
    place.take()
    assert [position for position, _ in place.raw()] == at
    assert place.countries() == {1: "c", 2: "x", 3: "new"}
    assert place.sources() == {1: (SHARD, at[4]), 2: (SHARD, at[3]), 3: (SHARD, at[6])}
    assert [noted[4] for noted in place.read_quarantine() if noted[1] == "rejected"] == ["[]", "rubbish"]
    assert len(place.read_quarantine()) == 3
    assert place.counted() == [geo_counts(7, 4, rejected=2, repaired=1)]  # the batch, with what it has more than before


def test_a_checkpoint_that_is_gone(make_streams: MakeStreams):
    """And then for longer than the stream keeps records."""
    began, moved = time.time() - 30 * 3600, [0.0]
    place = make_streams(GEO, clock=lambda: began + moved[0])
    at = place.put(geo(1, "a"), "[]", geo(1, "b"))
    place.take()
    (_, source), arrived = place.raw()[-1], place.stored(RAW_TABLE)["_source"].to_list()[-1]["arrived"]
    assert source == json.dumps(geo(1, "b")).encode()
    shutil.rmtree(place.checkpoint())
    said = arrived.isoformat(timespec="seconds")
    with pytest.raises(StreamError) as error:
        place.take(initial_position="latest")
    assert str(error.value) == (
        f"stream {STREAM} has no checkpoint, and was read up to {said}: the initial "
        "position must be trim_horizon, got latest; set allow_losses=true to skip the records between"
    )
    moved[0] = 30 * 3600
    with pytest.raises(StreamError) as error:
        place.take()
    assert str(error.value) == (
        f"stream {STREAM} must still hold the records after {said}, got those of the last 24 hours: "
        "records may be lost; set allow_losses=true to continue with the rest"
    )
    place.put(geo(1, "later"))
    everything = place.everything()
    place.take(initial_position="latest", allow_losses=True)  # passes over it
    assert place.everything() == everything
    assert place.counted() == [geo_counts(3, 1, rejected=1)]
    assert remembered(place) == set()  # where nothing was ingested

    place.put(geo(2, "after it began"))
    place.take(initial_position="latest")  # has a checkpoint again
    assert place.countries() == {1: "b", 2: "after it began"}
    assert place.read_quarantine() == [rejected("[]", at[1])]
    assert place.counted() == [geo_counts(3, 1, rejected=1), geo_counts(1, 1)]


def test_a_record_is_noted_once_whatever_became_of_the_checkpoint(place: StreamPlace, tmp_path: Path):
    """Of an older copy, and of a new one where all raw records were purged: of both the tables hold more."""
    saved, folder = tmp_path / "copy", place.checkpoint().parent
    place.put("[]")
    place.take()
    shutil.copytree(folder, saved)
    place.put("[1]")
    place.take()
    shutil.rmtree(folder)
    shutil.copytree(saved, folder)
    place.take()
    assert (len(place.raw()), len(place.read_quarantine())) == (2, 2)
    raw_archive.record_purge(place.for_entity(GEO), datetime.now(UTC))
    place.sql(f"DELETE FROM {place.qualified(RAW_TABLE)}").collect()
    place.take(new_checkpoint=True, allow_losses=True)
    assert (len(place.raw()), len(place.read_quarantine())) == (2, 2)
