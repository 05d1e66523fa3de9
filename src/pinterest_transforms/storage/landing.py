"""Takes what is new in the landing: each file once, by a stream that ends when nothing is left.

Auto Loader finds the files on Databricks, Spark's file stream on one machine. Either says only *which* files are new;
they are then read by name, so that sizes are checked first and every pass reads no more than it needs.
"""

from collections.abc import Callable
from pathlib import Path

from pyspark.errors import AnalysisException, StreamingQueryException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import types as T

from pinterest_transforms.entities import ENTITIES, Entity
from pinterest_transforms.errors import LandingError, PinterestError
from pinterest_transforms.settings import Settings
from pinterest_transforms.storage import files, tables
from pinterest_transforms.storage.batches import Batch, Work, take_batch
from pinterest_transforms.storage.checkpoint_files import check_query_error
from pinterest_transforms.storage.commits import check_commits, last_commit_ids
from pinterest_transforms.storage.guard import REBUILD, Guard, open_guard
from pinterest_transforms.storage.locks import entity_lock
from pinterest_transforms.storage.specs import QUARANTINE_TABLE, RUNS_TABLE

_FILE = T.StructType(
    [
        T.StructField("path", T.StringType()),
        T.StructField("modificationTime", T.TimestampType()),
        T.StructField("length", T.LongType()),
        T.StructField("content", T.BinaryType()),
    ]
)
_ALL_FILES = 1_000_000_000
_YEARS = "36500d"

Say = Callable[[str], None]


def silent(message: str) -> None:
    """Says nothing."""


def take_landing(
    spark: SparkSession,
    settings: Settings,
    entity: Entity,
    run_id: str,
    *,
    rebuild: bool = False,
    say: Say = silent,
) -> None:
    """Cleans and merges everything new in the entity's topic. Again on the same landing, it reads nothing.

    Args:
        spark: session; ``tables.set_up`` was run.
        settings: names and places; ``landing`` holds ``topics/``.
        entity: the kind of record.
        run_id: name of this run, for ``runs``.
        rebuild: clean everything in the landing again, and replace what was made of it.
        say: told what is being done.

    Raises:
        BusyError: another run of the same entity is not finished.
        CheckpointError: the checkpoint belongs to other tables or another landing.
        LandingError: a file cannot be taken.
    """
    with entity_lock(settings, entity):
        guard = _opened(spark, settings, entity, rebuild=rebuild)
        folder = settings.topic_folder(entity)
        if not _is_there(spark, settings, folder):
            say(f"{settings.topic(entity)}: nothing has arrived yet")
            return
        work = Work(settings, entity, run_id, guard)
        listed = files.listing(spark, settings, folder) if settings.warehouse else {}
        # What a killed run had begun is finished before anything new: it is known by what the guard keeps of it.
        _take_again(spark, work, listed, say)
        _take_new(spark, work, say)
        guard.reload()  # over Spark Connect the batches ran elsewhere
        guard.rebuild = False
        guard.save()
        if settings.warehouse:
            _take_rewritten(spark, work, listed, say)
        guard.commits = last_commit_ids(spark, settings, guard.tables)
        guard.save()


def check_landing(spark: SparkSession, settings: Settings) -> str:
    """The landing's path, if it holds topics of this user id.

    Raises:
        LandingError: there is no landing, or it holds nobody's or somebody else's topics.
    """
    root = f"{settings.landing.rstrip('/')}/topics"
    if not settings.landing or not _is_there(spark, settings, root):
        raise LandingError(f"landing must be a folder that holds topics/, got {settings.landing!r}")
    if not any(_is_there(spark, settings, settings.topic_folder(entity)) for entity in ENTITIES):
        paths = files.listing(spark, settings, root)
        topics = sorted({path.rpartition("/topics/")[2].partition("/")[0] for path in paths})
        found = ", ".join(topics[:9]) or "no files"
        raise LandingError(f"landing must hold topics {settings.user_id}.pin, .geo or .user, got {found}")
    return settings.landing


def _is_there(spark: SparkSession, settings: Settings, folder: str) -> bool:
    if files.on_this_machine(settings, folder):
        return Path(folder).is_dir()
    try:
        files.reader(spark).load(files.as_glob(folder)).select("path").limit(1).count()
    except AnalysisException as error:
        if "PATH_NOT_FOUND" in str(error):
            return False
        raise
    return True


def _opened(spark: SparkSession, settings: Settings, entity: Entity, *, rebuild: bool) -> Guard:
    names = (settings.clean_table(entity), QUARANTINE_TABLE, RUNS_TABLE)
    ids = {name: tables.properties(spark, settings, name)[tables.ID_PROPERTY] for name in names}
    folder, checkpoint = settings.topic_folder(entity), settings.checkpoint(entity)
    guard = open_guard(checkpoint, folder, ids, fresh=rebuild, rebuild=rebuild)
    check_commits(spark, settings, guard.commits, REBUILD)
    return guard


