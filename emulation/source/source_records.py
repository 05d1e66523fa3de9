"""A record as the S3 sink writes it: one JSON object in UTF-8 on one line; and its key.

Source: the data contract, section 3, for the key; what it says of texts is judged here before they are sent. Bytes that
are no UTF-8 are halves of letters in a text (U+DC80 to U+DCFF, Python's surrogateescape), so that nothing of them is
lost and one look finds them and what else UTF-8 cannot hold.
"""

import json
import math
import re
from datetime import date, datetime
from decimal import Decimal

import orjson

from pinterest_transforms.entities import Entity

Record = dict[str, object]
Value = str | int | float | Decimal | datetime | bytes | None
Row = tuple[Value, ...]

LARGEST_KEY = 2**63 - 1
# As the library's rule for whole numbers has it: the contract's 25 White_Space characters around, ASCII's digits.
_SPACE = r"[^\S\x1c-\x1f]*"
_WHOLE = re.compile(rf"{_SPACE}([+-]?[0-9]+(?:\.[0-9]{{1,17}}0*)?(?:[eE]\+?[0-9]{{1,2}})?){_SPACE}")
_LONGEST_KEY = 40


def column_names(entity: Entity) -> tuple[str, ...]:
    """The columns of the entity's source table, the key first; a row has its values in this order."""
    return (entity.key_fields[0], *entity.fields)


def parse_key(stored: object) -> int | None:
    """The key, however a database or a file has it: as number, decimal or text; None if it is unusable.

    >>> [parse_key(stored) for stored in (7166, "7166", 7166.0, Decimal("7166.00"), " 07166 ", b"7.166e3")]
    [7166, 7166, 7166, 7166, 7166, 7166]
    >>> [parse_key(stored) for stored in (None, "", "n/a", -1, 1.5, 2**63, True, float("nan"), "7_166")]
    [None, None, None, None, None, None, None, None, None]
    """
    if type(stored) is int:
        return stored if 0 <= stored <= LARGEST_KEY else None
    number: object = stored
    if isinstance(stored, bytes):
        number = stored.decode("latin-1")
    if isinstance(number, str):
        found = _WHOLE.fullmatch(number)
        number = Decimal(found[1]) if found and len(found[1]) < _LONGEST_KEY else None
    if not isinstance(number, float | Decimal) or not math.isfinite(number) or not 0 <= number <= LARGEST_KEY:
        return None
    # As a double, 2**63 is the same as the number below it.
    whole = int(number)
    return whole if whole == number and whole <= LARGEST_KEY else None


def whole_key(row: Row) -> int:
    """The key of a row that a reader has found to have a usable one; it is a whole number there."""
    return int(row[0])  # type: ignore[arg-type]


def key_error(stored: object) -> str:
    """Why a key that a row has is unusable; it is not quoted."""
    if stored is None or stored in ("", b""):
        return "a record must have a key, got none"
    kind = "other text" if isinstance(stored, str | bytes) else "another number"
    return f"key must be a whole number from 0 to {LARGEST_KEY}, got {kind}"


def _plain(value: object) -> object:
    """A database's value as JSON can hold it: dates as ISO, whole decimals as integers, bytes as text."""
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return int(value) if value.is_finite() and value == value.to_integral_value() else float(value)
    if isinstance(value, bytes):
        return value.decode("utf-8", "surrogateescape")
    return str(value)


_SLOW = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=_plain)


def encode(record: Record) -> tuple[bytes, str]:
    r"""The record as a JSON object in UTF-8 on one line, and why it cannot be sent; empty if it can.

    Numbers that JSON cannot hold become null. What UTF-8 cannot hold is in the bytes as JSON's escape, ``\udce9``, so
    that it can be kept and read again.
    """
    try:
        return orjson.dumps(record, _plain, orjson.OPT_PASSTHROUGH_DATETIME), ""
    except TypeError:
        text = _slowly(record)
    reasons = (
        _text_error(name, _plain(field) if isinstance(field, bytes) else field) for name, field in record.items()
    )
    unfit = next(filter(None, reasons), _text_error("a record", text))
    return text.encode("utf-8", "backslashreplace"), unfit


def _text_error(name: str, field: object) -> str:
    """Why a field is no text that can be sent; empty if it is, or no text at all. Its value is not quoted."""
    if not isinstance(field, str):
        return ""
    try:
        field.encode()
    except UnicodeEncodeError:
        return f"{name} must be text in UTF-8, got bytes or half a letter that is none"
    return ""


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
