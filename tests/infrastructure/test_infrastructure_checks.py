"""The templates have no mistake of those that are looked for; planted ones are caught."""

import copy
import re
from collections.abc import Callable

import pytest

from infrastructure.api_deployment_hash import compute_digest, find_stale_deployments, write_digest
from infrastructure.checks import iam_policies
from infrastructure.checks.api import resolve_path
from infrastructure.checks.names import expected_names
from infrastructure.checks.template_checks import CHECKS, check_all, check_template
from infrastructure.checks.template_view import CASES, TemplateView
from infrastructure.templates import STACKS, Template, TemplateError, get_template_path, load_template
from pinterest_transforms.settings import Settings
from tests.infrastructure.planted_errors import PLANTED, P, at, put


@pytest.fixture(scope="module")
def templates() -> dict[str, Template]:
    return {stack: load_template(get_template_path(stack)) for stack in STACKS}


def test_the_templates_have_no_errors() -> None:
    assert check_all() == []


@pytest.mark.parametrize(("stack", "plant", "message"), PLANTED, ids=[f"{p[0]}: {p[2][:60]}" for p in PLANTED])
def test_a_planted_error_is_found(
    templates: dict[str, Template], stack: str, plant: Callable[[Template], None], message: str
) -> None:
    template = copy.deepcopy(templates[stack])
    plant(template)
    assert [found for found in check_template(stack, template) if message in found]


def test_every_check_finds_an_error(templates: dict[str, Template]) -> None:
    caught = set()
    for stack, plant, _ in PLANTED:
        template = copy.deepcopy(templates[stack])
        plant(template)
        for check in CHECKS:
            if check.__name__ not in caught and any(
                list(check(TemplateView(stack, template, case))) for case in CASES.get(stack, ({},))
            ):
                caught.add(check.__name__)
    assert {check.__name__ for check in CHECKS} == caught


def test_the_logical_id_of_the_bucket_may_change(tmp_path) -> None:
    text = get_template_path("streaming").read_text(encoding="utf-8")
    file = tmp_path / "streaming.yaml"
    file.write_text(re.sub(r"(^  |!Ref |!GetAtt |\$\{)Bucket\b", r"\1Landing", text, flags=re.MULTILINE))
    assert check_template("streaming", load_template(file)) == []


def test_a_missing_dependency_of_the_deployment_is_found(templates: dict[str, Template]) -> None:
    template = copy.deepcopy(templates["api"])
    deployment = next(name for name in template["Resources"] if name.startswith("DeploymentForIam"))
    at(template, deployment, "DependsOn").remove("PutRecords")
    assert f"api: {deployment} must depend on PutRecords" in check_template("api", template)


@pytest.mark.parametrize(
    ("path", "to"),
    [
        (("PutRecord", P, "Integration", "RequestTemplates", "application/json"), "{}"),
        (("AnyProxy", P, "Integration", "TimeoutInMillis"), 20000),
        (("Stream", P, "PathPart"), "{name}"),
        (("Api", P, "Policy", "Statement", 0, "Action"), "execute-api:ManageConnections"),
        (("RecordModel", P, "Schema", "required"), []),
        (("BodyValidator", P, "ValidateRequestBody"), False),
    ],
)
def test_a_change_of_the_api_needs_another_deployment(
    templates: dict[str, Template], path: tuple[str | int, ...], to: object
) -> None:
    template = copy.deepcopy(templates["api"])
    put(*path, to=to)(template)
    assert len(find_stale_deployments(template)) == 2
    assert compute_digest(template) != compute_digest(templates["api"])


def test_other_changes_need_no_deployment(templates: dict[str, Template]) -> None:
    template = copy.deepcopy(templates["api"])
    put("Stage", P, "TracingEnabled", to=False)(template)
    assert find_stale_deployments(template) == []


def test_a_change_of_access_creates_another_deployment(templates: dict[str, Template]) -> None:
    made = [
        {name for name in TemplateView("api", templates["api"], {"Access": access}).resources if "Deployment" in name}
        for access in ("IAM", "API_KEY")
    ]
    assert [len(each) for each in made] == [1, 1]
    assert made[0] != made[1]


def test_stamp_updates_the_digest_once(tmp_path) -> None:
    file = tmp_path / "api.yaml"
    file.write_text(
        get_template_path("api").read_text(encoding="utf-8").replace("TimeoutInMillis: 29000", "TimeoutInMillis: 9")
    )
    assert find_stale_deployments(load_template(file))
    assert write_digest(file)
    assert find_stale_deployments(load_template(file)) == []
    assert not write_digest(file)


