"""A leg whose tables, files and streams are in memory: runs that may be killed, and what must be in the tables."""

import shutil
import tempfile
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

from hypothesis import strategies as st

from pinterest_transforms.ingest.checkpoint_state import CheckpointState, load_state, open_state
from pinterest_transforms.ingest.ingested_files import IngestedFiles
from pinterest_transforms.ingest.landing_batches import ingest_listed
from pinterest_transforms.ingest.micro_batch import (
    MicroBatch,
    begin_rebuild,
    begin_run,
    process_rebuild,
    process_stream_batch,
    rebuild_batch,
)
from tests.ingest.memory_tables import Killed, MemoryEffects, MemoryLanding, Process, Record, Tables

KINDS = ("good", "good", "good", "repaired", "rejected", "blank")
IDS = {"pins": "1"}
_MEMORY = Path("/dev/shm")  # noqa: S108 - a folder in memory, for files that live for milliseconds


def records(keys: st.SearchStrategy[int]) -> st.SearchStrategy[Record]:
    """Records of few keys; where they stand is said when they arrive."""
    return st.builds(
        lambda key, kind, unknown: Record(0, "", "", key, kind, unknown and kind != "blank"),
        keys,
        st.sampled_from(KINDS),
        st.booleans(),
    )


class World:
    """What both legs have."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self.process.start(0)
        self.tables = Tables(process)
        self.folder = Path(tempfile.mkdtemp(dir=_MEMORY if _MEMORY.is_dir() else None))
        self.checkpoint = self.folder / "checkpoint"
        self.needs_rebuild = False

    def close(self) -> None:
        shutil.rmtree(self.folder)

    def open_state(self, *, reset: bool, rebuild: bool = False) -> CheckpointState:
        return open_state(str(self.checkpoint), "source", IDS, reset=reset, rebuild=rebuild)

    def change_rules(self, rules: str) -> None:
        """Another version of the library; what it makes of older records is seen after a rebuild."""
        self.tables.rules, self.needs_rebuild = rules, True

    def lose_checkpoint(self) -> None:
        """What a person does who removes the checkpoint's folder."""
        shutil.rmtree(self.checkpoint, ignore_errors=True)

    def run(self, dies_at: int = 0, **how: bool) -> bool:
        """One run; false if it was killed."""
        self.process.start(dies_at)
        try:
            self.ingest(**how)
        except Killed:
            return False
        finally:
            self.process.start(0)
        return True

    def ingest(self, **how: bool) -> None:
        raise NotImplementedError

    def is_rebuilding(self) -> bool:
        """Whether a rebuild was begun and is not finished."""
        state = load_state(str(self.checkpoint))
        return state is not None and state.rebuild

    def numbers(self) -> list[object]:
        """Numbers of the micro-batches of this checkpoint that have a row of ``runs``."""
        state = load_state(str(self.checkpoint))
        return sorted(row["batch_id"] for row in self.tables.runs if state and row["query_id"] == state.query_id)

    def quarantine(self) -> list[tuple[object, ...]]:
        return sorted((kind, one.place, one.text) for kind, one in self.tables.quarantine)

    def clean(self) -> dict[int, tuple[object, ...]]:
        return {key: (one.place, one.text, one.kind) for key, one in self.tables.clean.items()}


class LandingWorld(World):
    """The batch leg: files that arrive, grow, and come again."""

    def __init__(self, process: Process) -> None:
        super().__init__(process)
        self.landing = MemoryLanding(self.tables, CheckpointState(""))
        self.starts: dict[int, int] = {0: 0, 1: 0}

    def put(self, partition: int, lines: list[Record]) -> None:
        """Lands the next file of a partition; the keys of a partition are its own."""
        start = self.starts[partition]
        self.landing.put(partition, start, [self._placed(one, partition, start + at) for at, one in enumerate(lines)])
        self.starts[partition] = start + len(lines)

    def rewrite(self, number: int) -> None:
        """Lands a file again, with the same lines."""
        if self.landing.files:
            partition, start = sorted(self.landing.files)[number % len(self.landing.files)]
            self.landing.put(partition, start, self.landing.files[partition, start])

    def grow(self, partition: int, lines: list[Record]) -> None:
        """The last file of a partition comes again with more lines."""
        mine = [start for part, start in self.landing.files if part == partition]
        if not mine:
            return
        start, end = max(mine), self.starts[partition]
        more = [self._placed(one, partition, end + at) for at, one in enumerate(lines)]
        self.landing.put(partition, start, [*self.landing.files[partition, start], *more])
        self.starts[partition] = end + len(lines)

    @staticmethod
    def _placed(record: Record, partition: int, position: int) -> Record:
        key = 2 * record.key + partition
        return replace(record, key=key, position=position, text=f"{partition}/{position}/{key}/{record.kind}")

    def remove(self, partition: int, start: int) -> None:
        """A file is taken away."""
        del self.landing.files[partition, start], self.landing.stamps[partition, start]

    def ingest(self, *, rebuild: bool = False) -> None:
        state = self.open_state(reset=rebuild, rebuild=rebuild)
        self.landing.state = state
        # As `ingest_landing` does for a table that nobody has written to.
        if state.has_quarantined is None and not self.tables.quarantine:
            state.has_quarantined = False
        ingest_listed(self.landing, state, IngestedFiles(str(self.checkpoint)))

    def arrived(self) -> list[Record]:
        return [record for lines in self.landing.files.values() for record in lines]


