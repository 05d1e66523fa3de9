"""The gateway, serving the template that is deployed."""

import base64
import json

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from infrastructure.checks.api import FORBIDDEN
from tests.local.stack.gateway_calls import CREDENTIALS, KEY, REGION, Request, ask

TOPIC, STREAM = "/prod/topics/abc123.pin", "/prod/streams/streaming-abc123-pin"
AWKWARD = {
    "title": "a \"q\" 'x' \\ \n\t 🙂 $foo ${bar} #end #set($a=1) </script>",
    "index": 7,
    "tags": [1.5, None, "é"],
}


# The root has no method: that is told in another way.
BELOW_ROOT = [(method, path) for method, path in FORBIDDEN if path != "/"]


def refusal(status: int, message: str) -> tuple[int, object]:
    return status, {"message": message}


def told(request: Request, **more: object) -> tuple[int, object]:
    said, _ = ask(request, **more)  # type: ignore[arg-type]
    return said[0].status, json.loads(said[0].body)


def put(path: str, body: object) -> Request:
    return Request("PUT", path, json.dumps(body).encode())


def test_a_topics_records_and_their_answer_pass_as_they_are() -> None:
    body = '{"records":[{"key":1,"value":{"a":"\\" 🙂 \\n"}}]}'.encode()
    headers = {"x-api-key": KEY, "Content-Type": "application/vnd.kafka.json.v2+json"}

    said, came = ask(Request("POST", TOPIC, body, headers), answer=(422, b'{"error_code":422}'))

    assert (said[0].status, said[0].body, said[0].headers["X-Behind"]) == (422, b'{"error_code":422}', "b")
    assert [(one.method, one.path, one.body) for one in came] == [("POST", "/topics/abc123.pin", body)]
    assert came[0].headers["content-type"] == "application/vnd.kafka.json.v2+json"
    assert "x-api-key" not in came[0].headers


def test_a_topics_records_must_be_of_the_kind_whose_path_is_overridden() -> None:
    said, came = ask(Request("POST", TOPIC, b"{}", {"x-api-key": KEY, "Content-Type": "application/json"}))

    assert (said[0].status, json.loads(said[0].body)) == refusal(415, "Unsupported Media Type")
    assert came == []


@pytest.mark.parametrize(
    ("request_", "status", "message"),
    [
        (Request("POST", "/other/topics/abc123.pin"), 403, "Forbidden"),
        (Request("POST", "/topics/abc123.pin"), 403, "Forbidden"),
        (Request("POST", "/prod"), 403, "Missing Authentication Token"),
        (Request("POST", TOPIC, headers={}), 403, "Forbidden"),
        (Request("POST", TOPIC, headers={"x-api-key": "wrong"}), 403, "Forbidden"),
        (put(f"{STREAM}/record", {"Data": "text", "PartitionKey": "7"}), 400, "Invalid request body"),
        (put(f"{STREAM}/record", {"Data": {}}), 400, "Invalid request body"),
        (put(f"{STREAM}/records", {"records": []}), 400, "Invalid request body"),
        (put(f"{STREAM}/records", {"records": [{"data": {}, "partition-key": ""}]}), 400, "Invalid request body"),
        (Request("POST", STREAM, b'{"ShardCount": 11}'), 400, "Invalid request body"),
        (Request("POST", STREAM, b'{"ShardCount": true}'), 400, "Invalid request body"),
        (Request("POST", STREAM, b"no json"), 400, "Invalid request body"),
        (Request("GET", STREAM, b"", {"x-api-key": KEY, "Content-Type": "text/xml"}), 415, "Unsupported Media Type"),
        (Request("POST", TOPIC, b"x" * (10 * 1024**2 + 1)), 413, "Request Too Long"),
    ],
)
def test_what_goes_nowhere_is_told_as_api_gateway_tells_it(request_: Request, status: int, message: str) -> None:
    said, came = ask(request_)

    assert (said[0].status, json.loads(said[0].body)) == refusal(status, message)
    assert came == []


@pytest.mark.parametrize("access", ["API_KEY", "IAM"])
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/nowhere"),
        ("POST", "/topics/abc123.pin%2f..%2fother.pin"),
        *((method, path.format(topic="abc123.pin", stream="streaming-abc123-pin")) for method, path in BELOW_ROOT),
    ],
)
def test_the_resource_policy_lets_nobody_at_the_rest_of_the_proxy_or_what_is_somebody_elses(
    method: str, path: str, access: str
) -> None:
    request = Request(method, f"/prod{path}", prepare=signed(CREDENTIALS) if access == "IAM" else None)

    said, came = ask(request, Access=access)

    assert said[0].status == 403
    assert json.loads(said[0].body) == {
        "Message": "User: anonymous is not authorized to perform: execute-api:Invoke on resource: "
        f"execute-api:/prod/{method}{path}"
    }
    assert came == []


