"""Keeps a leg's tables small and quick: joins small files, removes what has been kept for long enough.

No lock is taken. A continuous stream holds its locks as long as it runs, so that maintenance would never have its turn,
and where a catalog manages the tables there are none. It needs none: every step here is a separate commit that Delta
checks against those of running jobs. Joining files changes no row; whoever commits second tries again
(``retry.with_retries``), here and in the jobs. Rows are removed topic by topic, with the topic as a literal, so that a
job that notes new ones is not in the way. Files are removed only when no table has named them for ``vacuum_hours``:
what a reader or writer under way may still use is younger.
"""

import logging
from concurrent.futures import ThreadPoolExecutor
from dataclasses import astuple, dataclass
from datetime import UTC, datetime, timedelta

from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession

from pinterest_transforms.entities import ENTITIES
from pinterest_transforms.errors import SettingsError
from pinterest_transforms.settings import Leg, parse_int, quote_identifiers
from pinterest_transforms.tables import raw_archive, table_access
from pinterest_transforms.tables.commits import commits_since, last_commit
from pinterest_transforms.tables.definitions import QUARANTINE_TABLE, TableSpec, answer_specs, raw_table, work_specs
from pinterest_transforms.tables.retry import with_retries

_LOG = logging.getLogger(__name__)
LEAST_HOURS = 168
"""Seven days: Delta's own limit for files that readers and writers under way may still use."""
_MOST_HOURS = 720
"""Thirty days: Delta removes older versions from its log, so their files could not be read anyway."""
_CHECK = "spark.databricks.delta.retentionDurationCheck.enabled"
_KEPT_FOR = "delta.deletedFileRetentionDuration"
_AT_ONCE = 2
_COLUMNS = "table STRING, rows_removed BIGINT, files_before BIGINT, files_after BIGINT, bytes_after BIGINT"


@dataclass(frozen=True)
class Retention:
    """How long things are kept; raw records by ``Settings.raw_days``.

    Attributes:
        quarantine_days: records in quarantine, by when they were first noted, in days; 0 for ever.
        vacuum_hours: files that no table names any more, in hours.
    """

    quarantine_days: int = 90
    vacuum_hours: int = LEAST_HOURS

    @classmethod
    def from_text(cls, quarantine_days: str, vacuum_hours: str) -> "Retention":
        """The retention in the texts of widgets.

        Raises:
            SettingsError: one of them is no whole number, or out of its range.
        """
        days = parse_int(quarantine_days, "quarantine_days", maximum=36_500)
        return cls(days, parse_int(vacuum_hours, "vacuum_hours", maximum=_MOST_HOURS))


@dataclass(frozen=True)
class MaintenanceResult:
    """What was done to one table.

    Attributes:
        table: bare name.
        rows_removed: rows over their retention.
        files_before: data files of the table before.
        files_after: data files of the table now.
        bytes_after: their bytes.
    """

    table: str
    rows_removed: int
    files_before: int
    files_after: int
    bytes_after: int


def maintain(leg: Leg, retention: Retention, *, now: datetime | None = None) -> list[MaintenanceResult]:
    """Maintains every table of the leg, beside whatever runs.

    Args:
        leg: session, names and places; ``creation.set_up`` was run; raw records are kept for its ``raw_days``.
        retention: how long the rest is kept.
        now: the time; None for the clock's.

    Raises:
        SettingsError: ``vacuum_hours`` is so short that readers under way could lose their files.
        TableError: a table is not there.
    """
    _check_hours(leg.spark, retention.vacuum_hours)
    now = now or datetime.now(UTC)
    work = {spec.name: spec for spec in work_specs(leg.settings)}
    for name in work:
        table_access.read(leg, name)
    existing = table_access.list_tables(leg)
    names = [*work, *(spec.name for spec in answer_specs() if spec.name in existing)]

    def one(name: str) -> MaintenanceResult:
        _LOG.info("%s.%s", leg.settings.schema, name, extra={"table": name})
        before, removed = _detail(leg, name)[0], 0
        if name in work:  # an answer is replaced as a whole: there is nothing to join
            removed = _tidy(leg, work[name], before, retention, now)
        _vacuum(leg, name, retention.vacuum_hours)
        return MaintenanceResult(name, removed, before, *_detail(leg, name))

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return list(pool.map(one, names))


def results_frame(spark: SparkSession, done: list[MaintenanceResult]) -> DataFrame:
    """What was done, one row per table: table, rows_removed, files_before, files_after, bytes_after."""
    return spark.createDataFrame([astuple(one) for one in done], _COLUMNS)


def _check_hours(spark: SparkSession, hours: int) -> None:
    """Refuses too short a time, as Delta did before it took the time from the table's property alone."""
    if hours >= LEAST_HOURS:
        return
    try:
        checked = spark.conf.get(_CHECK, "true") != "false"
    except PySparkException:  # serverless compute neither reads nor takes such a setting
        checked = True
    if checked:
        raise SettingsError(
            f"vacuum_hours must be at least {LEAST_HOURS}, so that readers and writers under way keep their files, got "
            f"{hours}; {_CHECK}=false allows less"
        )


