"""The effects of an undo on Delta tables; ``undo_plan`` says their order."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from pinterest_transforms.errors import UndoError
from pinterest_transforms.ingest import landing_reader
from pinterest_transforms.ingest.checkpoint_state import CheckpointState
from pinterest_transforms.ingest.delta_effects import DeltaEffects, IngestContext, evaluate, select_latest_usable
from pinterest_transforms.ingest.excluded_records import is_in_range, range_frame, range_row, read_undone
from pinterest_transforms.ingest.landing import folder_exists
from pinterest_transforms.ingest.landing_files import object_key
from pinterest_transforms.ingest.micro_batch import MicroBatch, RecordRange
from pinterest_transforms.json_parsing import RAW_RECORD
from pinterest_transforms.operations.undo_plan import UndoPlan
from pinterest_transforms.schemas import UNDONE, clean_schema, type_ddl
from pinterest_transforms.settings import EntityLeg
from pinterest_transforms.tables import raw_archive, table_access, writers
from pinterest_transforms.tables.creation import create_table
from pinterest_transforms.tables.definitions import (
    QUARANTINE_TABLE,
    RUNS_TABLE,
    UNDONE_TABLE,
    raw_table,
    undone_spec,
)
from pinterest_transforms.tables.retry import with_retries
from pinterest_transforms.tables.table_access import create_frame, sql_text

_LOG = logging.getLogger(__name__)
_KEYS = ("_key", "_shard", "_position")
_GONE = "struct<shard: string, first: string, last: string>"


@dataclass(frozen=True)
class UndoTopic:
    """A topic of the run.

    Attributes:
        leg: session, names and places, kind of record.
        run_id: the run.
        plan: what goes and what is needed.
    """

    leg: EntityLeg
    run_id: str
    plan: UndoPlan

    @property
    def name(self) -> str:
        """Name of the topic or stream."""
        return self.leg.source_name

    @property
    def ranges(self) -> DataFrame:
        """Where the records stand that go."""
        return range_frame(self.leg.spark, self.plan.ranges)

    def keys_to_restore(self) -> DataFrame:
        """Which rows of the clean table the run has written: ``_KEYS``."""
        clean = table_access.read(self.leg, self.leg.clean_table)
        rows = clean.join(self.ranges, is_in_range(F.col("_source")), "left_semi")
        return rows.select("ind", "_source.shard", "_source.position").toDF(*_KEYS)

    @contextmanager
    def other_records(self) -> Iterator[tuple[DeltaEffects, list[RecordRange], str]]:
        """Evaluated records of the other runs; files that are gone; before which day raw records are gone."""
        leg, undone = self.leg, (*read_undone(self.leg), *self.plan.ranges)
        context = IngestContext(leg.settings, leg.entity, self.run_id, CheckpointState(""), undone)
        if leg.settings.leg == "stream":
            # Of every shard: a key moves to another one when the stream is resharded.
            records = raw_archive.read_records(leg)
            missing, purged = [], raw_archive.purged_before(leg)
        else:
            there = folder_exists(leg, leg.topic_folder)
            listed = landing_reader.list_topic(leg).records if there else {}
            # Spark tells times of files in milliseconds.
            present = {object_key(path, self.name): stamp.modified // 10**6 * 1000 for path, stamp in listed.items()}
            missing, purged = self.plan.find_missing(present), ""
            shards = {one.shard for one in self.plan.ranges}
            needed = {key for key, one in self.plan.files.items() if one.shard in shards and one not in missing}
            paths = sorted(path for path in listed if object_key(path, self.name) in needed)
            nothing = create_frame(leg.spark, [], type_ddl(RAW_RECORD))
            records = landing_reader.raw_records(leg.spark, paths) if paths else nothing
        batch = MicroBatch(self.run_id, -1)
        with landing_reader.name_unreadable_file(), evaluate(context, batch, records) as effects:
            yield effects, missing, purged


@dataclass(frozen=True)
class DeltaUndo:
    """The effects of an undo on the tables of one topic: ``undo_plan.UndoEffects``.

    Attributes:
        topic: the topic.
        keys: the rows that the run has written, ``_KEYS``.
        found: the latest other versions of their keys.
    """

    topic: UndoTopic
    keys: DataFrame
    found: DataFrame

    def note_undone(self) -> None:
        """Notes those records that are not noted yet."""
        leg, topic = self.topic.leg, self.topic
        known = read_undone(leg)
        new = [range_row(one) for one in topic.plan.ranges if one not in known]
        if new:
            create_table(leg, undone_spec())
            rows = [{"run_id": topic.run_id, "topic": topic.name, "source": one} for one in new]
            frame = create_frame(leg.spark, rows, type_ddl(UNDONE))
            with_retries(lambda: frame.writeTo(leg.qualified(UNDONE_TABLE)).append())

    def restore_clean(self) -> None:
        """Replaces or removes the rows in one MERGE."""
        rows = self.keys.join(self.found, F.col("_key") == F.col("ind"), "left")
        writers.restore_clean(self.topic.leg, rows)

    def remove_quarantined(self) -> None:
        """Removes the records from ``quarantine``."""
        self._remove(QUARANTINE_TABLE, f"topic = {sql_text(self.topic.name)}")

    def remove_raw(self) -> None:
        """Removes them from the raw archive of the stream leg."""
        leg = self.topic.leg
        if leg.settings.leg == "stream":
            self._remove(raw_table(leg.settings), f"kind = {sql_text(leg.entity.name)}")

    def mark_undone(self) -> None:
        """Sets ``undone_at`` of the run's rows."""
        which = f"run_id = {sql_text(self.topic.run_id)} AND topic = {sql_text(self.topic.name)}"
        runs = self.topic.leg.qualified(RUNS_TABLE)
        statement = f"UPDATE {runs} SET undone_at = current_timestamp() WHERE {which}"
        with_retries(lambda: self.topic.leg.sql(statement).collect())
        _LOG.info("%s: run was undone", self.topic.name, extra={"run_id": self.topic.run_id, "topic": self.topic.name})

    def _remove(self, table: str, which: str) -> None:
        writers.remove_ranges(self.topic.leg, table, which, self.topic.ranges)


