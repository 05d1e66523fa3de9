"""Reads source tables by key, whether the key is stored as whole number, decimal, double or text.

Source: the data contract, section 3: the key's rule, its names, and that an invalid row does not affect others.

Numeric keys sort in the database, so their rows are read in keyset pages. Text keys do not (``"10"`` sorts before
``"9"``): their keys are read first and sorted here as numbers, then their rows are read by key. No connection is held
between pages.
"""

from array import array
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import count, groupby, pairwise
from typing import TypeVar

import sqlalchemy as sa

from emulation.emulation_errors import SourceError
from emulation.source.database import read_with_retry
from emulation.source.source_records import MAX_KEY, Row, Value, get_key, parse_key
from pinterest_transforms.entities import Entity

_T = TypeVar("_T")
PAGE_SIZE = 10_000
# Keys per statement, each in up to two spellings: SQLite takes 32,766 parameters.
_KEYS_PER_STATEMENT = 5_000


@dataclass(frozen=True)
class _Keys:
    """The keys of a table with text keys.

    Attributes:
        usable: usable keys in ascending order, one per row.
        spellings: for each key the texts it is stored as, other than its digits.
        unusable: distinct stored values that are no usable key.
    """

    usable: "array[int]" = field(default_factory=lambda: array("q"))
    spellings: dict[int, list[Value]] = field(default_factory=lambda: defaultdict(list))
    unusable: set[Value] = field(default_factory=set)


