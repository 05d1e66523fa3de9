"""Places to test storage in: a landing, a warehouse whose tables are made, and what stands in them as plain Python.

Making tables takes seconds, so they are made once and copied; each place has a schema of its own, since one session
has one catalog.
"""

import itertools
import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from pinterest_transforms.entities import PIN, Entity
from pinterest_transforms.schemas import CONTRACT
from pinterest_transforms.settings import Settings, landing_key
from pinterest_transforms.storage import landing, tables

Line = str | bytes | dict[str, object]
Values = dict[int, tuple[object, ...]]

YEAR = 365 * 86_400
WORK = ("pins", "geolocations", "users", "quarantine", "runs")


@dataclass(frozen=True)
class Place:
    """A landing and a warehouse."""

    spark: SparkSession
    settings: Settings

    def put(
        self, offset: int, *lines: Line, entity: Entity = PIN, partition: int = 0, end: str = "\n", age: int = 0
    ) -> Path:
        """Lands a file as the sink does; `age` in seconds."""
        file = Path(self.settings.landing, landing_key(self.settings.topic(entity), partition, offset))
        return write(file, *lines, end=end, age=age)

    def take(self, entity: Entity = PIN, run_id: str = "run", *, rebuild: bool = False) -> None:
        landing.take_landing(self.spark, self.settings, entity, run_id, rebuild=rebuild)

    def rows(self, entity: Entity = PIN) -> Values:
        """The clean table's contract columns, by key; fails if a key is there twice."""
        names = [field.name for field in CONTRACT[entity.name]]
        found = [tuple(row) for row in self.table(self.settings.clean_table(entity)).select(*names).collect()]
        assert len({row[0] for row in found}) == len(found)
        return {row[0]: row[1:] for row in found}

    def titles(self) -> dict[int, str]:
        return {key: row[1] for key, row in self.rows().items()}

    def sources(self, entity: Entity = PIN) -> dict[int, tuple[str, int]]:
        """Shard and position of each key's row."""
        found = self.table(self.settings.clean_table(entity)).select("ind", "_source.shard", "_source.position")
        return {row[0]: (row[1], int(row[2])) for row in found.collect()}

    def noted(self) -> list[tuple[object, ...]]:
        """Quarantine but for the time: topic, kind, reasons, columns, raw, raw_bytes, shard, position."""
        lists = [F.array_join("reasons", "; "), F.array_join("columns", ", ")]
        places = ["raw_bytes", "_source.shard", F.col("_source.position").try_cast("decimal(38,0)").cast("int")]
        frame = self.table("quarantine").select("topic", "kind", *lists, "raw", *places)
        found = [tuple(bytes(value) if isinstance(value, bytearray) else value for value in row) for row in frame.collect()]
        return sorted(found, key=repr)

    def counted(self) -> list[dict[str, object]]:
        """Rows of runs, the oldest first: what was counted."""
        names = ["topic", "read", "merged", "already_there", "rejected", "repaired", "unknown_fields"]
        return [row.asDict() for row in self.table("runs").orderBy("started", "topic").select(*names).collect()]

    def table(self, name: str):
        return self.spark.table(self.settings.qualified(name))

    def content(self) -> dict[str, str]:
        """Every file of the warehouse, checkpoints included, and its content's hash."""
        root = Path(self.settings.warehouse)
        files = [path for path in root.rglob("*") if path.is_file()]
        return {str(path.relative_to(root)): sha256(path.read_bytes()).hexdigest() for path in files}

    def with_settings(self, **changes: object) -> "Place":
        return replace(self, settings=replace(self.settings, **changes))


def write(file: Path, *lines: Line, end: str = "\n", age: int = 0) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    texts = [line if isinstance(line, bytes | str) else json.dumps(line) for line in lines]
    file.write_bytes(b"".join((t if isinstance(t, bytes) else t.encode()) + end.encode() for t in texts))
    then = file.stat().st_mtime - age
    os.utime(file, (then, then))
    return file


def pin(key: object, title: str | None = None, **fields: object) -> dict[str, object]:
    return {"index": key, "title": title, **fields}


def counts(read: int, merged: int, rejected: int = 0, repaired: int = 0, topic: str = "abc.pin", **unknown: int):
    """A row of runs as `Place.counted` gives it."""
    return {
        "topic": topic,
        "read": read,
        "merged": merged,
        "already_there": read - merged - rejected,
        "rejected": rejected,
        "repaired": repaired,
        "unknown_fields": unknown,
    }


@pytest.fixture(scope="session")
def all_tables(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A warehouse that set-up has made, with nothing in it. To be read and copied only."""
    warehouse = tmp_path_factory.mktemp("made")
    place = Place(spark, Settings(user_id="abc", schema="made", warehouse=str(warehouse)))
    tables.set_up(spark, place.settings)
    return place


@pytest.fixture(scope="session")
def make_place(all_tables: Place, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Place]:
    """Makes places with the tables of the batch leg's work; with those of the answers too, if asked for."""
    numbers = itertools.count()

    def make(folder_name: str = "place", *, answers: bool = False, **changes: object) -> Place:
        number = next(numbers)
        folder = tmp_path_factory.mktemp("places") / folder_name
        (folder / "landing").mkdir(parents=True)
        names = {"landing": str(folder / "landing"), "warehouse": str(folder / "warehouse"), "schema": f"place{number}"}
        place = Place(all_tables.spark, Settings(**{"user_id": "abc", **names, **changes}))
        for table in Path(all_tables.settings.warehouse, "made").iterdir():
            if answers or table.name in WORK:
                shutil.copytree(table, Path(place.settings.warehouse, place.settings.schema, table.name))
        tables.attach(place.spark, place.settings)
        return place

    return make


@pytest.fixture
def place(make_place: Callable[..., Place]) -> Place:
    return make_place()