def _stream(spark: SparkSession, work: Work) -> DataFrame:
    """The new files' names and sizes. The content is not asked for, so it is not read."""
    settings, entity, rebuild = work.settings, work.entity, work.guard.rebuild
    limit = str(_ALL_FILES if rebuild else settings.max_files_per_batch)
    common = {"pathGlobFilter": "*.json", "recursiveFileLookup": "true"}
    if settings.warehouse:
        # By default files over a week older than the newest are skipped without a word.
        options = {**common, "maxFilesPerTrigger": limit, "maxFileAge": _YEARS}
        source = spark.readStream.format("binaryFile").schema(_FILE).options(**options)
    else:
        options = {
            "cloudFiles.format": "binaryFile",
            "cloudFiles.allowOverwrites": "true",
            "cloudFiles.maxFilesPerTrigger": limit,
            "cloudFiles.schemaLocation": f"{settings.checkpoint(entity)}.schema",
        }
        source = spark.readStream.format("cloudFiles").options(**common, **options)
    return source.load(files.as_glob(settings.topic_folder(entity))).select("path", "length")


def _take_new(spark: SparkSession, work: Work, say: Say) -> None:
    failures: list[Exception] = []

    def each(frame: DataFrame, batch_id: int) -> None:
        try:
            sizes = {row["path"]: row["length"] for row in frame.collect()}
            _take_files(frame.sparkSession, work, sizes, batch_id)
        except Exception as error:
            failures.append(error)
            raise

    say(f"{work.settings.topic(work.entity)}: looking for new files")
    writer = _stream(spark, work).writeStream.foreachBatch(each)
    writer = writer.option("checkpointLocation", work.settings.checkpoint(work.entity))
    query = writer.trigger(availableNow=True).start()
    try:
        query.awaitTermination()
    except StreamingQueryException as error:
        if failures and isinstance(failures[0], PinterestError):
            raise failures[0] from None
        if not failures:
            check_query_error(error, work.settings.checkpoint(work.entity), REBUILD)
        raise error from (failures[0] if failures else None)
    finally:
        if query.isActive:
            query.stop()


def _take_files(spark: SparkSession, work: Work, sizes: dict[str, int], batch_id: int) -> None:
    """One micro-batch: the files of these paths and sizes."""
    settings, entity, guard = work.settings, work.entity, work.guard
    topic = settings.topic(entity)
    files.check_files(sizes, settings.max_file_bytes)
    # A file that was taken away between its listing and its reading cannot be had any more.
    local = {path: Path(path.removeprefix("file:")) for path in sizes if path.startswith("file:/")}
    paths = sorted(path for path in sizes if path not in local or local[path].is_file())
    keys = {files.key_of(path, topic): sizes[path] for path in paths}
    replace = guard.rebuild and batch_id == 0
    batch = Batch(work.run_id, batch_id, tuple(keys) if replace else None)
    if paths:
        take_batch(spark, settings, entity, files.raw_records(spark, settings, entity, paths), batch, guard)
    guard.sizes.update(keys)
    guard.save()


def _take_rewritten(spark: SparkSession, work: Work, listed: dict[str, int], say: Say) -> None:
    """Takes what Spark's file stream does not give: it knows a file by its name alone, and gives each name once.

    That is files that have grown since they were taken, and files that were there when the run began and were not
    taken: the stream passes over one that is empty, and a file that is gone for a moment is gone for good.
    """
    guard, topic = work.guard, work.settings.topic(work.entity)
    sizes = files.listing(spark, work.settings, work.settings.topic_folder(work.entity))
    known = {path: guard.sizes.get(files.key_of(path, topic)) for path in sizes}
    missed = [path for path, size in sizes.items() if known[path] is None and size and path in listed]
    changed = [path for path, size in sizes.items() if known[path] not in (None, size)]
    if missed or changed:
        guard.next_again -= 1
        guard.again = {str(guard.next_again): sorted([*missed, *changed])}
        guard.save()
        _take_again(spark, work, sizes, say)


def _take_again(spark: SparkSession, work: Work, sizes: dict[str, int], say: Say) -> None:
    """Takes the files the guard says are to be taken by name."""
    guard = work.guard
    for number, paths in list(guard.again.items()):
        say(f"{work.settings.topic(work.entity)}: {len(paths)} files were rewritten")
        _take_files(spark, work, {path: sizes[path] for path in paths if path in sizes}, int(number))
        guard.again = {}
        guard.save()
