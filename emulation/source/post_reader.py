"""Which posts are sent, and in which order: all by key, or drawn at random. The three tables are read in step.

A post with no geolocation or user is sent as far as it exists.
"""

import random
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import count, islice

from sqlalchemy import Engine

from emulation.producer.send_result import Outgoing
from emulation.source.database import SourceError
from emulation.source.source_records import Row, column_names, encode, key_error, whole_key
from emulation.source.table_reader import TableReader
from pinterest_transforms.entities import ENTITIES, PIN, Entity

_DRAWN = 500
_TOGETHER = 200
_LONGEST_ID = 80
Posts = Iterator[Sequence[Outgoing]]
"""Lists of records; the records of one post are in one list."""


class _Maker:
    """Makes the records of a post."""

    def __init__(self) -> None:
        self._names = {entity.name: column_names(entity) for entity in ENTITIES}

    def record(self, entity: Entity, key: int | None, row: Row, post: int) -> Outgoing:
        """A row as it is sent; with what it has instead where there is no usable key."""
        value, unfit = encode(dict(zip(self._names[entity.name], row, strict=True)))
        return Outgoing(entity, key, value, post, key_error(row[0]) if key is None else unfit)


def first_pin(engine: Engine) -> str:
    """Key and id of the first pin by key, in words: what tells a source from one made anew at the same place."""
    rows = next(TableReader(engine, PIN).pages(2), ())
    if not rows:
        return "no pins"
    # Where a table has no primary key, several rows may have the first key.
    ids = [str(row[1]) for row in rows if row[0] == rows[0][0]]
    return f"first pin {whole_key(rows[0])}, {min(ids)[:_LONGEST_ID]!r}"


def posts_by_key(engine: Engine, after: int | None = None, first: int = 0, limit: int | None = None) -> Posts:
    """Every post in the order of its key; behind them, where all are asked for, the rows without a usable one.

    Args:
        engine: the source.
        after: begin behind this key; None for the first post.
        first: number of the first post that is yielded.
        limit: how many posts at most; None for all.
    """
    make = _Maker()
    readers = [TableReader(engine, entity) for entity in ENTITIES]
    tables = [_Ahead(reader, after) for reader in readers]
    left = limit
    while ahead := [table for table in tables if table.fill()]:
        # Behind the least of the last keys another table may have rows that are not read yet.
        keys = sorted(set().union(*(table.keys_up_to(min(other.last for other in ahead)) for table in ahead)))
        for start in range(0, len(keys) if left is None else min(left, len(keys)), _TOGETHER):
            some = keys[start : start + _TOGETHER][:left]
            posts = dict(zip(some, count(first), strict=False))
            yield [
                make.record(table.entity, key, row, posts[key]) for table in ahead for key, row in table.take(some[-1])
            ]
            first, left = first + len(some), None if left is None else left - len(some)
        if left == 0:
            return
    if limit is not None:
        return
    keyless = ((reader.entity, row) for reader in readers for page in reader.unusable_pages() for row in page)
    numbered = zip(count(first), keyless, strict=False)
    while rows := list(islice(numbered, _TOGETHER)):
        yield [make.record(entity, None, row, post) for post, (entity, row) in rows]


class _Ahead:
    """The rows of one table that are read and not passed on yet, in the order of their keys."""

    def __init__(self, reader: TableReader, after: int | None) -> None:
        self.entity = reader.entity
        self._pages = reader.pages(after=after)
        self._rows: Sequence[Row] = ()
        self._keys: list[int] = []
        self._at = 0

    def fill(self) -> bool:
        """Reads the next page where nothing is left; False if nothing is left at all. A page never parts a key."""
        if self._at == len(self._keys):
            self._rows = next(self._pages, ())
            self._keys, self._at = [whole_key(row) for row in self._rows], 0
        return bool(self._keys)

    @property
    def last(self) -> int:
        """The last key that is read."""
        return self._keys[-1]

    def keys_up_to(self, key: int) -> list[int]:
        """The keys that are not passed on yet, up to one."""
        return self._keys[self._at : bisect_right(self._keys, key)]

    def take(self, key: int) -> Iterator[tuple[int, Row]]:
        """Passes on keys and rows up to that key."""
        start, self._at = self._at, bisect_right(self._keys, key)
        return zip(self._keys[start : self._at], self._rows[start : self._at], strict=True)


def posts_at_random(engine: Engine, seed: int, first: int = 0, limit: int | None = None) -> Posts:
    """Posts drawn at random, with repetition; the same seed and source give the same posts.

    Args:
        engine: the source.
        seed: what they are drawn with.
        first: how many draws to pass over.
        limit: how many posts at most, the passed ones not counted; None for no end.

    Raises:
        SourceError: there are none to draw from.
    """
    make, readers = _Maker(), [TableReader(engine, entity) for entity in ENTITIES]
    keys = readers[ENTITIES.index(PIN)].keys()
    if not keys:
        raise SourceError(f"table {PIN.source_table} must have rows with a usable key, got none")
    draw = random.Random(seed)
    for _ in range(first):
        draw.randrange(len(keys))
    left = limit
    while left is None or left > 0:
        count = _DRAWN if left is None else min(_DRAWN, left)
        drawn = [keys[draw.randrange(len(keys))] for _ in range(count)]
        found: dict[int, list[tuple[Entity, Row]]] = defaultdict(list)
        for reader in readers:
            for row in reader.rows_of(sorted(set(drawn))):
                found[whole_key(row)].append((reader.entity, row))
        yield [
            make.record(entity, key, row, post) for post, key in enumerate(drawn, first) for entity, row in found[key]
        ]
        first, left = first + count, None if left is None else left - count
