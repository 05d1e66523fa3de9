"""The failed file, read again."""

import json
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

from emulation.outgoing import Outgoing, SendError
from emulation.records import json_line
from pinterest_transforms.entities import entity_named
from pinterest_transforms.errors import PinterestError

_TOGETHER = 500


def records_of(file: Path) -> Iterator[Sequence[Outgoing]]:
    """The records of a failed file, in its order.

    Raises:
        SendError: the file cannot be read, or a line is not one that a failed file has.
    """
    try:
        with file.open(encoding="utf-8") as lines:
            made = (_record(line, number, file) for number, line in enumerate(lines) if line.strip())
            while some := list(islice(made, _TOGETHER)):
                yield some
    except OSError as error:
        raise SendError(f"{file} cannot be read: {error.strerror}") from None


def _record(line: str, number: int, file: Path) -> Outgoing:
    try:
        found = json.loads(line)
        value = json_line(found["value"]).encode()
        key = None if found["key"] is None else int(found["key"])
        return Outgoing(entity_named(found["entity"]), key, value, number)
    except (ValueError, KeyError, TypeError, AttributeError, PinterestError):
        raise SendError(f"line {number + 1} of {file} must have entity, key and value of a failed record") from None
