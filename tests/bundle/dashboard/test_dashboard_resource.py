"""The dashboard as a target deploys it: whose tables it reads, with whose rights, and who may open it."""

import pytest

from tests.bundle.dashboard.dashboard_reading import DASHBOARD, ROOT
from tests.bundle.loading import load
from tests.bundle.references import settled
from tests.bundle.resolving import GIVEN, TARGETS, resolved


def deployed(target: str) -> dict:
    return settled(resolved(target, warehouse_id=GIVEN["warehouse_id"]))


def dashboard(target: str) -> dict:
    return deployed(target)["resources"]["dashboards"]["pinterest"]


@pytest.mark.parametrize("target", TARGETS)
def test_its_bare_tables_are_those_that_the_batch_job_of_the_same_target_writes(target: str) -> None:
    bundle = deployed(target)
    job = {entry["name"]: entry["default"] for entry in bundle["resources"]["jobs"]["pinterest_batch"]["parameters"]}
    found = bundle["resources"]["dashboards"]["pinterest"]
    assert (found["dataset_catalog"], found["dataset_schema"]) == (job["catalog"], job["schema"])


@pytest.mark.parametrize("target", TARGETS)
def test_viewers_read_with_their_own_rights_on_the_warehouse_of_the_target(target: str) -> None:
    bundle = deployed(target)
    found = bundle["resources"]["dashboards"]["pinterest"]
    assert found["embed_credentials"] is False
    assert found["warehouse_id"] == bundle["variables"]["warehouse_id"]["value"]


@pytest.mark.parametrize("target", ["staging", "prod"])
def test_analysts_may_open_it_and_change_nothing(target: str) -> None:
    entries = [
        entry for entry in dashboard(target)["permissions"] if entry.get("group_name") == GIVEN["analysts_group"]
    ]
    assert entries == [{"group_name": GIVEN["analysts_group"], "level": "CAN_READ"}]


def test_in_dev_it_is_the_deployer_s_alone_and_says_so() -> None:
    found = dashboard("dev")
    assert not found.get("permissions")
    assert found["display_name"].startswith("[dev ")


def test_its_file_is_not_uploaded_beside_it() -> None:
    """A file of this kind in a workspace folder is a dashboard itself, one that finds no tables."""
    assert not [path for path in load()["sync"]["paths"] if DASHBOARD.is_relative_to(ROOT / path)]
