"""Charts of the quality of the data: what was read, what became of it, and why. Reached through ``charts``."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping

import pandas as pd
import plotly.graph_objects as go

from pinterest_transforms.analysis import chart_parts as parts
from pinterest_transforms.analysis.chart_rows import Panel, Row, Series, draw_rows
from pinterest_transforms.analysis.chart_text import format_count, format_number

_FATES = (("merged", parts.BLUE), ("already_there", parts.GREY), ("rejected", parts.VERMILLION))


def draw_quality(
    runs: pd.DataFrame, rejected_by_reason: pd.DataFrame, repaired_by_column: pd.DataFrame
) -> dict[str, go.Figure]:
    """The charts of the quality of the data.

    Args:
        runs: rows of the table ``runs``; topic, read, merged, already_there, rejected are used, and added up.
        rejected_by_reason: columns topic, reason, records.
        repaired_by_column: columns topic, column, records.

    Returns:
        Figures by name: ``records_by_topic``, ``rejected_by_reason``, ``repaired_by_column``; question and finding
        stand in ``layout.meta``. An empty frame gives a figure with a note.
    """
    topics = _short(
        sorted({str(t) for f in (runs, rejected_by_reason, repaired_by_column) for t in f.get("topic", ())})
    )
    return {
        "records_by_topic": _records_by_topic(runs, topics),
        "rejected_by_reason": _by_cause(
            "Why were records rejected?", rejected_by_reason, "reason", topics, "no record was rejected"
        ),
        "repaired_by_column": _by_cause(
            "Which columns were repaired?", repaired_by_column, "column", topics, "no record was repaired"
        ),
    }


def _short(topics: Iterable[str]) -> dict[str, str]:
    """Topics by their last part (``pin``), as long as that tells them apart."""
    last = {topic: re.split(r"[.-]", topic)[-1] for topic in topics}
    return last if len(set(last.values())) == len(last) else {topic: topic for topic in last}


def _records_by_topic(runs: pd.DataFrame, topics: Mapping[str, str]) -> go.Figure:
    title = "What became of the records that were read?"
    if runs.empty:
        return parts.draw_empty(title, "no run has read a record")
    fates = [fate for fate, _ in _FATES]
    sums = runs.groupby("topic", sort=True)[["read", *fates]].sum()
    rows = [
        Row(topics[str(topic)], tuple(float(line[fate]) for fate in fates), format_count(float(line["read"]), "record"))
        for topic, line in sums.iterrows()
    ]
    total = {column: float(sums[column].sum()) for column in sums.columns}
    finding = (
        f"Of {format_count(total['read'], 'record')} read, {format_number(total['merged'])} were merged, "
        f"{format_number(total['already_there'])} were already there "
        f"and {format_number(total['rejected'])} were rejected."
    )
    series = tuple(Series(fate.replace("_", " "), colour) for fate, colour in _FATES)
    return draw_rows(title, finding, [Panel(tuple(rows), series)])


def _by_cause(title: str, frame: pd.DataFrame, cause: str, topics: Mapping[str, str], nothing: str) -> go.Figure:
    """Records by reason or column, the most first, a colour for each topic."""
    if frame.empty:
        return parts.draw_empty(title, nothing)
    cells: Counter[tuple[str, str]] = Counter()
    totals: Counter[str] = Counter()
    for topic, of, records in zip(frame["topic"], frame[cause], frame["records"], strict=True):
        cells[str(of), str(topic)] += int(records)
        totals[str(of)] += int(records)
    present = [topic for topic in topics if any(at == topic for _, at in cells)]
    places = list(topics)
    colours = {topic: parts.SERIES_COLOURS[places.index(topic) % len(parts.SERIES_COLOURS)] for topic in present}
    ranked = sorted(totals, key=lambda of: (-totals[of], of))
    rows = tuple(Row(of, tuple(cells[of, topic] for topic in present), format_number(totals[of])) for of in ranked)
    finding = f"The most common: “{ranked[0]}” ({format_count(totals[ranked[0]], 'record')})."
    series = tuple(Series(topics[topic], colours[topic]) for topic in present)
    return draw_rows(title, finding, [Panel(rows, series)])
