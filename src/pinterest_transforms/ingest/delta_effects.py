"""The effects of a micro-batch on Delta tables; ``micro_batch`` has their order."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from datetime import datetime

from pyspark.errors import PySparkException
from pyspark.sql import Column, DataFrame, Row, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.utils import is_remote

from pinterest_transforms import __version__
from pinterest_transforms.cleaning import is_rejected, is_repaired, is_usable, validate_and_clean
from pinterest_transforms.deduplication import greatest_per_key, latest_per_key
from pinterest_transforms.entities import Entity
from pinterest_transforms.ingest.checkpoint_state import CheckpointState
from pinterest_transforms.ingest.excluded_records import blank_erased, blank_undone, range_row, select_overlapping
from pinterest_transforms.ingest.landing_reader import (
    ORDER,
    SPLIT,
    add_source,
    can_be_ordered,
    file_ranges,
    file_splits,
    has_overlapping_offsets,
    split_columns,
)
from pinterest_transforms.ingest.micro_batch import Counts, MicroBatch, RecordRange, RunCounts
from pinterest_transforms.logs import FIELDS, active_log_format, configure_logging
from pinterest_transforms.schemas import RUNS, type_ddl
from pinterest_transforms.settings import EntityLeg, Leg, Settings
from pinterest_transforms.tables import position_conflicts, raw_archive, writers
from pinterest_transforms.tables.commits import commits_since, last_commit
from pinterest_transforms.tables.definitions import RUNS_TABLE
from pinterest_transforms.tables.retry import with_retries
from pinterest_transforms.tables.table_access import create_frame, is_refused

_LOG = logging.getLogger(__name__)
_MAX_NAMES = 100
"""A sender that makes up a name for each record must not make ``runs`` as large as the data."""


@dataclass(frozen=True)
class IngestContext:
    """What the micro-batches of a query share; plain data, since over Spark Connect they run elsewhere.

    Attributes:
        settings: names and places.
        entity: the kind of record.
        run_id: the run, as its caller named it.
        state: the checkpoint's state.
        undone: records that are not read again, since their run was undone.
        log_format: how the process that starts the query logs.
    """

    settings: Settings
    entity: Entity
    run_id: str
    state: CheckpointState
    undone: tuple[RecordRange, ...] = ()
    log_format: str = field(default_factory=active_log_format)

    def leg(self, spark: SparkSession) -> EntityLeg:
        """The leg in the session that a query or a micro-batch has."""
        return EntityLeg(spark, self.settings, self.entity)

    @property
    def topic(self) -> str:
        """The topic or the stream that the records come from."""
        return self.settings.source_name(self.entity)

    @property
    def log_fields(self) -> dict[str, object]:
        """Fields of each log record about this query."""
        return {"run_id": self.run_id, "topic": self.topic}


@dataclass(frozen=True)
class DeltaEffects:
    """The effects of one micro-batch, ``micro_batch.Effects``.

    Attributes:
        context: of the query.
        batch: which micro-batch.
        rows: evaluated records with ``_source``, checkpointed; ``counts`` are theirs.
        ordered: whether ``landing_reader.ORDER`` orders the versions of a key.
        sources: where the records stand, for the batch's row of ``runs``.
    """

    context: IngestContext
    batch: MicroBatch
    rows: DataFrame
    counts: Counts
    ordered: bool
    sources: Sequence[RecordRange] = ()

    @property
    def leg(self) -> EntityLeg:
        """The query's leg, in the session of the records."""
        return self.context.leg(self.rows.sparkSession)

    def read_clean_version(self) -> int:
        """Version of the clean table."""
        return last_commit(self.leg, self.leg.clean_table).version

    def count_conflicts(self) -> int:
        """Positions of the batch at which the tables hold another content."""
        return position_conflicts.count_conflicts(self.leg, self.rows)

    def has_quarantined(self) -> bool:
        """Whether quarantine holds records of this topic; only this entity's one writer adds any."""
        return writers.has_quarantined(self.leg)

    def archive_raw(self, *, may_exist: bool) -> None:
        """Appends the records as they came."""
        known = (self.counts.first_arrival, self.counts.last_arrival) if may_exist else None
        raw_archive.append(self.leg, self.rows, known)

    def write_quarantine(self, *, may_exist: bool) -> None:
        """Adds or replaces what was rejected and repaired."""
        files = self.batch.files if self.batch.mode == "replace" else None
        writers.write_quarantine(self.leg, self.rows, files, distinct=self.ordered, may_exist=may_exist)

    def write_clean(self, since: int) -> int:
        """Appends to a table that nobody has written to, else merges; or replaces."""
        if self.batch.mode == "replace":
            return writers.replace_clean(self.leg, self.rows, self.batch.files)
        usable = self.counts.read - self.counts.rejected
        rows = select_latest_usable(self.rows, usable, ordered=self.ordered)
        is_new = last_commit(self.leg, self.leg.clean_table).is_creation
        writers.merge_clean(self.leg, rows, is_new=is_new)
        commits = commits_since(self.leg, self.leg.clean_table, since)
        return sum(commit.rows_written for commit in commits if commit.version > since)

    def count_unknown_fields(self) -> dict[str, int]:
        """Fields that no schema knows, and how many records have them; the most frequent ones."""
        names = self.rows.select(F.explode("unknown_fields").alias("name"))  # a record's are distinct
        most = names.groupBy("name").count().orderBy(F.desc("count"), "name").limit(_MAX_NAMES)
        return {row["name"]: row["count"] for row in most.collect()}

    def find_recorded_read(self) -> int | None:
        """``read`` of the batch's row in ``runs``."""
        row = self.leg.table(RUNS_TABLE).where(self._which_run()).select("read").first()
        return None if row is None else int(row["read"])

    def remove_run(self) -> None:
        """Deletes the batch's row of ``runs``."""
        statement = f"DELETE FROM {self.leg.qualified(RUNS_TABLE)} WHERE {self._which_run()}"
        with_retries(lambda: self.leg.sql(statement).collect())

    def append_run(self, started: datetime, seconds: float, counts: RunCounts, unknown: dict[str, int]) -> None:
        """Adds the batch's row to ``runs``."""
        values = {
            "run_id": self.context.run_id,
            "query_id": self.context.state.query_id,
            "batch_id": self.batch.batch_id,
            "topic": self.leg.source_name,
            "started": started.isoformat(),
            "seconds": seconds,
            **asdict(counts),
            "unknown_fields": unknown,
            "library_version": __version__,
            "sources": [range_row(source) for source in self.sources],
        }
        row = create_frame(self.leg.spark, [values], type_ddl(RUNS))
        with_retries(lambda: row.writeTo(self.leg.qualified(RUNS_TABLE)).append())
        numbers = ", ".join(f"{number:,} {name.replace('_', ' ')}" for name, number in asdict(counts).items())
        fields = {name: value for name, value in values.items() if name in FIELDS}
        _LOG.info("%s: micro-batch %d: %s", self.leg.source_name, self.batch.batch_id, numbers, extra=fields)

    def _which_run(self) -> str:
        # All of it is made here or checked: a uuid, a number, a user id and an entity.
        query_id, batch_id = self.context.state.query_id, self.batch.batch_id
        return f"query_id = '{query_id}' AND batch_id = {batch_id} AND topic = '{self.leg.source_name}'"


