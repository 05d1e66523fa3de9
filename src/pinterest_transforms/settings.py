"""Names, places and limits, validated once and carried as one frozen value; with a session, a leg. Imports no Spark.

Source: the data contract, sections 1 and 5.
"""

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pinterest_transforms.entities import Entity
from pinterest_transforms.errors import SettingsError

if TYPE_CHECKING:
    import argparse

    from databricks.sdk.runtime.dbutils_stub import dbutils as Dbutils
    from pyspark.sql import DataFrame, SparkSession

DEFAULT_USER_ID = "12f6caff3559"
LEGS = {"batch": "pinterest", "stream": "pinterest_stream"}

_USER_ID = re.compile(r"\A[a-z0-9]{3,32}\Z")
_IDENTIFIER = re.compile(r"\A[A-Za-z0-9_][A-Za-z0-9_-]{0,127}\Z")
_NUMBER = re.compile(r"\A[0-9]{1,9}(\.[0-9]{1,9})?\Z")


def check_user_id(user_id: str) -> str:
    """The user id, if it is one: 3 to 32 of a-z and 0-9.

    Raises:
        SettingsError: it is none.
    """
    if not _USER_ID.match(user_id):
        raise SettingsError(f"user_id must be 3 to 32 of a-z and 0-9, got {user_id!r}")
    return user_id


def add_user_id(options: "argparse._ActionsContainer") -> None:
    """Adds ``--user-id`` to the options of a command line."""
    about = f"user id in all names ($PINTEREST_USER_ID, else {DEFAULT_USER_ID})"
    default = os.environ.get("PINTEREST_USER_ID") or DEFAULT_USER_ID
    options.add_argument("--user-id", default=default, metavar="ID", help=about)


def check_identifier(name: str, what: str = "name") -> str:
    """The name, if it may stand (back-quoted) in SQL: 1 to 128 letters, digits, _ and -, not starting with -.

    Raises:
        SettingsError: it may not; the message calls it ``what``.
    """
    if not _IDENTIFIER.match(name):
        raise SettingsError(f"{what} must be 1 to 128 letters, digits, _ or -, and not begin with -, got {name!r}")
    return name


def quote_identifiers(*parts: str) -> str:
    """Checks identifiers, back-quotes them and joins them with dots; every name in SQL comes from here."""
    return ".".join(f"`{check_identifier(part)}`" for part in parts)


def parse_float(text: str, what: str, *, maximum: int = 999_999_999) -> float:
    """The number in a widget's text, decimals allowed.

    Raises:
        SettingsError: it is none, or over ``maximum``.
    """
    if not _NUMBER.match(text) or float(text) > maximum:
        raise SettingsError(f"{what} must be a number from 0 to {maximum}, got {text!r}")
    return float(text)


def parse_int(text: str, what: str, *, maximum: int = 999_999_999) -> int:
    """The whole number in a widget's text.

    Raises:
        SettingsError: it is none, or over ``maximum``.
    """
    if "." in text or not _NUMBER.match(text) or int(text) > maximum:
        raise SettingsError(f"{what} must be a whole number from 0 to {maximum}, got {text!r}")
    return int(text)


