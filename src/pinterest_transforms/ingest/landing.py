"""Ingests new files of the landing: each once, and again if it was rewritten.

On one machine the landing is listed and compared with what was ingested. On Databricks Auto Loader finds the new files.
Either way they are then read by name, so that sizes are checked first and every pass reads no more than it needs.
"""

import json
import logging
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from pyspark.errors import AnalysisException, StreamingQueryException
from pyspark.sql import DataFrame

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
from pinterest_transforms.ingest.landing_files import (
    HOLDS_TOPICS,
    FileStamp,
    Listing,
    check_local_landing,
    describe_topics,
    format_others,
    object_key,
    why_unusable,
)
from pinterest_transforms.ingest.micro_batch import MicroBatch
from pinterest_transforms.settings import EntityLeg, Leg
from pinterest_transforms.tables import position_conflicts, table_access
from pinterest_transforms.tables.commits import check_commits, last_commit, last_commit_ids
from pinterest_transforms.tables.definitions import QUARANTINE_TABLE, RUNS_TABLE
from pinterest_transforms.tables.locks import entity_lock

_LOG = logging.getLogger(__name__)
_ALL_FILES = 1_000_000_000


class _Landing:
    """A topic's files, and where their records go: ``landing_batches.Landing``."""

    def __init__(self, leg: EntityLeg, context: IngestContext) -> None:
        self.topic, self.run_id, self.max_files = leg.topic, context.run_id, leg.settings.max_files_per_batch
        self._leg, self._context = leg, context
        self._local = landing_reader.is_local_folder(leg.settings, leg.settings.landing)

    def list_files(self) -> Listing:
        return landing_reader.list_topic(self._leg)

    def why_unusable(self, path: str, stamp: FileStamp) -> str:
        return why_unusable(path, stamp.size, self._leg.settings.max_file_bytes, local=self._local)

    def exists(self, path: str) -> bool:
        return not self._local or Path(path).is_file()

    @contextmanager
    def evaluate(self, paths: Sequence[str], batch: MicroBatch) -> Iterator[DeltaEffects]:
        with landing_reader.name_unreadable_file():
            records = landing_reader.raw_records(self._leg.spark, paths)
            with evaluate(self._context, batch, records) as effects:
                yield effects


def ingest_landing(leg: Leg, entities: Sequence[Entity], run_id: str, *, rebuild: bool = False) -> None:
    """Cleans and merges everything new in the entities' topics, side by side. Run again, it reads nothing.

    One that fails does not stop the others.

    Args:
        leg: session, names and places; ``creation.set_up`` was run; ``landing`` holds ``topics/``.
        entities: the kinds of record.
        run_id: name of this run, for ``runs``.
        rebuild: clean everything in the landing again, and replace what was made of it.

    Raises:
        BusyError: another run of the same entity is not finished.
        CheckpointError: the checkpoint belongs to other tables or another landing.
        LandingError: a file cannot be ingested.
    """
    shared = table_access.read_table_ids(leg, QUARANTINE_TABLE, RUNS_TABLE)
    none_quarantined = last_commit(leg, QUARANTINE_TABLE).is_creation

    def ingest(leg: EntityLeg) -> None:
        with entity_lock(leg.settings, leg.entity):
            ids = shared | table_access.read_table_ids(leg, leg.clean_table)
            state = open_state(leg.checkpoint, leg.topic_folder, ids, reset=rebuild, rebuild=rebuild)
            check_commits(leg, state.commits, REBUILD)
            if state.has_quarantined is None and none_quarantined:
                state.has_quarantined = False
            _ingest_topic(leg, IngestContext(leg.settings, leg.entity, run_id, state, read_undone(leg)))

    with ThreadPoolExecutor(len(entities)) as pool:
        runs = [pool.submit(ingest, leg.for_entity(entity)) for entity in entities]
    failures = [error for run in runs if (error := run.exception())]
    for error in failures[1:]:
        _LOG.error("%s", one_line(error), extra={"run_id": run_id})
    if failures:
        raise failures[0]


