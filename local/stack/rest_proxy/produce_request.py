"""Parses a produce request as Confluent's REST proxy does, and names its errors."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NoReturn

MEDIA_TYPE = "application/vnd.kafka.v2+json"
"""Of answers."""

_JSON_RECORDS = "application/vnd.kafka.json.v2+json"


class RequestError(Exception):
    """The request is answered with an error as a whole."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class Record:
    """One record for Kafka; key and value are JSON texts, and None where JSON's null stood."""

    key: bytes | None
    value: bytes | None
    partition: int | None = None


def check_media_type(given: str) -> None:
    """Checks that the content type is JSON: records of the other types have another encoding.

    Raises:
        RequestError: 415, they are not.
    """
    if given.partition(";")[0].strip().lower() != _JSON_RECORDS:
        raise RequestError(415, "HTTP 415 Unsupported Media Type")


def parse_records(body: bytes) -> list[Record]:
    """The records of a request.

    Raises:
        RequestError: 400, the body is no JSON; 422, it has not what it must have.
    """
    try:
        found = json.loads(body, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise RequestError(400, "Bad Request: the body must be JSON") from None
    if not isinstance(found, dict):
        raise _unprocessable("the body must be an object")
    records = found.get("records")
    if not isinstance(records, list) or not records:
        raise _unprocessable("records must not be empty")
    return [_parse_record(number, record) for number, record in enumerate(records)]


def _parse_record(number: int, record: object) -> Record:
    if not isinstance(record, Mapping) or (unknown := sorted(set(record) - {"key", "value", "partition"})):
        problem = f"must not have {', '.join(unknown)}" if isinstance(record, Mapping) else "must be an object"
        raise _unprocessable(f"records[{number}] {problem}")
    partition = record.get("partition")
    if partition is not None and (not isinstance(partition, int) or isinstance(partition, bool) or partition < 0):
        raise _unprocessable(f"records[{number}].partition must be 0 or more")
    try:
        return Record(_to_json(record.get("key")), _to_json(record.get("value")), partition)
    except UnicodeEncodeError:
        raise _unprocessable(f"records[{number}] must be of whole characters") from None


def _to_json(value: object) -> bytes | None:
    """The value as the proxy serializes it: on one line, and every character as it is."""
    return None if value is None else json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def _unprocessable(message: str) -> RequestError:
    return RequestError(422, message)


def _no_constant(name: str) -> NoReturn:
    """NaN and Infinity are Python's, and no JSON."""
    raise ValueError(f"{name} is no JSON")