def _tidy(leg: Leg, spec: TableSpec, files: int, retention: Retention, now: datetime) -> int:
    """Removes rows over their retention and joins small files; how many rows were removed."""
    name = spec.name
    table, before = leg.qualified(name), last_commit(leg, name).version
    if name == raw_table(leg.settings):
        for entity in ENTITIES:
            raw_archive.maintain(leg.for_entity(entity), now)
    else:
        if name == QUARANTINE_TABLE and retention.quarantine_days:
            _delete_quarantined(leg, now - timedelta(days=retention.quarantine_days))
        # On one machine rows are sorted while files are joined; a catalog's tables are clustered by OPTIMIZE alone.
        is_sorted = leg.settings.warehouse and files > 1 and spec.clustered_by
        order = f" ZORDER BY ({', '.join(map(quote_identifiers, spec.clustered_by))})" if is_sorted else ""
        with_retries(lambda: leg.sql(f"OPTIMIZE {table}{order}").collect())
    deletes = [one for one in commits_since(leg, name, before) if one.version > before and one.operation == "DELETE"]
    removed = sum(int(commit.metrics.get("numDeletedRows", 0)) for commit in deletes)
    if removed:
        # A removed row may only be marked, and its text stays in the file until that is rewritten.
        purge_rows(leg, spec)
    return removed


def purge_rows(leg: Leg, spec: TableSpec) -> None:
    """Rewrites the data files of which rows are only marked as deleted.

    Open-source Delta passes over the files of a clustered table that are sorted already, marked rows or not: such a
    table is not clustered meanwhile. After a kill the next purge clusters it again.
    """
    table = leg.qualified(spec.name)
    is_clustered = bool(spec.clustered_by) and not leg.settings.warehouse
    statements = [f"REORG TABLE {table} APPLY (PURGE)"]
    if is_clustered:
        clause = table_access.cluster_by_sql(spec.clustered_by)
        statements = [f"ALTER TABLE {table} CLUSTER BY NONE", *statements, f"ALTER TABLE {table} {clause}"]
    for statement in statements:
        with_retries(lambda statement=statement: leg.sql(statement).collect())  # type: ignore[misc]


def _delete_quarantined(leg: Leg, border: datetime) -> None:
    """Removes what was noted in quarantine before the day of the border, a whole day of UTC at a time.

    Should such a record be delivered again, or a rebuild read it again, it is noted again.
    """
    name = leg.qualified(QUARANTINE_TABLE)
    old = f"seen_at < TIMESTAMP '{border.date().isoformat()} 00:00:00+00:00'"
    # Made of a checked user id and known entities: nothing to escape.
    topics = [f"'{leg.settings.source_name(entity)}'" for entity in ENTITIES]
    which = [f"topic = {topic}" for topic in topics]
    # What another user id, or an earlier one, has left there is as old.
    which.append(f"topic NOT IN ({', '.join(topics)})")
    for condition in which:
        if leg.sql(f"SELECT 1 FROM {name} WHERE {condition} AND {old} LIMIT 1").head(1):
            statement = f"DELETE FROM {name} WHERE {condition} AND {old}"
            with_retries(lambda statement=statement: leg.sql(statement).collect())  # type: ignore[misc]


def _vacuum(leg: Leg, name: str, hours: int) -> str:
    """Removes files that the table has not named for so long.

    Returns:
        For how long they stayed before, as the table's property has it.
    """
    before = _set_retention(leg, name, _interval(hours))
    with_retries(lambda: leg.sql(f"VACUUM {leg.qualified(name)}").collect())
    return before


def vacuum_at_once(leg: Leg, name: str) -> None:
    """Removes every file that the table does not name any more, however young; older versions go with them."""
    before = _vacuum(leg, name, 0)
    # One that was killed here has left its own time behind, by which a later VACUUM would take files from readers.
    _set_retention(leg, name, _interval(LEAST_HOURS) if before == _interval(0) else before)


def _set_retention(leg: Leg, name: str, wanted: str) -> str:
    """Sets for how long files stay that the table does not name any more; what it was.

    It is the table's property: Delta 4.4 and Databricks Runtime 18 pass over what ``VACUUM … RETAIN`` says.
    """
    before = table_access.read_properties(leg, name).get(_KEPT_FOR, _interval(LEAST_HOURS))
    if before != wanted:
        pair = table_access.properties_sql({_KEPT_FOR: wanted})
        with_retries(lambda: leg.sql(f"ALTER TABLE {leg.qualified(name)} SET TBLPROPERTIES ({pair})"))
    return before


def _interval(hours: int) -> str:
    return f"interval {hours} hours"


def _detail(leg: Leg, name: str) -> tuple[int, int]:
    """The table's data files, and their bytes."""
    row = leg.sql(f"DESCRIBE DETAIL {leg.qualified(name)}").select("numFiles", "sizeInBytes").collect()[0]
    return int(row["numFiles"]), int(row["sizeInBytes"])
