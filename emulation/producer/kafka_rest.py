"""Sends to Kafka through the REST proxy behind API Gateway, v2 JSON. Source: the data contract, section 1, the API."""

from collections.abc import Sequence
from http import HTTPStatus

from emulation.emulation_errors import SendError
from emulation.producer.http_client import HttpClient
from emulation.producer.send_result import (
    ACKED,
    RecordResult,
    RecordStatus,
    SendResult,
    classify_error,
    classify_unreadable,
)
from emulation.source.source_records import SourceRecord
from pinterest_transforms.settings import Settings

HEADERS = {"Content-Type": "application/vnd.kafka.json.v2+json", "Accept": "application/vnd.kafka.v2+json"}
_RETRIABLE = (2, 50003, 50302)
"""Retriable error codes of a record; 2 is what proxies before 50003 return. All others are permanent."""
_NOT_AUTHORIZED = (40101, 40301)
"""The broker does not authenticate or authorize the proxy: every record of the topic receives it."""


class KafkaRestSink:
    """Sends records to the topics of one user."""

    max_records = 500
    max_bytes = 4_000_000
    # Kafka's default maximum is 1 MiB for a record with its key and overhead.
    max_record_bytes = 1_000_000

    def __init__(self, http: HttpClient, url: str, settings: Settings) -> None:
        self._http, self._url, self._settings = http, url, settings
        self.name = f"{url}/topics/{settings.user_id}.*"

    def send(self, records: Sequence[SourceRecord]) -> SendResult:
        """Sends one POST to the topic of the records' kind."""
        topic = self._settings.topic(records[0].entity)
        response = self._http.request("POST", f"{self._url}/topics/{topic}", build_body(records), HEADERS)
        found = response.json.get("offsets")
        entries = [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []
        codes = [each.get("error_code") for each in (*entries, response.json)]
        for code in _NOT_AUTHORIZED:
            if code in codes:
                raise SendError(f"{topic} is not accessible: error_code {code}: the proxy may not write to it")
        if response.status != HTTPStatus.OK:
            return classify_error(response, records)
        if len(entries) != len(records):
            return classify_unreadable(records)
        return SendResult(response.label, [_classify_entry(each) for each in entries])


def build_body(records: Sequence[SourceRecord]) -> bytes:
    """The request's body in the proxy's v2 JSON."""
    parts = b",".join(b'{"key":%b,"value":%b}' % (record.key_text, record.value) for record in records)
    return b'{"records":[' + parts + b"]}"


def _classify_entry(entry: dict[str, object]) -> RecordResult:
    code = entry.get("error_code")
    if code is None:
        # Without an offset there is no proof that it was stored.
        return ACKED if entry.get("offset") is not None else RecordResult(RecordStatus.RETRY, "a result without offset")
    return RecordResult(RecordStatus.RETRY if code in _RETRIABLE else RecordStatus.FAILED, f"error_code {code}")
