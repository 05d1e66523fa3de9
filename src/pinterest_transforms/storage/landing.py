"""Takes what is new in the landing: each file once, and again where it was rewritten.

On one machine the landing is listed and compared with what was taken. On Databricks Auto Loader says which files are
new. Either way they are then read by name, so that sizes are checked first and every pass reads no more than it needs.
"""

import json
from collections.abc import Callable, Mapping
from pathlib import Path

from pyspark.errors import AnalysisException, StreamingQueryException
from pyspark.sql import DataFrame, SparkSession

from pinterest_transforms.entities import ENTITIES, Entity
from pinterest_transforms.errors import LandingError, PinterestError
from pinterest_transforms.landing_files import FEW_NAMED, FileStamp, Listing, others_text
from pinterest_transforms.settings import Settings
from pinterest_transforms.storage import conflicts, files, tables
from pinterest_transforms.storage.batches import Batch, Work, take_batch
from pinterest_transforms.storage.checkpoint_files import check_query_error
from pinterest_transforms.storage.commits import check_commits, last_commit_ids
from pinterest_transforms.storage.guard import REBUILD, Guard, open_guard
from pinterest_transforms.storage.listing import unusable
from pinterest_transforms.storage.locks import entity_lock
from pinterest_transforms.storage.specs import QUARANTINE_TABLE, RUNS_TABLE
from pinterest_transforms.storage.taken import TakenFiles

_ALL_FILES = 1_000_000_000

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
        if not is_there(spark, settings, settings.topic_folder(entity)):
            say(f"{settings.topic(entity)}: nothing has arrived yet")
            return
        work = Work(settings, entity, run_id, guard)
        if not (guard.last or guard.rebuild):
            # A new checkpoint: what the table holds may be of other objects.
            guard.last = conflicts.last_offsets(spark, settings, entity)
        bad, begun = "", dict(guard.before)
        if settings.warehouse:
            bad = _take_listed(spark, work, say)
        else:
            _take_found(spark, work, say)
        guard.rebuild = False
        if guard.before != begun:  # else nothing was taken, and what others wrote meanwhile is theirs to remember
            guard.commits = last_commit_ids(spark, settings, guard.tables)
        guard.save()
        if guard.conflicts:
            say(
                f"{settings.topic(entity)}: {guard.conflicts:,} records stand at offsets that were taken with another "
                "content: objects were rewritten, or the topic was made again; remove the old topic's objects, if "
                "there are any, and run with --rebuild"
            )
        if bad:
            raise LandingError(f"{bad}; the other files were taken")


def check_landing(spark: SparkSession, settings: Settings) -> str:
    """The landing's path, if it holds topics of this user id.

    Raises:
        LandingError: there is no landing, or it holds nobody's or somebody else's topics.
    """
    root = f"{settings.landing.rstrip('/')}/topics"
    if not settings.landing or not is_there(spark, settings, root):
        raise LandingError(f"landing must be a folder that holds topics/, got {settings.landing!r}")
    if not any(is_there(spark, settings, settings.topic_folder(entity)) for entity in ENTITIES):
        found = ", ".join(_topics(spark, settings, root)[:9]) or "no files"
        raise LandingError(f"landing must hold topics {settings.user_id}.pin, .geo or .user, got {found}")
    return settings.landing


def _topics(spark: SparkSession, settings: Settings, root: str) -> list[str]:
    """Names of the folders of a landing that has none of this user."""
    if files.on_this_machine(settings, root):
        return sorted(folder.name for folder in Path(root).iterdir() if folder.is_dir())
    paths = files.reader(spark).load(files.as_glob(root)).select("path").toLocalIterator()
    return sorted({row["path"].rpartition("/topics/")[2].partition("/")[0] for row in paths})


def is_there(spark: SparkSession, settings: Settings, folder: str) -> bool:
    """True if a folder of the landing is there."""
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


def _take_listed(spark: SparkSession, work: Work, say: Say) -> str:
    """Takes files of the landing that are new or were rewritten, the oldest first.

    Returns:
        What is to be said of files that cannot be taken, and are looked at again in the next run; empty if all can.

    Raises:
        LandingError: such a file stands in the way of a rebuild, which would lose what was made of it before.
    """
    settings, guard, topic = work.settings, work.guard, work.settings.topic(work.entity)
    listing = files.listing(spark, settings, topic)
    for line in listing.remarks():
        say(line)
    taken = TakenFiles(settings.checkpoint(work.entity))

    def is_new(path: str) -> bool:
        return not taken.is_taken(files.key_of(path, topic), listing.records[path])

    local = files.on_this_machine(settings, settings.topic_folder(work.entity))
    reasons = {
        path: unusable(path, stamp.size, settings.max_file_bytes, local=local)
        for path, stamp in listing.records.items()
        if is_new(path)
    }
    bad = {path: reason for path, reason in reasons.items() if reason}
    if bad and guard.rebuild:
        raise LandingError(f"{_few(bad)}; nothing was read")
    good = {path: stamp for path, stamp in listing.records.items() if path not in bad}
    # What a killed run had begun is finished before anything new: by its number it is known what was counted.
    for number, paths in list(guard.again.items()):
        say(f"{topic}: {len(paths)} files that another run had begun")
        _take_noted(spark, work, taken, {path: good[path] for path in paths if path in good}, int(number))
    new = sorted(filter(is_new, good), key=lambda path: (good[path].modified, path))
    say(f"{topic}: {len(new)} new files")
    if taken.stamps and (line := conflicts.going_back(conflicts.starts_of(new, topic), guard.last)):
        say(f"{topic}: {line}")
    size = _ALL_FILES if guard.rebuild else settings.max_files_per_batch
    for first in range(0, len(new), size):
        guard.next_again += 1
        _take_noted(spark, work, taken, {path: good[path] for path in new[first : first + size]}, guard.next_again - 1)
    return _few(bad)


