"""Reads the tables of a source by key, however the database stores it: as whole number, decimal, double or text.

Source: the data contract, section 3: the key's rule, the names it may have, and that a bad row costs no other one.

Numbers sort in the database as they should, so their rows come in pages that begin behind the last key of the one
before. Texts do not (``"10"`` comes before ``"9"``): their keys are read first, sorted here as the numbers that they
mean, and then their rows by key. No connection is held from one page to the next.
"""

from array import array
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain, count, groupby, pairwise
from typing import TypeVar

import sqlalchemy as sa

from emulation.source.database import SourceError, read_again
from emulation.source.source_records import LARGEST_KEY, Row, Value, parse_key, whole_key
from pinterest_transforms.entities import Entity

_T = TypeVar("_T")
PAGE = 10_000
# The most keys in one statement, each in up to two spellings: SQLite takes 32,766 values.
_KEYS_A_STATEMENT = 5_000


@dataclass(frozen=True)
class _Keys:
    """The keys of a table.

    Attributes:
        all: the usable ones, ascending, one for each row.
        spellings: of a key, how else than as its digits it is stored as text.
        unusable: what else is stored where keys belong, each once.
    """

    all: "array[int]" = field(default_factory=lambda: array("q"))
    spellings: dict[int, list[Value]] = field(default_factory=lambda: defaultdict(list))
    unusable: set[Value] = field(default_factory=set)


class TableReader:
    """One table of a source. Every row that it yields has its key as a whole number, except the unusable ones.

    Args:
        engine: the database.
        entity: whose table.

    Raises:
        SourceError: of every method: the table or a column is missing, or the database refuses or stays away.
    """

    def __init__(self, engine: sa.Engine, entity: Entity) -> None:
        self._engine, self.entity = engine, entity
        self._reached = False

    def pages(self, page: int = PAGE, *, after: int | None = None) -> Iterator[Sequence[Row]]:
        """The rows in the order of their keys, each once, a page at a time; rows of one key are in one page.

        Args:
            page: rows a page.
            after: begin behind this key; None for the first row.
        """
        if self._keys_are_text:
            keys = array("q", (key for key, _ in groupby(self._keys.all)))
            start, size = 0 if after is None else bisect_right(keys, after), min(page, _KEYS_A_STATEMENT)
            yield from filter(None, (self.rows_of(keys[at : at + size]) for at in range(start, len(keys), size)))
        else:
            yield from filter(None, map(_usable, self._numbered_pages(page, after)))

    def rows_of(self, keys: Sequence[int]) -> Sequence[Row]:
        """The rows that have one of the keys, in the order of their keys."""
        wanted = set(keys)
        stored: list[Value] = list(wanted)
        if self._keys_are_text:
            stored = [text for key in wanted for text in (str(key), *self._keys.spellings.get(key, ()))]
            # Where columns have no type, numbers stand beside texts.
            stored += wanted if self._engine.dialect.name == "sqlite" else ()
        # A database may find more texts alike than are, as 7 in full width.
        rows = (row for row in _usable(self._fetch(self._query.where(self._stored_as(stored)))) if row[0] in wanted)
        return sorted(rows, key=whole_key)

    def keys(self) -> "array[int]":
        """The usable keys, ascending, one for each row."""
        return self._keys.all

    def unusable_pages(self, page: int = PAGE) -> Iterator[Sequence[Row]]:
        """The rows without a usable key, as they are stored."""
        key = self._key
        yield from self._unusable_where(key.is_(None), {None}, page)
        if not self._keys_are_text:
            whole = sa.cast(key, sa.Integer) if self._engine.dialect.name == "sqlite" else sa.func.round(key)
            yield from self._unusable_where(sa.or_(key < 0, key >= LARGEST_KEY, key != whole), None, page)
            return
        stored = sorted(self._keys.unusable, key=repr)
        for at in range(0, len(stored), _KEYS_A_STATEMENT):
            some = stored[at : at + _KEYS_A_STATEMENT]
            yield from self._unusable_where(self._stored_as(some), set(some), page)

    def _unusable_where(
        self, condition: sa.ColumnElement[bool], stored: set[Value] | None, page: int
    ) -> Iterator[Sequence[Row]]:
        """The rows of a condition whose key is unusable, and one of those stored where they are given."""
        query = self._query.where(condition)
        rows = self._fetch(query.limit(page))
        if len(rows) == page:
            # By every column: where rows tie, LIMIT gives some twice and others never.
            query = query.order_by(*self._table.columns)
            rows = self._fetch(query.limit(page))
        for start in count(page, page):
            yield [row for row in rows if parse_key(row[0]) is None and (stored is None or row[0] in stored)]
            if len(rows) < page:
                return
            rows = self._fetch(query.limit(page).offset(start))

    def _numbered_pages(self, page: int, after: int | None) -> Iterator[Sequence[Row]]:
        """Pages by a key that the database sorts as the number that it is.

        An OFFSET would read everything before it again. A key that several rows have (some sources have no primary
        key) never falls between two pages.
        """
        key, limit = self._key, page
        query = self._query.where(key.between(0, LARGEST_KEY)).order_by(key)
        behind = query if after is None else query.where(key > after)
        while True:
            rows = self._fetch(behind.limit(limit))
            if len(rows) < limit:
                yield rows
                return
            whole = _whole_keys(rows)
            if not whole:
                limit *= 2
                continue
            yield rows[:whole]
            behind, limit = query.where(key > rows[whole - 1][0]), page

    @cached_property
    def _table(self) -> sa.TableClause:
        """The table with the columns of the contract, the key first, by the name that it has there."""
        table = self.entity.source_table
        nothing = sa.select(sa.text("*")).select_from(sa.table(table)).limit(0)
        names = {name.lower(): name for name in self._read(lambda connection: connection.execute(nothing).keys())}
        key = next((names[name] for name in self.entity.key_fields if name in names), None)
        if key is None:
            raise SourceError(f"table {table} must have a column {' or '.join(self.entity.key_fields)}, got neither")
        columns: list[sa.ColumnClause[Value]] = [sa.column(name) for name in (key, *self.entity.fields)]
        return sa.table(table, *columns)

    @property
    def _key(self) -> sa.ColumnClause[Value]:
        return next(iter(self._table.columns))

    @property
    def _query(self) -> sa.Select[*Row]:
        return sa.select(*self._table.columns)

    @cached_property
    def _keys_are_text(self) -> bool:
        """Whether any key is stored as text: SQLite, where each row may have its own type, sorts it behind numbers."""
        query = sa.select(sa.func.max(self._key))
        return isinstance(self._read(lambda connection: connection.execute(query).scalar()), str | bytes)

    @cached_property
    def _keys(self) -> _Keys:
        return self._read(self._read_keys)

    def _read_keys(self, connection: sa.Connection) -> _Keys:
        keys: list[int] = []
        found = _Keys()
        query = sa.select(self._key).where(self._key.is_not(None))
        for stored in connection.execution_options(yield_per=PAGE).execute(query).scalars():
            key = parse_key(stored)
            if key is None:
                found.unusable.add(stored)
                continue
            keys.append(key)
            if isinstance(stored, str | bytes) and stored != str(key):
                found.spellings[key].append(stored)
        found.all.extend(sorted(keys))
        return found

    def _stored_as(self, stored: Sequence[Value]) -> sa.ColumnElement[bool]:
        """That the key is stored as one of these."""
        return self._key.in_([_bound(value) for value in stored])

    def _fetch(self, query: sa.Select[*Row]) -> Sequence[Row]:
        return self._read(lambda connection: list(map(tuple, connection.execute(query).all())))

    def _read(self, read: Callable[[sa.Connection], _T]) -> _T:
        """What a function reads; a database that answered before is waited for when it is lost."""
        found = read_again(self._engine, read, patient=self._reached)
        self._reached = True
        return found


