"""The set-up: what it makes, that it makes nothing twice, and what it says."""

import json

import pytest
from fake_workspace import Fake, error

from workspace.workspace_cli import main

ROLE = "arn:aws:iam::123456789012:role/landing"
STREAM_ROLE = "arn:aws:iam::123456789012:role/streams"
PROFILE = "arn:aws:iam::123456789012:instance-profile/classic"
SCHEMA = "main.pinterest"
ANSWERS = [
    "top_category_by_country",
    "posts_by_category_and_year",
    "top_category_by_year",
    "top_user_by_country",
    "top_user_country",
    "top_category_by_age_group",
    "median_followers_by_age_group",
    "users_joined_by_year",
    "median_followers_by_join_year",
    "median_followers_by_age_group_and_join_year",
]
EVERYTHING = [
    "set-up",
    *("--secrets-from", "environment"),
    *("--storage-credential", "pinterest", "--storage-role", ROLE, "--external-location", "landing"),
    *("--service-credential", "kinesis", "--service-role", STREAM_ROLE, "--instance-profile", PROFILE),
    *("--analysts", "analysts", "--stewards", "stewards", "--runner", "runner"),
]

STEWARDS = ("pins", "geolocations", "users", "posts_identified", "post_sources", "quarantine")


@pytest.fixture
def deployed(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> Fake:
    """A workspace after the bundle, and a run of the job."""
    fake.scopes["pinterest"] = {}
    tables = [*ANSWERS, "posts", "runs", *STEWARDS]
    things = ["main", SCHEMA, *(f"{SCHEMA}.{table}" for table in tables), "landing", "kinesis"]
    fake.grants.update({thing: {} for thing in things})
    monkeypatch.setenv("PINTEREST_SECRET_PINTEREST_ACCESS_KEY", "AKIAABCDEFGHIJKLMNOP")
    monkeypatch.setenv("PINTEREST_SECRET_PINTEREST_SECRET_KEY", "s" * 40)
    return fake


def test_all_requested_objects_are_created(deployed: Fake) -> None:
    assert main(EVERYTHING) == 0
    assert set(deployed.scopes["pinterest"]) == {"access_key", "secret_key"}
    assert deployed.credentials["pinterest"]["purpose"] == "STORAGE"
    assert deployed.credentials["pinterest"]["aws_iam_role"] == {"role_arn": ROLE}
    location = deployed.locations["landing"]
    assert (location["url"], location["credential_name"]) == ("s3://user-12f6caff3559-bucket", "pinterest")
    assert location["read_only"] is True
    assert deployed.credentials["kinesis"]["purpose"] == "SERVICE"
    assert deployed.credentials["kinesis"]["aws_iam_role"] == {"role_arn": STREAM_ROLE}
    assert deployed.profiles == [PROFILE]


def test_a_second_set_up_changes_nothing(deployed: Fake, capsys: pytest.CaptureFixture[str]) -> None:
    main(EVERYTHING)
    before = len(deployed.writes)
    capsys.readouterr()
    assert main(EVERYTHING) == 0
    assert before > 10
    assert len(deployed.writes) == before
    steps = [line for line in capsys.readouterr().out.splitlines() if not line.startswith("  ")]
    assert all(line.endswith(": exists") for line in steps[:-1])
    assert steps[-1] == f"exists: {len(steps) - 1}"


def test_a_dry_run_changes_nothing_and_reads_no_secret(
    deployed: Fake, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("PINTEREST_SECRET_PINTEREST_ACCESS_KEY")
    assert main([*EVERYTHING, "--dry-run"]) == 0
    assert deployed.writes == []
    out = capsys.readouterr().out
    assert "storage credential pinterest: would be created\n" in out
    assert "nothing was changed, this was a dry run" in out


def test_analysts_read_the_answers_posts_and_runs_only(deployed: Fake) -> None:
    main(["set-up", "--analysts", "analysts"])
    given = {thing: held["analysts"] for thing, held in deployed.grants.items() if "analysts" in held}
    assert given.pop("main") == ["USE_CATALOG"]
    assert given.pop(SCHEMA) == ["USE_SCHEMA"]
    assert given == {f"{SCHEMA}.{table}": ["SELECT"] for table in [*ANSWERS, "posts", "post_sources", "runs"]}


def test_stewards_read_what_shows_persons(deployed: Fake) -> None:
    main(["set-up", "--stewards", "stewards"])
    assert {thing for thing, held in deployed.grants.items() if "SELECT" in held.get("stewards", [])} == {
        f"{SCHEMA}.{table}" for table in STEWARDS
    }
    raw = [f"abc_{kind}_table" for kind in ("pin", "geo", "user", "raw")]
    stream = {f"main.s.{table}" for table in (*raw, "posts_identified", "post_sources", "quarantine")}
    deployed.grants.update({table: {} for table in (*stream, "main.s.posts")})
    deployed.grants["main.s"] = {}
    assert main(["set-up", "--stewards", "few", "--leg", "stream", "--schema", "s", "--user-id", "abc"]) == 0
    given = {thing for thing, held in deployed.grants.items() if "SELECT" in held.get("few", [])}
    assert given == stream


def test_the_runner_gets_the_location_and_the_service_credential(deployed: Fake) -> None:
    main(EVERYTHING)
    assert deployed.grants["landing"] == {"runner": ["READ_FILES"]}
    assert deployed.grants["kinesis"] == {"runner": ["ACCESS"]}


def test_all_privileges_need_no_further_grant(deployed: Fake) -> None:
    deployed.grants["main"] = {"analysts": ["ALL_PRIVILEGES"]}
    main(["set-up", "--analysts", "analysts"])
    assert deployed.grants["main"] == {"analysts": ["ALL_PRIVILEGES"]}


def test_grants_on_missing_tables_wait_and_others_are_applied(
    deployed: Fake, capsys: pytest.CaptureFixture[str]
) -> None:
    del deployed.grants[f"{SCHEMA}.posts"]
    assert main(["set-up", "--analysts", "analysts"]) == 1
    out, err = capsys.readouterr()
    assert "grant SELECT on table main.pinterest.posts to analysts: waiting, it does not exist yet" in out
    assert "error: waiting steps need objects that do not exist" in err
    assert deployed.grants[f"{SCHEMA}.top_user_country"] == {"analysts": ["SELECT"]}


def test_an_unknown_group_is_named(deployed: Fake, capsys: pytest.CaptureFixture[str]) -> None:
    deployed.principals = {"stewards"}
    assert main(["set-up", "--analysts", "anlysts"]) == 1
    assert capsys.readouterr().err.splitlines()[-1] == (
        "error: principal must be a group, user or service principal of the account, got 'anlysts'"
    )


@pytest.mark.usefixtures("deployed")
def test_the_trust_policy_is_printed_for_the_aws_side(capsys: pytest.CaptureFixture[str]) -> None:
    main(["set-up", "--storage-credential", "pinterest", "--storage-role", ROLE])
    line = next(line for line in capsys.readouterr().out.splitlines() if "trust policy" in line)
    policy = json.loads(line.partition(f"trust policy of {ROLE}: ")[2])
    first, itself = policy["Statement"]
    assert first["Principal"] == {"AWS": "arn:aws:iam::999999999999:role/unity-catalog"}
    assert first["Condition"] == {"StringEquals": {"sts:ExternalId": "external-7"}}
    assert itself["Principal"] == {"AWS": "arn:aws:iam::123456789012:root"}
    assert itself["Condition"]["ArnLike"] == {"aws:PrincipalArn": ROLE}


def test_another_role_and_another_url_are_updates(deployed: Fake, capsys: pytest.CaptureFixture[str]) -> None:
    main(EVERYTHING)
    other = ROLE.replace("landing", "other")
    changed = [other if given == ROLE else given for given in EVERYTHING]
    assert main([*changed, "--url", "s3://elsewhere"]) == 0
    out = capsys.readouterr().out
    assert f"storage credential pinterest: updated, role {ROLE} -> {other}" in out
    assert "external location landing: updated, url s3://user-12f6caff3559-bucket -> s3://elsewhere" in out
    assert deployed.locations["landing"]["url"] == "s3://elsewhere"


def test_a_storage_credential_is_no_service_credential(deployed: Fake, capsys: pytest.CaptureFixture[str]) -> None:
    deployed.credentials["kinesis"] = {"purpose": "STORAGE", "aws_iam_role": {"role_arn": STREAM_ROLE}}
    assert main(["set-up", "--service-credential", "kinesis", "--service-role", STREAM_ROLE]) == 1
    assert "service credential kinesis must have purpose SERVICE, got STORAGE of that name" in capsys.readouterr().err


def test_a_failed_location_is_one_line_with_its_name(deployed: Fake, capsys: pytest.CaptureFixture[str]) -> None:
    message = "AWS IAM role does not have READ permissions\non url"
    deployed.fail("POST", "external-locations", 400, error("INVALID_PARAMETER_VALUE", message))
    assert main(EVERYTHING) == 1
    assert capsys.readouterr().err.splitlines()[-1] == (
        "error: external location landing: the workspace reports an error: "
        "AWS IAM role does not have READ permissions on url"
    )


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ([], "set-up must have something to create, got nothing (python -m workspace set-up --help)"),
        (["--storage-role", ROLE], "storage-role must come with --storage-credential, got none"),
        (
            ["--storage-credential", "a"],
            "storage-credential must come with --storage-role or --external-location, got none",
        ),
        (["--external-location", "a"], "external-location must come with --storage-credential, got none"),
        (["--service-credential", "a"], "service-credential must come with --service-role or --runner, got none"),
        (["--service-role", ROLE], "service-role must come with --service-credential, got none"),
        (["--runner", "a"], "runner must come with --external-location or --service-credential, got none"),
        (
            ["--storage-credential", "a", "--storage-role", "landing"],
            "role must be an ARN such as arn:aws:iam::123456789012:role/name, got 'landing'",
        ),
        (
            ["--instance-profile", ROLE],
            f"instance-profile must be an ARN such as arn:aws:iam::123456789012:instance-profile/name, got '{ROLE}'",
        ),
        (["--analysts", "a", "--url", "/mnt"], "url must begin with s3://, got '/mnt'"),
        (["--analysts", "a", "--user-id", "x;"], "user_id must be 3 to 32 of a-z and 0-9, got 'x;'"),
        (
            ["--secrets-from", "table", "--credentials-table", "keys"],
            "credentials-table must be catalog.schema.table, got 'keys'",
        ),
        (
            ["--secrets-from", "prompt", "--drop-credentials-table"],
            "drop-credentials-table must come with --secrets-from table, got prompt",
        ),
    ],
)
def test_an_invalid_option_is_reported_before_the_first_call(
    fake: Fake, options: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["set-up", *options]) == 2
    assert capsys.readouterr().err == f"error: {said}\n"
    assert fake.calls == []
