"""A place to test storage in: a landing and a warehouse, and what stands in them as plain Python."""

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

import polars
import pytest

from pinterest_transforms.entities import PIN, Entity
from pinterest_transforms.errors import StreamError
from pinterest_transforms.ingest.landing import ingest_landing
from pinterest_transforms.schemas import CONTRACT
from pinterest_transforms.settings import Leg, landing_key
from pinterest_transforms.tables import creation, definitions

Line = str | bytes | dict[str, object]
Values = dict[int, tuple[object, ...]]

YEAR = 365 * 86_400
SHARED = ("quarantine", "runs")
PINS = ("pins", *SHARED)
WORK = ("pins", "geolocations", "users", *SHARED)


@dataclass(frozen=True)
class Place(Leg):
    """A landing and a warehouse."""

    def put(
        self, offset: int, *lines: Line, entity: Entity = PIN, partition: int = 0, end: str = "\n", age: int = 0
    ) -> Path:
        """Lands a file as the sink does; `age` in seconds."""
        file = Path(self.settings.landing, landing_key(self.settings.topic(entity), partition, offset))
        return write(file, *lines, end=end, age=age)

    def take(self, *entities: Entity, run_id: str = "run", rebuild: bool = False) -> None:
        ingest_landing(self, entities or (PIN,), run_id, rebuild=rebuild)

    def rows(self, entity: Entity = PIN) -> Values:
        """The clean table's contract columns, by key; fails if a key is there twice."""
        names = [field.name for field in CONTRACT[entity.name]]
        found = self.stored(self.settings.clean_table(entity)).select(names).rows()
        assert len({row[0] for row in found}) == len(found)
        return {row[0]: row[1:] for row in found}

    def titles(self) -> dict[int, str]:
        return {key: row[1] for key, row in self.rows().items()}

    def sources(self, entity: Entity = PIN) -> dict[int, tuple[str, int]]:
        """Shard and position of each key's row."""
        found = self.stored(self.settings.clean_table(entity)).select("ind", "_source").rows()
        return {key: (source["shard"], int(source["position"])) for key, source in found}

    def read_quarantine(self) -> list[tuple[object, ...]]:
        """Quarantine but for the time: topic, kind, reasons, columns, raw, raw_bytes, shard, position."""
        found = [
            (
                *(row["topic"], row["kind"], "; ".join(row["reasons"]), ", ".join(row["columns"])),
                *(row["raw"], row["raw_bytes"], row["_source"]["shard"]),
                int(row["_source"]["position"]) if row["_source"]["position"].isdigit() else None,
            )
            for row in self.stored("quarantine").to_dicts()
        ]
        return sorted(found, key=repr)

    def counted(self) -> list[dict[str, object]]:
        """Rows of runs, the oldest first: what was counted."""
        names = ["topic", "read", "merged", "already_there", "rejected", "repaired", "unknown_fields"]
        return self.stored("runs").sort("started", "topic").select(names).to_dicts()

    def stored(self, name: str) -> polars.DataFrame:
        """The table as another reader of Delta sees it, which takes milliseconds where Spark takes a second.

        It reads a copy, since it cannot read a folder whose name has a `%` in it.
        """
        with TemporaryDirectory() as folder:
            # A commit that is under way has a file that is gone at its end.
            under_way = shutil.ignore_patterns(".*.tmp")
            copy = shutil.copytree(self.settings.table_folder(name), Path(folder, name), ignore=under_way)
            return polars.read_delta(str(copy))

    def content(self) -> dict[str, str]:
        """Every file of the warehouse, checkpoints included, and its content's hash."""
        root = Path(self.settings.warehouse)
        files = [path for path in root.rglob("*") if path.is_file()]
        return {str(path.relative_to(root)): sha256(path.read_bytes()).hexdigest() for path in files}

    def with_settings(self, **changes: object) -> "Place":
        return replace(self, settings=replace(self.settings, **changes))


def set_up_only(leg: Leg, *names: str) -> None:
    """Sets up some of the leg's tables: each one takes as long as all checks of a test."""
    with pytest.MonkeyPatch.context() as patched:
        chosen = [spec for spec in definitions.work_specs(leg.settings) if spec.name in names]
        patched.setattr(creation, "work_specs", lambda _: chosen)
        patched.setattr(creation, "answer_specs", list)
        if len(names) < len(WORK):
            patched.setattr(creation, "_make_views", lambda *_: None)
        creation.set_up(leg)


def forget_logs(place: Place) -> None:
    """A new process has no cached logs of tables."""
    place.spark._jvm.org.apache.spark.sql.delta.DeltaLog.clearCache()


@contextmanager
def lost_commit(place: Place, table: str, *, empty: bool) -> Iterator[int]:
    """While it lasts, the newest commit of a table is gone, or an empty file; gives its version."""
    commit = max((place.settings.table_folder(table) / "_delta_log").glob("[0-9]*.json"))
    files = {file: file.read_bytes() for file in (commit, commit.with_suffix(".crc")) if file.exists()}
    for file in files:
        file.unlink()
    if empty:
        commit.touch()
    forget_logs(place)
    try:
        yield int(commit.stem)
    finally:
        for file, content in files.items():
            file.write_bytes(content)
        forget_logs(place)


class Killed(Exception):  # noqa: N818 - no error, a death
    """The process is gone."""


@contextmanager
def dying_before(owner: object, step: str) -> Iterator[None]:
    """While it lasts, a run dies before that step, and whoever runs it gets the death or what was made of it."""

    def dies(*_: object, **__: object) -> None:
        raise Killed

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(owner, step, dies)
        with pytest.raises((Killed, StreamError)) as error:
            yield
    assert Killed in (type(error.value), type(error.value.__cause__))


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
