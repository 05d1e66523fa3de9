"""The effects of a micro-batch on tables in memory, and a process that dies at a chosen step."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime

import pytest

from pinterest_transforms.ingest import ingested_files, micro_batch
from pinterest_transforms.ingest.checkpoint_state import CheckpointState
from pinterest_transforms.ingest.ingested_files import IngestedFiles
from pinterest_transforms.ingest.landing_files import FileStamp, Listing, object_key, partition_and_start
from pinterest_transforms.ingest.micro_batch import Counts, MicroBatch, RecordRange, RunCounts

TOPIC = "abc.pin"


class Killed(Exception):  # noqa: N818 - no error, a death
    """The process is gone."""


class Process:
    """A process that is killed at a step, if it gets so far; a step is the moment before or after an effect."""

    def __init__(self) -> None:
        self.steps, self.dies_at = 0, 0

    def start(self, dies_at: int) -> None:
        self.steps, self.dies_at = 0, dies_at

    @contextmanager
    def effect(self) -> Iterator[None]:
        self._step()
        yield
        self._step()

    def _step(self) -> None:
        self.steps += 1
        if self.steps == self.dies_at:
            raise Killed


@dataclass(frozen=True, order=True)
class Record:
    """A record where it stands. ``kind`` is ``good``, ``repaired``, ``rejected`` or ``blank``."""

    position: int
    shard: str
    text: str
    key: int = 0
    kind: str = "good"
    unknown: bool = False
    file: str = ""
    arrived: int = 0

    @property
    def usable(self) -> bool:
        return self.kind in ("good", "repaired")

    @property
    def place(self) -> tuple[str, int]:
        return self.shard, self.position


@dataclass
class Tables:
    """Clean table, quarantine, runs and raw archive of one entity; each write is one commit, whole or not at all."""

    process: Process
    clean: dict[int, Record] = field(default_factory=dict)
    commits: list[int] = field(default_factory=lambda: [0])
    quarantine: list[tuple[str, Record]] = field(default_factory=list)
    runs: list[dict[str, object]] = field(default_factory=list)
    raw: list[Record] = field(default_factory=list)
    rules: str = ""
    undone: list[RecordRange] = field(default_factory=list)

    def evaluate(self, record: Record) -> Record:
        """The record as the rules of now take it: one of an undone run is blank."""
        if any(holds(one, record) for one in self.undone):
            return replace(record, kind="blank", unknown=False)
        return replace(record, kind=self.rules) if self.rules and record.kind != "blank" else record

    def numbers(self) -> list[tuple[object, ...]]:
        """What was counted, without names and times."""
        names = ("read", "merged", "already_there", "rejected", "repaired", "unknown")
        return [tuple(row[name] for name in names) for row in self.runs]


def holds(one: RecordRange, record: Record) -> bool:
    """Whether a record stands in a range, in a file that is not newer."""
    is_old = not one.arrived or record.arrived <= one.arrived
    return one[:2] == (record.shard, record.file) and one.first <= _text(record.position) <= one.last and is_old


def _text(position: int) -> str:
    return f"{position:020d}"


def read_ranges(records: Sequence[Record]) -> tuple[RecordRange, ...]:
    """Where records stand, of each file or shard."""
    places: dict[tuple[str, str], list[Record]] = {}
    for record in sorted(records):
        places.setdefault((record.shard, record.file), []).append(record)
    return tuple(
        RecordRange(*place, _text(found[0].position), _text(found[-1].position), found[0].arrived if place[1] else 0)
        for place, found in places.items()
    )


@dataclass(frozen=True)
class MemoryEffects:
    """``micro_batch.Effects`` on ``Tables``."""

    tables: Tables
    query_id: str
    batch: MicroBatch
    records: Sequence[Record]

    @property
    def counts(self) -> Counts:
        kinds = Counter(record.kind for record in self.records)
        arrived = [record.arrived for record in self.records]
        return Counts(
            lines=len(self.records),
            read=len(self.records) - kinds["blank"],
            rejected=kinds["rejected"],
            repaired=kinds["repaired"],
            unknown=sum(record.unknown for record in self.records),
            first_arrival=min(arrived, default=0),
            last_arrival=max(arrived, default=0),
        )

    def read_clean_version(self) -> int:
        return len(self.tables.commits) - 1

    def count_conflicts(self) -> int:
        there = {record.place: record.text for record in (*self.tables.clean.values(), *self._quarantined())}
        return sum(there.get(record.place, record.text) != record.text for record in self.records)

    def has_quarantined(self) -> bool:
        return bool(self.tables.quarantine)

    def archive_raw(self, *, may_exist: bool) -> None:
        with self.tables.process.effect():
            there = {record.place for record in self.tables.raw if may_exist}
            self.tables.raw += [record for record in self.records if record.place not in there]

    def write_quarantine(self, *, may_exist: bool) -> None:
        bad = [(record.kind, record) for record in self.records if record.kind in ("rejected", "repaired")]
        with self.tables.process.effect():
            if self.batch.mode == "replace":
                kept = [(kind, one) for kind, one in self.tables.quarantine if self._kept(one)]
                self.tables.quarantine = bad + kept
            else:
                there = {(kind, one.place, one.text) for kind, one in self.tables.quarantine if may_exist}
                self.tables.quarantine += [(k, one) for k, one in bad if (k, one.place, one.text) not in there]

    def write_clean(self, since: int) -> int:
        usable = [record for record in self.records if record.usable]
        latest = {record.key: record for record in sorted(usable)}
        with self.tables.process.effect():
            clean = self.tables.clean
            if self.batch.mode == "replace":
                kept = {key: record for key, record in clean.items() if self._kept(record)}
                written = {k: r for k, r in latest.items() if k not in kept or r > kept[k]}
                self.tables.clean = kept | written
                self.tables.commits.append(0)  # counted by the call itself
                return len(written)
            written = {
                k: r for k, r in latest.items() if k not in clean or (r.position, r.shard) > clean[k].place[::-1]
            }
            clean.update(written)
            self.tables.commits.append(len(written))
        return sum(self.tables.commits[since + 1 :])

    def count_unknown_fields(self) -> dict[str, int]:
        return {"board": self.counts.unknown}

    def find_recorded_read(self) -> int | None:
        return next((row["read"] for row in self.tables.runs if self._is_same(row)), None)

    def remove_run(self) -> None:
        with self.tables.process.effect():
            self.tables.runs[:] = [row for row in self.tables.runs if not self._is_same(row)]

    def append_run(self, started: datetime, seconds: float, counts: RunCounts, unknown: dict[str, int]) -> None:
        assert started.tzinfo
        assert seconds >= 0
        came = () if self.batch.mode == "replace" and not self.batch.files else read_ranges(self.records)
        row = {"run_id": self.batch.run_id, "query_id": self.query_id, "batch_id": self.batch.batch_id}
        row |= {"ranges": came, "undone": False, "unknown": unknown.get("board", 0), **vars(counts)}
        with self.tables.process.effect():
            self.tables.runs.append(row)

    def _is_same(self, row: dict[str, object]) -> bool:
        return (row["query_id"], row["batch_id"]) == (self.query_id, self.batch.batch_id)

    def _quarantined(self) -> list[Record]:
        return [record for _, record in self.tables.quarantine]

    def _kept(self, record: Record) -> bool:
        """Whether a replacing batch leaves a row as it is: of files that are gone, and not of an earlier topic."""
        return (
            record.file not in self.batch.files
            and record.place not in {one.place for one in self.records}
            and record.arrived >= self._topic_began()
        )

    def _topic_began(self) -> int:
        """When the topic was made again: a row behind a partition's first record arrived before that record did."""
        if not self.batch.files:
            return 0
        first = {one.shard: one for one in sorted(self.records, reverse=True)}
        there = [one for one in (*self.tables.clean.values(), *self._quarantined()) if one.file not in self.batch.files]
        since = [
            first[one.shard].arrived
            for one in there
            if one.shard in first
            and one.position > first[one.shard].position
            and one.arrived < first[one.shard].arrived
        ]
        return max(since, default=0)


