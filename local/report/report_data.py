"""Reads the content of the report from the tables of a leg."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from local.report.report_file import ReportData
from pinterest_transforms import __version__
from pinterest_transforms.analysis.answers import ANSWERS
from pinterest_transforms.cleaning import REJECTED
from pinterest_transforms.entities import ENTITIES, PIN
from pinterest_transforms.ingest import landing_reader
from pinterest_transforms.operations import summaries
from pinterest_transforms.settings import Leg
from pinterest_transforms.tables import answer_tables

_AT_ONCE = 4


class Summaries(NamedTuple):
    """What ``operations.summaries`` finds in the tables of a leg, without those of the answers."""

    versions: pd.DataFrame
    totals: pd.DataFrame
    runs: pd.DataFrame
    freshness: pd.DataFrame


def read_summaries(leg: Leg) -> Summaries:
    """The summaries, as the tables are now.

    Raises:
        TableError: a table is not there.
    """
    reads = (summaries.read_versions, summaries.read_quarantine_totals, summaries.read_runs, summaries.read_freshness)
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return Summaries(*pool.map(lambda read: read(leg).toPandas(), reads))


def collect_report_data(leg: Leg, tables: Summaries, known: Mapping[str, pd.DataFrame] | None = None) -> ReportData:
    """The content of the report, of these summaries; answers that are known, by their names, are not read again.

    Raises:
        TableError: a table is not there.
    """
    found, settings = answer_tables.read_answers(leg, known), leg.settings
    totals, topics = tables.totals, tables.freshness.set_index("topic")
    rejected = totals["kind"] == REJECTED
    landed = [one for one in map(leg.for_entity, ENTITIES) if Path(one.topic_folder).is_dir()]
    return ReportData(
        made_at=datetime.now(UTC),
        user_id=settings.user_id,
        source=settings.landing.removeprefix(f"{Path.cwd()}/"),  # a report is sent to people elsewhere
        library_version=__version__,
        posts=int(topics.loc[settings.source_name(PIN), "rows"]),
        latest_arrivals={topic: topics.loc[topic, "latest_arrival"] for topic in map(settings.source_name, ENTITIES)},
        latest_post=topics["latest_post"].max(),
        answers={answer.name: found[answer.name] for answer in ANSWERS},
        runs=tables.runs,
        rejected_by_reason=_select_causes(totals[rejected], "reason"),
        repaired_by_column=_select_causes(totals[~rejected], "column"),
        unknown_fields=_count_unknown_fields(tables.runs),
        tables=tables.versions,
        landing=tuple(line for one in landed for line in landing_reader.list_topic(one).remarks()),
    )


def _select_causes(totals: pd.DataFrame, name: str) -> pd.DataFrame:
    return totals.drop(columns="kind").rename(columns={"cause": name}).reset_index(drop=True)


def _count_unknown_fields(runs: pd.DataFrame) -> pd.DataFrame:
    """Fields that no schema knows: topic, field, records."""
    each = [
        (topic, field, records)
        for topic, fields in zip(runs["topic"], runs["unknown_fields"], strict=True)
        for field, records in dict(fields or {}).items()
    ]
    frame = pd.DataFrame(each, columns=["topic", "field", "records"])
    return frame.groupby(["topic", "field"], as_index=False)["records"].sum()
