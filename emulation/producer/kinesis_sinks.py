"""Sends to Kinesis through API Gateway, or directly with boto3. Source: the data contract, section 1."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import TYPE_CHECKING

from emulation.emulation_errors import SendError
from emulation.producer.http_client import NO_CONNECTION, HttpClient, HttpResponse
from emulation.producer.send_result import (
    ACKED,
    RecordResult,
    RecordStatus,
    SendResult,
    classify_error,
    classify_unreadable,
    repeat_result,
)
from emulation.source.source_records import SourceRecord
from pinterest_transforms.settings import Settings

if TYPE_CHECKING:
    from mypy_boto3_kinesis import KinesisClient
    from mypy_boto3_kinesis.type_defs import PutRecordsRequestEntryTypeDef

_HEADERS = {"Content-Type": "application/json", "Accept": "application/json"}
_RETRIABLE = (
    "ProvisionedThroughputExceededException",
    "KMSThrottlingException",
    "LimitExceededException",
    "InternalFailure",
    "InternalFailureException",
    "ServiceUnavailable",
    "ThrottlingException",
    "RequestTimeout",
)
"""Retriable error codes of a call or a record."""
_NOT_FOUND = "ResourceNotFoundException"
_EXPECTED = (*_RETRIABLE, _NOT_FOUND, "InvalidArgumentException", "ValidationException", "SerializationException")
"""With another one no call can succeed."""


class _PutRecordsLimits:
    """1 MiB per record with its partition key and 5 MB per call; these are lower to be safe everywhere."""

    max_records = 500
    max_bytes = 4_500_000
    max_record_bytes = 1_000_000


class KinesisApiSink(_PutRecordsLimits):
    """Sends through API Gateway, whose mapping template encodes ``Data``."""

    def __init__(self, http: HttpClient, url: str, settings: Settings) -> None:
        self._http, self._url, self._settings = http, url, settings
        self.name = f"{url}/streams/streaming-{settings.user_id}-*"

    def send(self, records: Sequence[SourceRecord]) -> SendResult:
        """Sends one PUT to the stream of the records' kind."""
        stream = self._settings.stream(records[0].entity)
        parts = (b'{"data":%b,"partition-key":"%b"}' % (record.value, record.key_text) for record in records)
        body = b'{"records":[' + b",".join(parts) + b"]}"
        response = self._http.request("PUT", f"{self._url}/streams/{stream}/records", body, _HEADERS)
        if response.status != HTTPStatus.OK:
            return _classify_error(response, records, stream)
        return _classify_entries(response.json.get("Records"), records)


class KinesisSink(_PutRecordsLimits):
    """Sends with boto3's ``PutRecords``; credentials, region and ``AWS_ENDPOINT_URL`` as in every boto3 client."""

    def __init__(self, client: "KinesisClient", settings: Settings) -> None:
        self._client, self._settings = client, settings
        self.name = f"Kinesis in {client.meta.region_name}, streaming-{settings.user_id}-*"

    def send(self, records: Sequence[SourceRecord]) -> SendResult:
        """Sends one PutRecords."""
        from botocore import exceptions  # noqa: PLC0415 - not needed for the API

        entries: list[PutRecordsRequestEntryTypeDef] = [
            {"Data": record.value, "PartitionKey": str(record.key)} for record in records
        ]
        stream = self._settings.stream(records[0].entity)
        try:
            response = self._client.put_records(StreamName=stream, Records=entries)
        except exceptions.ClientError as error:
            code, status = error.response["Error"]["Code"], error.response["ResponseMetadata"]["HTTPStatusCode"]
            # A status in place of an error's name is a response of a proxy or firewall.
            is_refused = status < HTTPStatus.INTERNAL_SERVER_ERROR and not code.isdigit() and code not in _EXPECTED
            if is_refused:
                raise SendError(f"{stream} is not accessible: {code}") from None
            return _classify_error(HttpResponse(status, b"" if code.isdigit() else code.encode()), records, stream)
        except (exceptions.EndpointConnectionError, exceptions.ConnectTimeoutError, exceptions.ProxyConnectionError):
            return SendResult(NO_CONNECTION, repeat_result(records, RecordStatus.RETRY, NO_CONNECTION))
        except exceptions.BotoCoreError as error:
            name = type(error).__name__
            return SendResult(name, repeat_result(records, RecordStatus.RETRY, name))
        return _classify_entries(response.get("Records"), records)


def _classify_entries(entries: object, records: Sequence[SourceRecord]) -> SendResult:
    """The result of a PutRecords with status 200, which reports errors per record."""
    results = [_classify_entry(each) for each in entries if isinstance(each, dict)] if isinstance(entries, list) else []
    if len(results) != len(records):
        return classify_unreadable(records)
    return SendResult("200", results)


def _classify_entry(entry: dict[str, object]) -> RecordResult:
    code = entry.get("ErrorCode")
    if code is None:
        # Without a sequence number there is no proof that it was stored.
        missing = RecordResult(RecordStatus.RETRY, "a result without sequence number")
        return ACKED if entry.get("SequenceNumber") else missing
    return RecordResult(RecordStatus.RETRY if code in _RETRIABLE else RecordStatus.FAILED, str(code))


def _classify_error(response: HttpResponse, records: Sequence[SourceRecord], stream: str) -> SendResult:
    """The result of an error; Kinesis' errors, retriable ones too, have status 400 and a name in the body."""
    if response.status == HTTPStatus.BAD_REQUEST and any(name in response.text for name in _RETRIABLE):
        reason = f"{response.label}: {response.text}"
        results = repeat_result(records, RecordStatus.RETRY, reason)
        return SendResult(response.label, results, retry_after=response.retry_after)
    if response.status == HTTPStatus.BAD_REQUEST and _NOT_FOUND in response.text:
        raise SendError(f"{stream} does not exist: create it with --streams create")
    return classify_error(response, records)
