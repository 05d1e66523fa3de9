"""What API Gateway does with integrations that the deployed template does not use (yet), and with wrong ones."""

import json
from pathlib import Path
from textwrap import dedent, indent

import pytest

from infrastructure.templates import TemplateError
from local.stack.api_gateway.mapping_templates import MappingContext, MappingError, render_mapping
from tests.local.stack.gateway_calls import Request, ask

HEAD = """\
Parameters:
  UserId: { Type: String }
  Access: { Type: String }
Resources:
  Api: { Type: AWS::ApiGateway::RestApi, Properties: { Name: api } }
  Stage:
    Type: AWS::ApiGateway::Stage
    Properties: { RestApiId: !Ref Api, StageName: s }
  Things:
    Type: AWS::ApiGateway::Resource
    Properties: { RestApiId: !Ref Api, ParentId: !GetAtt Api.RootResourceId, PathPart: things }
  Rest:
    Type: AWS::ApiGateway::Resource
    Properties: { RestApiId: !Ref Api, ParentId: !Ref Things, PathPart: "{proxy+}" }
  One:
    Type: AWS::ApiGateway::Resource
    Properties: { RestApiId: !Ref Api, ParentId: !Ref Own, PathPart: "{id}" }
  Own:
    Type: AWS::ApiGateway::Resource
    Properties: { RestApiId: !Ref Api, ParentId: !Ref Things, PathPart: own }
"""


def template(folder: Path, *methods: tuple[str, str, str]) -> Path:
    """An API with these methods: resource, HTTP method, integration."""
    file = folder / "api.yaml"
    text = HEAD
    for number, (resource, method, integration) in enumerate(methods):
        properties = f"RestApiId: !Ref Api\nResourceId: !Ref {resource}\nHttpMethod: {method}\nIntegration:\n"
        properties += indent(dedent(integration), "  ")
        text += f"  M{number}:\n    Type: AWS::ApiGateway::Method\n    Properties:\n{indent(properties, '      ')}\n"
    file.write_text(text, encoding="utf-8")
    return file


def proxied(uri: str, parameters: str = "{}") -> str:
    return f"Type: HTTP_PROXY\nIntegrationHttpMethod: ANY\nUri: {uri}\nRequestParameters: {parameters}\n"


def test_a_parts_own_name_counts_before_a_parameter_that_takes_all_the_rest(tmp_path: Path) -> None:
    file = template(
        tmp_path,
        ("Rest", "ANY", proxied("http://h/rest")),
        ("One", "ANY", proxied("http://h/one")),
        ("Own", "ANY", proxied("http://h/own")),
    )

    _, came = ask(*[Request("GET", f"/s/things/{path}") for path in ("own", "own/7", "7", "own/7/8")], template=file)

    assert [one.path for one in came] == ["/own", "/one", "/rest", "/rest"]


def test_all_the_rest_of_a_path_goes_where_the_uri_says(tmp_path: Path) -> None:
    file = template(
        tmp_path,
        (
            "Rest",
            "ANY",
            proxied("http://h:8082/v2/{proxy}", "{integration.request.path.proxy: method.request.path.proxy}"),
        ),
    )

    _, came = ask(Request("PATCH", "/s/things/a/b%20c/d%3Fe?x=1&y=%26"), template=file)

    assert [(one.method, one.path) for one in came] == [("PATCH", "/v2/a/b%20c/d%3Fe?x=1&y=%26")]


PRIVATE = """\
Type: HTTP_PROXY
IntegrationHttpMethod: ANY
ConnectionType: VPC_LINK
ConnectionId: v1
Uri: https://h:8082/v2/{proxy}
RequestParameters: { integration.request.path.proxy: method.request.path.proxy }
"""
OVERRIDDEN = """\
RequestTemplates:
  application/json: |-
    #set($context.requestOverride.path = "/w/$input.params('proxy')")
    $input.body
"""


@pytest.mark.parametrize(
    ("integration", "path"), [(PRIVATE, "/s/v2/a/b%20c?x=1"), (PRIVATE + OVERRIDDEN, "/w/a/b%20c?x=1")]
)
def test_a_private_integration_sends_the_stage_along_unless_the_path_is_overridden(
    tmp_path: Path, integration: str, path: str
) -> None:
    file = template(tmp_path, ("Rest", "ANY", integration))

    _, came = ask(Request("POST", "/s/things/a/b%20c?x=1", '{"a":"é\\n $x #end"}'.encode()), template=file)

    assert (came[0].path, came[0].body.decode().strip()) == (path, '{"a":"é\\n $x #end"}')


