"""Two entities at once, one of them in a process that is killed in a micro-batch; then run again.

The other is taken by the tests' own process. Both wait for each other once Spark has started, and then set up and
take at once.
"""

import json
import os
import signal
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from pinterest_transforms.entities import GEO, PIN, Entity
from pinterest_transforms.settings import Settings
from pinterest_transforms.tables import creation
from tests.support.table_places import SHARED, Place, counts, pin, set_up_only

HERE = Path(__file__).resolve().parent
DEATH, TABLES = "tables.writers.merge_clean", ("pins", "geolocations", *SHARED)


def put_everything(place: Place) -> None:
    """Two files a topic: repeated keys, later versions, one rejected and one repaired record each."""
    place.put(0, pin(1, "a"), pin(1, "b"), "[]", pin(2, "c", follower_count="lots"), age=9)
    place.put(100, pin(1, "d"), pin(3, "e"), "rubbish")
    place.put(0, {"ind": 1, "country": "Peru"}, {"ind": 2, "country": "Chad", "latitude": 400}, entity=GEO, age=9)
    place.put(100, {"ind": 2, "country": "Fiji"}, "{}", entity=GEO)


def start(settings: Settings, entity: Entity) -> subprocess.Popen[bytes]:
    paths = [str(HERE.parents[2]), str(HERE.parents[2] / "src")]
    given = {key: value for key, value in asdict(settings).items() if value}
    command = [sys.executable, str(HERE / "working_process.py"), json.dumps(given), entity.name, DEATH, *TABLES]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "PYTHONSAFEPATH": "1"}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    return subprocess.Popen(command, env=environment, **pipes)


@pytest.fixture(scope="module")
def survived(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Place:
    """What both processes have left behind, each setting up too, and the next run has finished."""
    folder = tmp_path_factory.mktemp("processes")
    settings = Settings(
        user_id="abc",
        schema="processes",
        landing=str(folder / "landing"),
        warehouse=str(folder / "warehouse"),
    )
    place = Place(spark, settings)
    put_everything(place)
    process = start(settings, PIN)
    assert process.stdout.readline() == b"ready\n"
    process.stdin.write(b"go\n")
    process.stdin.flush()
    set_up_only(place, *TABLES)
    place.take(GEO, run_id="process")
    said = process.communicate(timeout=300)[0]
    assert process.returncode == -signal.SIGKILL, said
    creation.register_tables(place)
    assert (place.titles(), len(place.counted())) == ({1: "d", 2: "c", 3: "e"}, 1)  # written, and not recorded
    place.take()
    return place


def test_a_kill_beside_others_gives_what_one_run_gives(survived: Place):
    assert survived.titles() == {1: "d", 2: "c", 3: "e"}
    assert survived.sources() == {1: ("0", 100), 2: ("0", 3), 3: ("0", 101)}
    assert {key: row[0] for key, row in survived.rows(GEO).items()} == {1: "Peru", 2: "Fiji"}
    assert [(row[0], row[1], row[4]) for row in survived.read_quarantine()] == [
        ("abc.geo", "rejected", "{}"),
        ("abc.geo", "repaired", '{"ind": 2, "country": "Chad", "latitude": 400}'),
        ("abc.pin", "rejected", "[]"),
        ("abc.pin", "rejected", "rubbish"),
        ("abc.pin", "repaired", '{"index": 2, "title": "c", "follower_count": "lots"}'),
    ]


def test_their_runs_are_counted_as_if_nothing_had_happened(survived: Place):
    assert sorted(survived.counted(), key=lambda row: str(row["topic"])) == [
        counts(4, 2, rejected=1, repaired=1, topic="abc.geo"),
        counts(7, 3, rejected=2, repaired=1),
    ]


def test_nothing_is_left_to_do(survived: Place):
    before = survived.content()
    survived.take(PIN, GEO)
    assert survived.content() == before
