"""Whose checkpoint a stream's is, and what it may lose: nothing is lost, and nothing is there twice."""

import json
import shutil
import time
from datetime import UTC, datetime

import pytest
from storage_places import lost_commit
from stream_places import SHARD, STREAM, MakeStreams, StreamPlace, geo, geo_counts, stream_place  # noqa: F401 - one is a fixture

from pinterest_transforms.entities import GEO
from pinterest_transforms.errors import CheckpointError, StreamError, TableError
from pinterest_transforms.quality import NOT_AN_OBJECT
from pinterest_transforms.storage import tables

RAW_TABLE, TABLE = "abc_raw_table", "abc_geo_table"
RAW_FIRST = "rebuild makes the tables again of the raw records that are kept"
NEW_CHECKPOINT = (
    "new_checkpoint begins at the initial position again, and what is there already is found by its position"
)


def rejected(raw_text: str, position: int) -> tuple[object, ...]:
    return (STREAM, "rejected", NOT_AN_OBJECT, "", raw_text, None, SHARD, position)


def belongs(place: StreamPlace, what: str, wanted: str, given: str) -> str:
    folder = place.settings.checkpoint(GEO)
    return f"checkpoint {folder} belongs to other data: {what} must be {wanted}, got {given}; nothing was read; "


def identity(place: StreamPlace) -> str:
    found = place.client().describe_stream_summary(StreamName=STREAM)["StreamDescriptionSummary"]
    return f"{found['StreamARN']} made {found['StreamCreationTimestamp'].astimezone(UTC).isoformat()}"


def test_checkpoints_belong_to_their_tables_and_stream(place: StreamPlace):
    def of(name: str) -> str:
        return tables.properties(place.spark, place.settings, name)[tables.ID_PROPERTY]

    at = place.put(geo(1, "a"), "[]", geo(2, "b"))
    place.take()
    everything, old = place.everything(), of(TABLE)

    place.make_again(TABLE)
    with pytest.raises(CheckpointError) as error:
        place.take()
    assert str(error.value) == belongs(place, f"table {TABLE}", f"id {old}", f"id {of(TABLE)}") + RAW_FIRST
    assert place.rows() == {}
    place.take(rebuild=True)
    assert place.everything() == everything
    place.put(geo(1, "c"))
    place.take()
    assert place.countries() == {1: "c", 2: "b"}
    everything, old = place.everything(), of(RAW_TABLE)
    numbers = [geo_counts(3, 2, rejected=1)] * 2 + [geo_counts(1, 1)]
    assert place.counted() == numbers

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
    place.take(new_checkpoint=True)
    assert place.everything() == everything
    assert place.counted() == [*numbers, geo_counts(4, 0, rejected=1)]

    made = identity(place)
    place.client().delete_stream(StreamName=STREAM)
    place.kinesis.create(STREAM)
    (later,) = place.put(geo(2, "of another stream"))
    with pytest.raises(CheckpointError) as error:
        place.take()
    assert str(error.value) == belongs(place, "source", made, identity(place)) + NEW_CHECKPOINT
    assert place.everything() == everything
    place.take(new_checkpoint=True)
    assert place.countries() == {1: "c", 2: "of another stream"}
    assert place.sources()[2] == (SHARD, later)
    assert len(place.raw()) == 5

    # Raw records were dropped above: what was before them is not there to be made again.
    place.make_again(TABLE)
    with pytest.raises(TableError) as error:
        place.take(rebuild=True)
    today = datetime.now(UTC).date().isoformat()
    assert str(error.value) == (
        f"table {place.settings.schema}.{TABLE} is empty, and raw records must reach back to the first one, got none "
        f"before {today}: allow_losses makes it of what is left"
    )
    place.take(rebuild=True, allow_losses=True)
    assert place.countries() == {1: "c", 2: "of another stream"}
    assert place.noted()[0][4:] == ("[]", None, SHARD, at[1])