def _few(bad: Mapping[str, str]) -> str:
    """What is to be said of the first few files that cannot be taken, and how many more there are."""
    more = f"; and {len(bad) - FEW_NAMED} more" if len(bad) > FEW_NAMED else ""
    return "; ".join(reason for _, reason in sorted(bad.items())[:FEW_NAMED]) + more


def _take_noted(spark: SparkSession, work: Work, taken: TakenFiles, stamps: dict[str, FileStamp], number: int) -> None:
    """One micro-batch of listed files. Which ones is saved with the rest of the guard before anything is written."""
    guard, topic = work.guard, work.settings.topic(work.entity)
    guard.again = {str(number): sorted(stamps)}
    there = _take_files(spark, work, list(stamps), number)
    taken.add({files.key_of(path, topic): stamps[path] for path in there})
    guard.again = {}
    guard.save()


def _take_found(spark: SparkSession, work: Work, say: Say) -> None:
    """Takes what Auto Loader finds. The content is not asked for, so it is not read."""
    settings, entity, guard = work.settings, work.entity, work.guard
    topic = settings.topic(entity)
    options = {
        "cloudFiles.format": "binaryFile",
        "cloudFiles.allowOverwrites": "true",
        "cloudFiles.maxFilesPerTrigger": str(_ALL_FILES if guard.rebuild else settings.max_files_per_batch),
        "cloudFiles.schemaLocation": f"{settings.checkpoint(entity)}.schema",
        "recursiveFileLookup": "true",
    }
    source = spark.readStream.format("cloudFiles").options(**options)
    found = source.load(files.as_glob(settings.topic_folder(entity))).select("path", "length")
    failures: list[Exception] = []

    def each(frame: DataFrame, batch_id: int) -> None:
        try:
            _take_rows(frame, work, batch_id)
        except Exception as error:
            failures.append(error)
            raise

    say(f"{topic}: looking for new files")
    guard.seen = {}
    writer = found.writeStream.foreachBatch(each).option("checkpointLocation", settings.checkpoint(entity))
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
    guard.reload()  # over Spark Connect the batches ran elsewhere
    if guard.seen:
        say(f"{topic}: {others_text(int(guard.seen['others']), json.loads(str(guard.seen['examples'])))}")


def _take_rows(frame: DataFrame, work: Work, batch_id: int) -> None:
    """One micro-batch of the files that Auto Loader has found."""
    settings, guard = work.settings, work.guard
    topic = settings.topic(work.entity)
    others = int(guard.seen.get("others", 0))
    listing = Listing(topic, others=others, examples=json.loads(str(guard.seen.get("examples", "[]"))))
    for row in frame.collect():
        below = files.key_of(row["path"], topic).removeprefix(f"topics/{topic}/")
        listing.add(row["path"], below, FileStamp(row["length"], 0))
    for path, stamp in sorted(listing.records.items()):
        if reason := unusable(path, stamp.size, settings.max_file_bytes, local=False):
            raise LandingError(reason)
    guard.seen = {"others": listing.others, "examples": json.dumps(listing.examples)} if listing.others else {}
    _take_files(frame.sparkSession, work, list(listing.records), batch_id)
    guard.save()


def _take_files(spark: SparkSession, work: Work, paths: list[str], batch_id: int) -> list[str]:
    """One micro-batch of files.

    Returns:
        Those that were there: one that was taken away since its listing cannot be had any more.
    """
    settings, entity, guard = work.settings, work.entity, work.guard
    local = files.on_this_machine(settings, settings.landing)
    there = sorted(path for path in paths if not local or Path(path).is_file())
    topic, replace = settings.topic(entity), guard.rebuild and batch_id == 0
    keys = tuple(files.key_of(path, topic) for path in there)
    starts = conflicts.starts_of(there, topic)
    compare = not replace and bool(conflicts.goes_back(starts, guard.last))
    batch = Batch(work.run_id, batch_id, keys if replace else None, compare)
    if there:
        with files.naming_unread():
            take_batch(spark, settings, entity, files.raw_records(spark, there), batch, guard)
    guard.last |= {shard: max(greatest, guard.last.get(shard, -1)) for shard, (_, greatest) in starts.items()}
    return there