class StreamWorld(World):
    """The stream leg, with what Spark keeps in its checkpoint: the end of each batch, then that it is done."""

    def __init__(self, process: Process) -> None:
        super().__init__(process)
        self.stream: list[Record] = []
        self.ends: list[int] = []
        self.done = 0
        self.size = 3
        self.run_id = "run"
        self.is_complete = False

    def put(self, shard: int, lines: list[Record]) -> None:
        """Puts records; those of another shard arrive a little earlier than their order tells."""
        for record in lines:
            position = len(self.stream)
            key = 2 * record.key + shard
            text, arrived = f"{shard}/{position}/{key}/{record.kind}", (position + 1 - 2 * shard) * 1_000_000
            self.stream.append(
                replace(record, key=key, shard=str(shard), position=position, text=text, arrived=max(1, arrived))
            )

    def lose_checkpoint(self) -> None:
        super().lose_checkpoint()
        self.ends, self.done = [], 0

    def resize(self, size: int) -> None:
        """The next batches have so many records."""
        self.size = size

    def forget_commit(self) -> None:
        """The checkpoint loses its last note that a batch is done."""
        self.done = max(0, min(self.done, len(self.ends) - 1))

    def forget_batch(self) -> None:
        """The checkpoint loses its last batch: the next one may take more records under the same number."""
        self.ends = self.ends[:-1]
        self.done = min(self.done, len(self.ends))

    def ingest(self, *, rebuild: bool = False) -> None:
        new = not (self.checkpoint / "metadata").exists()
        state = self.open_state(reset=False)
        newest = max((record.arrived for record in self.tables.raw), default=0) / 1e6
        if new or "arrived" not in state.progress:
            state.progress = {"arrived": newest}
        elif not self.is_complete:
            state.progress["known_until"] = newest
        self.is_complete = False
        if rebuild:
            begin_rebuild(state, IDS)
        if state.rebuild:
            batch = rebuild_batch(state, self.run_id)
            process_rebuild(self._effects(state, batch, self.tables.raw), state, batch)
        if rebuild:
            return
        begin_run(state, self.run_id)
        self.checkpoint.mkdir(exist_ok=True)
        (self.checkpoint / "metadata").write_text('{"id":"1"}')
        while self.done < len(self.ends) or (self.ends or [0])[-1] < len(self.stream):
            if self.done == len(self.ends):
                with self.process.effect():
                    self.ends.append(min(len(self.stream), ([0, *self.ends])[-1] + self.size))
            first, last = ([0, *self.ends])[self.done : self.done + 2]
            batch = MicroBatch(self.run_id, self.done, archive=True)
            process_stream_batch(self._effects(state, batch, self.stream[first:last]), state, batch)
            with self.process.effect():
                self.done += 1
        self.is_complete = True

    def _effects(self, state: CheckpointState, batch: MicroBatch, lines: list[Record]) -> MemoryEffects:
        return MemoryEffects(self.tables, state.query_id, batch, [self.tables.evaluate(line) for line in lines])

    def arrived(self) -> list[Record]:
        return self.stream

    def check_counts(self) -> None:
        """Each batch of this checkpoint has the row of all its records, though it may have had fewer before."""
        state = load_state(str(self.checkpoint))
        rows = {row["batch_id"]: row["read"] for row in self.tables.runs if state and row["query_id"] == state.query_id}
        for number, (first, last) in enumerate(pairwise([0, *self.ends])):
            read = sum(record.kind != "blank" for record in self.stream[first:last])
            assert rows.get(number, 0) == read
        assert state is not None
        assert state.progress["arrived"] == max((record.arrived for record in self.stream), default=0) / 1e6


def check_tables(world: LandingWorld | StreamWorld) -> None:
    """The tables are what the contract makes of everything that has arrived, whatever happened on the way."""
    arrived = [world.tables.evaluate(record) for record in world.arrived()]
    latest = {record.key: record for record in sorted(arrived) if record.usable}
    assert world.clean() == {key: (one.place, one.text, one.kind) for key, one in latest.items()}
    bad = sorted((one.kind, one.place, one.text) for one in arrived if one.kind in ("rejected", "repaired"))
    assert world.quarantine() == bad
    runs = world.tables.runs
    assert all(row["read"] == row["merged"] + row["already_there"] + row["rejected"] for row in runs)
    assert all(row["already_there"] >= 0 and row["read"] > 0 for row in runs)
    assert len({(row["query_id"], row["batch_id"]) for row in runs}) == len(runs)
