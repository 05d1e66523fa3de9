"""The Kafka REST proxy behind API Gateway, v2 JSON. Source: the data contract, section 1, the API."""

from collections.abc import Sequence
from http import HTTPStatus

from emulation.producer.answers import not_understood, refused_or_again
from emulation.producer.http_client import Http
from emulation.producer.send_result import TAKEN, Attempt, Fate, Outgoing, SendError, Verdict
from pinterest_transforms.settings import Settings

CONTENT = {"Content-Type": "application/vnd.kafka.json.v2+json", "Accept": "application/vnd.kafka.v2+json"}
_MAY_PASS = (2, 50003, 50302)
"""Of a record: the broker may take it next time; 2 is what proxies before 50003 say. All else is not known to pass."""
_NO_ACCESS = (40101, 40301)
"""The broker does not know the proxy, or does not let it write to the topic: the topic's next records get it too."""


class KafkaRest:
    """Sends records to the topics of one user."""

    most_records = 500
    most_bytes = 4_000_000
    # Kafka's own default is 1 MiB for a record with its key and what is around it.
    largest = 1_000_000

    def __init__(self, http: Http, url: str, settings: Settings) -> None:
        self._http, self._url, self._settings = http, url, settings
        self.name = f"{url}/topics/{settings.user_id}.*"

    def send(self, records: Sequence[Outgoing]) -> Attempt:
        """One POST to the topic of the records' kind."""
        topic = self._settings.topic(records[0].entity)
        reply = self._http.request("POST", f"{self._url}/topics/{topic}", body_of(records), CONTENT)
        found = reply.json.get("offsets")
        entries = [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []
        codes = [each.get("error_code") for each in (*entries, reply.json)]
        for code in _NO_ACCESS:
            if code in codes:
                raise SendError(f"{topic} is refused: error_code {code}: the proxy may not write to it")
        if reply.code != HTTPStatus.OK:
            return refused_or_again(reply, records)
        if len(entries) != len(records):
            return not_understood(records, page=reply.page)
        return Attempt(reply.name, [_verdict(each) for each in entries])


def body_of(records: Sequence[Outgoing]) -> bytes:
    """The request's body, in the proxy's v2 JSON."""
    parts = b",".join(b'{"key":%b,"value":%b}' % (record.key_text, record.value) for record in records)
    return b'{"records":[' + parts + b"]}"


def _verdict(entry: dict[str, object]) -> Verdict:
    code = entry.get("error_code")
    if code is None:
        # An entry that says neither is not taken for a success.
        return TAKEN if entry.get("offset") is not None else Verdict(Fate.AGAIN, "an entry without offset")
    return Verdict(Fate.AGAIN if code in _MAY_PASS else Fate.REFUSED, f"error_code {code}")