def test_a_lost_commit_of_a_stream_is_an_error_and_a_foreign_column_outlives_a_rebuild(place: StreamPlace):
    place.put(geo(1, "a"), "[]", geo(2, "b"))
    place.take()
    for table, remedies in {
        RAW_TABLE: {False: NEW_CHECKPOINT, True: NEW_CHECKPOINT},
        TABLE: {False: RAW_FIRST},
    }.items():
        for rebuild, remedy in remedies.items():
            with lost_commit(place, table, empty=True) as version, pytest.raises(CheckpointError) as error:
                place.take(rebuild=rebuild)
            assert str(error.value) == (
                f"table {place.settings.schema}.{table} must have in version {version} the commit that the last run "
                f"left, got another or an empty one: a commit was lost; nothing was read; {remedy}"
            )
    for table in (TABLE, RAW_TABLE, "quarantine"):
        name = place.settings.qualified(table)
        place.spark.sql(f"ALTER TABLE {name} ADD COLUMNS (note STRING)").collect()
        place.spark.sql(f"UPDATE {name} SET note = 'mine'").collect()
    place.put(geo(1, "c"), "[2]")
    place.take()
    everything = place.everything()
    place.take(rebuild=True)
    assert place.everything() == everything
    notes = {name: place.stored(name)["note"].to_list() for name in (TABLE, RAW_TABLE, "quarantine")}
    assert {name: notes[name].count("mine") for name in notes} == {TABLE: 2, RAW_TABLE: 3, "quarantine": 1}


def test_a_checkpoint_that_has_lost_what_it_said_last(place: StreamPlace):
    at = place.put(geo(1, "a"), "[]", geo(1, "b"), geo(2, "x", latitude=400))
    place.take()
    everything, numbers = place.everything(), [geo_counts(4, 2, rejected=1, repaired=1)]
    assert place.countries() == {1: "b", 2: "x"}
    place.forget_last("commits")
    place.take()
    assert (place.everything(), place.counted()) == (everything, numbers)

    place.forget_last("commits", "offsets")
    at += place.put(geo(1, "c"), "rubbish", geo(3, "new"))
    place.take()
    assert [position for position, _ in place.raw()] == at
    assert place.countries() == {1: "c", 2: "x", 3: "new"}
    assert place.sources() == {1: (SHARD, at[4]), 2: (SHARD, at[3]), 3: (SHARD, at[6])}
    assert [noted[4] for noted in place.noted() if noted[1] == "rejected"] == ["[]", "rubbish"]
    assert len(place.noted()) == 3
    assert place.counted() == [geo_counts(7, 4, rejected=2, repaired=1)]  # the batch, with what it has more than before


def test_a_checkpoint_that_is_gone(place: StreamPlace):
    at = place.put(geo(1, "a"), "[]", geo(1, "b"))
    place.take()
    (_, source), arrived = place.raw()[-1], place.stored("abc_raw_table")["_source"].to_list()[-1]["arrived"]
    assert source == json.dumps(geo(1, "b")).encode()
    everything = place.everything()
    shutil.rmtree(place.checkpoint())
    with pytest.raises(StreamError) as error:
        place.take(initial_position="latest")
    assert str(error.value) == (
        f"stream {STREAM} has no checkpoint, and was read up to {arrived.isoformat(timespec='seconds')}: the initial "
        "position must be trim_horizon, got latest; allow_losses passes over what lies between"
    )
    place.put(geo(1, "later"))
    everything_then = place.everything()
    place.take(initial_position="latest", allow_losses=True)  # passes over it
    assert everything == everything_then == place.everything()
    assert place.counted() == [geo_counts(3, 1, rejected=1)]

    at += place.put(geo(2, "after it began"))
    place.take(initial_position="latest")  # has a checkpoint again
    assert place.countries() == {1: "b", 2: "after it began"}
    shutil.rmtree(place.checkpoint())
    place.take()  # finds what was passed over, and what is there
    assert place.countries() == {1: "later", 2: "after it began"}
    assert len(place.raw()) == 5
    assert place.noted() == [rejected("[]", at[1])]
    assert place.counted() == [geo_counts(3, 1, rejected=1), geo_counts(1, 1), geo_counts(5, 1, rejected=1)]


def test_a_checkpoint_that_is_gone_for_longer_than_the_stream_keeps_records(make_streams: MakeStreams):
    began, moved = time.time() - 30 * 3600, [0.0]
    place = make_streams(clock=lambda: began + moved[0])
    place.put(geo(1, "a"))
    place.take()
    everything = place.everything()
    moved[0] = 30 * 3600
    shutil.rmtree(place.checkpoint())
    place.put(geo(2, "b"))
    with pytest.raises(StreamError) as error:
        place.take()
    said = datetime.fromtimestamp(began, UTC).isoformat(timespec="seconds")
    assert str(error.value) == (
        f"stream {STREAM} must still hold what follows the last read of {said}, got records of the last 24 hours: "
        "what lies between may be lost; allow_losses goes on with what is left"
    )
    assert place.everything() == everything
