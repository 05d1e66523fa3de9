"""What is sent, and what became of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple, Protocol

from pinterest_transforms.entities import Entity
from pinterest_transforms.errors import PinterestError


class SendError(PinterestError):
    """Sending cannot go on, or cannot begin."""


NO_CONNECTION = "no connection"
"""What an attempt is counted under that did not even reach the other side."""


class Outgoing(NamedTuple):
    """One record on its way. There is one for each record of the source: a tuple is made in a third of the time.

    Attributes:
        entity: its kind; says the topic or the stream.
        key: the post it belongs to: Kafka's key, Kinesis' partition key. None where the source has none: such a record
            cannot be sent.
        value: the record as JSON, one object in UTF-8.
        post: number of the post in this run, from 0; what the cursor counts.
        unfit: why the source's row cannot be sent; empty if it can.
    """

    entity: Entity
    key: int | None
    value: bytes
    post: int
    unfit: str = ""

    @property
    def key_text(self) -> bytes:
        """The key as text."""
        return str(self.key).encode()


class Fate(Enum):
    """What became of a record in one request."""

    TAKEN = "taken"
    AGAIN = "again"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer's word on one record, and why it was not taken."""

    fate: Fate
    reason: str = ""


TAKEN = Verdict(Fate.TAKEN)


@dataclass(frozen=True, slots=True)
class Attempt:
    """What one request brought.

    Attributes:
        code: what to count it under: a status code, or what went wrong before there was one.
        verdicts: one a record, in their order.
        wait: seconds the other side asks for before the next request; 0 if it does not say.
        narrow: the request as a whole was refused, and a smaller one may not be: too large, or one bad record in it.
        blocked: what to end with if it turns out that every request is refused so; empty where that cannot be.
    """

    code: str
    verdicts: Sequence[Verdict]
    wait: float = 0.0
    narrow: bool = False
    blocked: str = ""


class Door(Protocol):
    """Where records are sent to.

    Attributes:
        most_records: the most records in one request.
        most_bytes: the most bytes of all values in one request.
        largest: the most bytes of one value.
        name: the other side in words, without any secret; a cursor holds for one name.
    """

    most_records: int
    most_bytes: int
    largest: int
    name: str

    def send(self, records: Sequence[Outgoing]) -> Attempt:
        """Sends records of one kind in one request.

        Raises:
            SendError: no request of this run can succeed, as with a wrong address or credentials.
        """


def one_line(text: str, most: int) -> str:
    """The start of a text from outside, without control characters, for a message."""
    return "".join(c if c.isprintable() else " " for c in text[:most]).strip()


def all_of(records: Sequence[Outgoing], fate: Fate, reason: str) -> list[Verdict]:
    """The same verdict for every record."""
    return [Verdict(fate, reason)] * len(records)
