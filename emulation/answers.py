"""What an answer of the API means for the records of a request, where it does not speak of each."""

from collections.abc import Sequence
from http import HTTPStatus

from emulation.outgoing import Attempt, Fate, Outgoing, SendError, all_of
from emulation.wire import Reply

_NO_USE = (
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.FORBIDDEN,
    HTTPStatus.NOT_FOUND,
    HTTPStatus.METHOD_NOT_ALLOWED,
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
)
"""Statuses that the next request would get too."""

_NARROW = (HTTPStatus.BAD_REQUEST, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.UNPROCESSABLE_ENTITY)
"""Statuses that fewer records may not get."""


def refused_or_again(reply: Reply, records: Sequence[Outgoing]) -> Attempt:
    """What a request brought that was not taken as a whole.

    Raises:
        SendError: the next one would fare no better.
    """
    if reply.code in _NO_USE:
        raise SendError(f"{HTTPStatus(reply.code).phrase} ({reply.code}): {reply.text or 'no reason given'}")
    reason = f"{reply.name}: {reply.text}" if reply.code and reply.text else reply.name
    if reply.code in _NARROW:
        return Attempt(reply.name, all_of(records, Fate.REFUSED, reason), narrow=True)
    return Attempt(reply.name, all_of(records, Fate.AGAIN, reason), reply.wait)


def not_understood(records: Sequence[Outgoing]) -> Attempt:
    """A 200 that cannot be read: they may all have been taken.

    Sent again, they may arrive twice; not sent again, they may be lost.
    """
    return Attempt("200 not understood", all_of(records, Fate.AGAIN, "200 with an answer not understood"))
