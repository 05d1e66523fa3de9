"""The sections of the report: facts, key numbers, an answer, the quality of the data. Text of the data is escaped."""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from html import escape
from typing import TYPE_CHECKING

import pandas as pd
import plotly.graph_objects as go

from local.report.report_page import Section
from pinterest_transforms.analysis.answers import answer_named
from pinterest_transforms.analysis.chart_text import format_count, format_number
from pinterest_transforms.analysis.charts import AGE_GROUPS, draw_answer, draw_quality, remove_title

if TYPE_CHECKING:
    from local.report.report_file import ReportData

_HEADINGS = {
    "age_group": "Age group",
    "already_there": "Already there",
    "category_count": "Posts",
    "follower_count": "Followers",
    "median_follower_count": "Median followers",
    "number_users_joined": "Users joined",
    "poster_name": "Poster",
    "post_year": "Year",
}
_JOIN_ANSWERS = ("users_joined_by_year", "median_followers_by_join_year", "median_followers_by_age_group_and_join_year")
_RIGHT = ' class="n"'
_LONG = 15
_ROWS_IN_CHART = 15
_LONG_WORD = 18
_OUTCOMES = ("read", "merged", "already_there", "rejected", "repaired")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")


def render_text(value: object) -> str:
    """Text of the data as HTML: escaped, control characters shown as �, its direction kept to itself."""
    return f"<bdi>{escape(_CONTROL.sub('�', str(value)))}</bdi>"


def render_time(moment: datetime | None) -> str:
    """``2 Nov 2022, 03:52 UTC``; a time without a zone is UTC."""
    if moment is None or pd.isna(moment):
        return "none yet"
    utc = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    return f'<time datetime="{utc:%Y-%m-%dT%H:%M:%SZ}">{utc.day} {utc:%b %Y, %H:%M} UTC</time>'


def render_facts(data: "ReportData") -> str:
    """Source, time of creation and data freshness."""
    named = {
        "Made from": data.source,
        "Landing": "; ".join(data.landing),
        "User id": data.user_id,
        "Library": data.library_version,
    }
    newest = "".join(
        f'<span class="line"><span class="topic">{render_text(topic)}</span> {render_time(moment)}</span>'
        for topic, moment in data.latest_arrivals.items()
    )
    facts = [(name, f"<code>{render_text(value)}</code>") for name, value in named.items() if value]
    facts += [("Made", render_time(data.made_at)), ("Newest post", render_time(data.latest_post))]
    return _render_pairs("facts", [*facts, ("Newest arrivals", newest or "none yet")])


def render_key_numbers(posts: int, runs: pd.DataFrame) -> str:
    """The row of key numbers: posts, and the totals of all runs."""
    names = ("Records read", "Merged", "Already there", "Rejected", "Repaired")
    totals = [0 if runs.empty else int(runs[outcome].sum()) for outcome in _OUTCOMES]
    return _render_pairs(
        "numbers", [("Posts", format_number(posts)), *zip(names, map(format_number, totals), strict=True)]
    )


def _render_pairs(kind: str, pairs: Sequence[tuple[str, str]]) -> str:
    broad = dict.fromkeys(("Made from", "Landing", "Newest arrivals"), ' class="broad"')
    lines = (f"<div{broad.get(name, '')}><dt>{escape(name)}</dt><dd>{value}</dd></div>" for name, value in pairs)
    return f'<dl class="{kind}">\n' + "\n".join(lines) + "\n</dl>"


def build_answer_section(name: str, frame: pd.DataFrame) -> Section:
    """The section of an answer: its finding, its chart, and all its rows."""
    question = answer_named(name).question
    figure = draw_answer(name, frame, top=_ROWS_IN_CHART)
    if "age_group" in frame.columns:
        order = frame["age_group"].map({group: at for at, group in enumerate(AGE_GROUPS)})
        frame = frame.loc[order.sort_values(kind="stable").index]
    headings = {**_HEADINGS, "post_year": "Year joined"} if name in _JOIN_ANSWERS else _HEADINGS
    body = (
        _render_chart(f"chart-{name}", question, figure)
        + render_table(frame, f"{question} All rows.", headings)
        + f'<p class="name">Table <code>{escape(name)}</code></p>'
    )
    return Section(f"answer-{name}", question, body, {f"chart-{name}": remove_title(figure)})


def _render_chart(anchor: str, question: str, figure: go.Figure) -> str:
    """The place of a chart, with what it shows in words for whoever does not see it."""
    finding = _CONTROL.sub("�", str(figure.layout.meta["finding"]))
    height = remove_title(figure).layout.height
    spoken = escape(f"Chart. {question} {finding} The table after it holds every number.")
    # A chart without data shows why there is none.
    said = "" if figure.layout.meta.get("empty") else f'<p class="finding"><bdi>{escape(finding)}</bdi></p>\n'
    return (
        f'{said}<figure><div class="chart" id="{escape(anchor)}" role="img" aria-label="{spoken}" '
        f'style="height:{height}px"></div></figure>\n'
    )


