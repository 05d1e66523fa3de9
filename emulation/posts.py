"""Which posts are sent, and in which order: all by key, or drawn at random. The three tables are read in step.

A post with no geolocation or user is sent as far as it exists.
"""

import heapq
import random
from array import array
from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import chain, groupby, islice
from operator import itemgetter

from sqlalchemy import Engine

from emulation.outgoing import Outgoing
from emulation.records import Row, column_names, json_line, key_of
from emulation.source import SourceError, read_keyless, read_keys, read_of, read_rows
from pinterest_transforms.entities import ENTITIES, PIN, Entity

_DRAWN = 500
_TOGETHER = 200
Posts = Iterator[Sequence[Outgoing]]
"""Lists of records; the records of one post are in one list."""


class _Maker:
    """Makes the records of a post."""

    def __init__(self) -> None:
        self._names = {entity.name: column_names(entity) for entity in ENTITIES}

    def record(self, entity: Entity, row: Row, post: int) -> Outgoing:
        """A row as it is sent."""
        value = json_line(dict(zip(self._names[entity.name], row, strict=True)))
        key = None if row[0] is None else key_of(row)
        return Outgoing(entity, key, value.encode("utf-8", "replace"), post)


def posts_by_key(engine: Engine, after: int | None = None, first: int = 0, limit: int | None = None) -> Posts:
    """Every post in the order of its key; behind them, where all are asked for, the rows that have none.

    Args:
        engine: the source.
        after: begin behind this key; None for the first post.
        first: number of the first post that is yielded.
        limit: how many posts at most; None for all.
    """
    make = _Maker()
    in_step = heapq.merge(*(_keyed(engine, entity, after) for entity in ENTITIES), key=itemgetter(0))
    keyed = (rows for _, rows in islice(groupby(in_step, key=itemgetter(0)), limit))
    keyless = ([(None, entity, row)] for entity in ENTITIES if limit is None for row in read_keyless(engine, entity))
    numbered = enumerate(chain(keyed, keyless), first)
    made = ([make.record(entity, row, post) for _, entity, row in rows] for post, rows in numbered)
    while some := list(islice(made, _TOGETHER)):
        yield [record for records in some for record in records]


def _keyed(engine: Engine, entity: Entity, after: int | None) -> Iterator[tuple[int, Entity, Row]]:
    return ((key_of(row), entity, row) for row in read_rows(engine, entity, after=after))


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
    make, keys = _Maker(), array("q")
    for page in read_keys(engine, PIN):
        keys.extend(page)
    if not keys:
        raise SourceError(f"table {PIN.source_table} must have rows with a key, got none")
    draw = random.Random(seed)
    for _ in range(first):
        draw.randrange(len(keys))
    left = limit
    while left is None or left > 0:
        count = _DRAWN if left is None else min(_DRAWN, left)
        drawn = [keys[draw.randrange(len(keys))] for _ in range(count)]
        found: dict[int, list[tuple[Entity, Row]]] = defaultdict(list)
        for entity in ENTITIES:
            for row in read_of(engine, entity, sorted(set(drawn))):
                found[key_of(row)].append((entity, row))
        yield [make.record(entity, row, post) for post, key in enumerate(drawn, first) for entity, row in found[key]]
        first, left = first + count, None if left is None else left - count