def configure_batch_logging(context: IngestContext) -> None:
    """Logs like the process that has started the query: over Spark Connect a micro-batch runs in another one."""
    if context.log_format:
        configure_logging(context.log_format)


@contextmanager
def evaluate(context: IngestContext, batch: MicroBatch, records: DataFrame) -> Iterator[DeltaEffects]:
    """Evaluates raw records once; their rows are kept while the effects are used.

    Raw texts are kept of the bad records alone, or of all where they are archived, or where two may have one position,
    and the texts decide.

    Args:
        context: of the query.
        batch: which micro-batch.
        records: raw records, ``json_parsing.RAW_RECORD``, or those of ``landing_reader.raw_records``.
    """
    leg, landing = context.leg(records.sparkSession), SPLIT in records.columns
    with ExitStack() as stack:
        rows, tally = stack.enter_context(_checkpointed(leg, records, every_raw=not landing))
        if landing:
            splits = file_splits(tally, leg.topic)
            if has_overlapping_offsets(splits):
                rows, tally = stack.enter_context(_checkpointed(leg, records, every_raw=True))
                splits = file_splits(tally, leg.topic)
            rows, sources = add_source(rows, splits), file_ranges(splits)
        else:
            sources = [RecordRange(row["shard"], "", row["first"], row["last"]) for row in tally]
        ordered, numbers = landing and can_be_ordered(splits), {"lines": sum(row["lines"] for row in tally)}
        if not landing:
            numbers["first_arrival"] = min((row["first_arrival"] for row in tally), default=0)
            numbers["last_arrival"] = max((row["last_arrival"] for row in tally), default=0)
        if undone := select_overlapping(context.undone, sources):
            # Kept, too: Spark fails on the plan of a rebuild that holds this join several times.
            rows = stack.enter_context(materialize(leg, f"{leg.entity.name}_undone", blank_undone(rows, undone)))
            before, tally = tally, rows.agg(*_counted()).collect()
            if number := sum(row["read"] for row in before) - sum(row["read"] for row in tally):
                message = "%s: %s records of undone runs are not read again"
                _LOG.info(message, context.topic, f"{number:,}", extra=context.log_fields)
        numbers |= {name: sum(row[name] for row in tally) for name in _conditions()}
        new = landing or batch.mode == "merge"  # what the raw archive gives came before
        yield DeltaEffects(context, batch, rows, Counts(**numbers), ordered, sources if new else ())


