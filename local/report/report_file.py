"""The report: one HTML page with the answers and the quality of the data, which opens offline.

``write_report`` takes plain values and pandas frames, so that it needs no Spark and its bytes depend on them alone.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pandas as pd

from local.report.report_page import render_page
from local.report.report_sections import (
    build_answer_section,
    build_quality_section,
    build_tables_section,
    render_facts,
    render_key_numbers,
)


@dataclass(frozen=True)
class ReportData:
    """Everything on the page. Times without a zone are UTC.

    Attributes:
        made_at: when the report was made.
        user_id: whose pipeline it is.
        source: what the data was made from, shown as given: the landing folder.
        library_version: version of the library that cleaned the data.
        posts: posts in the clean tables.
        latest_arrivals: for each topic, when its newest record arrived; None if nothing arrived.
        latest_post: timestamp of the newest post; None if there is none.
        answers: every row of each answer by the name of its table, in the order of the page.
        runs: rows of the table ``runs``; topic, started, seconds, read, merged, already_there, rejected and repaired
            are used.
        rejected_by_reason: columns topic, reason, records.
        repaired_by_column: columns topic, column, records.
        unknown_fields: columns topic, field, records.
        tables: a row for each table, any columns; may be empty.
        landing: remarks on the landing's files, such as those that are not ingested; one line each.
    """

    made_at: datetime
    user_id: str
    source: str
    library_version: str
    posts: int
    latest_arrivals: Mapping[str, datetime | None]
    latest_post: datetime | None
    answers: Mapping[str, pd.DataFrame]
    runs: pd.DataFrame
    rejected_by_reason: pd.DataFrame
    repaired_by_column: pd.DataFrame
    unknown_fields: pd.DataFrame
    tables: pd.DataFrame
    landing: tuple[str, ...] = ()


def write_report(path: Path, data: ReportData) -> Path:
    """Writes the page to a file, and gives its path; the same data gives the same bytes.

    All of it or nothing is written: an earlier report stays until the new one is complete.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        # A text of the data may hold half a surrogate pair, which no encoding can write.
        unfinished.write_bytes(_build_page(data).encode("utf-8", errors="replace"))
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
    return path


def _build_page(data: ReportData) -> str:
    sections = [
        *(build_answer_section(name, frame) for name, frame in data.answers.items()),
        build_quality_section(data.runs, data.rejected_by_reason, data.repaired_by_column, data.unknown_fields),
        build_tables_section(data.tables),
    ]
    return render_page(render_facts(data), render_key_numbers(data.posts, data.runs), sections)