def test_a_slash_in_a_parameter_stays_one(tmp_path: Path) -> None:
    mapped = "{integration.request.path.id: method.request.path.id}"
    file = template(tmp_path, ("One", "ANY", proxied("http://h/x/{id}", mapped)))

    _, came = ask(Request("GET", "/s/things/own/a%2Fb"), template=file)

    assert came[0].path == "/x/a%2Fb"


def test_headers_and_query_are_mapped_from_texts_and_from_the_request(tmp_path: Path) -> None:
    file = template(
        tmp_path,
        (
            "Own",
            "GET",
            """\
            Type: HTTP_PROXY
            IntegrationHttpMethod: PUT
            Uri: http://h/x
            RequestParameters:
              integration.request.header.X-Fixed: "'one'"
              integration.request.header.X-From: method.request.querystring.q
              integration.request.querystring.from: method.request.header.X-Id
            """,
        ),
    )

    _, came = ask(Request("GET", "/s/things/own?q=7", headers={"X-Id": "me"}), template=file)

    assert (came[0].method, came[0].path) == ("PUT", "/x?q=7&from=me")
    assert (came[0].headers["x-fixed"], came[0].headers["x-from"]) == ("one", "7")


def answers(responses: str) -> str:
    uri = "arn:aws:apigateway:us-east-1:kinesis:action/ListStreams"
    return f"Type: AWS\nIntegrationHttpMethod: POST\nUri: {uri}\nIntegrationResponses: {responses}\n"


def test_an_answer_that_no_response_fits_is_500(tmp_path: Path) -> None:
    file = template(tmp_path, ("Own", "GET", answers('[{ StatusCode: 404, SelectionPattern: "4\\\\d{2}" }]')))

    said, _ = ask(Request("GET", "/s/things/own"), template=file)

    assert (said[0].status, json.loads(said[0].body)) == (500, {"message": "Internal server error"})


def test_an_answer_that_the_gateway_cannot_map_is_no_answer_as_it_is(tmp_path: Path) -> None:
    file = template(tmp_path, ("Own", "GET", answers("[{ StatusCode: 200, ResponseTemplates: {} }]")))

    with pytest.raises(TemplateError) as told:
        ask(Request("GET", "/s/things/own"), template=file)

    assert str(told.value) == "responses must have StatusCode and SelectionPattern alone, got ResponseTemplates"


def test_an_answer_that_comes_too_late_is_504(tmp_path: Path) -> None:
    file = template(tmp_path, ("Own", "GET", proxied("http://h/x") + "TimeoutInMillis: 100\n"))

    said, _ = ask(Request("GET", "/s/things/own"), template=file, answer=None)

    assert (said[0].status, json.loads(said[0].body)) == (504, {"message": "Endpoint request timed out"})


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("$input.json('$.o')", '{"a":1,"b":["x"]}'),
        ("$input.json('$.missing')", '""'),
        ("$input.json(\"$['o'].b[0]\")", '"x"'),
        ("$util.base64Encode($input.json('$.o.a'))", "MQ=="),
        ('$util.escapeJavaScript("it\'s")', "it\\'s"),
        ("#foreach($x in $input.path('$.o.b'))$x$foreach.index#end", "x0"),
        ("$nothing$input.params('none')|", "|"),
    ],
)
def test_variables_mean_what_api_gateway_says(text: str, wanted: str) -> None:
    assert render_mapping(text, MappingContext(b'{"o":{"a":1,"b":["x"]}}')) == wanted


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("$input.json('$..a')", "JSONPath must be of names and numbers, as $.records[0].data, got '$..a'"),
        ("$input.json('a')", "JSONPath must be of names and numbers, as $.records[0].data, got 'a'"),
    ],
)
def test_a_path_that_is_not_understood_is_no_empty_text(text: str, message: str) -> None:
    with pytest.raises(MappingError) as told:
        render_mapping(text, MappingContext(b"{}"))

    assert message in str(told.value)


def test_a_broken_template_is_an_error_and_no_answer() -> None:
    with pytest.raises(MappingError, match=r"^a mapping template fails: "):
        render_mapping("#foreach($x in $y) {", MappingContext(b"{}"))
