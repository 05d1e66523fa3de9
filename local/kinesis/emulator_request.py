"""The parameters of a call of the Kinesis emulator, checked by AWS's rules as they are read."""

import base64

import orjson

from local.kinesis.emulator_shards import KinesisError, PutEntry, invalid_argument
from local.kinesis.emulator_streams import compute_hash_key

MEDIA_TYPE = "application/x-amz-json-1.1"
_RECORD_BYTES, _REQUEST_BYTES = 1024**2, 10 * 1024**2


class EmulatorRequest:
    """Parameters of a call."""

    def __init__(self, parameters: dict[str, object]) -> None:
        self._parameters = parameters

    def text(self, name: str, default: str | None = None) -> str:
        """A text; without a default it must be there."""
        found = self._parameters.get(name, default)
        if not isinstance(found, str):
            raise KinesisError("ValidationException", f"{name} must be a text, got {found!r}")
        return found

    def integer(self, name: str, low: int, high: int, default: int | None = None) -> int:
        """A whole number, also one that is written as a text, as Kinesis has hash keys."""
        found = self._parameters.get(name, default)
        number = int(found) if isinstance(found, str) and found.isascii() and found.isdigit() else found
        if not isinstance(number, int) or not low <= number <= high:
            raise invalid_argument(f"{name} must be {low} to {high}, got {found!r}")
        return number

    def timestamp_ms(self, name: str) -> int:
        """A time in ms; the request has seconds since 1970."""
        found = self._parameters.get(name)
        if not isinstance(found, int | float):
            raise invalid_argument(f"{name} must be seconds since 1970, got {found!r}")
        return round(found * 1000)

    def entry(self) -> PutEntry:
        """A record to put, with the hash key it is placed by."""
        key, data = self.text("PartitionKey"), self.text("Data")
        if not 1 <= len(key) <= 256:
            raise KinesisError("ValidationException", f"PartitionKey must be 1 to 256 characters, got {len(key)}")
        size = len(data) * 3 // 4 - data[-2:].count("=") + len(key.encode())
        if size > _RECORD_BYTES:
            message = f"Data and PartitionKey must be at most {_RECORD_BYTES} bytes, got {size}"
            raise KinesisError("ValidationException", message)
        return PutEntry(data, key, compute_hash_key(key), size)

    def entries(self) -> list[PutEntry]:
        """The records of one request: all of them are right, or none is taken."""
        found = self._parameters.get("Records")
        if not isinstance(found, list) or not 1 <= len(found) <= 500:
            count = len(found) if isinstance(found, list) else 0
            raise KinesisError("ValidationException", f"Records must be 1 to 500, got {count}")
        entries = [EmulatorRequest(record).entry() for record in found]
        if (size := sum(entry.size for entry in entries)) > _REQUEST_BYTES:
            raise invalid_argument(f"Records must be at most {_REQUEST_BYTES} bytes, got {size}")
        return entries


def parse_request(body: bytes) -> EmulatorRequest:
    """The parameters of a body.

    Raises:
        KinesisError: it is no JSON object.
    """
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        found = None
    if not isinstance(found, dict):
        raise KinesisError("SerializationException", f"the body must be a JSON object ({MEDIA_TYPE})")
    return EmulatorRequest(found)


def encode_token(*parts: object) -> str:
    """An iterator or a ``NextToken``: all it stands for is in it, so that the server keeps none of them."""
    return base64.urlsafe_b64encode(orjson.dumps(parts)).decode()


def decode_token(token: str) -> object:
    """What a token was made of; None if it is none."""
    try:
        return orjson.loads(base64.urlsafe_b64decode(token))
    except ValueError:
        return None