@dataclass
class MemoryLanding:
    """A topic's files in memory: ``landing_batches.Landing``."""

    tables: Tables
    state: CheckpointState
    max_files: int = 2
    topic: str = TOPIC
    run_id: str = "run"
    files: dict[tuple[int, int], list[Record]] = field(default_factory=dict)
    stamps: dict[tuple[int, int], FileStamp] = field(default_factory=dict)
    clock: int = 0
    reads: int = 0

    def put(self, partition: int, start: int, records: Sequence[Record]) -> None:
        """Lands a file, or writes it again with other lines."""
        self.clock += 1
        file = object_key(self.path(partition, start), TOPIC)
        placed = [
            replace(record, position=start + at, shard=str(partition), file=file, arrived=self.clock)
            for at, record in enumerate(records)
        ]
        self.files[partition, start] = placed
        self.stamps[partition, start] = FileStamp(len(records), self.clock)

    @staticmethod
    def path(partition: int, start: int) -> str:
        return f"/landing/topics/{TOPIC}/partition={partition}/{TOPIC}+{partition}+{start:010d}.json"

    def list_files(self) -> Listing:
        return Listing(TOPIC, {self.path(*place): stamp for place, stamp in self.stamps.items()})

    def why_unusable(self, path: str, stamp: FileStamp) -> str:
        return "" if self.stamps[self._place(path)] == stamp else "another file"

    def exists(self, path: str) -> bool:
        return self._place(path) in self.files

    @contextmanager
    def evaluate(self, paths: Sequence[str], batch: MicroBatch) -> Iterator[MemoryEffects]:
        assert paths  # Spark cannot read no files
        self.reads += 1
        records = [self.tables.evaluate(record) for path in paths for record in self.files[self._place(path)]]
        yield MemoryEffects(self.tables, self.state.query_id, batch, records)

    @staticmethod
    def _place(path: str) -> tuple[int, int]:
        shard, start = partition_and_start(path, TOPIC)
        return int(shard), start


@pytest.fixture
def process(monkeypatch: pytest.MonkeyPatch) -> Process:
    """A process whose state is saved in files, each save being an effect; nothing waits for the disk."""
    process = Process()
    save, add = CheckpointState.save, IngestedFiles.add

    def saved(state: CheckpointState) -> None:
        with process.effect():
            save(state)

    def added(files: IngestedFiles, stamps: dict[str, FileStamp]) -> None:
        with process.effect():
            add(files, stamps)

    monkeypatch.setattr(CheckpointState, "save", saved)
    monkeypatch.setattr(IngestedFiles, "add", added)
    for module in (ingested_files, micro_batch):
        monkeypatch.setattr(module, "flush_to_disk", lambda: None)
    monkeypatch.setattr("os.fsync", lambda _: None)
    return process
