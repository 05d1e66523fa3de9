"""A record as the S3 sink writes it: one JSON object in UTF-8 on one line."""

import json
import math
from datetime import date, datetime
from decimal import Decimal

import orjson

from pinterest_transforms.entities import Entity
from pinterest_transforms.errors import SettingsError

Record = dict[str, object]
Value = str | int | float | Decimal | datetime | bytes | None
Row = tuple[Value, ...]


def column_names(entity: Entity) -> tuple[str, ...]:
    """The columns of the entity's source table, the key first; a row has its values in this order."""
    return (entity.key_fields[0], *entity.fields)


def key_of(row: Row) -> int:
    """The key of a row as ``column_names`` orders it."""
    key = row[0]
    if not isinstance(key, int | Decimal):
        raise SettingsError(f"a key must be a whole number, got {type(key).__name__}")
    return int(key)


def _plain(value: object) -> object:
    """A database's value as JSON can hold it: dates as ISO, whole decimals as integers, bytes as text."""
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return int(value) if value.is_finite() and value == value.to_integral_value() else float(value)
    if isinstance(value, bytes | bytearray):
        return value.decode("utf-8", "replace")
    return str(value)


_SLOW = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=_plain)


def json_bytes(record: Record) -> bytes:
    """The record as a JSON object in UTF-8 on one line; numbers that JSON cannot hold become null."""
    try:
        return orjson.dumps(record, _plain, orjson.OPT_PASSTHROUGH_DATETIME)
    except TypeError:
        return _slowly(record).encode("utf-8", "replace")


def json_line(record: Record) -> str:
    """The same as text, which may hold half a letter that UTF-8 cannot."""
    try:
        return orjson.dumps(record, _plain, orjson.OPT_PASSTHROUGH_DATETIME).decode()
    except TypeError:
        return _slowly(record)


def _slowly(record: Record) -> str:
    """What the fast encoder refuses: whole numbers of more than 64 bits, halves of letters."""
    try:
        return _SLOW.encode(record)
    except ValueError:
        plain = {name: _plain(value) if isinstance(value, Decimal) else value for name, value in record.items()}
        finite = {n: None if isinstance(v, float) and not math.isfinite(v) else v for n, v in plain.items()}
        return _SLOW.encode(finite)
