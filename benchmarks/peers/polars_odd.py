"""The rules of the data contract, section 3, in plain Python: for the few lines and values that are not the usual ones.

Written from the contract and not from the library, so that equal tables say something.
"""

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from pinterest_transforms.entities import Entity

Texts = dict[str, str | None]

INT_MAX = 2_147_483_647
LONG_MAX = 9_223_372_036_854_775_807
JSON_SPACE = " \t\r\n"
UNITS = {"": 1, "k": 1_000, "m": 1_000_000, "b": 1_000_000_000}

_NUMBER = re.compile(r"[+-]?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]{1,3})?")
_COUNT = re.compile(r"([0-9]+|[0-9]{1,3}(?:,[0-9]{3})+)(\.[0-9]+)?([kKmMbB]?)")
_CLOCK = r"([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]{1,9}))?(Z|[+-][0-9]{2}:?[0-9]{2})?"
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_DATES = (
    re.compile(r"(?P<y>[0-9]{4})-(?P<m>[0-9]{2})-(?P<d>[0-9]{2})[ T]" + _CLOCK),
    re.compile(r"(?P<y>[0-9]{4}):(?P<m>[0-9]{2}):(?P<d>[0-9]{2}) " + _CLOCK),
    re.compile(r"(?P<m>[0-9]{2})/(?P<d>[0-9]{2})/(?P<y>[0-9]{4}), " + _CLOCK),
)


class _GivenTwiceError(ValueError):
    """An object has a name more than once."""


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise _GivenTwiceError
    return found


def _text(value: object) -> str | None:
    if value is None or isinstance(value, dict | list):
        return None
    return {True: "true", False: "false"}[value] if isinstance(value, bool) else str(value)


def record(line: str, entity: Entity) -> Texts | None:
    """Every known field of the line as text, if it is a record of that entity; None if it is to be rejected.

    A nested value is None: no rule can use one. Whether the key is usable is seen later, with the other values.
    """
    try:
        given = json.loads(line, object_pairs_hook=_object, parse_int=str, parse_float=str, parse_constant=str)
    except ValueError:
        return None
    if not isinstance(given, dict) or not any(name in given for name in entity.fields):
        return None
    return {name: _text(given.get(name)) for name in (*entity.key_fields, *entity.fields)}


def whole(low: int, high: int) -> Callable[[str], int | None]:
    """The rule for a whole number from low to high: ``7166``, ``7166.0``, a number with an exponent."""

    def rule(text: str) -> int | None:
        if not _NUMBER.fullmatch(text):
            return None
        number = Decimal(text)
        return int(number) if number == number.to_integral_value() and low <= number <= high else None

    return rule


def followers(text: str) -> int | None:
    """Followers: digits, decimals, thousands commas, k, M or B; exact, and a whole number of persons."""
    found = _COUNT.fullmatch(text)
    if not found:
        return whole(0, INT_MAX)(text)
    number = Decimal(found[1].replace(",", "") + (found[2] or "")) * UNITS[found[3].lower()]
    return int(number) if number == number.to_integral_value() and number <= INT_MAX else None


def degrees(text: str) -> float | None:
    """A number of degrees; whether it is in range is asked of all values alike."""
    return float(text) if _NUMBER.fullmatch(text) else None


def instant(text: str) -> datetime | None:
    """A moment in UTC, without zone, of one of the four spellings or of a date alone; years 1900 to 2100."""
    if _DAY.fullmatch(text):
        text += " 00:00:00"
    found = next((match for pattern in _DATES if (match := pattern.fullmatch(text))), None)
    if found is None:
        return None
    hour, minute, second, fraction, zone = found.groups()[3:]
    micros = int((fraction or "").ljust(6, "0")[:6])
    try:
        year, month, day = (int(found[name]) for name in "ymd")
        moment = datetime(year, month, day, int(hour), int(minute), int(second), micros, tzinfo=UTC)
        moment -= _offset(zone)
    except (ValueError, OverflowError):
        return None
    return moment.replace(tzinfo=None) if 1900 <= moment.year <= 2100 else None


def _offset(zone: str | None) -> timedelta:
    """How far a zone is before UTC; the largest that is in use anywhere is 18 hours."""
    if zone in (None, "Z"):
        return timedelta()
    hours, minutes = int(zone[1:3]), int(zone[-2:])
    if minutes > 59 or hours * 60 + minutes > 18 * 60:
        raise ValueError(zone)
    return timedelta(hours=hours, minutes=minutes) * (-1 if zone[0] == "-" else 1)