@pytest.mark.parametrize(
    ("request_", "target", "wanted"),
    [
        (Request("GET", "/prod/streams"), "ListStreams", {"Limit": 10000}),
        (Request("GET", STREAM), "DescribeStream", {"StreamName": "streaming-abc123-pin"}),
        (Request("DELETE", STREAM), "DeleteStream", {"StreamName": "streaming-abc123-pin"}),
        (
            Request("POST", STREAM, b'{"ShardCount":2}'),
            "CreateStream",
            {"StreamName": "streaming-abc123-pin", "ShardCount": 2},
        ),
    ],
)
def test_calls_on_streams_become_kinesis_own(request_: Request, target: str, wanted: object) -> None:
    said, came = ask(request_, answer=(200, b'{"StreamNames":[]}'))

    assert (said[0].status, said[0].body) == (200, b'{"StreamNames":[]}')
    assert (came[0].method, came[0].path) == ("POST", "/")
    assert came[0].headers["x-amz-target"] == f"Kinesis_20131202.{target}"
    assert came[0].headers["content-type"] == "application/x-amz-json-1.1"
    assert "/us-east-1/kinesis/aws4_request" in came[0].headers["authorization"]
    assert json.loads(came[0].body) == wanted


def test_a_record_reaches_kinesis_as_the_json_it_was() -> None:
    _, came = ask(put(f"{STREAM}/record", {"Data": AWKWARD, "PartitionKey": 'k"7'}))

    sent = json.loads(came[0].body)
    assert (sent["StreamName"], sent["PartitionKey"]) == ("streaming-abc123-pin", 'k"7')
    assert json.loads(base64.b64decode(sent["Data"])) == AWKWARD


def test_records_reach_kinesis_each_with_its_own_key() -> None:
    given = [{"data": {**AWKWARD, "index": n}, "partition-key": str(n)} for n in range(500)]

    _, came = ask(put(f"{STREAM}/records", {"records": given}))

    sent = json.loads(came[0].body)["Records"]
    assert [json.loads(base64.b64decode(one["Data"]))["index"] for one in sent] == list(range(500))
    assert [one["PartitionKey"] for one in sent] == [str(n) for n in range(500)]
    assert json.loads(base64.b64decode(sent[9]["Data"])) == {**AWKWARD, "index": 9}


@pytest.mark.parametrize(("behind", "wanted"), [(200, 200), (400, 400), (413, 400), (500, 500), (503, 500)])
def test_an_error_of_kinesis_is_never_200(behind: int, wanted: int) -> None:
    said, _ = ask(put(f"{STREAM}/record", {"Data": {}, "PartitionKey": "7"}), answer=(behind, b'{"__type":"X"}'))

    assert (said[0].status, json.loads(said[0].body)) == (wanted, {"__type": "X"})


def signed(credentials: Credentials, *, body: bytes | None = None, method: str = "") -> object:
    def sign(url: str, request: Request) -> dict[str, str]:
        given = AWSRequest(
            method or request.method, f"{url}{request.path}", data=request.body if body is None else body
        )
        SigV4Auth(credentials, "execute-api", REGION).add_auth(given)
        return dict(given.headers.items())

    return sign


@pytest.mark.parametrize(
    ("prepare", "status"),
    [
        (signed(CREDENTIALS), 200),
        (None, 403),
        (signed(Credentials("local", "another secret")), 403),
        (signed(Credentials("another", "a-secret")), 403),
        (signed(CREDENTIALS, body=b"another body"), 403),
        (signed(CREDENTIALS, method="GET"), 403),
    ],
)
def test_with_iam_a_request_must_be_signed_and_the_key_is_not_asked_for(prepare, status: int) -> None:
    said, came = ask(Request("POST", f"{TOPIC}?a=b%20c", b"body", {}, prepare), Access="IAM")

    assert said[0].status == status
    assert len(came) == (status == 200)
    assert "authorization" not in (came[0].headers if came else {})


def test_the_stage_is_a_parameter() -> None:
    said, came = ask(Request("POST", "/dev/topics/abc123.geo"), StageName="dev")

    assert (said[0].status, came[0].path) == (200, "/topics/abc123.geo")
