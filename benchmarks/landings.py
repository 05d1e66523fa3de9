"""Landings to be measured on: made once from the generator, kept in ``build/bench``; and what arrives on them later."""

import hashlib
import json
import os
import random
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from emulation.source.database import connect, write_source
from emulation.source.source_records import JsonRecord, Row, column_names
from emulation.synthetic import faults
from emulation.synthetic.delivery import DIRTY, ONCE, Delivery
from emulation.synthetic.generator import generate_rows
from emulation.synthetic.landing_writer import WrittenTopic, write_landing
from pinterest_transforms.entities import ENTITIES, Entity
from pinterest_transforms.settings import Settings

SEED = 1
DELIVERY = DIRTY
"""What the landings' records went through: `USUAL` (3% twice, 1% changed later) and bad records besides."""

ARRIVALS = 20
ARRIVAL = 1000
"""So many new and so many changed rows arrive at once."""

ROOT = Path(__file__).resolve().parent.parent
CACHE = ROOT / "build" / "bench"
_GIVEN_TWICE = re.compile(rb'^\{"(ind|index)": ?[0-9]+, ?"\1": ?.*\n', re.MULTILINE)
_EXPECTED = "expected.json"
_MAKERS = ("emulation", "benchmarks/landings.py")

Say = Callable[[str], None]


@dataclass(frozen=True)
class Landing:
    """A landing folder with ``topics/``, and beside it ``arrivals/<number>/topics/…``, which go behind it in turn.

    Attributes:
        folder: where both stand.
        posts: keys in the history.
    """

    folder: Path
    posts: int

    def settings(self) -> Settings:
        """Names and places; no warehouse."""
        return Settings(landing=str(self.folder))

    def expected(self) -> dict[str, dict[str, int]]:
        """By entity the numbers that a batch must report, as the generator knows them: read, rejected and rows."""
        found: dict[str, dict[str, int]] = json.loads(self.folder.joinpath(_EXPECTED).read_text(encoding="utf-8"))
        return found

    def without_repeats(self) -> Path:
        """The same without the lines that give their key twice: Spark cannot infer a schema from those."""
        return self.folder / "plain"

    def linked(self, folder: Path) -> Path:
        """The history as a separate landing, by hard links, to which arrivals can be added."""
        _link(self.folder / "topics", folder / "topics")
        return folder

    def arrive(self, number: int, landing: Path) -> None:
        """Adds one arrival to a linked landing."""
        _link(self.folder / "arrivals" / str(number) / "topics", landing / "topics")


def arrival_rows(posts: int) -> int:
    """New rows of an arrival, and changed ones: 1,000 of each, fewer only on a history smaller than that."""
    return min(ARRIVAL, max(1, posts // 2))


def records_per_file(posts: int) -> int:
    """Records of a landing file: 1,000 up to 11,000 posts, 10,000 beyond."""
    return 1_000 if posts <= 11_000 else 10_000


def landing_of(posts: int, cache: Path, say: Say) -> Landing:
    """The landing of that many posts, made if it is not there or was made by another generator."""
    made = cache / f"landing-{posts}-{_fingerprint()}"
    if not made.is_dir():
        for old in cache.glob(f"landing-{posts}-*"):
            shutil.rmtree(old)
        unfinished = made.with_suffix(".tmp")
        try:
            expected = {}
            for entity in ENTITIES:
                say(f"making the landing of {posts:,} posts: {entity.name}")
                expected[entity.name] = _make_topic(unfinished, entity, posts)
            unfinished.joinpath(_EXPECTED).write_text(json.dumps(expected), encoding="utf-8")
            unfinished.rename(made)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
    return Landing(made, posts)


def source_of(posts: int) -> Path:
    """A source database of that many posts, made once."""
    file = CACHE / f"source-{posts}.db"
    if not file.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        part = file.with_suffix(".part")
        part.unlink(missing_ok=True)
        engine = connect(str(part))
        write_source(engine, ((entity, generate_rows(entity, posts, SEED)) for entity in ENTITIES))
        engine.dispose()
        part.rename(file)
    return file


def _fingerprint() -> str:
    """Of everything a landing is made by."""
    found = hashlib.sha256(repr((SEED, DELIVERY, ARRIVALS, ARRIVAL)).encode())
    for name in _MAKERS:
        for file in sorted((ROOT / name).rglob("*.py")) or [ROOT / name]:
            found.update(file.read_bytes())
    return found.hexdigest()[:8]


@dataclass
class _Later:
    """Rows kept for the arrivals while the history goes by: the first ones behind it, and some of those in it."""

    posts: int
    wanted: set[int]
    fresh: list[Row] = field(default_factory=list)
    known: list[Row] = field(default_factory=list)

    def history(self, entity: Entity) -> Iterator[Row]:
        """The history's rows."""
        count = ARRIVALS * arrival_rows(self.posts)
        # A little more than that, since a few keys have no row.
        for chunk in generate_rows(entity, self.posts + count + count // 50 + 100, SEED):
            for row in chunk:
                key = int(str(row[0]))
                if key >= self.posts:
                    self.fresh.append(row)
                    continue
                if key in self.wanted:
                    self.known.append(row)
                yield row


def _make_topic(folder: Path, entity: Entity, posts: int) -> dict[str, int]:
    """The history of a topic, then the arrivals: written behind it, then moved out of it; the history's numbers."""
    settings = Settings(landing=str(folder))
    chance = random.Random(f"{SEED}/{entity.name}/arrivals")
    later = _Later(posts, set(chance.sample(range(posts), min(posts, ARRIVALS * arrival_rows(posts)))))
    history = _write(later.history(entity), entity, settings, DELIVERY, records_per_file(posts))
    there = _files(settings, entity)
    for file in there:
        goal = folder / "plain" / file.relative_to(folder)
        goal.parent.mkdir(parents=True, exist_ok=True)
        goal.write_bytes(_GIVEN_TWICE.sub(b"", file.read_bytes()))
    count = arrival_rows(posts)
    for number in range(ARRIVALS):
        fresh = later.fresh[number * count : (number + 1) * count]
        changed = [_changed(row, entity, chance) for row in chance.sample(later.known, min(count, len(later.known)))]
        _write(iter([*fresh, *changed]), entity, settings, ONCE, 2 * count)
        now = _files(settings, entity)
        for file in now - there:
            goal = folder / "arrivals" / str(number) / file.relative_to(folder)
            goal.parent.mkdir(parents=True, exist_ok=True)
            os.link(file, goal)
        there = now
    for file in folder.glob(f"arrivals/*/topics/{settings.topic(entity)}/*/*.json"):
        folder.joinpath(*file.relative_to(folder).parts[2:]).unlink()
    rejected = history.counts["malformed"] + history.counts["foreign"]
    return {"read": history.records, "rejected": rejected, "rows": history.counts["rows"]}


def _write(rows: Iterator[Row], entity: Entity, settings: Settings, delivery: Delivery, per_file: int) -> WrittenTopic:
    return write_landing(rows, entity, settings, records_per_file=per_file, delivery=delivery, seed=SEED)


def _files(settings: Settings, entity: Entity) -> set[Path]:
    return set(Path(settings.topic_folder(entity)).glob("partition=*/*.json"))


def _changed(row: Row, entity: Entity, chance: random.Random) -> Row:
    record: JsonRecord = dict(zip(column_names(entity), row, strict=True))
    return tuple(json.loads(faults.update_record(record, entity, chance)).values())


def _link(source: Path, goal: Path) -> None:
    shutil.copytree(source, goal, copy_function=os.link, dirs_exist_ok=True)
