"""What each choice makes of the jobs and of the landing; what cannot be chosen is told in a line."""

import pytest

from tests.bundle.loading import BundleError
from tests.bundle.references import settled
from tests.bundle.resolving import GIVEN, resolved

PROFILE = "arn:aws:iam::000000000000:instance-profile/pinterest"


def job(name: str, target: str = "prod", **variables: str) -> dict:
    return settled(resolved(target, **variables))["resources"]["jobs"][f"pinterest_{name}"]


def parameters(of: dict) -> dict[str, str]:
    return {parameter["name"]: parameter["default"] for parameter in of["parameters"]}


def test_the_batch_job_cleans_side_by_side_between_its_checks() -> None:
    tasks = {
        task["task_key"]: [one["task_key"] for one in task.get("depends_on", [])] for task in job("batch")["tasks"]
    }
    cleaned = ["clean_pin", "clean_geo", "clean_user"]
    assert tasks == {
        "check_landing": [],
        "set_up_tables": ["check_landing"],
        **{name: ["set_up_tables"] for name in cleaned},
        "analyse": cleaned,
        "check_quality": ["analyse"],
    }


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


def test_serverless_jobs_have_an_environment_with_the_wheel_and_no_cluster() -> None:
    for name in ("batch", "stream", "maintenance"):
        found = job(name, compute="serverless")
        assert "job_clusters" not in found
        assert found["environments"] == [
            {"environment_key": "default", "spec": {"environment_version": "5", "dependencies": ["dist/*.whl"]}}
        ]
        assert {task["environment_key"] for task in found["tasks"]} == {"default"}
        assert not any("libraries" in task or "job_cluster_key" in task for task in found["tasks"])


def test_airflow_pauses_the_batch_job_alone() -> None:
    paused = {name: job(name, orchestrator="airflow") for name in ("batch", "stream", "maintenance")}
    assert paused["batch"]["schedule"]["pause_status"] == "PAUSED"
    assert paused["stream"]["continuous"]["pause_status"] == "UNPAUSED"
    assert paused["maintenance"]["schedule"]["pause_status"] == "UNPAUSED"


@pytest.mark.parametrize("compute", ["classic", "serverless"])
def test_the_schedule_runs_in_prod_where_it_is_the_orchestrator(compute: str) -> None:
    assert job("batch", compute=compute)["schedule"]["pause_status"] == "UNPAUSED"


@pytest.mark.parametrize(
    ("access", "path"),
    [
        ("volume", "/Volumes/main/pinterest/landing"),
        ("managed_volume", "/Volumes/main/pinterest/landing"),
        ("location", "s3://user-12f6caff3559-bucket"),
        ("mount", "/mnt/user-12f6caff3559-bucket"),
    ],
)
def test_the_landing_is_where_its_access_puts_it(access: str, path: str) -> None:
    assert parameters(job("batch", landing_access=access))["landing"] == path


@pytest.mark.parametrize(
    ("given", "mode"),
    [
        ({}, "USER_ISOLATION"),
        ({"landing_access": "mount"}, "SINGLE_USER"),
        ({"instance_profile": PROFILE}, "SINGLE_USER"),
    ],
    ids=["volume", "mount", "profile"],
)
def test_clusters_are_dedicated_where_a_mount_or_a_profile_needs_it(given: dict[str, str], mode: str) -> None:
    cluster = job("batch", **given)["job_clusters"][0]["new_cluster"]
    assert cluster["data_security_mode"] == mode
    assert cluster["aws_attributes"].get("instance_profile_arn") == given.get("instance_profile")


@pytest.mark.parametrize(
    ("given", "credential", "scope"),
    [
        ({}, "", "pinterest"),
        ({"service_credential": "kinesis"}, "kinesis", ""),
        ({"instance_profile": PROFILE}, "", ""),
    ],
    ids=["scope", "credential", "profile"],
)
def test_the_stream_has_one_way_into_kinesis(given: dict[str, str], credential: str, scope: str) -> None:
    found = parameters(job("stream", **given))
    assert (found["credential"], found["scope"]) == (credential, scope)


def test_an_external_volume_waits_for_the_location_that_the_bundle_makes() -> None:
    bundle = resolved("prod", storage_credential="landing")
    assert (
        bundle["resources"]["volumes"]["landing"]["storage_location"] == "${resources.external_locations.landing.url}"
    )
    location = bundle["resources"]["external_locations"]["landing"]
    assert (location["url"], location["credential_name"]) == ("s3://user-12f6caff3559-bucket", "landing")
    assert (location["read_only"], location["skip_validation"]) == (True, True)
    assert location["grants"] == [{"principal": GIVEN["service_principal"], "privileges": ["READ_FILES"]}]
    assert settled(bundle)["resources"]["volumes"]["landing"]["storage_location"] == "s3://user-12f6caff3559-bucket"


@pytest.mark.parametrize(
    ("access", "kind"), [("volume", "EXTERNAL"), ("managed_volume", "MANAGED"), ("location", None), ("mount", None)]
)
def test_a_landing_volume_is_made_where_the_access_needs_one(access: str, kind: str | None) -> None:
    resources = resolved("prod", landing_access=access)["resources"]
    assert resources["volumes"].get("landing", {}).get("volume_type") == kind
    assert "external_locations" not in resources


def test_no_address_means_no_messages_and_an_address_all_of_them() -> None:
    for name in ("batch", "stream", "maintenance"):
        assert "email_notifications" not in job(name, "dev")
        assert job(name)["email_notifications"]["on_failure"] == [GIVEN["notification_email"]]


def test_nobody_is_granted_anything_in_dev() -> None:
    resources = resolved("dev")["resources"]
    assert not any("grants" in schema for schema in resources["schemas"].values())
    assert not any("permissions" in one for kind in resources.values() for one in kind.values())


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"compute": "spark"}, "compute must be one of classic, serverless, got 'spark'"),
        ({"orchestrator": "cron"}, "orchestrator must be one of schedule, airflow, got 'cron'"),
        ({"landing_access": ""}, "landing_access must be one of volume, location, mount, managed_volume, got ''"),
        (
            {"compute": "serverless", "landing_access": "mount"},
            "landing_access must be volume, location or managed_volume with compute=serverless, got 'mount'",
        ),
        (
            {"compute": "serverless", "instance_profile": PROFILE},
            f"instance_profile must be empty with compute=serverless, got {PROFILE!r}",
        ),
        (
            {"landing_access": "mount", "storage_credential": "x"},
            "storage_credential must be empty with landing_access=mount, got 'x'",
        ),
    ],
)
def test_a_choice_that_cannot_be_is_told_in_one_line(given: dict[str, str], told: str) -> None:
    with pytest.raises(BundleError) as error:
        resolved("prod", **given)
    assert str(error.value) == told