def read_pages(
    engine: sa.Engine, entity: Entity, page: int = PAGE, *, after: int | None = None
) -> Iterator[Sequence[Row]]:
    """The rows of a source table; see ``TableReader.pages``."""
    return TableReader(engine, entity).pages(page, after=after)


def read_rows(engine: sa.Engine, entity: Entity, page: int = PAGE, *, after: int | None = None) -> Iterator[Row]:
    """The rows of a source table one by one; see ``TableReader.pages``."""
    return chain.from_iterable(read_pages(engine, entity, page, after=after))


def _usable(rows: Sequence[Row]) -> Sequence[Row]:
    """The rows that have a usable key, with it as a whole number."""
    if {type(row[0]) for row in rows} == {int}:
        # As nearly every source has them, and asked for within bounds.
        return rows
    keyed = ((parse_key(row[0]), row) for row in rows)
    return [(key, *row[1:]) for key, row in keyed if key is not None]


def _whole_keys(rows: Sequence[Row]) -> int:
    """How many rows to keep of a full page so that its last key is complete: all before the last key begins."""
    edges = (n for n, (one, other) in enumerate(pairwise(reversed(rows)), 1) if one[0] != other[0])
    return len(rows) - next(edges, len(rows))


def _bound(value: Value) -> Value | sa.ColumnElement[str]:
    """A key as a statement can have it: no driver sends a text that is no UTF-8, which only SQLite holds."""
    if isinstance(value, str) and not value.isascii():
        raw = value.encode("utf-8", "surrogateescape")
        if raw.decode("utf-8", "replace") != value:
            return sa.cast(sa.literal(raw, sa.LargeBinary), sa.Text)
    return value
