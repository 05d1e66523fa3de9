"""Validated options of the commands. Imports no SDK."""

from dataclasses import dataclass

from pinterest_transforms.errors import SettingsError
from pinterest_transforms.settings import DEFAULT_USER_ID, Settings, check_identifier
from workspace.workspace_names import (
    CREDENTIALS_TABLE,
    check_instance_profile,
    check_scope,
    parse_role_arn,
    quote_table,
)


@dataclass(frozen=True)
class KeysRequest:
    """The AWS keys that notebooks read.

    Attributes:
        source: ``prompt``, ``environment`` or ``table``; empty if the keys are not requested.
        scope: the secret scope to store them in.
        table: the course's credentials table.
        drop: drop that table.
    """

    source: str = ""
    scope: str = "pinterest"
    table: str = CREDENTIALS_TABLE
    drop: bool = False

    def __post_init__(self) -> None:
        """Checks every value."""
        check_scope(self.scope)
        quote_table(self.table)
        if self.drop and self.source != "table":
            raise SettingsError(
                f"drop-credentials-table must come with --secrets-from table, got {self.source or 'none'}"
            )


@dataclass(frozen=True)
class SetUpRequest:
    """Objects that the set-up creates; empty ones are not requested.

    Attributes:
        keys: the AWS keys.
        storage_credential, storage_role: name, and IAM role that reads the bucket.
        external_location, url: name, and URL of the landing.
        service_credential, service_role: name, and IAM role that reads the streams.
        instance_profile: ARN, for classic compute.
        analysts, stewards, runner: principals of the grants.
        column_tags: tag each column with its class.
        key_constraints: declare primary and foreign keys.
        leg, catalog, schema, user_id: location of the tables.
    """

    keys: KeysRequest = KeysRequest()
    storage_credential: str = ""
    storage_role: str = ""
    external_location: str = ""
    url: str = ""
    service_credential: str = ""
    service_role: str = ""
    instance_profile: str = ""
    analysts: str = ""
    stewards: str = ""
    runner: str = ""
    column_tags: bool = False
    key_constraints: bool = False
    leg: str = "batch"
    catalog: str = "main"
    schema: str = ""
    user_id: str = DEFAULT_USER_ID

    def __post_init__(self) -> None:
        """Checks each value, and that dependent ones are given together."""
        if self.storage_role and not self.storage_credential:
            raise SettingsError("storage-role must come with --storage-credential, got none")
        if self.storage_credential and not (self.storage_role or self.external_location):
            raise SettingsError("storage-credential must come with --storage-role, got none")
        if self.external_location and not self.storage_credential:
            raise SettingsError("external-location must come with --storage-credential, got none")
        if self.service_role and not self.service_credential:
            raise SettingsError("service-role must come with --service-credential, got none")
        if self.service_credential and not (self.service_role or self.runner):
            raise SettingsError("service-credential must come with --service-role, got none")
        if self.runner and not (self.external_location or self.service_credential):
            raise SettingsError("runner must come with --external-location or --service-credential, got none")
        for role in filter(None, (self.storage_role, self.service_role)):
            parse_role_arn(role)
        for name in ("storage_credential", "external_location", "service_credential"):
            if getattr(self, name):
                check_identifier(getattr(self, name), name.replace("_", "-"))
        if self.instance_profile:
            check_instance_profile(self.instance_profile)
        if self.url and not self.url.startswith("s3://"):
            raise SettingsError(f"url must begin with s3://, got {self.url!r}")
        self.settings()
        if not self.is_requested:
            raise SettingsError("set-up must have something to create, got nothing (python -m workspace set-up --help)")

    @property
    def is_requested(self) -> bool:
        """Whether any object is requested."""
        objects = ("storage_role", "external_location", "service_credential", "instance_profile")
        of_tables = ("analysts", "stewards", "column_tags", "key_constraints")
        return bool(self.keys.source) or any(getattr(self, name) for name in (*objects, *of_tables))

    @property
    def landing(self) -> str:
        """URL of the landing; by default the bucket that the sink writes to."""
        return self.url or f"s3://{self.settings().bucket}"

    def settings(self) -> Settings:
        """Settings of the leg."""
        return Settings(user_id=self.user_id, leg=self.leg, catalog=self.catalog, schema=self.schema)


@dataclass(frozen=True)
class SmokeRequest:
    """How the job is run.

    Attributes:
        job: its name.
        timeout: maximum seconds to wait.
        rows: rows printed per answer.
    """

    job: str = "pinterest_batch"
    timeout: float = 3600.0
    rows: int = 3

    def __post_init__(self) -> None:
        """Checks every value."""
        if self.rows < 1:
            raise SettingsError(f"rows must be at least 1, got {self.rows}")
        if not 0 < self.timeout < float("inf"):
            raise SettingsError(f"timeout must be over 0, got {self.timeout:g}")
