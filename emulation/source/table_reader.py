"""Reads source tables by key, whether the key is stored as whole number, decimal, double or text.

Source: the data contract, section 3: the key's rule, its names, and that an invalid row does not affect others.

Numeric keys sort in the database, so their rows are read in keyset pages, and no connection is held between pages. Text
keys do not (``"10"`` sorts before ``"9"``): a table that has one is read into memory and sorted here.
"""

from array import array
from bisect import bisect_right
from collections.abc import Callable, Collection, Iterator, Sequence
from functools import cached_property
from itertools import pairwise
from typing import TypeVar

import sqlalchemy as sa

from emulation.emulation_errors import SourceError
from emulation.source.database import read_with_retry
from emulation.source.source_records import MAX_KEY, Row, Value, get_key, parse_key
from pinterest_transforms.entities import Entity

_T = TypeVar("_T")
PAGE_SIZE = 10_000


class TableReader:
    """Reads one source table. The key of every returned row is a whole number, except in ``read_unusable``.

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
            size: rows per page; a table with text keys is one page.
            after: the key to start after; None for the first row.
        """
        if self._has_text_keys:
            rows = self._sorted_rows
            pages = iter([rows if after is None else rows[bisect_right(rows, after, key=get_key) :]])
        else:
            pages = map(_convert_keys, self._read_keyset_pages(size, after))
        yield from filter(None, pages)

    def read_rows(self, keys: Sequence[int]) -> Sequence[Row]:
        """The rows with one of the keys, in key order."""
        wanted = set(keys)
        if self._has_text_keys:
            return [row for row in self._sorted_rows if row[0] in wanted]
        return sorted(_convert_keys(self._fetch(self._query.where(self._key.in_(wanted)))), key=get_key)

    def read_keys(self) -> "array[int]":
        """The usable keys in ascending order, one per row."""
        if self._has_text_keys:
            return array("q", map(get_key, self._sorted_rows))
        query = sa.select(self._key).where(self._key.between(0, MAX_KEY)).order_by(self._key)

        def read(connection: sa.Connection) -> "array[int]":
            stored = connection.execution_options(yield_per=PAGE_SIZE).execute(query).scalars()
            return array("q", (key for key in map(parse_key, stored) if key is not None))

        return self._read(read)

    def read_unusable(self) -> Sequence[Row]:
        """The rows without a usable key, as they are stored."""
        key, rows = self._key, self._query
        if not self._has_text_keys:
            whole = sa.cast(key, sa.Integer) if self._engine.dialect.name == "sqlite" else sa.func.round(key)
            rows = rows.where(sa.or_(key.is_(None), key < 0, key >= MAX_KEY, key != whole))
        return [row for row in self._fetch(rows) if parse_key(row[0]) is None]

    def find_stored_keys(self, keys: Collection[int]) -> tuple[str, list[Value]]:
        """Name of the key's column, and its values that are one of the keys: a text may spell a key in several ways."""
        if not self._has_text_keys:
            return self._key.name, [*keys]
        stored = self._fetch(sa.select(self._key).distinct())
        return self._key.name, [value for (value,) in stored if parse_key(value) in keys]

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
    def _sorted_rows(self) -> Sequence[Row]:
        """All rows with a usable key, in key order."""
        return sorted(_convert_keys(self._fetch(self._query)), key=get_key)

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