class TableReader:
    """Reads one source table. The key of every returned row is a whole number, except in ``read_unusable_pages``.

    Args:
        engine: the database.
        entity: the table's entity.

    Raises:
        SourceError: from every method: the table or a column is missing, or the database reports an error.
    """

    def __init__(self, engine: sa.Engine, entity: Entity) -> None:
        self._engine, self.entity = engine, entity
        self._connected = False

    def read_pages(self, size: int = PAGE_SIZE, *, after: int | None = None) -> Iterator[Sequence[Row]]:
        """Pages of rows in key order; rows with the same key are in one page.

        Args:
            size: rows per page.
            after: the key to start after; None for the first row.
        """
        if self._has_text_keys:
            keys = array("q", (key for key, _ in groupby(self._keys.usable)))
            start, size = 0 if after is None else bisect_right(keys, after), min(size, _KEYS_PER_STATEMENT)
            yield from filter(None, (self.read_rows(keys[at : at + size]) for at in range(start, len(keys), size)))
        else:
            yield from filter(None, map(_convert_keys, self._read_keyset_pages(size, after)))

    def read_rows(self, keys: Sequence[int]) -> Sequence[Row]:
        """The rows with one of the keys, in key order."""
        wanted = set(keys)
        stored: list[Value] = list(wanted)
        if self._has_text_keys:
            stored = [text for key in wanted for text in (str(key), *self._keys.spellings.get(key, ()))]
            # SQLite columns without a type hold numbers beside texts.
            stored += wanted if self._engine.dialect.name == "sqlite" else ()
        # A database's collation may match other texts too, as full-width 7.
        rows = _convert_keys(self._fetch(self._query.where(self._match_stored(stored))))
        return sorted((row for row in rows if row[0] in wanted), key=get_key)

    def read_keys(self) -> "array[int]":
        """The usable keys in ascending order, one per row."""
        return self._keys.usable

    def read_unusable_pages(self, size: int = PAGE_SIZE) -> Iterator[Sequence[Row]]:
        """Pages of the rows without a usable key, as they are stored."""
        key = self._key
        yield from self._read_unusable(key.is_(None), {None}, size)
        if not self._has_text_keys:
            whole = sa.cast(key, sa.Integer) if self._engine.dialect.name == "sqlite" else sa.func.round(key)
            yield from self._read_unusable(sa.or_(key < 0, key >= MAX_KEY, key != whole), None, size)
            return
        stored = sorted(self._keys.unusable, key=repr)
        for at in range(0, len(stored), _KEYS_PER_STATEMENT):
            part = stored[at : at + _KEYS_PER_STATEMENT]
            yield from self._read_unusable(self._match_stored(part), set(part), size)

    def _read_unusable(
        self, condition: sa.ColumnElement[bool], stored: set[Value] | None, size: int
    ) -> Iterator[Sequence[Row]]:
        """Rows that match a condition and have an unusable key, one of ``stored`` where given."""
        query = self._query.where(condition)
        rows = self._fetch(query.limit(size))
        if len(rows) == size:
            # Ordered by every column: with ties, LIMIT and OFFSET would repeat and miss rows.
            query = query.order_by(*self._table.columns)
            rows = self._fetch(query.limit(size))
        for start in count(size, size):
            yield [row for row in rows if parse_key(row[0]) is None and (stored is None or row[0] in stored)]
            if len(rows) < size:
                return
            rows = self._fetch(query.limit(size).offset(start))

    def _read_keyset_pages(self, size: int, after: int | None) -> Iterator[Sequence[Row]]:
        """Keyset pages by a numeric key; OFFSET would read all previous rows again.

        Rows with the same key (a source may have no primary key) are never split between pages.
        """
        key, limit = self._key, size
        query = self._query.where(key.between(0, MAX_KEY)).order_by(key)
        following = query if after is None else query.where(key > after)
        while True:
            rows = self._fetch(following.limit(limit))
            if len(rows) < limit:
                yield rows
                return
            complete = _count_complete(rows)
            if not complete:
                limit *= 2
                continue
            yield rows[:complete]
            following, limit = query.where(key > rows[complete - 1][0]), size

    @cached_property
    def _table(self) -> sa.TableClause:
        """The table with the contract's columns, the key first under its name in the database."""
        table = self.entity.source_table
        no_rows = sa.select(sa.text("*")).select_from(sa.table(table)).limit(0)
        names = {name.lower(): name for name in self._read(lambda connection: connection.execute(no_rows).keys())}
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
    def _has_text_keys(self) -> bool:
        """Whether any key is stored as text; in SQLite, where each row has a type, text sorts after numbers."""
        query = sa.select(sa.func.max(self._key))
        return isinstance(self._read(lambda connection: connection.execute(query).scalar()), str | bytes)

    @cached_property
    def _keys(self) -> _Keys:
        return self._read(self._read_stored_keys)

    def _read_stored_keys(self, connection: sa.Connection) -> _Keys:
        keys: list[int] = []
        found = _Keys()
        query = sa.select(self._key).where(self._key.is_not(None))
        for stored in connection.execution_options(yield_per=PAGE_SIZE).execute(query).scalars():
            key = parse_key(stored)
            if key is None:
                found.unusable.add(stored)
                continue
            keys.append(key)
            if isinstance(stored, str | bytes) and stored != str(key):
                found.spellings[key].append(stored)
        found.usable.extend(sorted(keys))
        return found

    def _match_stored(self, stored: Sequence[Value]) -> sa.ColumnElement[bool]:
        """The condition that the key is stored as one of these values."""
        return self._key.in_([_bind(value) for value in stored])

    def _fetch(self, query: sa.Select[*Row]) -> Sequence[Row]:
        return self._read(lambda connection: list(map(tuple, connection.execute(query).all())))

    def _read(self, read: Callable[[sa.Connection], _T]) -> _T:
        """Calls ``read`` with a connection; retries only after a first success, so that a wrong URL fails at once."""
        result = read_with_retry(self._engine, read, retry=self._connected)
        self._connected = True
        return result


def _convert_keys(rows: Sequence[Row]) -> Sequence[Row]:
    """The rows with a usable key, converted to a whole number."""
    if {type(row[0]) for row in rows} == {int}:
        # The usual case; the query has checked the bounds.
        return rows
    keyed = ((parse_key(row[0]), row) for row in rows)
    return [(key, *row[1:]) for key, row in keyed if key is not None]


def _count_complete(rows: Sequence[Row]) -> int:
    """Number of rows of a full page before its last key, whose rows may continue on the next page."""
    edges = (n for n, (one, other) in enumerate(pairwise(reversed(rows)), 1) if one[0] != other[0])
    return len(rows) - next(edges, len(rows))


def _bind(value: Value) -> Value | sa.ColumnElement[str]:
    """A key as a parameter; drivers refuse text that is not UTF-8, which only SQLite stores."""
    if isinstance(value, str) and not value.isascii():
        raw = value.encode("utf-8", "surrogateescape")
        if raw.decode("utf-8", "replace") != value:
            return sa.cast(sa.literal(raw, sa.LargeBinary), sa.Text)
    return value