def _ingest_topic(leg: EntityLeg, context: IngestContext) -> None:
    state = context.state
    if not folder_exists(leg, leg.topic_folder):
        _LOG.info("%s: nothing has arrived yet", context.topic, extra=context.log_fields)
        return
    if not (state.last_offsets or state.rebuild or last_commit(leg, leg.clean_table).is_creation):
        # A new checkpoint: what the table holds may be of other objects.
        state.last_offsets = position_conflicts.read_last_offsets(leg)
    bad, begun = "", dict(state.before)
    if leg.settings.warehouse:
        bad = ingest_listed(_Landing(leg, context), state, IngestedFiles(leg.checkpoint))
    else:
        _ingest_found(leg, context)
    if state.before != begun:  # else nothing was ingested, and what others wrote meanwhile is theirs to remember
        state.commits = last_commit_ids(leg, state.tables)
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


def check_landing(leg: Leg) -> str:
    """The landing's path, if it holds topics of this user id.

    Raises:
        LandingError: there is no landing, or it has no topics of this user id.
    """
    settings, root = leg.settings, f"{leg.settings.landing.rstrip('/')}/topics"
    if landing_reader.is_local_folder(settings, root):
        check_local_landing(settings)
    elif not settings.landing or not folder_exists(leg, root):
        raise LandingError(f"{HOLDS_TOPICS}, got {settings.landing!r}")
    elif not any(folder_exists(leg, leg.for_entity(entity).topic_folder) for entity in ENTITIES):
        files = landing_reader.make_file_reader(leg.spark).load(landing_reader.as_glob(root))
        paths = [row["path"] for row in files.select("path").toLocalIterator()]
        topics = {path.rpartition("/topics/")[2].partition("/")[0] for path in paths}
        raise LandingError(describe_topics(settings, topics))
    return settings.landing


def folder_exists(leg: Leg, folder: str) -> bool:
    """True if a folder of the landing is there."""
    if landing_reader.is_local_folder(leg.settings, folder):
        return Path(folder).is_dir()
    try:
        landing_reader.make_file_reader(leg.spark).load(landing_reader.as_glob(folder)).select("path").limit(1).count()
    except AnalysisException as error:
        if "PATH_NOT_FOUND" in str(error):
            return False
        raise
    return True


def _ingest_found(leg: EntityLeg, context: IngestContext) -> None:
    """Ingests what Auto Loader finds. The content is not selected, so it is not read."""
    state = context.state
    options = {
        "cloudFiles.format": "binaryFile",
        "cloudFiles.allowOverwrites": "true",
        "cloudFiles.maxFilesPerTrigger": str(_ALL_FILES if state.rebuild else leg.settings.max_files_per_batch),
        "cloudFiles.schemaLocation": f"{leg.checkpoint}.schema",
        "recursiveFileLookup": "true",
    }
    source = leg.spark.readStream.format("cloudFiles").options(**options)
    found = source.load(landing_reader.as_glob(leg.topic_folder)).select("path", "length")
    failures: list[Exception] = []

    def each(frame: DataFrame, batch_id: int) -> None:
        try:
            _ingest_rows(frame, context, batch_id)
        except Exception as error:
            failures.append(error)
            raise

    _LOG.info("%s: looking for new files", context.topic, extra=context.log_fields)
    state.progress = {}
    writer = found.writeStream.foreachBatch(each).option("checkpointLocation", leg.checkpoint)
    query = writer.trigger(availableNow=True).start()
    try:
        query.awaitTermination()
    except StreamingQueryException as error:
        if failures and isinstance(failures[0], PinterestError):
            raise failures[0] from None
        if not failures:
            check_query_error(error, leg.checkpoint, REBUILD)
        raise error from (failures[0] if failures else None)
    finally:
        if query.isActive:
            query.stop()
    state.reload()  # over Spark Connect the batches ran elsewhere
    state.rebuild = False
    state.save()
    if state.progress:
        others = format_others(int(state.progress["others"]), json.loads(str(state.progress["examples"])))
        _LOG.warning("%s: %s", context.topic, others, extra=context.log_fields)


def _ingest_rows(frame: DataFrame, context: IngestContext, batch_id: int) -> None:
    configure_batch_logging(context)
    landing, state = _Landing(context.leg(frame.sparkSession), context), context.state
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
