"""The loader of templates, and what their functions come to."""

import pytest

from infrastructure.cfn_evaluator import CfnEvaluator
from infrastructure.templates import STACKS, TemplateError, get_template_path, load_template, parse_template, section

TEXT = """
Parameters:
  UserId: { Type: String }
  Zone: { Type: String, Default: a }
  Subnets: { Type: List<AWS::EC2::Subnet::Id>, Default: "one,two" }
Conditions:
  First: !Equals [!Ref Zone, a]
  Second: !Not [!Condition First]
Resources:
  Bucket:
    Type: AWS::S3::Bucket
    Properties:
      BucketName: !Sub user-${UserId}-bucket
      Tags: [{ Key: literal, Value: !Sub "${!kept} ${Other} ${Bucket.Arn}", Other: !Sub ["${X}", { X: !Ref Zone }] }]
  Other:
    Type: AWS::S3::Bucket
    Condition: Second
  Third:
    Type: AWS::S3::Bucket
    Properties:
      BucketName: !If [First, !Select [1, !Ref Subnets], !Ref AWS::NoValue]
      Left: !If [Second, !Ref Zone, !Ref AWS::NoValue]
      Joined: !Join ["-", [!Ref Zone, !Ref AWS::Region]]
      Text: !Base64 hello
"""


def test_functions_are_read_in_long_form() -> None:
    template = parse_template("Resources: {A: {Type: T, Properties: {X: !GetAtt B.C.D, Y: !Ref A, Z: !If [Q, 1, 2]}}}")
    assert section(template, "Resources")["A"]["Properties"] == {
        "X": {"Fn::GetAtt": ["B", "C.D"]},
        "Y": {"Ref": "A"},
        "Z": {"Fn::If": ["Q", 1, 2]},
    }


def test_functions_are_evaluated() -> None:
    found = CfnEvaluator(parse_template(TEXT), {"UserId": "0ab"}).resources()
    assert found["Bucket"]["Properties"] == {
        "BucketName": "user-0ab-bucket",
        "Tags": [{"Key": "literal", "Value": "${kept} Other Bucket.Arn", "Other": "a"}],
    }
    assert found["Third"]["Properties"] == {
        "BucketName": "two",
        "Joined": "a-us-east-1",
        "Text": "aGVsbG8=",
    }


def test_a_condition_decides_which_resources_are_created() -> None:
    template = parse_template(TEXT)
    assert "Other" not in CfnEvaluator(template, {"UserId": "0ab"}).resources()
    assert "Other" in CfnEvaluator(template, {"UserId": "0ab", "Zone": "b"}).resources()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Parameters: {}", "template must have Resources, got none"),
        ("- 1", "template must have Resources, got none"),
        ("Resources: [", "template, line 1: expected the node content, but found '<stream end>'"),
    ],
)
def test_an_invalid_template_is_one_line(text: str, message: str) -> None:
    with pytest.raises(TemplateError) as caught:
        parse_template(text)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Resources: {A: {Type: !Ref B}}", "Ref and GetAtt must name a parameter or a resource, got 'B'"),
        ("Resources: {A: {Type: !GetAtt B.C}}", "Ref and GetAtt must name a parameter or a resource, got 'B'"),
        ("Resources: {A: {Type: T, Condition: C}}", "condition must be one of the template's, got 'C'"),
        (
            "Resources: {A: {Type: !Nonsense x}}",
            "function must be a known one with valid arguments, got Fn::Nonsense: 'x'",
        ),
        (
            "Resources: {A: {Type: !If [C, 1]}}",
            "function must be a known one with valid arguments, got Fn::If: ['C', 1]",
        ),
    ],
)
def test_an_unknown_name_or_function_is_one_line(text: str, message: str) -> None:
    with pytest.raises(TemplateError) as caught:
        CfnEvaluator(parse_template(text), {}).resources()
    assert str(caught.value) == message


def test_there_are_seven_stacks_and_no_other_template() -> None:
    assert len(STACKS) == 7
    assert {file.stem for file in get_template_path("api").parent.iterdir()} == set(STACKS)
    for stack in STACKS:
        assert section(load_template(get_template_path(stack)), "Resources")


def test_a_parameter_without_value_and_default_has_its_name_as_value() -> None:
    text = TEXT.replace(', Default: "one,two"', "")
    found = CfnEvaluator(parse_template(text), {}).resources()
    assert found["Bucket"]["Properties"]["BucketName"] == "user-UserId-bucket"
    assert found["Third"]["Properties"]["BucketName"] == "Subnets2"
