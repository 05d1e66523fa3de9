"""What a run logs: its micro-batches as `runs` has them, and no text of a record, in either format."""

import json
from collections.abc import Callable

import pytest

from pinterest_transforms.entities import GEO
from pinterest_transforms.errors import LandingError
from tests.support.log_lines import log_lines
from tests.support.stream_places import STREAM, MakeStreams
from tests.support.table_places import Place, pin, write

pytestmark = pytest.mark.usefixtures("interpreted")
CANARY = "c4n4ry"
COUNTED = ("run_id", "query_id", "batch_id", "topic", "read", "merged", "already_there", "rejected", "repaired")
DIRTY = [
    pin(1, f"{CANARY} title"),
    pin(2, "an unknown field", **{f"{CANARY}_field": CANARY}),
    pin(3, "repaired", follower_count=f"{CANARY} lots"),
    f'{{"index": 4, "title": "rejected {CANARY}"',
    {"ind": 5, CANARY: CANARY},
]


def micro_batches(lines: list[str]) -> list[dict[str, object]]:
    """The fields that are counted, of each micro-batch's record."""
    records = [json.loads(line) for line in lines]
    return [{name: record[name] for name in COUNTED} for record in records if "batch_id" in record]


def runs(place: Place) -> list[dict[str, object]]:
    return place.stored("runs").sort("started").select(COUNTED).to_dicts()


def test_a_batch_run_logs_its_micro_batches_and_no_record(make_place: Callable[..., Place]) -> None:
    place = make_place()
    folder = place.put(0, *DIRTY).parent
    write(folder / "notes.txt", CANARY)
    with log_lines("json") as lines:
        place.take(run_id="first")
    records = [json.loads(line) for line in lines]
    assert [record["level"] for record in records] == ["WARNING", "INFO", "INFO"]
    assert all((record["run_id"], record["topic"]) == ("first", "abc.pin") for record in records)
    assert records[1]["files"] == 1
    assert micro_batches(lines) == runs(place)
    assert [run["rejected"] for run in runs(place)] == [2]

    # In the other format, where a file is unusable, and where its records are torn.
    write(folder / "abc.pin+0+0000000100.json.gz", CANARY)
    write(folder / "abc.pin+0+0000000200.json", pin(1, f"{CANARY} again"), f'{{"index": "{CANARY}"}}')
    with log_lines("text") as texts, pytest.raises(LandingError) as error:
        place.take(run_id="second")
    assert texts[-1] == "abc.pin: 1 new files"
    assert len(runs(place)) == 2
    assert CANARY not in "".join([*lines, *texts, str(error.value)])


def test_a_stream_logs_no_record_and_no_key(make_streams: MakeStreams) -> None:
    """Ingested with one format, made again with the other."""
    place = make_streams(GEO)
    place.put({"ind": 1, "country": CANARY}, f'{{"ind": 2, "{CANARY}": 3', {"ind": 4, "latitude": CANARY})
    with log_lines("json") as records:
        place.take(run_id="streamed", access_key=f"{CANARY}-access", secret_key=f"{CANARY}-secret")
    assert micro_batches(records) == runs(place)
    assert [json.loads(line)["topic"] for line in records] == [STREAM] * len(records)
    with log_lines("text") as texts:
        place.take(run_id="rebuilt", rebuild=True)
    assert texts == ["abc_geo_table: made again of raw records"]
    assert [run["run_id"] for run in runs(place)] == ["streamed", "rebuilt"]
    assert CANARY not in "".join([*records, *texts])
