"""What an answer of the API means for the records of a request, where it does not speak of each."""

from collections.abc import Sequence
from http import HTTPStatus

from emulation.producer.http_client import Reply
from emulation.producer.send_result import Attempt, Fate, Outgoing, SendError, all_of

_NO_USE = (HTTPStatus.UNAUTHORIZED, HTTPStatus.NOT_FOUND, HTTPStatus.UNSUPPORTED_MEDIA_TYPE)
"""Statuses that the next request would get too."""

_NARROW = (HTTPStatus.BAD_REQUEST, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.UNPROCESSABLE_ENTITY)
"""Statuses that fewer records may not get."""

_PASSES = (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS)
_NEVER_PASSES = (HTTPStatus.NOT_IMPLEMENTED, HTTPStatus.HTTP_VERSION_NOT_SUPPORTED)


def refused_or_again(reply: Reply, records: Sequence[Outgoing]) -> Attempt:
    """What a request brought that was not taken as a whole.

    A firewall before the API refuses what it does not like the look of, with 403 or another status, and a page of its
    own. It may mean one record, or everything: which of them, only other requests tell.

    Raises:
        SendError: the next one would fare no better.
    """
    reason = f"{reply.name}: {reply.text}" if reply.code and reply.text else reply.name
    refused = all_of(records, Fate.REFUSED, reason)
    if reply.code in _NARROW:
        return Attempt(reply.name, refused, narrow=True)
    if not reply.code or reply.code in _PASSES or (reply.code >= 500 and reply.code not in _NEVER_PASSES):
        return Attempt(reply.name, all_of(records, Fate.AGAIN, reason), reply.wait)
    every = f"{_phrase(reply.code)} ({reply.code}): {reply.text or 'no reason given'}"
    if reply.code in _NO_USE and not reply.page:
        raise SendError(every)
    return Attempt(reply.name, refused, narrow=True, blocked=every)


def _phrase(code: int) -> str:
    try:
        return HTTPStatus(code).phrase
    except ValueError:
        return "unknown status"


def not_understood(records: Sequence[Outgoing], *, page: bool) -> Attempt:
    """A 200 that cannot be read: they may all have been taken.

    Sent again, they may arrive twice; not sent again, they may be lost. A page is no answer of the API: smaller
    requests tell whose it is.
    """
    if page:
        reason = "200 with a page in place of an answer"
        return Attempt("200 page", all_of(records, Fate.AGAIN, reason), narrow=True, blocked=reason)
    return Attempt("200 not understood", all_of(records, Fate.AGAIN, "200 with an answer not understood"))
