"""Every mapping template makes JSON that Kinesis takes, whatever comes."""

import base64
import json

import pytest

from infrastructure.checks.api import resolve_path
from infrastructure.checks.template_view import TemplateView, as_mapping, get_path
from infrastructure.templates import get_template
from local.stack.api_gateway.mapping_templates import MappingContext, render_mapping

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
    view = TemplateView("api", get_template("api"), {})
    return {
        f"{properties['HttpMethod']} {resolve_path(view, str(properties['ResourceId']))}": properties
        for _, properties in view.find_resources("AWS::ApiGateway::Method")
        if get_path(properties, "Integration", "RequestTemplates")
        and get_path(properties, "Integration", "Type") == "AWS"
    }


METHODS = methods()


def mapped(call: str, body: object = None, stream: str = STREAM) -> dict[str, object]:
    """What Kinesis gets, read as JSON."""
    (template,) = as_mapping(get_path(METHODS[call], "Integration", "RequestTemplates")).values()
    content = b"" if body is None else json.dumps(body, ensure_ascii=False).encode()
    found = json.loads(render_mapping(str(template), MappingContext(content, path={"stream-name": stream})))
    assert isinstance(found, dict)
    return found


def test_six_methods_have_a_mapping_template_of_one_kind() -> None:
    assert len(METHODS) == 6
    for properties in METHODS.values():
        assert list(as_mapping(get_path(properties, "Integration", "RequestTemplates"))) == ["application/json"]
        # What comes as another kind of content is refused, and not passed on as it is.
        assert get_path(properties, "Integration", "PassthroughBehavior") == "NEVER"


def test_streams_are_listed() -> None:
    assert mapped("GET /streams") == {"Limit": 10000}


@pytest.mark.parametrize("call", ["GET /streams/{stream-name}", "DELETE /streams/{stream-name}"])
def test_a_stream_is_described(call: str) -> None:
    assert mapped(call) == {"StreamName": STREAM}


def test_a_stream_is_created() -> None:
    assert mapped("POST /streams/{stream-name}", {"ShardCount": 2}) == {"StreamName": STREAM, "ShardCount": 2}


@pytest.mark.parametrize("text", AWKWARD)
def test_a_record_is_mapped_unchanged(text: str) -> None:
    data = {"index": 7, "title": text, text or "empty": None, "nested": [{"a": text}, 1.5, True]}
    found = mapped("PUT /streams/{stream-name}/record", {"Data": data, "PartitionKey": text or "7"})
    assert json.loads(base64.b64decode(str(found.pop("Data")), validate=True)) == data
    assert found == {"StreamName": STREAM, "PartitionKey": text or "7"}


def test_many_records_are_mapped_unchanged_in_order() -> None:
    records = [{"data": {"index": at, "title": text}, "partition-key": f"{at}"} for at, text in enumerate(AWKWARD)]
    found = mapped("PUT /streams/{stream-name}/records", {"records": records})
    assert found["StreamName"] == STREAM
    assert isinstance(found["Records"], list)
    arrived = [(json.loads(base64.b64decode(each["Data"])), each["PartitionKey"]) for each in found["Records"]]
    assert arrived == [(each["data"], each["partition-key"]) for each in records]
    assert {frozenset(each) for each in found["Records"]} == {frozenset({"Data", "PartitionKey"})}


@pytest.mark.parametrize("count", [1, 2, 500])
def test_the_maximum_number_of_records_is_mapped(count: int) -> None:
    records = [{"data": {"index": at}, "partition-key": f"{at}"} for at in range(count)]
    found = mapped("PUT /streams/{stream-name}/records", {"records": records})
    assert isinstance(found["Records"], list)
    assert [each["PartitionKey"] for each in found["Records"]] == [f"{at}" for at in range(count)]


@pytest.mark.parametrize("text", [text for text in AWKWARD if text])
@pytest.mark.parametrize("call", [call for call in METHODS if "{stream-name}" in call])
def test_a_streams_name_is_escaped(call: str, text: str) -> None:
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
def test_a_body_without_required_fields_is_refused(call: str, body: str, missing: set[str]) -> None:
    view = TemplateView("api", get_template("api"), {})
    model = as_mapping(view.resources[f"{body}Model"]["Properties"])
    assert as_mapping(METHODS[call]["RequestModels"]) == {"application/json": f"{body}Model"}
    assert METHODS[call]["RequestValidatorId"] == "BodyValidator"
    assert set(as_mapping(model["Schema"])["required"]) == missing


@pytest.mark.parametrize("text", AWKWARD)
def test_other_calls_are_proxied_unchanged(text: str) -> None:
    view = TemplateView("api", get_template("api"), {"ProxyHost": "rest-proxy.0ab.internal"})
    integration = as_mapping(as_mapping(view.resources["AnyProxy"]["Properties"])["Integration"])
    assert integration["Uri"] == "https://rest-proxy.0ab.internal:8082/{proxy}"
    assert integration["RequestParameters"] == {"integration.request.path.proxy": "method.request.path.proxy"}
    assert (integration["Type"], integration["IntegrationHttpMethod"]) == ("HTTP_PROXY", "ANY")
    assert integration["ConnectionType"] == "VPC_LINK"
    # Without it the proxy would be asked for /prod/topics/….
    assert list(as_mapping(integration["RequestTemplates"])) == ["application/vnd.kafka.json.v2+json"]
    (mapping_template,) = as_mapping(integration["RequestTemplates"]).values()
    body = {"records": [{"key": text, "value": {"title": text}}]}
    content = json.dumps(body, ensure_ascii=False)
    context = MappingContext(content.encode(), path={"proxy": "topics/0ab.pin"})
    assert render_mapping(str(mapping_template), context).strip() == content
    assert context.request_override["path"] == "/topics/0ab.pin"


NAIVE = [
    """{"Data": "$util.base64Encode($input.json('$.Data'))", "PartitionKey": "$input.path('$.PartitionKey')"}""",
    """{"Data": "$util.base64Encode($input.path('$.Data'))", "PartitionKey": $input.json('$.PartitionKey')}""",
    """{"Data": "$input.json('$.Data')", "PartitionKey": $input.json('$.PartitionKey')}""",
    """{"Data": "$util.base64Encode($input.json('$.Data'))",
        "PartitionKey": "$util.escapeJavaScript($input.path('$.PartitionKey'))"}""",
]


@pytest.mark.parametrize("template", NAIVE)
def test_these_values_find_a_careless_template(template: str) -> None:
    def is_right(text: str) -> bool:
        body = {"Data": {"title": text}, "PartitionKey": text}
        content = json.dumps(body, ensure_ascii=False).encode()
        try:
            found = json.loads(render_mapping(template, MappingContext(content)))
            data = json.loads(base64.b64decode(found["Data"], validate=True))
        except ValueError:
            return False
        return {"Data": data, "PartitionKey": found["PartitionKey"]} == body

    assert not all(is_right(text) for text in AWKWARD)
