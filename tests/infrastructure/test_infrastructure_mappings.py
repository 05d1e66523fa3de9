"""Every mapping template makes JSON that Kinesis takes, whatever comes."""

import base64
import json

import pytest

from infrastructure.checks.api import path_of
from infrastructure.checks.sight import Sight, mapping, within
from infrastructure.templates import template_of
from local.gateway_mapping import Context, rendered

AWKWARD = [
    "plain",
    'double "quotes"',
    "single 'quotes', and \\' with a backslash",
    "back\\slash, \\n that is no line feed, ends with \\",
    "line\nfeed, carriage\rreturn, tab\t",
    "emoji 😀 👩‍👩‍👧, Ünïcödé, 日本語, кириллица",
    "</script><b>&amp;</b>",
    "line\u2028separator, paragraph\u2029separator, no-break\u00a0space",
    "control \u0001\u001f\u007f",
    "$input.json('$') #set($x = 1) #if(true)yes#end ## comment ${name} $!name #foreach",
    '{"StreamName": "other"}',
    "",
]
STREAM = "streaming-0ab-pin"


def methods() -> dict[str, dict[str, object]]:
    """Path and verb of every method that asks Kinesis by a mapping template, and its properties."""
    sight = Sight("api", template_of("api"), {})
    return {
        f"{properties['HttpMethod']} {path_of(sight, str(properties['ResourceId']))}": properties
        for _, properties in sight.of("AWS::ApiGateway::Method")
        if within(properties, "Integration", "RequestTemplates") and within(properties, "Integration", "Type") == "AWS"
    }


METHODS = methods()


def mapped(call: str, body: object = None, stream: str = STREAM) -> dict[str, object]:
    """What Kinesis gets, read as JSON."""
    (template,) = mapping(within(METHODS[call], "Integration", "RequestTemplates")).values()
    content = b"" if body is None else json.dumps(body, ensure_ascii=False).encode()
    found = json.loads(rendered(str(template), Context(content, path={"stream-name": stream})))
    assert isinstance(found, dict)
    return found


def test_six_methods_have_a_mapping_template_of_one_kind() -> None:
    assert len(METHODS) == 6
    for properties in METHODS.values():
        assert list(mapping(within(properties, "Integration", "RequestTemplates"))) == ["application/json"]
        # What comes as another kind of content is refused, and not passed on as it is.
        assert within(properties, "Integration", "PassthroughBehavior") == "NEVER"


def test_streams_are_listed() -> None:
    assert mapped("GET /streams") == {"Limit": 10000}


@pytest.mark.parametrize("call", ["GET /streams/{stream-name}", "DELETE /streams/{stream-name}"])
def test_a_stream_is_named(call: str) -> None:
    assert mapped(call) == {"StreamName": STREAM}


def test_a_stream_is_made() -> None:
    assert mapped("POST /streams/{stream-name}", {"ShardCount": 2}) == {"StreamName": STREAM, "ShardCount": 2}


@pytest.mark.parametrize("text", AWKWARD)
def test_a_record_arrives_as_it_was_sent(text: str) -> None:
    data = {"index": 7, "title": text, text or "empty": None, "nested": [{"a": text}, 1.5, True]}
    found = mapped("PUT /streams/{stream-name}/record", {"Data": data, "PartitionKey": text or "7"})
    assert json.loads(base64.b64decode(str(found.pop("Data")), validate=True)) == data
    assert found == {"StreamName": STREAM, "PartitionKey": text or "7"}


def test_many_records_arrive_as_they_were_sent_and_in_their_order() -> None:
    records = [{"data": {"index": at, "title": text}, "partition-key": f"{at}"} for at, text in enumerate(AWKWARD)]
    found = mapped("PUT /streams/{stream-name}/records", {"records": records})
    assert found["StreamName"] == STREAM
    assert isinstance(found["Records"], list)
    arrived = [(json.loads(base64.b64decode(each["Data"])), each["PartitionKey"]) for each in found["Records"]]
    assert arrived == [(each["data"], each["partition-key"]) for each in records]
    assert {frozenset(each) for each in found["Records"]} == {frozenset({"Data", "PartitionKey"})}