@contextmanager
def open_undo(topic: UndoTopic, *, allow_losses: bool) -> Iterator[DeltaUndo]:
    """The effects, with all that they need; nothing is changed yet.

    Raises:
        UndoError: another version of a key may be among what is gone.
    """
    keys = topic.keys_to_restore()
    nothing = topic.leg.table(topic.leg.clean_table).where("false")
    if not topic.plan.ranges or not keys.head(1):
        yield DeltaUndo(topic, keys, nothing)
        return
    with topic.other_records() as (others, missing, purged):
        rows = others.rows.join(keys.select(F.col("_key").alias("ind")), "ind", "left_semi")
        usable = others.counts.read - others.counts.rejected
        found = select_latest_usable(rows, usable, ordered=others.ordered).select(*clean_schema(topic.leg.entity).names)
        effects = DeltaUndo(topic, keys, found)
        if (missing or purged) and not allow_losses:
            _check_losses(effects, missing, purged)
        yield effects


def _check_losses(effects: DeltaUndo, missing: Sequence[RecordRange], purged: str) -> None:
    """Raises where the latest other version of a key may be in a file that is gone, or be a raw record that is."""
    left = F.col("_source")["position"]
    rows = effects.keys.join(effects.found, F.col("_key") == F.col("ind"), "left")
    in_doubt = left.isNull()
    if not purged:
        gone = F.broadcast(create_frame(effects.topic.leg.spark, [one._asdict() for one in missing], _GONE))
        later = (F.col("shard") == F.col("_shard")) & (F.col("first") < F.col("_position"))
        later &= F.coalesce(left < F.col("last"), F.lit(True))
        rows, in_doubt = rows.join(gone, later, "left_semi"), F.lit(True)
    count = rows.where(in_doubt).count()
    if count:
        what = f"raw records from before {purged}" if purged else f"landing files such as {missing[0].file}"
        how = "were purged" if purged else "are gone or were rewritten since they were read"
        raise UndoError(
            f"run {effects.topic.run_id}: {count:,} keys of {effects.topic.name} may have other versions in {what}, "
            f"which {how}; set allow_losses=true to use the rest"
        )