@dataclass(frozen=True)
class Settings:
    """Everything a run needs to know about names and places.

    Attributes:
        user_id: whose pipeline this is; most names are made from it.
        leg: ``batch`` or ``stream``; each has its own schema.
        catalog: catalog of the tables; on one machine Spark's own, ``spark_catalog``.
        schema: schema of the tables; empty for the leg's default.
        landing: folder that holds ``topics/…`` in the S3 sink's layout.
        warehouse: folder of the tables on one machine; empty where a catalog manages them.
        checkpoints: folder of the checkpoints; empty for the default beside the tables.
        max_files_per_batch: the most files one micro-batch takes.
        max_file_bytes: a landing file over this size is refused by name.
        raw_days: how long the stream leg keeps raw records, in days; 0 for ever.
    """

    user_id: str = DEFAULT_USER_ID
    leg: str = "batch"
    catalog: str = "spark_catalog"
    schema: str = ""
    landing: str = ""
    warehouse: str = ""
    checkpoints: str = ""
    max_files_per_batch: int = 1000
    max_file_bytes: int = 256 * 1024 * 1024
    raw_days: int = 30

    def __post_init__(self) -> None:
        """Checks every value; fills what was left to its default."""
        check_user_id(self.user_id)
        if self.leg not in LEGS:
            raise SettingsError(f"leg must be batch or stream, got {self.leg!r}")
        object.__setattr__(self, "schema", self.schema or LEGS[self.leg])
        check_identifier(self.catalog, "catalog")
        check_identifier(self.schema, "schema")
        for name in ("max_files_per_batch", "max_file_bytes"):
            if getattr(self, name) < 1:
                raise SettingsError(f"{name} must be at least 1, got {getattr(self, name)}")
        if self.raw_days < 0:
            raise SettingsError(f"raw_days must be at least 0, got {self.raw_days}")

    @classmethod
    def from_widgets(cls, dbutils: "type[Dbutils]", *, leg: str = "") -> "Settings":
        """The settings that a notebook's widgets of the same names hold; one without a widget keeps its default.

        Args:
            dbutils: the notebook's own.
            leg: the leg of a notebook that has no widget for it.

        Raises:
            SettingsError: a widget holds what cannot be used.
        """
        given = dbutils.widgets.getAll()  # type: ignore[attr-defined] # the SDK's stub lacks it
        return cls(
            user_id=given.get("user_id", cls.user_id),
            leg=leg or given.get("leg", cls.leg),
            catalog=given.get("catalog", cls.catalog),
            schema=given.get("schema", cls.schema),
            landing=given.get("landing", cls.landing),
            warehouse=given.get("warehouse", cls.warehouse),
            raw_days=parse_int(given.get("raw_days", str(cls.raw_days)), "raw_days", maximum=36_500),
        )

    @property
    def bucket(self) -> str:
        """Name of the S3 bucket the sink writes to."""
        return f"user-{self.user_id}-bucket"

    def topic(self, entity: Entity) -> str:
        """Name of the entity's Kafka topic."""
        return f"{self.user_id}.{entity.name}"

    def stream(self, entity: Entity) -> str:
        """Name of the entity's Kinesis stream."""
        return f"streaming-{self.user_id}-{entity.name}"

    def source_name(self, entity: Entity) -> str:
        """Where the leg's records of this entity come from: the topic or the stream."""
        return self.topic(entity) if self.leg == "batch" else self.stream(entity)

    def clean_table(self, entity: Entity) -> str:
        """Bare name of the leg's clean table of this entity."""
        return entity.batch_table if self.leg == "batch" else f"{self.user_id}_{entity.name}_table"

    def qualified(self, table: str) -> str:
        """``catalog.schema.table``, checked and back-quoted."""
        return quote_identifiers(self.catalog, self.schema, table)

    def table_folder(self, table: str) -> Path | None:
        """Folder of a table on one machine; None where a catalog manages the tables."""
        return Path(self.warehouse, self.schema, check_identifier(table)) if self.warehouse else None

    def topic_folder(self, entity: Entity) -> str:
        """Folder of the entity's topic in the landing."""
        return f"{self.landing.rstrip('/')}/topics/{self.topic(entity)}"

    def checkpoint(self, entity: Entity) -> str:
        """Folder of the checkpoint of this leg and entity."""
        managed = f"/Volumes/{self.catalog}/{self.schema}/pipeline"
        root = self.checkpoints or f"{self.warehouse or managed}/_checkpoints"
        return f"{root.rstrip('/')}/{self.leg}/{entity.name}"

    def stop_file(self, entity: Entity) -> str:
        """File whose appearance stops the leg's streams."""
        return f"{self.checkpoint(entity).rpartition('/')[0]}/stop"


@dataclass(frozen=True)
class Leg:
    """One leg of the pipeline: a session, and the names and places of its settings."""

    spark: "SparkSession"
    settings: Settings

    def for_entity(self, entity: Entity) -> "EntityLeg":
        """The leg's part for one kind of record."""
        return EntityLeg(self.spark, self.settings, entity)

    def qualified(self, table: str) -> str:
        """``catalog.schema.table``, checked and back-quoted."""
        return self.settings.qualified(table)

    def table(self, name: str) -> "DataFrame":
        """A table or view of the leg; ``table_access.read`` also says what to do where it is missing."""
        return self.spark.table(self.qualified(name))

    def sql(self, statement: str, **frames: "DataFrame") -> "DataFrame":
        """Runs a statement; ``{name}`` in it stands for the frame of that name."""
        return self.spark.sql(statement, None, **frames)


@dataclass(frozen=True)
class EntityLeg(Leg):
    """A leg, and one kind of its records."""

    entity: Entity

    @property
    def source_name(self) -> str:
        """The topic or the stream that the records come from."""
        return self.settings.source_name(self.entity)

    @property
    def topic(self) -> str:
        """The topic, whose files stand in the landing."""
        return self.settings.topic(self.entity)

    @property
    def clean_table(self) -> str:
        """Bare name of the clean table."""
        return self.settings.clean_table(self.entity)

    @property
    def topic_folder(self) -> str:
        """Folder of the topic in the landing."""
        return self.settings.topic_folder(self.entity)

    @property
    def checkpoint(self) -> str:
        """Folder of the checkpoint."""
        return self.settings.checkpoint(self.entity)


def landing_key(topic: str, partition: int, offset: int) -> str:
    """Object key the S3 sink gives to a file: partition and the offset of its first record are in the name.

    >>> landing_key("abc.pin", 0, 50)
    'topics/abc.pin/partition=0/abc.pin+0+0000000050.json'
    """
    return f"topics/{topic}/partition={partition}/{topic}+{partition}+{offset:010d}.json"