@pytest.mark.parametrize("count", [1, 2, 500])
def test_as_many_records_as_a_call_may_have_are_mapped(count: int) -> None:
    records = [{"data": {"index": at}, "partition-key": f"{at}"} for at in range(count)]
    found = mapped("PUT /streams/{stream-name}/records", {"records": records})
    assert isinstance(found["Records"], list)
    assert [each["PartitionKey"] for each in found["Records"]] == [f"{at}" for at in range(count)]


@pytest.mark.parametrize("text", [text for text in AWKWARD if text])
@pytest.mark.parametrize("call", [call for call in METHODS if "{stream-name}" in call])
def test_a_streams_name_cannot_leave_its_place(call: str, text: str) -> None:
    body = {
        "Data": {},
        "PartitionKey": "7",
        "ShardCount": 1,
        "records": [{"data": {}, "partition-key": "7"}],
    }
    assert mapped(call, body, stream=text)["StreamName"] == text


@pytest.mark.parametrize(
    ("call", "body", "missing"),
    [
        ("PUT /streams/{stream-name}/record", "Record", {"Data", "PartitionKey"}),
        ("PUT /streams/{stream-name}/records", "Records", {"records"}),
        ("POST /streams/{stream-name}", "Stream", {"ShardCount"}),
    ],
)
def test_a_body_without_what_is_mapped_is_refused_before(call: str, body: str, missing: set[str]) -> None:
    sight = Sight("api", template_of("api"), {})
    model = mapping(sight.resources[f"{body}Model"]["Properties"])
    assert mapping(METHODS[call]["RequestModels"]) == {"application/json": f"{body}Model"}
    assert METHODS[call]["RequestValidatorId"] == "BodyValidator"
    assert set(mapping(model["Schema"])["required"]) == missing


@pytest.mark.parametrize("text", AWKWARD)
def test_everything_else_goes_on_to_the_proxy_as_it_came(text: str) -> None:
    sight = Sight("api", template_of("api"), {"ProxyHost": "rest-proxy.0ab.internal"})
    integration = mapping(mapping(sight.resources["AnyProxy"]["Properties"])["Integration"])
    assert integration["Uri"] == "https://rest-proxy.0ab.internal:8082/{proxy}"
    assert integration["RequestParameters"] == {"integration.request.path.proxy": "method.request.path.proxy"}
    assert (integration["Type"], integration["IntegrationHttpMethod"]) == ("HTTP_PROXY", "ANY")
    assert integration["ConnectionType"] == "VPC_LINK"
    # Without it the proxy would be asked for /prod/topics/….
    assert list(mapping(integration["RequestTemplates"])) == ["application/vnd.kafka.json.v2+json"]
    (mapping_template,) = mapping(integration["RequestTemplates"]).values()
    body = {"records": [{"key": text, "value": {"title": text}}]}
    content = json.dumps(body, ensure_ascii=False)
    context = Context(content.encode(), path={"proxy": "topics/0ab.pin"})
    assert rendered(str(mapping_template), context).strip() == content
    assert mapping(context.overrides["requestOverride"])["path"] == "/topics/0ab.pin"


NAIVE = [
    """{"Data": "$util.base64Encode($input.json('$.Data'))", "PartitionKey": "$input.path('$.PartitionKey')"}""",
    """{"Data": "$util.base64Encode($input.path('$.Data'))", "PartitionKey": $input.json('$.PartitionKey')}""",
    """{"Data": "$input.json('$.Data')", "PartitionKey": $input.json('$.PartitionKey')}""",
    """{"Data": "$util.base64Encode($input.json('$.Data'))",
        "PartitionKey": "$util.escapeJavaScript($input.path('$.PartitionKey'))"}""",
]


@pytest.mark.parametrize("template", NAIVE)
def test_a_careless_template_is_caught_by_these_values(template: str) -> None:
    def is_right(text: str) -> bool:
        body = {"Data": {"title": text}, "PartitionKey": text}
        content = json.dumps(body, ensure_ascii=False).encode()
        try:
            found = json.loads(rendered(template, Context(content)))
            data = json.loads(base64.b64decode(found["Data"], validate=True))
        except ValueError:
            return False
        return {"Data": data, "PartitionKey": found["PartitionKey"]} == body

    assert not all(is_right(text) for text in AWKWARD)
