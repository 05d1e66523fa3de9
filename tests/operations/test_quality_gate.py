"""The quality gate: what it counts, what it lets pass, and the one line it fails with."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from pinterest_transforms.entities import GEO, PIN
from pinterest_transforms.errors import QualityError, SettingsError, TableError
from pinterest_transforms.operations import quality_gate
from pinterest_transforms.operations.quality_gate import QualityThresholds, TopicMetrics
from tests.support.spark_connect import connect_mode
from tests.support.table_places import WORK, Place, pin

pytestmark = pytest.mark.usefixtures("interpreted")  # many plans of few records

NOW = datetime(2026, 7, 31, 12, tzinfo=UTC)
HOUR = 3600


def of(topic: str = "abc.pin", read: int = 0, rejected: int = 0, hours: float | None = 0.0) -> TopicMetrics:
    newest = None if hours is None else NOW - timedelta(hours=hours)
    return TopicMetrics(
        topic, read=read, merged=read - rejected, rejected=rejected, newest_arrival=newest, age_hours=hours
    )


def verdict(*figures: TopicMetrics, run_id: str = "r1", **thresholds: float) -> str:
    """What the gate says; empty if it lets pass."""
    try:
        quality_gate.check_metrics(figures, QualityThresholds(**thresholds), run_id)
    except QualityError as error:
        return str(error)
    return ""


@pytest.mark.parametrize(
    ("figures", "thresholds", "said"),
    [
        ([of(read=5, rejected=1)], {}, ""),  # exactly at the bar
        ([of(hours=48.0)], {}, ""),
        ([of(read=1000, rejected=1000)], {"max_rejected_ratio": 1}, ""),
        ([of(), of("abc.geo"), of("abc.user")], {}, ""),  # an empty run
        ([of(hours=None)], {"max_age_hours": 0}, ""),
        ([of(hours=9999)], {"max_age_hours": 0}, ""),
        ([of(hours=-1)], {"max_age_hours": 0.5}, ""),  # two clocks never agree
        (
            [of(read=20, rejected=7), of("abc.geo", 980), of("all", 1000, 7)],
            {},
            "rejected records must be at most 20.00% of those read, got 35.00% of abc.pin (7 of 20)",
        ),
        (
            [of(read=1000, rejected=1), of("all", 1000, 1)],
            {"max_rejected_ratio": 0},
            "rejected records must be at most 0.00% of those read, got 0.10% of abc.pin (1 of 1,000); "
            "rejected records must be at most 0.00% of those read, got 0.10% of all (1 of 1,000)",
        ),
        (
            [of(), of("abc.geo", hours=71.53), of("abc.user"), of("all")],
            {},
            "the newest record of abc.geo must be at most 48 hours old, got one of 71.5 hours (2026-07-28 12:28 UTC)",
        ),
        (
            [of(), of("abc.geo", hours=None)],
            {"max_age_hours": 1.5},
            "the newest record of abc.geo must be at most 1.5 hours old, got none at all",
        ),
        (
            [of(hours=None), of("abc.geo", hours=None), of("all", hours=None)],
            {},
            "the newest record must be at most 48 hours old, got none: nothing has ever arrived",
        ),
        (
            [of(read=2, rejected=2, hours=50)],
            {},
            "rejected records must be at most 20.00% of those read, got 100.00% of abc.pin (2 of 2); "
            "the newest record of abc.pin must be at most 48 hours old, got one of 50.0 hours (2026-07-29 10:00 UTC)",
        ),
    ],
)
def test_each_figure_that_passes_its_bar_is_told_in_one_line(
    figures: list[TopicMetrics], thresholds: dict[str, float], said: str
):
    assert verdict(*figures, **thresholds) == (f"quality gate, run r1: {said}" if said else "")


def test_without_a_run_the_last_day_is_told():
    assert verdict(of(hours=49), run_id="").startswith("quality gate, the last day's runs: the newest record")


def test_thresholds_are_read_from_widgets():
    assert QualityThresholds.from_text("0.2", "48") == QualityThresholds() == QualityThresholds(0.2, 48)
    assert QualityThresholds.from_text("1", "0.5") == QualityThresholds(1.0, 0.5)


@pytest.mark.parametrize(
    ("max_rejected_ratio", "max_age_hours", "said"),
    [
        ("20", "48", "max_rejected_ratio must be a number from 0 to 1, got '20'"),
        ("20%", "48", "max_rejected_ratio must be a number from 0 to 1, got '20%'"),
        ("-0.1", "48", "max_rejected_ratio must be a number from 0 to 1, got '-0.1'"),
        ("nan", "48", "max_rejected_ratio must be a number from 0 to 1, got 'nan'"),
        ("", "48", "max_rejected_ratio must be a number from 0 to 1, got ''"),
        ("0.2", "2 days", "max_age_hours must be a number from 0 to 999999999, got '2 days'"),
        ("0.2", "-1", "max_age_hours must be a number from 0 to 999999999, got '-1'"),
    ],
)
def test_a_threshold_that_is_no_number_is_a_clear_error(max_rejected_ratio: str, max_age_hours: str, said: str):
    with pytest.raises(SettingsError) as error:
        QualityThresholds.from_text(max_rejected_ratio, max_age_hours)
    assert str(error.value) == said


def numbers(figures: TopicMetrics) -> tuple[str, int, int, int, int, int]:
    return (
        *(figures.topic, figures.read, figures.merged, figures.already_there),
        *(figures.rejected, figures.repaired),
    )


@pytest.fixture(scope="module")
def place_with_run(make_place: Callable[..., Place]) -> Place:
    """A place with one run."""
    with connect_mode(False):
        place = make_place(names=WORK)
        place.put(0, pin(1, "a"), pin(1, "b"), age=96 * HOUR)
        place.put(2, pin(2, "c", follower_count="lots"), "[1]", age=72 * HOUR)
        place.put(0, "{}", entity=GEO, age=3 * HOUR)
        place.take(PIN, GEO, run_id="first")
        # What another user id has left there is no news of this one's.
        source = "named_struct('shard', '0', 'position', '0', 'arrived', now(), 'file', 'f')"
        quarantine = place.settings.qualified("quarantine")
        place.spark.sql(f"INSERT INTO {quarantine} (topic, kind, _source) VALUES ('xyz.pin', 'rejected', {source})")
    return place


def test_a_run_is_measured_by_its_records_and_by_when_they_arrived(place_with_run: Place):
    place = place_with_run
    pins, geos, users, everything = quality_gate.collect_metrics(place, "first")
    assert numbers(pins) == ("abc.pin", 4, 2, 1, 1, 1)
    assert numbers(geos) == ("abc.geo", 1, 0, 0, 1, 0)  # nothing but rubbish is not silence
    assert numbers(users) == ("abc.user", 0, 0, 0, 0, 0)
    assert numbers(everything) == ("all", 5, 2, 1, 2, 1)
    assert [one.rejected_ratio for one in (pins, geos, users, everything)] == [0.25, 1.0, None, 0.4]
    assert [round(one.age_hours or 0) for one in (pins, geos, users, everything)] == [72, 3, 0, 3]
    assert users.newest_arrival is None

    # A run that finds nothing has no figures of its own; what is there is as old as it was.
    place.take(run_id="second")
    quiet = quality_gate.collect_metrics(place, "second")
    assert [one.read for one in quiet] == [0, 0, 0, 0]
    assert [one.newest_arrival for one in quiet] == [
        pins.newest_arrival,
        geos.newest_arrival,
        None,
        geos.newest_arrival,
    ]

    # A rebuild is no news.
    place.take(run_id="third", rebuild=True)
    again = quality_gate.collect_metrics(place, "third")[0]
    assert (again.read, again.newest_arrival) == (4, pins.newest_arrival)

    # Without a run: what was read within a day.
    def read(later: timedelta) -> int:
        return quality_gate.collect_metrics(place, now=datetime.now(UTC) + later)[0].read

    assert (read(timedelta(0)), read(timedelta(hours=25))) == (8, 0)


def test_the_figures_are_shown_over_spark_connect_too(place_with_run: Place, connect: SparkSession):
    files = Path(place_with_run.settings.landing).rglob("abc.pin*.json")
    newest = max(file.stat().st_mtime_ns for file in files)
    arrived = datetime.fromtimestamp(newest // 10**6 / 1000, UTC)  # Spark tells milliseconds
    now = arrived + timedelta(hours=72)
    figures = quality_gate.collect_metrics(replace(place_with_run, spark=connect), "first", now)
    assert (figures[0].newest_arrival, figures[0].age_hours) == (arrived, 72.0)
    rows = [tuple(row) for row in quality_gate.metrics_frame(connect, figures).drop("newest_arrival").collect()]
    assert rows == [
        ("abc.pin", 4, 2, 1, 1, 1, 0.25, 72.0),
        ("abc.geo", 1, 0, 0, 1, 0, 1.0, 3.0),
        ("abc.user", 0, 0, 0, 0, 0, None, None),
        ("all", 5, 2, 1, 2, 1, 0.4, 3.0),
    ]


def test_a_place_without_tables_is_a_clear_error(place_with_run: Place):
    with pytest.raises(TableError) as error:
        quality_gate.collect_metrics(place_with_run.with_settings(schema="nowhere", warehouse=""))
    assert str(error.value) == "table nowhere.runs must be there: run the batch first"
