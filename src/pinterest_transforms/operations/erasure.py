"""Erases posts: from every table, and with ``purge`` from the files behind them, so that nothing brings them back.

In this order: the keys are noted in ``erased``, which every later micro-batch reads; rows are deleted; answers are
computed again; files are rewritten and old ones removed. Each step works on all keys that were ever erased, so whatever
a kill has left undone is done by the next run, whatever it was started for.
"""

import logging
from collections.abc import Collection, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from pinterest_transforms.entities import ENTITIES, USER
from pinterest_transforms.errors import LandingError, SettingsError
from pinterest_transforms.ingest.excluded_records import KEYS_TYPE, blank_file, count_lines, keys_in_sql, read_excluded
from pinterest_transforms.ingest.landing_files import HOLDS_TOPICS, check_local_landing, list_folder
from pinterest_transforms.schemas import ERASED, type_ddl
from pinterest_transforms.settings import Leg, Settings
from pinterest_transforms.tables import answer_tables, maintenance, table_access
from pinterest_transforms.tables.commits import last_commit
from pinterest_transforms.tables.creation import create_table
from pinterest_transforms.tables.definitions import (
    ERASED_TABLE,
    QUARANTINE_TABLE,
    RUNS_TABLE,
    answer_specs,
    erased_spec,
    raw_table,
    work_specs,
)
from pinterest_transforms.tables.locks import entity_lock
from pinterest_transforms.tables.retry import with_retries
from pinterest_transforms.tables.table_access import create_frame

_LOG = logging.getLogger(__name__)
MODES = ("dry_run", "erase", "purge")
_MAX_KEY = 2**63 - 1
_KEYS_PER_STATEMENT = 5000
_AT_ONCE = 2
_RETENTION_CHECK = "spark.databricks.delta.retentionDurationCheck.enabled"


@dataclass(frozen=True)
class ErasedRows:
    """What an erasure has done, or would do, in one place. It holds no personal value.

    Attributes:
        place: name of the table, or ``landing``.
        rows: rows deleted, or lines blanked; in a dry run, how many there are.
        version: version of the table afterwards; None where there is none.
    """

    place: str
    rows: int
    version: int | None = None


def parse_keys(text: str) -> tuple[int, ...]:
    """Keys of posts in a text, separated by commas or white space.

    Raises:
        SettingsError: one is no whole number that a key can be.
    """
    words = text.replace(",", " ").split()
    for word in words:
        if not (word.isascii() and word.isdigit() and len(word) < 20 and int(word) <= _MAX_KEY):
            raise SettingsError(f"ind must be whole numbers of 0 or more, got {word!r}")
    return tuple(sorted({int(word) for word in words}))


def find_keys_of_user(leg: Leg, user_name: str, date_joined: str) -> tuple[int, ...]:
    """Keys of the posts of a user: name and day or time of joining tell two users of one name apart.

    Raises:
        SettingsError: the name is empty, or the date is none.
    """
    day = parse_time(date_joined, "date_joined")
    if not user_name.strip():
        raise SettingsError("user_name must be the user's first and last name, got none")
    users = table_access.read(leg, leg.settings.clean_table(USER))
    joined = F.unix_micros("date_joined")
    first = int(day.timestamp() * 1e6)
    # A date alone is the whole of that day.
    within = joined.between(first, first + 86_400_000_000 - 1) if len(date_joined.strip()) <= 10 else joined == first
    rows = users.where((F.col("user_name") == user_name.strip()) & within).select("ind").collect()
    return tuple(sorted(row["ind"] for row in rows))


def parse_time(text: str, name: str) -> datetime:
    """The date or time that a user has joined, in UTC where it has no zone.

    Raises:
        SettingsError: it is none; with the name of what was given.
    """
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError:
        raise SettingsError(f"{name} must be a date or time such as 2016-03-01 or 2016-03-01T08:15:00") from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def read_erased_keys(leg: Leg) -> tuple[int, ...]:
    """Keys of all posts that were ever erased from the leg."""
    erased = read_excluded(leg, ERASED_TABLE)
    return () if erased is None else tuple(sorted({row["ind"] for row in erased.select("ind").collect()}))


def count_rows(leg: Leg, keys: Collection[int]) -> list[ErasedRows]:
    """What ``erase`` would delete: rows of each table, and lines of the landing if there is one. Changes nothing.

    Raises:
        LandingError: the landing is no folder that can be rewritten from here, or has no topics of this user id.
    """
    found = []
    for name in _record_tables(leg.settings):
        condition = _key_condition(leg.settings, name, sorted(keys))
        rows = table_access.read(leg, name).where(condition).count() if keys else 0
        found.append(ErasedRows(name, rows))
    files = _landing_files(leg.settings)
    if leg.settings.landing:
        found.append(ErasedRows("landing", sum(count_lines(path, keys) for path in files)))
    return found


