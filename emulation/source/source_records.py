"""Source rows, their keys, and the JSON records made of them: one JSON object in UTF-8 on one line.

Source: the data contract, section 3, for the key. Bytes that are not valid UTF-8 are decoded with Python's
surrogateescape, so that no byte is lost and one check finds them together with lone surrogates.
"""

import json
import math
import re
from datetime import date, datetime
from decimal import Decimal
from typing import NamedTuple

import orjson

from pinterest_transforms.entities import Entity

JsonRecord = dict[str, object]
Value = str | int | float | Decimal | datetime | bytes | None
Row = tuple[Value, ...]

MAX_KEY = 2**63 - 1
# The library's rule for whole numbers: Unicode's 25 White_Space characters around, ASCII digits.
_SPACE = r"[^\S\x1c-\x1f]*"
_WHOLE = re.compile(rf"{_SPACE}([+-]?[0-9]+(?:\.[0-9]{{1,17}}0*)?(?:[eE]\+?[0-9]{{1,2}})?){_SPACE}")
_MAX_KEY_LENGTH = 40


class SourceRecord(NamedTuple):
    """One record to send. There is one per source row, and a tuple is created in a third of a dataclass's time.

    Attributes:
        entity: the kind of record, which decides its topic or stream.
        key: the post's key: Kafka's key, Kinesis' partition key. None where the row has none; it cannot be sent.
        value: the record as one JSON object in UTF-8.
        post: number of the post in this run, from 0; the cursor counts it.
        error: why the row cannot be sent; empty if it can.
    """

    entity: Entity
    key: int | None
    value: bytes
    post: int
    error: str = ""

    @property
    def key_text(self) -> bytes:
        """The key as text."""
        return str(self.key).encode()


def column_names(entity: Entity) -> tuple[str, ...]:
    """Columns of the entity's source table in the order of a row's values, the key first."""
    return (entity.key_fields[0], *entity.fields)


def parse_key(stored: object) -> int | None:
    """The key of a number, decimal or text; None if it is unusable.

    >>> [parse_key(stored) for stored in (7166, "7166", 7166.0, Decimal("7166.00"), " 07166 ", b"7.166e3")]
    [7166, 7166, 7166, 7166, 7166, 7166]
    >>> [parse_key(stored) for stored in (None, "", "n/a", -1, 1.5, 2**63, True, float("nan"), "7_166")]
    [None, None, None, None, None, None, None, None, None]
    """
    if type(stored) is int:
        return stored if 0 <= stored <= MAX_KEY else None
    number: object = stored
    if isinstance(stored, bytes):
        number = stored.decode("latin-1")
    if isinstance(number, str):
        found = _WHOLE.fullmatch(number)
        number = Decimal(found[1]) if found and len(found[1]) < _MAX_KEY_LENGTH else None
    if not isinstance(number, float | Decimal) or not math.isfinite(number) or not 0 <= number <= MAX_KEY:
        return None
    # As a double, 2**63 equals MAX_KEY.
    whole = int(number)
    return whole if whole == number and whole <= MAX_KEY else None


def get_key(row: Row) -> int:
    """The key of a row that a reader returned with a usable key, which is a whole number."""
    return int(row[0])  # type: ignore[arg-type]


def describe_key_error(stored: object) -> str:
    """Why a row's key is unusable, without the key."""
    if stored is None or stored in ("", b""):
        return "a record must have a key, got none"
    kind = "other text" if isinstance(stored, str | bytes) else "another number"
    return f"key must be a whole number from 0 to {MAX_KEY}, got {kind}"


def encode_record(record: JsonRecord) -> tuple[bytes, str]:
    r"""The record as one JSON object in UTF-8 on one line, and why it cannot be sent (empty if it can).

    Numbers that JSON has no form for become null. Lone surrogates are written as JSON escapes (``\udce9``), so that
    the record can be stored and read again.
    """
    try:
        return orjson.dumps(record, _to_json_value, orjson.OPT_PASSTHROUGH_DATETIME), ""
    except TypeError:
        text = _dump_slowly(record)
    errors = (
        _find_text_error(name, _to_json_value(field) if isinstance(field, bytes) else field)
        for name, field in record.items()
    )
    error = next(filter(None, errors), _find_text_error("a record", text))
    return text.encode("utf-8", "backslashreplace"), error


def to_json_line(record: JsonRecord) -> str:
    """The record as JSON text, which may hold lone surrogates."""
    try:
        return orjson.dumps(record, _to_json_value, orjson.OPT_PASSTHROUGH_DATETIME).decode()
    except TypeError:
        return _dump_slowly(record)


def _to_json_value(value: object) -> object:
    """A database value as a JSON value: dates in ISO 8601, whole decimals as integers, bytes as text."""
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return int(value) if value.is_finite() and value == value.to_integral_value() else float(value)
    if isinstance(value, bytes):
        return value.decode("utf-8", "surrogateescape")
    return str(value)


_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=_to_json_value)


def _dump_slowly(record: JsonRecord) -> str:
    """JSON of records that orjson refuses: integers of more than 64 bits, lone surrogates."""
    try:
        return _ENCODER.encode(record)
    except ValueError:
        plain = {name: _to_json_value(value) if isinstance(value, Decimal) else value for name, value in record.items()}
        finite = {n: None if isinstance(v, float) and not math.isfinite(v) else v for n, v in plain.items()}
        return _ENCODER.encode(finite)


def _find_text_error(name: str, field: object) -> str:
    """Why a text field cannot be sent, without its value; empty if it can."""
    if not isinstance(field, str):
        return ""
    try:
        field.encode()
    except UnicodeEncodeError:
        return f"{name} must be text in UTF-8, got invalid bytes or a lone surrogate"
    return ""
