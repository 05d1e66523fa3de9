"""Landings and source databases to be measured on, made by the generator; and what arrives on a landing later."""

import json
import random
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from itertools import chain
from pathlib import Path

from emulation.source.database import connect, write_source
from emulation.source.source_records import Row, column_names
from emulation.synthetic import faults
from emulation.synthetic.delivery import DIRTY, ONCE, Delivery
from emulation.synthetic.generator import generate_rows, generate_rows_of_keys
from emulation.synthetic.landing_writer import WrittenTopic, write_landing
from pinterest_transforms.entities import ENTITIES, Entity
from pinterest_transforms.settings import Settings

SEED = 1
ARRIVAL = 1000
"""So many new and so many changed rows arrive at once."""
_GIVEN_TWICE = re.compile(rb'^\{"(ind|index)": ?[0-9]+, ?"\1": ?.*\n', re.MULTILINE)


@dataclass(frozen=True)
class Landing:
    """A landing of dirty records.

    Attributes:
        folder: the landing.
        posts: its number of posts.
        expected: by entity the numbers that a batch must report: read, rejected and rows.
    """

    folder: Path
    posts: int
    expected: dict[str, dict[str, int]]

    def without_repeats(self) -> Path:
        """The same without the lines that give their key twice: Spark cannot infer a schema from those."""
        plain = self.folder / "plain"
        if not plain.exists():
            for file in self.folder.glob("topics/*/*/*.json"):
                copy = plain / file.relative_to(self.folder)
                copy.parent.mkdir(parents=True, exist_ok=True)
                copy.write_bytes(_GIVEN_TWICE.sub(b"", file.read_bytes()))
        return plain


@cache
def make_landing(posts: int, work: Path) -> Landing:
    """A landing of that many posts, made once in a folder."""
    folder, expected = work / f"landing-{posts}", {}
    folder.mkdir(parents=True)  # in one that is there each record would stand twice
    for entity in ENTITIES:
        print(f"making the landing of {posts:,} posts: {entity.name}", flush=True)
        rows = chain.from_iterable(generate_rows(entity, posts, SEED))
        written = _write(rows, entity, folder, DIRTY, 1_000 if posts <= 11_000 else 10_000)
        rejected = written.counts["malformed"] + written.counts["foreign"]
        expected[entity.name] = {"read": written.records, "rejected": rejected, "rows": written.counts["rows"]}
    return Landing(folder, posts, expected)


def add_arrival(posts: int, number: int, folder: Path) -> dict[str, dict[str, int]]:
    """Adds new and changed rows to a landing of ``posts`` posts, behind earlier arrivals; what a batch must report."""
    count, expected = min(ARRIVAL, posts), {}
    first = posts + number * count
    for entity in ENTITIES:
        chance = random.Random(f"{SEED}/{entity.name}/{number}")
        new = generate_rows_of_keys(entity, range(first, first + count), SEED)
        known = generate_rows_of_keys(entity, chance.sample(range(posts), count), SEED)
        rows = [*new, *(_change(row, entity, chance) for row in known)]
        _write(rows, entity, folder, ONCE, 2 * count)
        expected[entity.name] = {"read": len(rows), "merged": len(rows), "rejected": 0, "rows": len(new)}
    return expected


def _write(rows: Iterable[Row], entity: Entity, folder: Path, delivery: Delivery, per_file: int) -> WrittenTopic:
    settings = Settings(landing=str(folder))
    return write_landing(rows, entity, settings, records_per_file=per_file, delivery=delivery, seed=SEED)


def _change(row: Row, entity: Entity, chance: random.Random) -> Row:
    record = dict(zip(column_names(entity), row, strict=True))
    return tuple(json.loads(faults.update_record(record, entity, chance)).values())


@cache
def make_source(posts: int, work: Path) -> Path:
    """A source database of that many posts, made once in a folder."""
    file = work / f"source-{posts}.db"
    engine = connect(str(file))
    write_source(engine, ((entity, generate_rows(entity, posts, SEED)) for entity in ENTITIES))
    engine.dispose()
    return file
