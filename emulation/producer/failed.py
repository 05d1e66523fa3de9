"""The failed file, read again."""

import json
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

from emulation.producer.send_result import Outgoing, SendError
from emulation.source.source_records import encode
from pinterest_transforms.entities import entity_named
from pinterest_transforms.errors import PinterestError

_TOGETHER = 500
_HEAD = b'{"entity": '


def records_of(file: Path, cut_off: list[int]) -> Iterator[Sequence[Outgoing]]:
    """The records of a failed file, in its order.

    Args:
        file: the failed file.
        cut_off: gets the numbers of lines that a kill, a full disk or a power cut has cut off; they are passed over.

    Raises:
        SendError: the file cannot be read, or a line is not one that a failed file has.
    """
    try:
        with file.open("rb") as lines:
            made = (_record(line, number, file, cut_off) for number, line in enumerate(lines) if line.strip())
            whole = (record for record in made if record)
            while some := list(islice(whole, _TOGETHER)):
                yield some
    except OSError as error:
        raise SendError(f"{file} cannot be read: {error.strerror}") from None


def _record(line: bytes, number: int, file: Path, cut_off: list[int]) -> Outgoing | None:
    line = line.strip(b"\0\r\n")
    try:
        found = json.loads(line)
        value, unfit = encode(found["value"])
        key = None if found["key"] is None else int(found["key"])
        if key is None:
            unfit = str(found.get("reason", ""))
        return Outgoing(entity_named(found["entity"]), key, value, number, unfit)
    except (ValueError, KeyError, TypeError, AttributeError, PinterestError) as error:
        if _is_no_json(error) and _HEAD.startswith(line[: len(_HEAD)]):
            cut_off.append(number + 1)
            return None
        raise SendError(f"line {number + 1} of {file} must have entity, key and value of a failed record") from None


def _is_no_json(error: Exception) -> bool:
    return isinstance(error, json.JSONDecodeError | UnicodeDecodeError)
