"""Reads posts from the three source tables: all in key order, or drawn at random.

A post without a geolocation or user has only its other records.
"""

import heapq
import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import chain, count, groupby, islice, repeat
from operator import itemgetter

from sqlalchemy import Engine

from emulation.emulation_errors import SourceError
from emulation.source.source_records import Row, SourceRecord, column_names, describe_key_error, encode_record, get_key
from emulation.source.table_reader import TableReader
from pinterest_transforms.entities import ENTITIES, PIN, Entity

_DRAWS_PER_BATCH = 500
_RECORDS_PER_BATCH = 600
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
    rows = heapq.merge(*(_read_numbered(reader, number, after) for number, reader in enumerate(readers)))
    posts = count(first)
    records: list[SourceRecord] = []
    for (key, group), post in zip(islice(groupby(rows, itemgetter(0)), limit), posts, strict=False):
        records += [_build_record(ENTITIES[number], key, row, post) for _, number, row in group]
        if len(records) >= _RECORDS_PER_BATCH:
            yield records
            records = []
    yield records
    for reader in readers if limit is None else ():
        yield [
            _build_record(reader.entity, None, row, post)
            for row, post in zip(reader.read_unusable(), posts, strict=False)
        ]


def _read_numbered(reader: TableReader, number: int, after: int | None) -> Iterator[tuple[int, int, Row]]:
    """Key, number of the table and row of each row in key order; tables are merged by the first two."""
    pages = reader.read_pages(after=after)
    return chain.from_iterable(zip(map(itemgetter(0), page), repeat(number), page, strict=False) for page in pages)


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
