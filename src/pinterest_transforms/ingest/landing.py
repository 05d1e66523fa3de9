"""Ingests new files of the landing: each once, and again if it was rewritten.

On one machine the landing is listed and compared with what was ingested. On Databricks Auto Loader finds the new files.
Either way they are then read by name, so that sizes are checked first and every pass reads no more than it needs.
"""

import json
import logging
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pyspark.errors import AnalysisException, StreamingQueryException
from pyspark.sql import DataFrame, SparkSession

from pinterest_transforms.entities import ENTITIES, Entity
from pinterest_transforms.error_format import one_line
from pinterest_transforms.errors import LandingError, PinterestError
from pinterest_transforms.ingest import landing_reader
from pinterest_transforms.ingest.checkpoint_files import check_query_error
from pinterest_transforms.ingest.checkpoint_state import REBUILD, open_state
from pinterest_transforms.ingest.delta_effects import DeltaEffects, IngestContext, configure_batch_logging, evaluate
from pinterest_transforms.ingest.excluded_records import read_undone
from pinterest_transforms.ingest.ingested_files import IngestedFiles
from pinterest_transforms.ingest.landing_batches import ingest_listed, process_files
from pinterest_transforms.ingest.landing_files import FileStamp, Listing, object_key, others_text, why_unusable
from pinterest_transforms.ingest.micro_batch import MicroBatch
from pinterest_transforms.settings import Settings
from pinterest_transforms.tables import position_conflicts, table_access
from pinterest_transforms.tables.commits import check_commits, last_commit, last_commit_ids
from pinterest_transforms.tables.definitions import QUARANTINE_TABLE, RUNS_TABLE
from pinterest_transforms.tables.locks import entity_lock

_LOG = logging.getLogger(__name__)
_ALL_FILES = 1_000_000_000


@dataclass(frozen=True)
class _Landing:
    """A topic's files, and where their records go: ``landing_batches.Landing``."""

    spark: SparkSession
    context: IngestContext

    @property
    def topic(self) -> str:
        return self.context.settings.topic(self.context.entity)

    @property
    def run_id(self) -> str:
        return self.context.run_id

    @property
    def max_files(self) -> int:
        return self.context.settings.max_files_per_batch

    def listing(self) -> Listing:
        return landing_reader.listing(self.spark, self.context.settings, self.topic)

    def unusable(self, path: str, stamp: FileStamp) -> str:
        return why_unusable(path, stamp.size, self.context.settings.max_file_bytes, local=self._local)

    def exists(self, path: str) -> bool:
        return not self._local or Path(path).is_file()

    @contextmanager
    def evaluate(self, paths: Sequence[str], batch: MicroBatch) -> Iterator[DeltaEffects]:
        with landing_reader.name_unreadable_file():
            records = landing_reader.raw_records(self.spark, paths)
            with evaluate(self.spark, self.context, batch, records) as effects:
                yield effects

    @property
    def _local(self) -> bool:
        return landing_reader.on_this_machine(self.context.settings, self.context.settings.landing)


def ingest_landing(
    spark: SparkSession,
    settings: Settings,
    entities: Sequence[Entity],
    run_id: str,
    *,
    rebuild: bool = False,
) -> None:
    """Cleans and merges everything new in the entities' topics, side by side. Run again, it reads nothing.

    One that fails does not stop the others.

    Args:
        spark: session; ``creation.set_up`` was run.
        settings: names and places; ``landing`` holds ``topics/``.
        entities: the kinds of record.
        run_id: name of this run, for ``runs``.
        rebuild: clean everything in the landing again, and replace what was made of it.

    Raises:
        BusyError: another run of the same entity is not finished.
        CheckpointError: the checkpoint belongs to other tables or another landing.
        LandingError: a file cannot be ingested.
    """
    shared = table_access.table_ids(spark, settings, QUARANTINE_TABLE, RUNS_TABLE)
    none_quarantined = last_commit(spark, settings, QUARANTINE_TABLE).is_creation

    def ingest(entity: Entity) -> None:
        with entity_lock(settings, entity):
            ids = shared | table_access.table_ids(spark, settings, settings.clean_table(entity))
            checkpoint = settings.checkpoint(entity)
            state = open_state(checkpoint, settings.topic_folder(entity), ids, reset=rebuild, rebuild=rebuild)
            check_commits(spark, settings, state.commits, REBUILD)
            if state.has_quarantined is None and none_quarantined:
                state.has_quarantined = False
            undone = read_undone(spark, settings, settings.topic(entity))
            _ingest_topic(spark, IngestContext(settings, entity, run_id, state, undone))

    with ThreadPoolExecutor(len(entities)) as pool:
        runs = [pool.submit(ingest, entity) for entity in entities]
    failures = [error for run in runs if (error := run.exception())]
    for error in failures[1:]:
        _LOG.error("%s", one_line(error), extra={"run_id": run_id})
    if failures:
        raise failures[0]


