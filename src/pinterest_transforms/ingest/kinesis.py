"""Kinesis: how its streams are read, which stream one is, and its records as raw records.

The source is the platform's own, ``kinesis``; on one machine ``local`` registers one of that name with its columns.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from pinterest_transforms.entities import Entity
from pinterest_transforms.errors import SettingsError, StreamError
from pinterest_transforms.schemas import KINESIS_POSITION_WIDTH
from pinterest_transforms.settings import EntityLeg, Settings

if TYPE_CHECKING:
    from botocore.session import Session as BotocoreSession
    from mypy_boto3_kinesis import KinesisClient

AVAILABLE_NOW = "available_now"
TRIM_HORIZON = "trim_horizon"
_INTERVAL = re.compile(r"\A[0-9]+ (seconds?|minutes?)\Z")


@dataclass(frozen=True)
class KinesisSourceConfig:
    """How the streams are read.

    Attributes:
        region: AWS region of the streams; empty for that of the machine's settings.
        endpoint: address of Kinesis; empty for AWS' own.
        initial_position: where a stream without checkpoint begins: ``latest``, ``trim_horizon`` or a time in ISO 8601
            with its zone.
        trigger: ``available_now``, or the time from one micro-batch to the next, such as ``5 seconds``.
        service_credential: name of the platform's service credential; empty for keys, or the machine's own role.
        access_key: AWS access key of a secret scope.
        secret_key: its secret key.
        allow_losses: go on where Kinesis has forgotten what was not read yet.
        new_checkpoint: begin with a new checkpoint at the initial position; known records are found by position.
    """

    region: str = ""
    endpoint: str = ""
    initial_position: str = TRIM_HORIZON
    trigger: str = AVAILABLE_NOW
    service_credential: str = ""
    access_key: str = field(default="", repr=False)
    secret_key: str = field(default="", repr=False)
    allow_losses: bool = False
    new_checkpoint: bool = False

    def __post_init__(self) -> None:
        """Checks what can be checked without AWS."""
        _position(self.initial_position)
        if self.trigger != AVAILABLE_NOW and not _INTERVAL.match(self.trigger):
            raise SettingsError(
                f"trigger must be {AVAILABLE_NOW} or a time such as '5 seconds' or '1 minute', got {self.trigger!r}"
            )
        if bool(self.access_key) != bool(self.secret_key):
            raise SettingsError("access key and secret key must be given together, got one of them")
        if self.service_credential and self.access_key:
            raise SettingsError("credentials must be a service credential or keys, got both")

    def options(self, stream: str) -> dict[str, str]:
        """The source's options for a stream."""
        given = {
            "streamName": stream,
            "initialPosition": _position(self.initial_position),
            "region": self.region,
            "endpoint": self.endpoint,
            "serviceCredential": self.service_credential,
            "awsAccessKey": self.access_key,
            "awsSecretKey": self.secret_key,
            "failOnDataLoss": "false" if self.allow_losses else "",
        }
        return {name: value for name, value in given.items() if value}

    def client(self, provider: "BotocoreSession | None" = None) -> "KinesisClient":
        """A client for what the source does not tell: which stream it is, and how long it keeps records.

        Args:
            provider: the service credential's session, as ``dbutils.credentials.getServiceCredentialsProvider`` gives.

        Raises:
            StreamError: no region is known, or the endpoint is no address.
        """
        import boto3  # noqa: PLC0415 - the platform's own, and wanted by this leg alone
        from botocore.exceptions import BotoCoreError  # noqa: PLC0415

        keys = {"aws_access_key_id": self.access_key, "aws_secret_access_key": self.secret_key}
        named = {"region_name": self.region, "endpoint_url": self.endpoint, **keys}
        given = {name: value for name, value in named.items() if value}
        session = boto3.Session(botocore_session=provider) if provider else boto3.Session()
        try:
            return session.client("kinesis", **given)  # type: ignore[call-overload, no-any-return]
        except (BotoCoreError, ValueError) as error:
            raise StreamError(f"Kinesis needs a region, and an endpoint that is an address: {error}") from None


@dataclass(frozen=True)
class StreamInfo:
    """Which stream this is.

    Attributes:
        identity: its ARN and creation time: a stream that is created again is another one.
        hours: how long it keeps a record.
    """

    identity: str
    hours: int


def describe_stream(client: "KinesisClient", name: str) -> StreamInfo:
    """The stream of that name.

    Raises:
        StreamError: it does not exist, or access is denied.
    """
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - as above

    try:
        found = client.describe_stream_summary(StreamName=name)["StreamDescriptionSummary"]
    except (BotoCoreError, ClientError) as error:
        got = error.response["Error"]["Code"] if isinstance(error, ClientError) else type(error).__name__
        raise StreamError(f"stream {name} must be there and readable, got {got}") from None
    made = found["StreamCreationTimestamp"].astimezone(UTC).isoformat()
    return StreamInfo(f"{found['StreamARN']} made {made}", found["RetentionPeriodHours"])


def check_streams(client: "KinesisClient", settings: Settings, entities: Sequence[Entity]) -> None:
    """Checks that the streams exist, before anything that takes time.

    Raises:
        StreamError: one does not exist, or access is denied.
    """
    for entity in entities:
        describe_stream(client, settings.stream(entity))


def raw_records(frame: DataFrame) -> DataFrame:
    """The source's rows as raw records: ``raw``, ``_source``.

    A sequence number has more digits than any number type; as text of one width it sorts like the number.
    """
    position = F.lpad("sequenceNumber", F.greatest(F.length("sequenceNumber"), F.lit(KINESIS_POSITION_WIDTH)), "0")
    source = F.struct(
        F.col("shardId").alias("shard"),
        position.alias("position"),
        F.col("approximateArrivalTimestamp").alias("arrived"),
        F.lit(None).cast("string").alias("file"),
    )
    return frame.select(F.col("data").cast("string").alias("raw"), source.alias("_source"))


def read_stream(leg: EntityLeg, source: KinesisSourceConfig) -> DataFrame:
    """The entity's stream, as the source gives it."""
    return leg.spark.readStream.format("kinesis").options(**source.options(leg.source_name)).load()


def _position(text: str) -> str:
    """An initial position as the source takes it."""
    if text in ("latest", TRIM_HORIZON):
        return text
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = datetime.min
    if moment.tzinfo is None:
        raise SettingsError(
            f"initial position must be latest, {TRIM_HORIZON} or a time like 2026-01-31T12:00:00Z, got {text!r}"
        )
    # Up to the second: what comes twice is found by its position.
    at = moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S +0000")
    return json.dumps({"at_timestamp": at, "format": "yyyy-MM-dd HH:mm:ss ZZZ"})
