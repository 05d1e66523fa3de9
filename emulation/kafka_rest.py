"""The Kafka REST proxy behind API Gateway, v2 JSON. Source: the data contract, section 1, the API."""

from collections.abc import Sequence
from http import HTTPStatus

import orjson

from emulation.answers import not_understood, refused_or_again
from emulation.outgoing import TAKEN, Attempt, Fate, Outgoing, Verdict
from emulation.wire import Http, Reply
from pinterest_transforms.settings import Settings

CONTENT = {"Content-Type": "application/vnd.kafka.json.v2+json", "Accept": "application/vnd.kafka.v2+json"}
# Of a record: the broker has had enough of it, or may take it next time. Anything else is not known to pass.
_MAY_PASS = (50003,)


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
        url = f"{self._url}/topics/{self._settings.topic(records[0].entity)}"
        reply = self._http.request("POST", url, body_of(records), CONTENT)
        if reply.code == HTTPStatus.OK:
            return _read(reply, records)
        return refused_or_again(reply, records)


def body_of(records: Sequence[Outgoing]) -> bytes:
    """The request's body, in the proxy's v2 JSON."""
    parts = b",".join(b'{"key":%b,"value":%b}' % (record.key_text, record.value) for record in records)
    return b'{"records":[' + parts + b"]}"


def _read(reply: Reply, records: Sequence[Outgoing]) -> Attempt:
    """The proxy's word on each record: 200 says nothing of them."""
    try:
        offsets = orjson.loads(reply.body)["offsets"]
        verdicts = [TAKEN if o.get("error_code") is None else _failed(o["error_code"]) for o in offsets]
    except (ValueError, KeyError, TypeError, AttributeError):
        verdicts = []
    if len(verdicts) != len(records):
        return not_understood(records)
    return Attempt(reply.name, verdicts)


def _failed(code: object) -> Verdict:
    return Verdict(Fate.AGAIN if code in _MAY_PASS else Fate.REFUSED, f"error_code {code}")