def _ingest_topic(spark: SparkSession, context: IngestContext) -> None:
    settings, entity, state = context.settings, context.entity, context.state
    if not folder_exists(spark, settings, settings.topic_folder(entity)):
        _LOG.info("%s: nothing has arrived yet", context.topic, extra=context.log_fields)
        return
    if not (
        state.last_offsets or state.rebuild or last_commit(spark, settings, settings.clean_table(entity)).is_creation
    ):
        # A new checkpoint: what the table holds may be of other objects.
        state.last_offsets = position_conflicts.last_offsets(spark, settings, entity)
    bad, begun = "", dict(state.before)
    if settings.warehouse:
        bad = ingest_listed(_Landing(spark, context), state, IngestedFiles(settings.checkpoint(entity)))
    else:
        _ingest_found(spark, context)
    if state.before != begun:  # else nothing was ingested, and what others wrote meanwhile is theirs to remember
        state.commits = last_commit_ids(spark, settings, state.tables)
        state.save()
    if state.conflicts:
        _LOG.warning(
            f"{context.topic}: {state.conflicts:,} records stand at offsets that were taken with another content: "
            "objects were rewritten, or the topic was made again; remove the old topic's objects, if there are any, "
            "and run with --rebuild",
            extra=context.log_fields | {"conflicts": state.conflicts},
        )
    if bad:
        raise LandingError(f"{bad}; the other files were taken")


def check_landing(spark: SparkSession, settings: Settings) -> str:
    """The landing's path, if it holds topics of this user id.

    Raises:
        LandingError: there is no landing, or it has no topics of this user id.
    """
    root = f"{settings.landing.rstrip('/')}/topics"
    if not settings.landing or not folder_exists(spark, settings, root):
        raise LandingError(f"landing must be a folder that holds topics/, got {settings.landing!r}")
    if not any(folder_exists(spark, settings, settings.topic_folder(entity)) for entity in ENTITIES):
        found = ", ".join(_topics(spark, settings, root)[:9]) or "no files"
        raise LandingError(f"landing must hold topics {settings.user_id}.pin, .geo or .user, got {found}")
    return settings.landing


def _topics(spark: SparkSession, settings: Settings, root: str) -> list[str]:
    """Names of the folders of a landing that has none of this user."""
    if landing_reader.on_this_machine(settings, root):
        return sorted(folder.name for folder in Path(root).iterdir() if folder.is_dir())
    paths = landing_reader.reader(spark).load(landing_reader.as_glob(root)).select("path").toLocalIterator()
    return sorted({row["path"].rpartition("/topics/")[2].partition("/")[0] for row in paths})


def folder_exists(spark: SparkSession, settings: Settings, folder: str) -> bool:
    """True if a folder of the landing is there."""
    if landing_reader.on_this_machine(settings, folder):
        return Path(folder).is_dir()
    try:
        landing_reader.reader(spark).load(landing_reader.as_glob(folder)).select("path").limit(1).count()
    except AnalysisException as error:
        if "PATH_NOT_FOUND" in str(error):
            return False
        raise
    return True


def _ingest_found(spark: SparkSession, context: IngestContext) -> None:
    """Ingests what Auto Loader finds. The content is not selected, so it is not read."""
    settings, entity, state = context.settings, context.entity, context.state
    options = {
        "cloudFiles.format": "binaryFile",
        "cloudFiles.allowOverwrites": "true",
        "cloudFiles.maxFilesPerTrigger": str(_ALL_FILES if state.rebuild else settings.max_files_per_batch),
        "cloudFiles.schemaLocation": f"{settings.checkpoint(entity)}.schema",
        "recursiveFileLookup": "true",
    }
    source = spark.readStream.format("cloudFiles").options(**options)
    found = source.load(landing_reader.as_glob(settings.topic_folder(entity))).select("path", "length")
    failures: list[Exception] = []

    def each(frame: DataFrame, batch_id: int) -> None:
        try:
            _ingest_rows(frame, context, batch_id)
        except Exception as error:
            failures.append(error)
            raise

    _LOG.info("%s: looking for new files", context.topic, extra=context.log_fields)
    state.progress = {}
    writer = found.writeStream.foreachBatch(each).option("checkpointLocation", settings.checkpoint(entity))
    query = writer.trigger(availableNow=True).start()
    try:
        query.awaitTermination()
    except StreamingQueryException as error:
        if failures and isinstance(failures[0], PinterestError):
            raise failures[0] from None
        if not failures:
            check_query_error(error, settings.checkpoint(entity), REBUILD)
        raise error from (failures[0] if failures else None)
    finally:
        if query.isActive:
            query.stop()
    state.reload()  # over Spark Connect the batches ran elsewhere
    state.rebuild = False
    state.save()
    if state.progress:
        others = others_text(int(state.progress["others"]), json.loads(str(state.progress["examples"])))
        _LOG.warning("%s: %s", context.topic, others, extra=context.log_fields)


def _ingest_rows(frame: DataFrame, context: IngestContext, batch_id: int) -> None:
    """One micro-batch of the files that Auto Loader has found."""
    configure_batch_logging(context)
    landing, state = _Landing(frame.sparkSession, context), context.state
    others = int(state.progress.get("others", 0))
    listing = Listing(landing.topic, others=others, examples=json.loads(str(state.progress.get("examples", "[]"))))
    for row in frame.collect():
        below = object_key(row["path"], landing.topic).removeprefix(f"topics/{landing.topic}/")
        listing.add(row["path"], below, FileStamp(row["length"], 0))
    for path, stamp in sorted(listing.records.items()):
        if reason := why_unusable(path, stamp.size, context.settings.max_file_bytes, local=False):
            raise LandingError(reason)
    if listing.others:
        state.progress = {"others": listing.others, "examples": json.dumps(listing.examples)}
    process_files(landing, state, list(listing.records), batch_id)
    state.save()
