"""Reads posts from the three source tables: all in key order, or drawn at random.

A post without a geolocation or user has only its other records.
"""

import random
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import count, islice

from sqlalchemy import Engine

from emulation.emulation_errors import SourceError
from emulation.source.source_records import Row, SourceRecord, column_names, describe_key_error, encode_record, get_key
from emulation.source.table_reader import TableReader
from pinterest_transforms.entities import ENTITIES, PIN, Entity

_DRAWS_PER_BATCH = 500
_POSTS_PER_BATCH = 200
_MAX_ID_LENGTH = 80
_COLUMNS = {entity.name: column_names(entity) for entity in ENTITIES}
RecordBatches = Iterator[Sequence[SourceRecord]]
"""Lists of records; all records of a post are in one list."""


def _build_record(entity: Entity, key: int | None, row: Row, post: int) -> SourceRecord:
    value, error = encode_record(dict(zip(_COLUMNS[entity.name], row, strict=True)))
    return SourceRecord(entity, key, value, post, describe_key_error(row[0]) if key is None else error)


def describe_first_pin(engine: Engine) -> str:
    """Key and id of the first pin by key, which differ between two sources generated at the same URL."""
    rows = next(TableReader(engine, PIN).read_pages(2), ())
    if not rows:
        return "no pins"
    # Without a primary key, several rows may have the first key.
    ids = [str(row[1]) for row in rows if row[0] == rows[0][0]]
    return f"first pin {get_key(rows[0])}, {min(ids)[:_MAX_ID_LENGTH]!r}"


def read_posts_by_key(
    engine: Engine, after: int | None = None, first: int = 0, limit: int | None = None
) -> RecordBatches:
    """Posts in key order; if there is no limit, then the rows without a usable key.

    Args:
        engine: the source.
        after: the key to start after; None for the first post.
        first: number of the first returned post.
        limit: maximum number of posts; None for all.
    """
    readers = [TableReader(engine, entity) for entity in ENTITIES]
    buffers = [_TableBuffer(reader, after) for reader in readers]
    left = limit
    while filled := [buffer for buffer in buffers if buffer.fill()]:
        # Beyond the smallest last key, another table may have rows that are not read yet.
        last = min(buffer.last_key for buffer in filled)
        keys = sorted(set().union(*(buffer.keys_up_to(last) for buffer in filled)))
        for start in range(0, len(keys) if left is None else min(left, len(keys)), _POSTS_PER_BATCH):
            batch = keys[start : start + _POSTS_PER_BATCH][:left]
            posts = dict(zip(batch, count(first), strict=False))
            yield [
                _build_record(buffer.entity, key, row, posts[key])
                for buffer in filled
                for key, row in buffer.take(batch[-1])
            ]
            first, left = first + len(batch), None if left is None else left - len(batch)
        if left == 0:
            return
    if limit is not None:
        return
    keyless = ((reader.entity, row) for reader in readers for page in reader.read_unusable_pages() for row in page)
    numbered = zip(count(first), keyless, strict=False)
    while rows := list(islice(numbered, _POSTS_PER_BATCH)):
        yield [_build_record(entity, None, row, post) for post, (entity, row) in rows]


class _TableBuffer:
    """Rows of one table that are read and not yet returned, in key order."""

    def __init__(self, reader: TableReader, after: int | None) -> None:
        self.entity = reader.entity
        self._pages = reader.read_pages(after=after)
        self._rows: Sequence[Row] = ()
        self._keys: list[int] = []
        self._at = 0

    def fill(self) -> bool:
        """Reads the next page if the buffer is empty; False at the end of the table."""
        if self._at == len(self._keys):
            self._rows = next(self._pages, ())
            self._keys, self._at = [get_key(row) for row in self._rows], 0
        return bool(self._keys)

    @property
    def last_key(self) -> int:
        """The last key in the buffer."""
        return self._keys[-1]

    def keys_up_to(self, key: int) -> list[int]:
        """Buffered keys up to ``key``."""
        return self._keys[self._at : bisect_right(self._keys, key)]

    def take(self, key: int) -> Iterator[tuple[int, Row]]:
        """Removes and returns keys and rows up to ``key``."""
        start, self._at = self._at, bisect_right(self._keys, key)
        return zip(self._keys[start : self._at], self._rows[start : self._at], strict=True)


def draw_posts(engine: Engine, seed: int, first: int = 0, limit: int | None = None) -> RecordBatches:
    """Posts drawn at random with replacement; the same seed and source give the same posts.

    Args:
        engine: the source.
        seed: the random seed.
        first: number of draws to skip.
        limit: maximum number of posts after the skipped ones; None for an endless iterator.

    Raises:
        SourceError: no row has a usable key.
    """
    readers = [TableReader(engine, entity) for entity in ENTITIES]
    keys = readers[ENTITIES.index(PIN)].read_keys()
    if not keys:
        raise SourceError(f"table {PIN.source_table} must have rows with a usable key, got none")
    generator = random.Random(seed)
    for _ in range(first):
        generator.randrange(len(keys))
    left = limit
    while left is None or left > 0:
        size = _DRAWS_PER_BATCH if left is None else min(_DRAWS_PER_BATCH, left)
        drawn = [keys[generator.randrange(len(keys))] for _ in range(size)]
        found: dict[int, list[tuple[Entity, Row]]] = defaultdict(list)
        for reader in readers:
            for row in reader.read_rows(sorted(set(drawn))):
                found[get_key(row)].append((reader.entity, row))
        yield [
            _build_record(entity, key, row, post) for post, key in enumerate(drawn, first) for entity, row in found[key]
        ]
        first, left = first + size, None if left is None else left - size