@pytest.mark.parametrize("user_id", ["12f6caff3559", "0ab", "abc", "a" * 32, "9" * 32])
def test_names_are_those_of_the_contract_whatever_the_user_id(templates: dict[str, Template], user_id: str) -> None:
    for stack in STACKS:
        view = TemplateView(stack, templates[stack], {**CASES.get(stack, ({},))[0], "UserId": user_id})
        for kind, setting, names in expected_names(stack, Settings(user_id=user_id)):
            found = {properties.get(setting) for _, properties in view.find_resources(kind)}
            assert set(names) <= found
    assert len(f"user-{user_id}-bucket") <= 63


def test_no_name_is_longer_than_aws_allows(templates: dict[str, Template]) -> None:
    most = {"RoleName": 64, "ManagedPolicyName": 128, "BucketName": 63, "ClusterName": 64, "DBInstanceIdentifier": 63}
    seen = set()
    for stack in STACKS:
        view = TemplateView(stack, templates[stack], {**CASES.get(stack, ({},))[0], "UserId": "a" * 32})
        for resource in view.resources.values():
            for setting, limit in most.items():
                if name := resource.get("Properties", {}).get(setting):
                    assert len(name) <= limit, name
                    seen.add(setting)
    assert seen == set(most)


def test_names_of_load_balancer_and_database_are_valid(templates: dict[str, Template]) -> None:
    balancer = TemplateView("api", templates["api"], {"UserId": "9" * 32}).resources["LoadBalancer"]
    assert len(balancer["Properties"]["Name"]) <= 32
    database = TemplateView("source", templates["source"], {"UserId": "9" * 32}).resources["Database"]
    assert database["Properties"]["DBInstanceIdentifier"][0].isalpha()


def test_every_exception_is_needed(templates: dict[str, Template]) -> None:
    used = set()
    for stack in STACKS:
        for resource in TemplateView(stack, templates[stack], CASES.get(stack, ({},))[0]).resources.values():
            for statement in iam_policies._list_statements(resource):
                if statement.get("Resource") == "*":
                    used.add((stack, statement["Action"] if isinstance(statement["Action"], str) else ""))
    assert set(iam_policies.WITHOUT_RESOURCE) <= used
    by_key = TemplateView("api", templates["api"], {"Access": "API_KEY"}).resources["Api"]
    allowing = [each for each in iam_policies._list_statements(by_key) if each["Effect"] == "Allow"]
    assert {("api", each["Sid"]) for each in allowing} == set(iam_policies.PUBLIC_STATEMENTS)


def test_only_the_named_actors_reach_a_port(templates: dict[str, Template]) -> None:
    rules = {
        (properties["SourceSecurityGroupId"].split("S")[0], properties["GroupId"].split("S")[0], properties["FromPort"])
        for _, properties in TemplateView("network", templates["network"], {}).find_resources(
            "AWS::EC2::SecurityGroupIngress"
        )
    }
    assert rules == {
        ("Client", "Broker", 9098),
        ("Connect", "Broker", 9098),
        ("Client", "Database", 3306),
        ("LoadBalancer", "Client", 8082),
        ("Client", "Endpoint", 443),
        ("Connect", "Endpoint", 443),
        ("Airflow", "Endpoint", 443),
        ("Airflow", "Airflow", 443),
        ("Airflow", "Airflow", 5432),
    }


def test_every_actor_has_its_own_role(templates: dict[str, Template]) -> None:
    roles = {
        properties["RoleName"]
        for stack in STACKS
        for _, properties in TemplateView(stack, templates[stack], {}).find_resources("AWS::IAM::Role")
    }
    assert roles == {
        f"0ab-{role}"
        for role in (
            "airflow-role",
            "api-logging-role",
            "connector-role",
            "databricks-instance-role",
            "databricks-kinesis-role",
            "databricks-storage-role",
            "ec2-access-role",
            "flow-log-role",
            "kinesis-access-role",
        )
    }


def test_the_roles_of_unity_catalog_trust_the_catalog_and_themselves_by_external_id(
    templates: dict[str, Template],
) -> None:
    view = TemplateView(
        "databricks", templates["databricks"], {"StorageExternalId": "11-22", "KinesisExternalId": "33-44"}
    )
    for name, external_id in (("StorageRole", "11-22"), ("KinesisRole", "33-44")):
        properties = view.resources[name]["Properties"]
        trusted = properties["AssumeRolePolicyDocument"]["Statement"]
        assert [each["Condition"]["StringEquals"]["sts:ExternalId"] for each in trusted] == [external_id] * 2
        arn = f"arn:aws:iam::123456789012:role/{properties['RoleName']}"
        assert trusted[1]["Condition"]["ArnEquals"]["aws:PrincipalArn"] == arn
        assert properties["Policies"][0]["PolicyDocument"]["Statement"][0]["Resource"] == arn


def test_a_resource_that_is_not_in_the_template_has_no_path(templates: dict[str, Template]) -> None:
    wanted = r"^ResourceId and ParentId must be a resource of the template, got Elsewhere$"
    with pytest.raises(TemplateError, match=wanted):
        resolve_path(TemplateView("api", templates["api"], {}), "Elsewhere")
