"""What sets the targets apart, and that the resolver does as the CLI does."""

import pytest

from tests.bundle.loading import BundleError, load, merged
from tests.bundle.references import REFERENCE, references
from tests.bundle.resolving import GIVEN, TARGETS, plain_prefix, resolve, resolved

PRINCIPAL = GIVEN["service_principal"]


def test_dev_bears_the_deployers_name_on_everything_that_has_one() -> None:
    resources = resolved("dev")["resources"]
    assert {job["name"].removeprefix("[dev someone] ") for job in resources["jobs"].values()} == {
        "pinterest_batch",
        "pinterest_stream",
        "pinterest_maintenance",
    }
    assert [schema["name"] for schema in resources["schemas"].values()] == [
        "dev_someone_pinterest",
        "dev_someone_pinterest_stream",
    ]
    assert resources["secret_scopes"]["pinterest"]["name"] == "pinterest_dev_someone"
    assert all(job["tags"]["dev"] == "someone" for job in resources["jobs"].values())


def test_prod_has_the_names_of_the_contract() -> None:
    resources = resolved("prod")["resources"]
    assert [schema["name"] for schema in resources["schemas"].values()] == ["pinterest", "pinterest_stream"]
    assert {key: job["name"] for key, job in resources["jobs"].items()} == {key: key for key in resources["jobs"]}
    assert {volume["name"] for key, volume in resources["volumes"].items() if key != "landing"} == {"pipeline"}


def test_staging_never_meets_prod_nor_starts_by_itself() -> None:
    staging, prod = resolved("staging"), resolved("prod")
    assert staging["workspace"]["root_path"] != prod["workspace"]["root_path"]
    for kind, name in (("jobs", "name"), ("schemas", "name"), ("secret_scopes", "name")):
        names = [{one[name] for one in bundle["resources"][kind].values()} for bundle in (staging, prod)]
        assert not names[0] & names[1]
    jobs = staging["resources"]["jobs"].values()
    assert {(job.get("schedule") or job["continuous"])["pause_status"] for job in jobs} == {"PAUSED"}


@pytest.mark.parametrize("target", ["staging", "prod"])
def test_production_runs_as_the_principal_from_its_own_folder(target: str) -> None:
    bundle = resolved(target)
    assert bundle["workspace"]["root_path"] == f"/Workspace/Users/{PRINCIPAL}/.bundle/pinterest_pipeline/{target}"
    for job in bundle["resources"]["jobs"].values():
        assert job["run_as"] == {"service_principal_name": PRINCIPAL}
        assert {"level": "CAN_MANAGE", "group_name": "stewards"} in job["permissions"]


def test_stewards_and_the_principal_alone_reach_the_secrets() -> None:
    entries = resolved("prod")["resources"]["secret_scopes"]["pinterest"]["permissions"]
    assert entries == [
        {"level": "MANAGE", "service_principal_name": PRINCIPAL},
        {"level": "MANAGE", "group_name": "stewards"},
    ]


def test_what_holds_data_outlives_a_destroy_of_prod() -> None:
    resources = resolved("prod", storage_credential="landing")["resources"]
    kept = [*resources["schemas"].values(), *resources["external_locations"].values()]
    kept += [volume for volume in resources["volumes"].values() if volume["name"] == "pipeline"]
    assert all(one["lifecycle"] == {"prevent_destroy": True} for one in kept)
    assert "lifecycle" not in resolved("dev")["resources"]["schemas"]["batch"]


@pytest.mark.parametrize("name", sorted(GIVEN))
def test_prod_must_be_told_what_no_default_can_know(name: str) -> None:
    with pytest.raises(BundleError) as error:
        resolve(load(), "prod", {other: value for other, value in GIVEN.items() if other != name})
    assert str(error.value) == f"variable {name} must have a value: it has no default"


@pytest.mark.parametrize("target", TARGETS)
def test_only_references_to_resources_are_left(target: str) -> None:
    left = set(references(resolved(target)))
    assert left
    assert all(reference.startswith("resources.") for reference in left)


def test_the_python_step_run_as_the_cli_runs_it_gives_the_same() -> None:
    given = {**GIVEN, "compute": "serverless", "storage_credential": "landing"}
    assert resolve(load(), "prod", given, as_the_cli=True) == resolve(load(), "prod", given)


def test_a_wrong_choice_is_told_by_the_process_that_the_cli_starts_too() -> None:
    with pytest.raises(BundleError) as error:
        resolve(load(), "dev", {"compute": "spark"}, as_the_cli=True)
    assert str(error.value) == "compute must be one of classic, serverless, got 'spark'"


def test_mappings_are_merged_and_lists_joined() -> None:
    assert merged({"a": {"b": 1}, "c": [1], "d": 1}, {"a": {"e": 2}, "c": [2], "d": 2}) == {
        "a": {"b": 1, "e": 2},
        "c": [1, 2],
        "d": 2,
    }


@pytest.mark.parametrize(
    ("prefix", "expected"), [("[dev some.one] ", "dev_some_one_"), ("[staging] ", "staging_"), ("", ""), ("x-", "x")]
)
def test_a_prefix_becomes_one_that_a_schema_may_bear(prefix: str, expected: str) -> None:
    assert plain_prefix(prefix) == expected


def test_a_whole_reference_keeps_its_type() -> None:
    assert REFERENCE.fullmatch("${var.cluster}")
    cluster = resolved("prod")["resources"]["jobs"]["pinterest_batch"]["job_clusters"][0]["new_cluster"]
    assert cluster["num_workers"] == 1


@pytest.mark.parametrize(
    ("target", "given", "told"),
    [
        ("test", {}, "target must be one of dev, staging, prod, got 'test'"),
        ("dev", {"catalogue": "x"}, "variable catalogue must be declared"),
        ("dev", {"bucket": "${var.bucket}"}, "${var.bucket} must not refer to itself"),
        ("dev", {"catalog": "${bundle.nobody}"}, "${bundle.nobody} must refer to something that is there"),
    ],
)
def test_what_the_cli_would_refuse_is_told(target: str, given: dict[str, str], told: str) -> None:
    with pytest.raises(BundleError) as error:
        resolve(load(), target, given)
    assert str(error.value) == told
