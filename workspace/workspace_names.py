"""Names in a workspace, and checks of names. Imports neither Spark nor the SDK."""

import re

from pinterest_transforms.entities import ENTITIES
from pinterest_transforms.errors import SettingsError
from pinterest_transforms.settings import Settings, quote_identifiers

# Secrets that the notebooks `stream_kinesis` and `mount_s3` read.
KEY_NAMES = ("access_key", "secret_key")

# The library's list is in `analysis`, which imports Spark; a test compares the two.
ANSWERS = (
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
)

_ROLE = re.compile(r"\Aarn:(aws[a-z-]*):iam::(\d{12}):role/[\w+=,.@/-]{1,512}\Z")
INSTANCE_PROFILE = re.compile(r"\Aarn:aws[a-z-]*:iam::\d{12}:instance-profile/[\w+=,.@/-]{1,512}\Z")


def list_analyst_tables() -> tuple[str, ...]:
    """Tables for analysts and their dashboard: the answers, what explains them, `posts` and `runs`."""
    return (*ANSWERS, "posts", "post_sources", "runs")


def list_steward_tables(settings: Settings) -> tuple[str, ...]:
    """Tables with people's data, quarantine, the stream leg's raw records; and what explains answers."""
    raw = (f"{settings.user_id}_raw_table",) if settings.leg == "stream" else ()
    return (*map(settings.clean_table, ENTITIES), "posts_identified", "post_sources", "quarantine", *raw)


def parse_role_arn(arn: str) -> tuple[str, str]:
    """Partition and account of an IAM role's ARN.

    Raises:
        SettingsError: it is no ARN of a role.
    """
    match = _ROLE.match(arn)
    if match is None:
        raise SettingsError(f"role must be an ARN such as arn:aws:iam::123456789012:role/name, got {arn!r}")
    return match[1], match[2]


def quote_table(table: str) -> str:
    """Checks and back-quotes ``catalog.schema.table``."""
    parts = table.split(".")
    if len(parts) != 3:
        raise SettingsError(f"credentials-table must be catalog.schema.table, got {table!r}")
    return quote_identifiers(*parts)
