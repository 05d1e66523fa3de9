"""What tables a leg has: columns, comments, properties. Plain data made from ``schemas`` and ``analysis``."""

from dataclasses import dataclass, field

from pyspark.sql import types as T

from pinterest_transforms.analysis.answers import ANSWERS, Answer
from pinterest_transforms.entities import ENTITIES, Entity
from pinterest_transforms.schemas import (
    CONTRACT,
    ERASED,
    PII,
    PUBLIC,
    QUARANTINE,
    RAW,
    RUNS,
    UNDONE,
    clean_schema,
    column_class,
)
from pinterest_transforms.settings import Settings

QUARANTINE_TABLE = "quarantine"
RUNS_TABLE = "runs"
ERASED_TABLE = "erased"
UNDONE_TABLE = "undone"


@dataclass(frozen=True)
class TableSpec:
    """One Delta table.

    Attributes:
        name: bare name.
        comment: what one row is.
        columns: its columns; each with a ``comment``, a ``class`` and its limits in its metadata.
        partitioned_by: partition columns.
        properties: Delta table properties.
        clustered_by: clustering columns: of liquid clustering where a catalog manages the tables. On one machine
            maintenance sorts by them; open-source Delta would rewrite a clustered table after every second commit.
    """

    name: str
    comment: str
    columns: T.StructType
    partitioned_by: tuple[str, ...] = ()
    properties: dict[str, str] = field(default_factory=dict)
    clustered_by: tuple[str, ...] = ()


def _properties(settings: Settings, **others: str) -> dict[str, str]:
    """Properties of a table that each micro-batch commits to.

    A checkpoint, which Delta writes after every ten commits by default, took as long as five of them. A stream makes
    many small files, which Delta joins when there are fifty, on one machine with each 50th batch; the batch leg leaves
    that to the maintenance job, since the first commit of each process then looks at all files.
    """
    joined = {"delta.autoOptimize.autoCompact": "true"} if settings.leg == "stream" else {}
    return {"delta.checkpointInterval": "100", **joined, **{f"delta.{name}": value for name, value in others.items()}}


def clean_spec(settings: Settings, entity: Entity) -> TableSpec:
    """The clean table of one entity. Statistics are kept of the key alone: nothing else is ever sought by range."""
    properties = _properties(settings, enableDeletionVectors="true", dataSkippingStatsColumns="ind")
    return TableSpec(settings.clean_table(entity), entity.description, clean_schema(entity), (), properties, ("ind",))


def quarantine_spec(settings: Settings) -> TableSpec:
    """Rejected and repaired records; partitioned by topic so that the three writers never conflict."""
    comment = "Records that were rejected, or repaired; each noted once"
    # Statistics stay in the log for weeks: none of raw texts.
    properties = _properties(settings, enableDeletionVectors="true", dataSkippingStatsColumns="seen_at")
    return TableSpec(QUARANTINE_TABLE, comment, QUARANTINE, ("topic",), properties)


def runs_spec(settings: Settings) -> TableSpec:
    """What each micro-batch did."""
    comment = "One row per micro-batch and topic: what was read and what became of it"
    properties = _properties(settings, dataSkippingNumIndexedCols="0")
    return TableSpec(RUNS_TABLE, comment, RUNS, (), properties)


def erased_spec() -> TableSpec:
    """Keys that no later batch brings back. The first erasure creates the table: nobody else pays for it."""
    return TableSpec(ERASED_TABLE, "Keys of erased posts: no batch, replay or rebuild brings them back", ERASED)


def undone_spec() -> TableSpec:
    """Records of undone runs. The first undo creates the table."""
    return TableSpec(UNDONE_TABLE, "Records of undone runs: no replay or rebuild brings them back", UNDONE)


def raw_table(settings: Settings) -> str:
    """Bare name of the stream leg's table of raw records."""
    return f"{settings.user_id}_raw_table"


def raw_spec(settings: Settings) -> TableSpec:
    """Records of the streams as they came, with statistics of the arrival, by which a batch finds known records."""
    comment = "Every record of the streams as it came, once"
    properties = _properties(settings, dataSkippingStatsColumns="_source.arrived")
    return TableSpec(raw_table(settings), comment, RAW, ("kind",), properties)


def answer_spec(answer: Answer) -> TableSpec:
    """The table of one answer.

    Its rows are of many posts, so what could single a person out in a post is public in an answer; a name stays one.
    """
    fields = [
        T.StructField(name, _ANSWER_TYPES[kind], True, {"comment": comment, "class": PII if name in _NAMES else PUBLIC})
        for name, kind, comment in answer.columns
    ]
    return TableSpec(answer.name, answer.question, T.StructType(fields))


_NAMES = {column.name for entity in ENTITIES for column in CONTRACT[entity.name] if column_class(column) == PII}
_ANSWER_TYPES: dict[str, T.DataType] = {
    "STRING": T.StringType(),
    "INT": T.IntegerType(),
    "BIGINT": T.LongType(),
    "DOUBLE": T.DoubleType(),
}


def work_specs(settings: Settings) -> list[TableSpec]:
    """The tables the leg's work writes: clean, quarantine and runs; the stream leg's raw records too."""
    specs = [*(clean_spec(settings, entity) for entity in ENTITIES), quarantine_spec(settings), runs_spec(settings)]
    return [*specs, raw_spec(settings)] if settings.leg == "stream" else specs


def answer_specs() -> list[TableSpec]:
    """The tables of the answers."""
    return [answer_spec(answer) for answer in ANSWERS]
