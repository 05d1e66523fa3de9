"""More than one machine: two executors in processes of their own give the tables that one process gives."""

import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

from pinterest_transforms.entities import ENTITIES, GEO, USER
from tests.support.table_places import WORK, Place, counts, pin

HERE = Path(__file__).resolve().parent


def put_everything(place: Place) -> None:
    """Files of two partitions: later versions, lines of one position, bad and blank ones."""
    chance = random.Random(5)
    for partition in (0, 1):
        for start in range(0, 90, 30):
            keys = [2 * chance.randrange(40) + partition for _ in range(30)]
            place.put(start, *(pin(key, f"{key}/{start}/{chance.random()}") for key in keys), partition=partition)
            place.put(start, *({"ind": key, "country": f"c{key % 5}", "latitude": key} for key in keys), entity=GEO)
            place.put(start, *({"ind": key, "first_name": "A", "age": key} for key in keys), entity=USER)
    place.put(100, pin(200, "x", follower_count="lots"), "", "rubbish", pin(201, "y", board="walls"))
    place.put(102, pin(201, "z"), pin(202, "w"))


def test_two_executors_give_equal_tables(make_place: Callable[..., Place], tmp_path: Path):
    place = make_place(names=WORK)
    put_everything(place)
    cluster = replace(place, settings=replace(place.settings, warehouse=str(tmp_path), schema="cluster"))
    shutil.copytree(Path(place.settings.warehouse, place.settings.schema), tmp_path / "cluster")
    given = {key: value for key, value in asdict(cluster.settings).items() if value}
    paths = [str(HERE.parents[1]), str(HERE.parents[1] / "src")]
    done = subprocess.run(
        [sys.executable, str(HERE / "cluster_process.py"), json.dumps(given)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths), "PYTHONSAFEPATH": "1"},
        stdout=subprocess.PIPE,
        check=True,
        timeout=400,
    )
    assert json.loads(done.stdout) == ["0", "1"]
    place.take(*ENTITIES)
    for entity in ENTITIES:
        assert cluster.rows(entity) == place.rows(entity) != {}
        assert cluster.sources(entity) == place.sources(entity)
    assert cluster.read_quarantine() == place.read_quarantine() != []
    assert sorted(map(repr, cluster.counted())) == sorted(map(repr, place.counted()))
    assert counts(185, len(place.rows()), rejected=1, repaired=1, board=1) in place.counted()