def render_table(frame: pd.DataFrame, caption: str, headings: Mapping[str, str] = _HEADINGS, nothing: str = "") -> str:
    """A frame as a table with all its rows; a long one is folded away and scrolls by itself."""
    if frame.empty:
        return f'<p class="note">{escape(nothing)}</p>' if nothing else ""
    kinds = {column: _find_kind(frame[column], str(column)) for column in frame.columns}
    titles = [headings.get(str(column), str(column).replace("_", " ").capitalize()) for column in frame.columns]
    head = "".join(
        f'<th scope="col"{_RIGHT if kind == "number" else ""}>{escape(title)}</th>'
        for title, kind in zip(titles, kinds.values(), strict=True)
    )
    rows = (
        "<tr>" + "".join(_render_cell(value, kind) for value, kind in zip(row, kinds.values(), strict=True)) + "</tr>"
        for row in frame.itertuples(index=False, name=None)
    )
    tall = len(frame) > _LONG
    table = (
        f'<div class="scroll{" tall" if tall else ""}" role="region" tabindex="0" aria-label="{escape(caption)}">'
        f"<table><caption>{escape(caption)}</caption>\n<thead><tr>{head}</tr></thead>\n"
        "<tbody>\n" + "\n".join(rows) + "\n</tbody></table></div>\n"
    )
    if not tall:
        return table
    return f'<details class="table"><summary>Show all {format_count(len(frame), "row")}</summary>\n{table}</details>\n'


def _find_kind(column: pd.Series, name: str) -> str:
    """How a column is shown: ``year``, ``number`` or ``text``; one of objects counts as what its values are."""
    whole = column if pd.api.types.is_numeric_dtype(column) else column.dropna().infer_objects()
    if whole.empty or not pd.api.types.is_numeric_dtype(whole) or pd.api.types.is_bool_dtype(whole):
        return "text"
    return "year" if name.endswith("year") else "number"


def _render_cell(value: object, kind: str) -> str:
    """A cell. A name breaks after an underscore; a word no column could hold breaks anywhere."""
    right = _RIGHT if kind == "number" else ""
    if pd.api.types.is_scalar(value) and pd.isna(value):
        return f"<td{right}>–</td>"
    if kind != "text":
        shown = f"{value:.0f}" if kind == "year" else format_number(value)  # type: ignore[arg-type]
        return f"<td{right}>{shown}</td>"
    if isinstance(value, datetime):
        return f"<td>{render_time(value)}</td>"
    long = ' class="long"' if any(len(word) > _LONG_WORD for word in str(value).split()) else ""
    return f"<td{long}>{render_text(value).replace('_', '_<wbr>')}</td>"


def build_quality_section(
    runs: pd.DataFrame, rejected: pd.DataFrame, repaired: pd.DataFrame, unknown: pd.DataFrame
) -> Section:
    """What was read, merged, already there, rejected and repaired, why, and which fields nobody knows."""
    figures = draw_quality(runs, rejected, repaired)
    tables = {
        "records_by_topic": render_table(_sum_by_topic(runs), "Records by topic"),
        "rejected_by_reason": render_table(rejected, "Rejected records by topic and reason"),
        "repaired_by_column": render_table(repaired, "Repaired records by topic and column"),
    }
    parts = [
        '<p class="note">A rejected record is in quarantine with its text and every reason. A repaired one is '
        "kept, with the unusable value left empty. A record is already there if it repeats one, or a later version of "
        "its post was merged. One record may have several reasons.</p>"
    ]
    for name, figure in figures.items():
        title = figure.layout.meta["title"]
        parts.append(f"<h3>{escape(title)}</h3>\n{_render_chart(f'chart-{name}', title, figure)}{tables[name]}")
    fields = render_table(unknown, "Unknown fields by topic", nothing="No record had a field the schema does not know.")
    parts.append(f"<h3>Which fields does the schema not know?</h3>\n{fields}")
    drawn = {f"chart-{name}": remove_title(figure) for name, figure in figures.items()}
    return Section("quality", "Quality of the data", "\n".join(parts), drawn)


def _sum_by_topic(runs: pd.DataFrame) -> pd.DataFrame:
    """The runs added up: one row per topic, with the time of its newest run."""
    if runs.empty:
        return pd.DataFrame()
    groups = runs.groupby("topic", sort=True)
    sums = groups[list(_OUTCOMES)].sum().reset_index()
    return sums.assign(runs=groups.size().to_numpy(), newest_run=groups["started"].max().to_numpy())


def build_tables_section(tables: pd.DataFrame) -> Section:
    """The tables the page was made from, with their versions."""
    return Section(
        "tables", "Tables behind this page", render_table(tables, "Tables and their versions", nothing="None.")
    )
