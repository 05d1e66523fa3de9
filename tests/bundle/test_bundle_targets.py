"""What sets the targets apart."""

import pytest

from tests.bundle.loading import BundleError, load
from tests.bundle.resolving import GIVEN, resolve, resolved

PRINCIPAL = GIVEN["service_principal"]


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
    entries = resolved("prod")["resources"]["secret_scopes"]["aws_keys"]["permissions"]
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


@pytest.mark.parametrize(
    ("target", "given", "told"),
    [
        ("test", {}, "target must be one of dev, staging, prod, got 'test'"),
        ("dev", {"catalogue": "x"}, "variable catalogue must be declared"),
    ],
)
def test_what_the_cli_would_refuse_is_told(target: str, given: dict[str, str], told: str) -> None:
    with pytest.raises(BundleError) as error:
        resolve(load(), target, given)
    assert str(error.value) == told
