"""Horizontal bars, each under its own label: what fits 237 country names on a phone."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import plotly.graph_objects as go

from pinterest_transforms.analysis.chart_parts import BLUE, MUTED, apply_layout
from pinterest_transforms.analysis.chart_text import clean_line, escape_text, format_number, truncate

_ROW, _DETAIL_LINE, _HEADING, _GAP, _LEGEND = 40, 18, 34, 26, 34
_LABEL_WIDTH = 42

Annotation = dict[str, object]


@dataclass(frozen=True)
class Row:
    """A row of a bar chart: its label, a value for each series, a quieter detail, and what stands at its end."""

    label: str
    values: tuple[float, ...]
    shown: str
    detail: str = ""


@dataclass(frozen=True)
class Series:
    """One colour of a bar chart; ``hatched`` tells it apart in print and without colour."""

    name: str
    colour: str = BLUE
    hatched: bool = False


@dataclass(frozen=True)
class Panel:
    """Rows that share a scale."""

    rows: tuple[Row, ...]
    series: tuple[Series, ...]
    heading: str = ""


def draw_rows(title: str, finding: str, panels: Sequence[Panel]) -> go.Figure:
    """Horizontal bars, each under its own label with its number at the end: long labels need no margin."""
    heights = [len(panel.rows) * _row_height(panel) + (_HEADING if panel.heading else 0) for panel in panels]
    total = sum(heights) + _GAP * (len(panels) - 1)
    figure, labels = go.Figure(), list[Annotation]()
    top = total
    for at, (panel, height) in enumerate(zip(panels, heights, strict=True), start=1):
        inner_top = top - (_HEADING if panel.heading else 0)
        domain = [max((top - height) / total, 0.0), inner_top / total]
        _add_bars(figure, panel, "" if at == 1 else str(at), domain)
        labels += _build_labels(panel, "" if at == 1 else str(at))
        if panel.heading:
            heading = {"text": f"<b>{escape_text(panel.heading)}</b>", "font": {"size": 13, "color": MUTED}}
            place = {"x": 0, "y": top / total, "xref": "paper", "yref": "paper", "xanchor": "left", "yanchor": "top"}
            labels.append({**heading, **place, "showarrow": False, "borderpad": 0})
        top -= height + _GAP
    # All at once: plotly checks those that are there again with each that is added.
    figure.update_layout(annotations=labels)
    several = len(panels[0].series) > 1
    apply_layout(figure, title, finding, height=total, above=_LEGEND if several else 8)
    return figure.update_layout(barmode="stack", showlegend=several, bargap=0)


def _row_height(panel: Panel) -> int:
    """Pixels a row takes: one line of text, or two where a label and its detail do not fit beside each other."""
    fits = all(len(label) + len(detail) < _LABEL_WIDTH - len(row.shown) for row, label, detail in _lines(panel))
    return _ROW if fits else _ROW + _DETAIL_LINE


def _lines(panel: Panel) -> Iterator[tuple[Row, str, str]]:
    """Each row with its label, cut to leave room for its number, and its detail, cut to one line."""
    for row in panel.rows:
        label, detail = clean_line(row.label), clean_line(row.detail)
        yield row, truncate(label, _LABEL_WIDTH - 2 - len(row.shown)), truncate(detail, _LABEL_WIDTH - 2)


def _add_bars(figure: go.Figure, panel: Panel, axis: str, domain: list[float]) -> None:
    tall = _row_height(panel)
    for at, series in enumerate(panel.series):
        lines = [
            (escape_text(row.label, 60), escape_text(row.detail, 60), format_number(row.values[at]))
            for row in panel.rows
        ]
        shape = {"shape": "/", "bgcolor": series.colour, "fgcolor": "white", "size": 6, "solidity": 0.3}
        figure.add_bar(
            orientation="h",
            x=[row.values[at] for row in panel.rows],
            y=[place + 0.5 - 10 / tall for place in range(len(panel.rows))],
            width=12 / tall,
            name=escape_text(series.name, 30),
            showlegend=len(panel.series) > 1,
            marker={"color": series.colour, "pattern": shape if series.hatched else None},
            customdata=[f"<b>{a}</b><br>{b}{'<br>' if b else ''}{escape_text(series.name)}: {c}" for a, b, c in lines],
            hovertemplate="%{customdata}<extra></extra>",
            xaxis=f"x{axis}",
            yaxis=f"y{axis}",
        )
    most = max((sum(row.values) for row in panel.rows), default=0)
    figure.update_layout(
        {
            f"xaxis{axis}": {"visible": False, "range": [0, most or 1], "anchor": f"y{axis}"},
            f"yaxis{axis}": {"visible": False, "range": [len(panel.rows) - 0.5, -0.5], "domain": domain},
        }
    )


def _build_labels(panel: Panel, axis: str) -> Iterator[Annotation]:
    """Each row's label, detail and number, above its bar."""
    tall = _row_height(panel)
    common = {"yref": f"y{axis}", "xref": "paper", "yanchor": "middle", "showarrow": False, "borderpad": 0}
    for place, (row, label, detail) in enumerate(_lines(panel)):
        height = place - 0.5 + 13 / tall
        quiet = f'<span style="color:{MUTED}">{escape_text(detail)}</span>'
        beside = f"<b>{escape_text(label)}</b>  {quiet}" if detail and tall == _ROW else f"<b>{escape_text(label)}</b>"
        yield {**common, "text": beside, "x": 0, "y": height, "xanchor": "left"}
        yield {**common, "text": escape_text(row.shown), "x": 1, "y": height, "xanchor": "right"}
        if detail and tall != _ROW:
            yield {**common, "text": quiet, "x": 0, "y": height + _DETAIL_LINE / tall, "xanchor": "left"}
