"""Quartz cron expressions, as schedules of jobs have them: second, minute, hour, day of month, month, day of week."""

import re

_MONTHS = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"]
_DAYS = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"]
_FIELDS = (
    ("second", 0, 59, ()),
    ("minute", 0, 59, ()),
    ("hour", 0, 23, ()),
    ("day of month", 1, 31, ()),
    ("month", 1, 12, _MONTHS),
    ("day of week", 1, 7, _DAYS),
    ("year", 1970, 2199, ()),
)
_PART = re.compile(r"\A(?:\*|(\w+)(?:-(\w+))?)(?:/(\d+))?\Z")
# Last day, nearest weekday, third Friday and the like.
_SPECIAL = re.compile(r"\A(?:L(?:-\d+)?|LW|\d{1,2}W|[1-7]L|[1-7]#[1-5])\Z")


def mistake(expression: str) -> str:
    """What is wrong with an expression; empty if it is one."""
    fields = expression.split()
    if len(fields) not in (6, 7):
        return f"cron must have 6 or 7 fields, got {expression!r}"
    if [fields[3], fields[5]].count("?") != 1:
        return f"cron must have ? as day of month or as day of week, got {expression!r}"
    for text, (name, least, most, names) in zip(fields, _FIELDS, strict=False):
        if not (text == "?" and name.startswith("day")) and not all(
            _is_part(part, least, most, names) or (name.startswith("day") and _SPECIAL.match(part))
            for part in text.split(",")
        ):
            return f"cron's {name} must be between {least} and {most}, got {text!r} in {expression!r}"
    return ""


def _is_part(part: str, least: int, most: int, names: list[str] | tuple[()]) -> bool:
    found = _PART.match(part)
    return bool(found) and all(
        value in names or (value.isdigit() and least <= int(value) <= most) for value in found.groups()[:2] if value
    )
