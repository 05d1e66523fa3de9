"""The quality gate: whether the records are good enough, and new enough, for the answers to be trusted.

Rejected records are counted in ``runs``. It cannot show how old the data is: a quiet run writes no row, and a rebuild
or a repeated delivery writes one without new records. The age is that of the newest record's arrival
(``_source.arrived``), in the clean tables and in quarantine: a topic with rejected records alone is bad, not silent.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import reduce

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from pinterest_transforms.entities import ENTITIES
from pinterest_transforms.errors import QualityError
from pinterest_transforms.settings import Leg, parse_float
from pinterest_transforms.tables import table_access
from pinterest_transforms.tables.definitions import QUARANTINE_TABLE, RUNS_TABLE

_LOG = logging.getLogger(__name__)
ALL = "all"
"""Stands where a topic stands, for the three together."""
_DAY = timedelta(days=1)
_NUMBERS = ("read", "merged", "already_there", "rejected", "repaired")
_COLUMNS = (
    "topic STRING, read BIGINT, merged BIGINT, already_there BIGINT, rejected BIGINT, repaired BIGINT, "
    "rejected_share DOUBLE, newest_arrival TIMESTAMP_LTZ, hours_old DOUBLE"
)


@dataclass(frozen=True)
class QualityThresholds:
    """What must hold for the answers to be trusted.

    Attributes:
        max_rejected_ratio: share of the records read that may be rejected, 0 to 1; of each topic and of all.
        max_age_hours: how old the newest record of each topic may be, in hours; 0 if that does not matter.
    """

    max_rejected_ratio: float = 0.2
    max_age_hours: float = 48

    @classmethod
    def from_text(cls, max_rejected_ratio: str, max_age_hours: str) -> "QualityThresholds":
        """The thresholds in the texts of widgets.

        Raises:
            SettingsError: one of them is no number, or out of its range.
        """
        return cls(
            parse_float(max_rejected_ratio, "max_rejected_ratio", maximum=1),
            parse_float(max_age_hours, "max_age_hours"),
        )


@dataclass(frozen=True)
class TopicMetrics:
    """Metrics of one topic, or of all.

    Attributes:
        topic: the topic or stream, or ``all``.
        read: records read by the run; how many of them were ``merged``, ``already_there``, ``rejected`` and
            ``repaired``, as in ``runs``.
        newest_arrival: when the newest record of all runs arrived; None if none ever did.
        age_hours: how long ago that is, in hours.
    """

    topic: str
    read: int = 0
    merged: int = 0
    already_there: int = 0
    rejected: int = 0
    repaired: int = 0
    newest_arrival: datetime | None = None
    age_hours: float | None = None

    @property
    def rejected_ratio(self) -> float | None:
        """Share of the records read that were rejected; None if nothing was read."""
        return self.rejected / self.read if self.read else None


def collect_metrics(leg: Leg, run_id: str = "", now: datetime | None = None) -> list[TopicMetrics]:
    """The metrics of each topic, then of all together.

    Args:
        leg: session, names and places.
        run_id: whose records are counted; empty for all runs of the last day.
        now: the time; None for the clock's.

    Raises:
        TableError: a table is not there.
    """
    now = now or datetime.now(UTC)
    counted, newest = _counted(leg, run_id, now), _newest_arrivals(leg)
    topics = [leg.for_entity(entity).source_name for entity in ENTITIES]
    found = [_metrics_of(topic, counted.get(topic, {}), newest.get(topic), now) for topic in topics]
    totals = {name: sum(getattr(metrics, name) for metrics in found) for name in _NUMBERS}
    return [*found, _metrics_of(ALL, totals, max(newest.values(), default=None), now)]


def metrics_frame(spark: SparkSession, metrics: Sequence[TopicMetrics]) -> DataFrame:
    """The metrics as a frame: topic, read … repaired, rejected_share (0 to 1), newest_arrival (UTC), hours_old."""
    rows = [
        (
            one.topic,
            *(getattr(one, name) for name in _NUMBERS),
            _rounded(one.rejected_ratio, 4),
            one.newest_arrival,
            _rounded(one.age_hours, 1),
        )
        for one in metrics
    ]
    return spark.createDataFrame(rows, _COLUMNS)


def check_metrics(metrics: Sequence[TopicMetrics], thresholds: QualityThresholds, run_id: str = "") -> None:
    """Passes if the thresholds are met. A run without records passes, unless the newest record is too old.

    Raises:
        QualityError: in one line, each figure that passes its bar.
    """
    failures = [
        *_check_rejected(metrics, thresholds.max_rejected_ratio),
        *_check_ages(metrics, thresholds.max_age_hours),
    ]
    if failures:
        which = f"run {run_id}" if run_id else "the last day's runs"
        raise QualityError(f"quality gate, {which}: {'; '.join(failures)}")
    counts = {name: getattr(one, name) for one in metrics if one.topic == ALL for name in _NUMBERS}
    _LOG.info("quality gate passed", extra={"run_id": run_id, **counts})


def _counted(leg: Leg, run_id: str, now: datetime) -> dict[str, dict[str, int]]:
    """Counts of each topic in ``runs``, without runs that were undone."""
    runs = table_access.read(leg, RUNS_TABLE).where("undone_at IS NULL")
    chosen = F.col("run_id") == run_id if run_id else F.unix_micros("started") >= int((now - _DAY).timestamp() * 1e6)
    totals = runs.where(chosen).groupBy("topic").agg(*(F.sum(name).alias(name) for name in _NUMBERS)).collect()
    return {row["topic"]: {name: row[name] for name in _NUMBERS} for row in totals}


def _newest_arrivals(leg: Leg) -> dict[str, datetime]:
    """When the newest record of each topic of this user id arrived; topics of which none did are left out."""
    legs, arrived = [leg.for_entity(entity) for entity in ENTITIES], F.unix_micros("_source.arrived").alias("arrived")
    sources = [
        table_access.read(one, one.clean_table).select(F.lit(one.source_name).alias("topic"), arrived) for one in legs
    ]
    sources.append(table_access.read(leg, QUARANTINE_TABLE).select("topic", arrived))
    last = reduce(DataFrame.unionAll, sources).groupBy("topic").agg(F.max("arrived").alias("arrived")).collect()
    known = {one.source_name for one in legs}
    found = {row["topic"]: row["arrived"] for row in last if row["topic"] in known}
    return {topic: datetime.fromtimestamp(at / 1e6, UTC) for topic, at in found.items() if at is not None}


def _metrics_of(topic: str, numbers: dict[str, int], newest_arrival: datetime | None, now: datetime) -> TopicMetrics:
    hours = None if newest_arrival is None else (now - newest_arrival) / timedelta(hours=1)
    return TopicMetrics(topic, **numbers, newest_arrival=newest_arrival, age_hours=hours)


def _check_rejected(metrics: Sequence[TopicMetrics], bar: float) -> list[str]:
    return [
        f"rejected records must be at most {bar:.2%} of those read, got {one.rejected_ratio:.2%} of {one.topic} "
        f"({one.rejected:,} of {one.read:,})"
        for one in metrics
        if one.rejected_ratio is not None and one.rejected_ratio > bar
    ]


def _check_ages(metrics: Sequence[TopicMetrics], bar: float) -> list[str]:
    """Checks each topic alone: if one gets no records, its posts are incomplete, however busy the others are."""
    if not bar:
        return []
    topics = [one for one in metrics if one.topic != ALL]
    if all(one.age_hours is None for one in topics):
        return [f"the newest record must be at most {bar:g} hours old, got none: nothing has ever arrived"]
    said = []
    for one in topics:
        if one.newest_arrival is None or one.age_hours is None:
            said.append(f"the newest record of {one.topic} must be at most {bar:g} hours old, got none at all")
        elif one.age_hours > bar:
            said.append(
                f"the newest record of {one.topic} must be at most {bar:g} hours old, got one of {one.age_hours:,.1f} "
                f"hours ({one.newest_arrival:%Y-%m-%d %H:%M} UTC)"
            )
    return said


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)
