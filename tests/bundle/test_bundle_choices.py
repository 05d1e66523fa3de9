"""What each choice makes of the jobs and of the landing; what cannot be chosen is told in a line."""

import pytest

from pinterest_transforms.operations.landing_access import ACCESS
from resources.variables import LANDING_ACCESS
from tests.bundle.loading import BundleError
from tests.bundle.references import settled
from tests.bundle.resolving import GIVEN, TARGETS, resolved
from tests.bundle.snapshots import PROFILE


def job(name: str, target: str = "prod", **variables: str) -> dict:
    return settled(resolved(target, **variables))["resources"]["jobs"][f"pinterest_{name}"]


def parameters(of: dict) -> dict[str, str]:
    return {parameter["name"]: parameter["default"] for parameter in of["parameters"]}


def test_a_failed_quality_gate_is_not_asked_again() -> None:
    tasks = {task["task_key"]: task for task in job("batch", compute="serverless")["tasks"]}
    assert tasks["check_quality"].get("max_retries", 0) == 0
    assert tasks["check_quality"]["disable_auto_optimization"] is True
    assert tasks["clean_pin"]["max_retries"] == 2


def test_on_classic_compute_the_stream_is_continuous_and_on_serverless_scheduled() -> None:
    classic, serverless = job("stream"), job("stream", compute="serverless")
    assert classic["continuous"] == {"pause_status": "UNPAUSED", "task_retry_mode": "ON_FAILURE"}
    assert parameters(classic)["trigger"] == "5 seconds"
    assert "continuous" not in serverless
    assert serverless["schedule"]["pause_status"] == "UNPAUSED"
    assert serverless["queue"] == {"enabled": True}
    assert parameters(serverless)["trigger"] == "available_now"


@pytest.mark.parametrize("compute", ["classic", "serverless"])
def test_dev_is_paused_whatever_the_compute(compute: str) -> None:
    for name in ("batch", "stream", "maintenance"):
        found = job(name, "dev", compute=compute)
        assert (found.get("schedule") or found["continuous"])["pause_status"] == "PAUSED"


def test_airflow_pauses_the_batch_job_alone() -> None:
    paused = {name: job(name, orchestrator="airflow") for name in ("batch", "stream", "maintenance")}
    assert paused["batch"]["schedule"]["pause_status"] == "PAUSED"
    assert paused["stream"]["continuous"]["pause_status"] == "UNPAUSED"
    assert paused["maintenance"]["schedule"]["pause_status"] == "UNPAUSED"


def test_an_external_volume_waits_for_the_location_that_the_bundle_makes() -> None:
    bundle = resolved("prod", storage_credential="landing")
    assert bundle["resources"]["volumes"]["landing"]["storage_location"] == "${resources.external_locations.bucket.url}"
    location = bundle["resources"]["external_locations"]["bucket"]
    assert (location["url"], location["credential_name"]) == ("s3://user-12f6caff3559-bucket", "landing")
    assert (location["read_only"], location["skip_validation"]) == (True, True)
    assert location["grants"] == [{"principal": GIVEN["service_principal"], "privileges": ["READ_FILES"]}]
    assert settled(bundle)["resources"]["volumes"]["landing"]["storage_location"] == "s3://user-12f6caff3559-bucket"


def test_the_bundle_and_the_notebook_name_each_access_alike() -> None:
    assert LANDING_ACCESS == ACCESS


def test_dev_needs_nothing_that_a_new_workspace_lacks() -> None:
    bundle = resolved("dev")
    resources = bundle["resources"]
    assert not any("job_clusters" in one for one in resources["jobs"].values())
    assert {one["volume_type"] for one in resources["volumes"].values()} == {"MANAGED"}
    assert "external_locations" not in resources


@pytest.mark.parametrize("target", TARGETS)
def test_a_missing_warehouse_costs_the_dashboard_and_a_line(target: str) -> None:
    without, there = resolved(target, warehouse_id=""), resolved(target, warehouse_id="1")
    assert without["warnings"] == [
        "no dashboard: warehouse_id must be the ID of a SQL warehouse (`databricks warehouses list`), got ''"
    ]
    assert there["warnings"] == []
    assert there["resources"].pop("dashboards")
    assert without["resources"] == there["resources"]


def test_nobody_is_granted_anything_in_dev() -> None:
    resources = resolved("dev")["resources"]
    assert not any("grants" in schema for schema in resources["schemas"].values())
    assert not any("permissions" in one for kind in resources.values() for one in kind.values())


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"compute": "spark"}, "compute must be one of classic, serverless, got 'spark'"),
        ({"orchestrator": "cron"}, "orchestrator must be one of schedule, airflow, got 'cron'"),
        ({"landing_access": ""}, f"landing_access must be one of {', '.join(ACCESS)}, got ''"),
        (
            {"compute": "serverless", "landing_access": "mount_keys"},
            "landing_access must be one of managed_volume, volume, external_location with compute=serverless, "
            "got 'mount_keys'",
        ),
        (
            {"landing_access": "mount_instance_profile"},
            "instance_profile must be given with landing_access=mount_instance_profile, got ''",
        ),
        (
            {"compute": "serverless", "instance_profile": PROFILE},
            f"instance_profile must be empty with compute=serverless, got {PROFILE!r}",
        ),
        (
            {"landing_access": "mount_keys", "storage_credential": "x"},
            "storage_credential must be empty with landing_access=mount_keys, got 'x'",
        ),
    ],
)
def test_a_choice_that_cannot_be_is_told_in_one_line(given: dict[str, str], told: str) -> None:
    with pytest.raises(BundleError) as error:
        resolved("prod", **given)
    assert str(error.value) == told