@contextmanager
def _checkpointed(leg: EntityLeg, records: DataFrame, *, every_raw: bool) -> Iterator[tuple[DataFrame, list[Row]]]:
    """Evaluated rows, and their counts: one row per file split where they come from files."""
    frame = blank_erased(leg, validate_and_clean(records, leg.entity, every_raw=every_raw))
    with materialize(leg, leg.entity.name, frame) as rows:
        if SPLIT in records.columns:
            place, more = split_columns(), [F.min("_row").alias("first")]
        else:
            arrived, place = F.unix_micros("_source.arrived"), [F.col("_source.shard").alias("shard")]
            more = [F.min("_source.position").alias("first"), F.max("_source.position").alias("last")]
            more += [F.min(arrived).alias("first_arrival"), F.max(arrived).alias("last_arrival")]
        yield rows, rows.groupBy(*place).agg(F.count("*").alias("lines"), *_counted(), *more).collect()


def _counted() -> list[Column]:
    return [F.count_if(condition).alias(name) for name, condition in _conditions().items()]


def select_latest_usable(rows: DataFrame, count: int, *, ordered: bool) -> DataFrame:
    """The latest version of each key among the usable rows.

    Args:
        rows: evaluated, checkpointed rows with ``_source``.
        count: how many of them are usable.
        ordered: whether ``ORDER`` decides which one is later; else ``_source`` and raw texts do.
    """
    usable = rows.where(is_usable())
    return greatest_per_key(usable, ORDER, count) if ordered else latest_per_key(usable)


def _conditions() -> dict[str, Column]:
    return {
        "read": is_usable() | is_rejected(),
        "rejected": is_rejected(),
        "repaired": is_repaired(),
        "unknown": F.size("unknown_fields") > 0,
    }


@contextmanager
def materialize(leg: Leg, name: str, frame: DataFrame) -> Iterator[DataFrame]:
    """The frame, computed once and kept while it is used. Serverless may refuse to keep it: then in a table.

    Classic Spark computes it in its first use, which must read all rows, as a count does: so it costs no pass of its
    own. Over Spark Connect, as serverless is, it is computed here, where a refusal is seen.
    """
    try:
        kept = frame.localCheckpoint(eager=is_remote())
    except (PySparkException, NotImplementedError) as error:
        if not is_refused(error):
            raise
    else:
        yield kept
        _free(kept)  # after an error Java may be gone, and its own message must be the one that is seen
        return
    staged = leg.qualified(f"staged_{name}")
    frame.writeTo(staged).using("delta").createOrReplace()
    try:
        yield leg.spark.table(staged)
    finally:
        leg.sql(f"DROP TABLE IF EXISTS {staged}")


def _free(kept: DataFrame) -> None:
    """Frees checkpointed rows at once, as Spark Connect does.

    Classic Spark frees them once neither Python nor Java refers to them. Python's proxies of Java objects refer to
    themselves, so they stay until Python looks for such cycles, and with them the rows of many micro-batches.
    """
    if not is_remote():
        kept._jdf.queryExecution().logical().rdd().unpersist(False)