def erase(leg: Leg, keys: Collection[int], *, purge: bool = False) -> list[ErasedRows]:
    """Erases posts, and whatever an earlier erasure has left undone. Safe to kill and to run again.

    On one machine it waits for no run: while one of the leg's entities is ingested it refuses. On Databricks pause the
    leg's jobs, or run it again when they have stopped.

    Args:
        leg: session, names and places; ``creation.set_up`` was run; ``purge`` rewrites files of its ``landing``.
        keys: keys of the posts.
        purge: also remove the bytes: data files are rewritten without the rows, and old files removed at once, so
            that older versions of the tables can no longer be read.

    Returns:
        A receipt: one row per table, and one for the landing.

    Raises:
        BusyError: an ingest of the leg is not finished.
        LandingError: the landing is no folder that can be rewritten from here, or has no topics of this user id.
    """
    files = _landing_files(leg.settings) if purge else []
    with entity_lock(leg.settings, *ENTITIES):
        if keys:
            create_table(leg, erased_spec())
            _note(leg, keys)
        erased = read_erased_keys(leg)
        receipt = []
        for name in _record_tables(leg.settings):
            _LOG.info("erasing from %s.%s", leg.settings.schema, name, extra={"table": name})
            receipt.append(_delete(leg, name, erased))
        answer_tables.refresh_answers(leg)
        if purge:
            _LOG.info("blanking lines of %d landing files", len(files), extra={"files": len(files)})
            known = frozenset(erased)
            receipt.append(ErasedRows("landing", sum(blank_file(path, known) for path in files)))
            _remove_bytes(leg)
        return receipt


def receipt_frame(spark: SparkSession, receipt: Sequence[ErasedRows]) -> DataFrame:
    """The receipt as a frame: place, rows, version."""
    return create_frame(spark, [vars(one) for one in receipt], "struct<place: string, rows: bigint, version: bigint>")


def _note(leg: Leg, keys: Collection[int]) -> None:
    """Adds the keys to ``erased``, for each kind of record, those that are not there."""
    now = datetime.now(UTC).isoformat()
    rows = [{"kind": entity.name, "ind": key, "erased_at": now} for entity in ENTITIES for key in sorted(keys)]
    there = leg.table(ERASED_TABLE)
    new = create_frame(leg.spark, rows, type_ddl(ERASED)).join(there, ["kind", "ind"], "left_anti")
    with_retries(lambda: new.writeTo(leg.qualified(ERASED_TABLE)).append())


def _record_tables(settings: Settings) -> list[str]:
    return [spec.name for spec in work_specs(settings) if spec.name != RUNS_TABLE]


def _key_condition(settings: Settings, table: str, keys: Iterable[int]) -> str:
    """SQL of the rows of a table that are of some keys."""
    listed = ", ".join(map(str, keys))
    texts = {QUARANTINE_TABLE: "raw", raw_table(settings): "CAST(data AS STRING)"}
    if table in texts:
        return f"arrays_overlap({keys_in_sql(texts[table])}, CAST(array({listed}) AS {KEYS_TYPE}))"
    return f"ind IN ({listed})"


def _delete(leg: Leg, table: str, keys: Sequence[int]) -> ErasedRows:
    deleted = 0
    for first in range(0, len(keys), _KEYS_PER_STATEMENT):
        condition = _key_condition(leg.settings, table, keys[first : first + _KEYS_PER_STATEMENT])
        statement = f"DELETE FROM {leg.qualified(table)} WHERE {condition}"
        deleted += with_retries(lambda statement=statement: leg.sql(statement).collect()[0][0])  # type: ignore[misc]
    return ErasedRows(table, deleted, last_commit(leg, table).version)


def _landing_files(settings: Settings) -> list[Path]:
    """The landing's files of records; a bucket is none of this machine's folders, a volume or a mount is."""
    if not settings.landing:
        return []
    # The root of DBFS is a folder of the driver; a mount is named without it.
    root = f"/dbfs{settings.landing}" if settings.landing.startswith("/mnt/") else settings.landing
    here = replace(settings, landing=root)
    if not Path(root, "topics").is_dir():
        raise LandingError(f"{HOLDS_TOPICS}, a volume or a mount, got {settings.landing!r}")
    check_local_landing(here)
    listed = [list_folder(here.topic_folder(entity), here.topic(entity)).records for entity in ENTITIES]
    return sorted(Path(path) for records in listed for path in records)


def _remove_bytes(leg: Leg) -> None:
    """Rewrites data files without deleted rows, and removes every file that no current version names."""
    existing, work = table_access.list_tables(leg), {spec.name: spec for spec in work_specs(leg.settings)}

    def remove(name: str) -> None:
        _LOG.info("purging %s.%s", leg.settings.schema, name, extra={"table": name})
        if name in work:  # an answer is replaced as a whole: no row of it is only marked as deleted
            maintenance.purge_rows(leg, work[name])
        maintenance.vacuum_at_once(leg, name)

    with _without_retention_check(leg.spark), ThreadPoolExecutor(_AT_ONCE) as pool:
        list(pool.map(remove, [*work, *(spec.name for spec in answer_specs() if spec.name in existing)]))


@contextmanager
def _without_retention_check(spark: SparkSession) -> Iterator[None]:
    """Delta refuses to remove files that readers may still use; an erasure is to take them from those, too."""
    try:
        before = spark.conf.get(_RETENTION_CHECK, "true")
        spark.conf.set(_RETENTION_CHECK, "false")
    except PySparkException:  # serverless compute takes no such setting: the table's property alone decides there
        yield
        return
    try:
        yield
    finally:
        spark.conf.set(_RETENTION_CHECK, str(before))
