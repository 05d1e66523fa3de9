"""Kinesis: through API Gateway, one record or many a call, or directly. Source: the data contract, section 1."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import TYPE_CHECKING

from emulation.producer.answers import not_understood, refused_or_again
from emulation.producer.http_client import Http, Reply
from emulation.producer.request_auth import NO_CREDENTIALS
from emulation.producer.send_result import NO_CONNECTION, TAKEN, Attempt, Fate, Outgoing, SendError, Verdict, all_of
from pinterest_transforms.settings import Settings

if TYPE_CHECKING:
    from mypy_boto3_kinesis import KinesisClient
    from mypy_boto3_kinesis.type_defs import PutRecordsRequestEntryTypeDef

_JSON = {"Content-Type": "application/json", "Accept": "application/json"}
_NOT_TAKEN_YET = (
    "ProvisionedThroughputExceededException",
    "KMSThrottlingException",
    "LimitExceededException",
    "InternalFailure",
    "InternalFailureException",
    "ServiceUnavailable",
    "ThrottlingException",
    "RequestTimeout",
)
"""What is said of a call or a record that may pass next time."""

_MISSING = "ResourceNotFoundException"

# 1 MiB for a record with its partition key, 5 MB a call: a little less, to be safe everywhere.
_LARGEST, _MOST_BYTES, _MOST_RECORDS = 1_000_000, 4_500_000, 500


class KinesisApi:
    """Sends through API Gateway. Its template encodes ``Data``: what is given here is the record itself."""

    most_bytes = _MOST_BYTES
    largest = _LARGEST

    def __init__(self, http: Http, url: str, settings: Settings, *, one_a_call: bool = False) -> None:
        self._http, self._url, self._settings, self._one = http, url, settings, one_a_call
        self.most_records = 1 if one_a_call else _MOST_RECORDS
        self.name = f"{url}/streams/streaming-{settings.user_id}-*"

    def send(self, records: Sequence[Outgoing]) -> Attempt:
        """One PUT to the stream of the records' kind."""
        stream = self._settings.stream(records[0].entity)
        url = f"{self._url}/streams/{stream}"
        if self._one:
            record = records[0]
            body = b'{"Data":%b,"PartitionKey":"%b"}' % (record.value, record.key_text)
            reply = self._http.request("PUT", f"{url}/record", body, _JSON)
            return _read_one(reply, records) if reply.code == HTTPStatus.OK else _refused(reply, records, stream)
        parts = b",".join(b'{"data":%b,"partition-key":"%b"}' % (record.value, record.key_text) for record in records)
        reply = self._http.request("PUT", f"{url}/records", b'{"records":[' + parts + b"]}", _JSON)
        if reply.code != HTTPStatus.OK:
            return _refused(reply, records, stream)
        return _judged_all(reply.json.get("Records"), records, page=reply.page)


class KinesisDirect:
    """Sends with boto3's ``PutRecords``; credentials, region and ``AWS_ENDPOINT_URL`` as boto3 users expect."""

    most_records = _MOST_RECORDS
    most_bytes = _MOST_BYTES
    largest = _LARGEST

    def __init__(self, client: "KinesisClient", settings: Settings) -> None:
        self._client, self._settings = client, settings
        self.name = f"Kinesis in {client.meta.region_name}, streaming-{settings.user_id}-*"

    def send(self, records: Sequence[Outgoing]) -> Attempt:
        """One PutRecords."""
        entries: list[PutRecordsRequestEntryTypeDef] = [
            {"Data": record.value, "PartitionKey": str(record.key)} for record in records
        ]
        stream = self._settings.stream(records[0].entity)
        return self._put(stream, entries, records)

    def _put(self, stream: str, entries: "list[PutRecordsRequestEntryTypeDef]", records: Sequence[Outgoing]) -> Attempt:
        from botocore import exceptions as told  # noqa: PLC0415 - not where the API is used

        try:
            answer = self._client.put_records(StreamName=stream, Records=entries)
        except told.NoCredentialsError:
            raise SendError(NO_CREDENTIALS) from None
        except told.ClientError as error:
            code, status = error.response["Error"]["Code"], error.response["ResponseMetadata"]["HTTPStatusCode"]
            if code in _NOT_TAKEN_YET or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
                return Attempt(str(status), all_of(records, Fate.AGAIN, code))
            if code in ("InvalidArgumentException", "ValidationException", "SerializationException"):
                return Attempt(str(status), all_of(records, Fate.REFUSED, code), narrow=True)
            if code == _MISSING:
                raise _not_there(stream) from None
            if code.isdigit():
                # A status in place of a name: no word of Kinesis, but of something on the way to it.
                return refused_or_again(Reply(status, b""), records)
            raise SendError(f"{stream} is refused: {code}") from None
        except (told.EndpointConnectionError, told.ConnectTimeoutError, told.ProxyConnectionError):
            return Attempt(NO_CONNECTION, all_of(records, Fate.AGAIN, NO_CONNECTION))
        except told.BotoCoreError as error:
            name = type(error).__name__
            return Attempt(name, all_of(records, Fate.AGAIN, name))
        # What is not of Kinesis has none; its text is not to be had here.
        return _judged_all(answer.get("Records"), records, page="Records" not in answer)


def _judged_all(entries: object, records: Sequence[Outgoing], *, page: bool) -> Attempt:
    """Kinesis' word on each record of a PutRecords: the call as a whole is 200 whatever became of them."""
    verdicts = [_judged(entry) for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []
    if len(verdicts) != len(records):
        return not_understood(records, page=page)
    return Attempt("200", verdicts)


def _judged(entry: dict[str, object]) -> Verdict:
    code = entry.get("ErrorCode")
    if code is None:
        # An entry that says neither is not taken for a success.
        return TAKEN if entry.get("SequenceNumber") else Verdict(Fate.AGAIN, "an entry without sequence number")
    return Verdict(Fate.AGAIN if code in _NOT_TAKEN_YET else Fate.REFUSED, str(code))


def _not_there(stream: str) -> SendError:
    return SendError(f"{stream} is not there: --streams create makes it")


def _refused(reply: Reply, records: Sequence[Outgoing], stream: str) -> Attempt:
    """Kinesis' errors come through the gateway as 400, where some may pass next time."""
    if reply.code == HTTPStatus.BAD_REQUEST and any(name in reply.text for name in _NOT_TAKEN_YET):
        return Attempt(reply.name, all_of(records, Fate.AGAIN, f"{reply.name}: {reply.text}"), reply.wait)
    if reply.code == HTTPStatus.BAD_REQUEST and _MISSING in reply.text:
        raise _not_there(stream)
    return refused_or_again(reply, records)


def _read_one(reply: Reply, records: Sequence[Outgoing]) -> Attempt:
    return (
        Attempt(reply.name, [TAKEN]) if reply.json.get("SequenceNumber") else not_understood(records, page=reply.page)
    )
