"""Each target with each choice, resolved and checked."""

import itertools

import pytest

from tests.bundle.checks.checking import findings, findings_in_files
from tests.bundle.resolving import TARGETS, resolved

CHOICES = [
    {"compute": compute, "orchestrator": orchestrator, "landing_access": access}
    for compute, orchestrator, access in itertools.product(
        ("classic", "serverless"),
        ("schedule", "airflow"),
        ("managed_volume", "volume", "external_location", "mount_keys"),
    )
    if (compute, access) != ("serverless", "mount_keys")
]


@pytest.mark.parametrize("choices", CHOICES, ids=lambda one: "-".join(one.values()))
@pytest.mark.parametrize("target", TARGETS)
def test_a_target_has_nothing_wrong_whatever_is_chosen(target: str, choices: dict[str, str]) -> None:
    assert findings(resolved(target, **choices)) == []


@pytest.mark.parametrize(
    "given",
    [
        {"storage_credential": "landing"},
        {"service_credential": "kinesis"},
        {"instance_profile": "arn:aws:iam::000000000000:instance-profile/pinterest"},
        {"user_id": "abc123"},
        {"notification_email": ""},
    ],
    ids=lambda one: next(iter(one)),
)
def test_nothing_is_wrong_with_other_settings_either(given: dict[str, str]) -> None:
    assert findings(resolved("prod", **given)) == []


def test_nothing_is_wrong_with_the_files() -> None:
    assert findings_in_files() == []
