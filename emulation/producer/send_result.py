"""The result of one request for its records, and the sinks that send such requests."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from http import HTTPStatus
from http.client import responses
from typing import Protocol

from emulation.emulation_errors import SendError
from emulation.producer.http_client import HttpResponse
from emulation.source.source_records import SourceRecord

_NEVER_RETRIED = (HTTPStatus.UNAUTHORIZED, HTTPStatus.NOT_FOUND, HTTPStatus.UNSUPPORTED_MEDIA_TYPE)
"""Statuses that every other request would receive too."""

_SPLIT = (HTTPStatus.BAD_REQUEST, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.UNPROCESSABLE_ENTITY)
"""Statuses that a request with fewer records may not receive."""

_RETRIED = (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS)
_PERMANENT = (HTTPStatus.NOT_IMPLEMENTED, HTTPStatus.HTTP_VERSION_NOT_SUPPORTED)


class RecordStatus(Enum):
    """Status of a record after a request."""

    ACKED = "acked"
    RETRY = "retry"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class RecordResult:
    """Status of one record, and the reason if it is not ``ACKED``."""

    status: RecordStatus
    reason: str = ""


ACKED = RecordResult(RecordStatus.ACKED)


@dataclass(frozen=True, slots=True)
class SendResult:
    """The result of one request.

    Attributes:
        code: the status code or error that the request is counted under.
        results: one per record, in order.
        retry_after: seconds to wait before the next request; 0 if the server names none.
        split_and_retry: the request was rejected as a whole; smaller ones may succeed: it is too large, or one record
            is invalid.
        blocked: the error that ends the run if every request is rejected like this one; empty where it does not apply.
    """

    code: str
    results: Sequence[RecordResult]
    retry_after: float = 0.0
    split_and_retry: bool = False
    blocked: str = ""


class Sink(Protocol):
    """A target that records are sent to.

    Attributes:
        max_records: maximum number of records per request.
        max_bytes: maximum size of all values of a request.
        max_record_bytes: maximum size of one value.
        name: description without secrets; a cursor is valid for one name.
    """

    max_records: int
    max_bytes: int
    max_record_bytes: int
    name: str

    def send(self, records: Sequence[SourceRecord]) -> SendResult:
        """Sends records of one kind in one request.

        Raises:
            SendError: no request of this run can succeed, as with a wrong URL or credentials.
        """


def repeat_result(records: Sequence[SourceRecord], status: RecordStatus, reason: str) -> list[RecordResult]:
    """The same result for every record."""
    return [RecordResult(status, reason)] * len(records)


def classify_error(response: HttpResponse, records: Sequence[SourceRecord]) -> SendResult:
    """The result of a request with an error status, or without a response.

    A firewall before the API rejects single requests, or all of them, with 403 or another status; only further
    requests show which.

    Raises:
        SendError: no other request can succeed.
    """
    status, label = response.status, response.label
    reason = f"{label}: {response.text}" if status and response.text else label
    failed = repeat_result(records, RecordStatus.FAILED, reason)
    if status in _SPLIT:
        return SendResult(label, failed, split_and_retry=True)
    if not status or status in _RETRIED or (status >= 500 and status not in _PERMANENT):
        return SendResult(label, repeat_result(records, RecordStatus.RETRY, reason), response.retry_after)
    message = f"{responses.get(status, 'unknown status')} ({status}): {response.text or 'no reason given'}"
    if status in _NEVER_RETRIED:
        raise SendError(message)
    return SendResult(label, failed, split_and_retry=True, blocked=message)


def classify_unreadable(records: Sequence[SourceRecord]) -> SendResult:
    """The result of a 200 without a result for each record, as the page of a firewall or proxy.

    The records may have been stored: they are sent again, since a duplicate is harmless and a loss is not. Smaller
    requests show which of them a firewall blocks.
    """
    reason = "200 with an unreadable body"
    results = repeat_result(records, RecordStatus.RETRY, reason)
    return SendResult("200 unreadable", results, split_and_retry=True, blocked=reason)
