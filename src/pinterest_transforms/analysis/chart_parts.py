"""What the charts are made of: one look, and the plain kinds of figure (``chart_rows`` has the bars with labels).

Colours are of Okabe and Ito's palette, which colour-blind readers tell apart; every
figure is drawn so that it reads at 360 pixels too, and takes no drag or zoom, so that a finger scrolls the page.
"""

import textwrap
from collections.abc import Sequence

import plotly.graph_objects as go

from pinterest_transforms.analysis.chart_text import clean_line, escape_text, format_number, truncate

INK, MUTED, RULE = "#1c2430", "#5a6572", "#d5dbe1"
BLUE, SKY, ORANGE, GREEN, VERMILLION, GREY = "#0072b2", "#56b4e9", "#e69f00", "#009e73", "#d55e00", "#aeb8c2"
SERIES_COLOURS = (BLUE, ORANGE, GREEN, VERMILLION, SKY, GREY)
FONTS = 'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif'
NOTHING = "no posts have what this question needs"

# Light to the end, so that dark numbers are legible on every cell.
_SCALE = [[0.0, "#f3f8fb"], [1.0, "#5ba7d6"]]

_Numbers = Sequence[Sequence[float | None]]


def apply_layout(figure: go.Figure, title: str, finding: str, height: int, above: int = 8) -> go.Figure:
    """Gives a figure its texts, its look and its height: ``height`` pixels of plot, ``above`` of them for a legend."""
    questions = textwrap.wrap(clean_line(title), 36)
    findings = textwrap.wrap(clean_line(finding), 52)
    space = 34 + 21 * len(questions) + 18 * len(findings)
    small = f'<span style="font-size:13px;color:{MUTED}">{"<br>".join(map(escape_text, findings))}</span>'
    heading = "<br>".join([f"<b>{'<br>'.join(map(escape_text, questions))}</b>", small])
    axis = {"fixedrange": True, "showgrid": False, "zeroline": False, "automargin": True, "ticks": ""}
    figure.update_layout(
        template=go.layout.Template(),
        title={
            "text": heading,
            "font": {"size": 16},
            "x": 0,
            "xref": "container",
            "y": 1,
            "yanchor": "top",
            "pad": {"t": 20, "l": 1},
        },
        font={"family": FONTS, "size": 13, "color": INK},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        margin={"l": 1, "r": 1, "t": space + above, "b": 8, "pad": 0},
        height=space + above + height + 8,
        dragmode=False,
        modebar={
            "bgcolor": "rgba(255,255,255,0.8)",
            "color": MUTED,
            "remove": ["zoom", "pan", "select", "lasso", "zoomin", "zoomout", "autoscale", "resetscale"],
        },
        hoverlabel={"bgcolor": "white", "bordercolor": RULE, "font": {"family": FONTS, "color": INK}, "align": "left"},
        legend={
            "orientation": "h",
            "x": 0,
            "y": 1,
            "yanchor": "bottom",
            "traceorder": "normal",
            "itemclick": False,
            "itemdoubleclick": False,
        },
        meta={"title": title, "finding": finding, "title_space": space},
    )
    figure.update_xaxes(**axis)
    figure.update_yaxes(**axis)
    return figure


def remove_title(figure: go.Figure) -> go.Figure:
    """The same figure without its title, for a page that shows the title itself: ``meta`` holds title and finding."""
    bare = go.Figure(figure)
    space = figure.layout.meta["title_space"]
    bare.update_layout(
        title=None, meta=None, height=figure.layout.height - space, margin_t=figure.layout.margin.t - space
    )
    return bare


def draw_empty(title: str, message: str = NOTHING) -> go.Figure:
    """A figure with the reason why there is nothing to see."""
    figure = apply_layout(go.Figure(), title, "", height=70)
    figure.update_layout(meta={**figure.layout.meta, "finding": message, "empty": True})
    figure.update_xaxes(visible=False, range=[0, 1])
    figure.update_yaxes(visible=False, range=[0, 1])
    figure.add_annotation(text=escape_text(message), x=0.5, y=0.5, showarrow=False, font={"size": 14, "color": MUTED})
    return figure


def draw_columns(
    title: str, finding: str, labels: Sequence[str], values: Sequence[float | None], unit: str
) -> go.Figure:
    """Upright bars in the order given, each with its number; None is a place without a bar."""
    shown = ["–" if value is None else format_number(value) for value in values]
    heights = [value or 0 for value in values]
    figure = go.Figure(
        go.Bar(
            x=list(range(len(labels))),
            y=heights,
            text=shown,
            textposition="outside",
            textangle=0,
            constraintext="none",
            cliponaxis=False,
            marker={"color": BLUE},
            customdata=[
                f"<b>{escape_text(label)}</b><br>{text} {unit}" for label, text in zip(labels, shown, strict=True)
            ],
            hovertemplate="%{customdata}<extra></extra>",
        )
    )
    apply_layout(figure, title, finding, height=290)
    ticks = {
        "tickmode": "array",
        "tickvals": list(range(len(labels))),
        "ticktext": [escape_text(x, 14) for x in labels],
    }
    figure.update_xaxes(ticks, showline=True, linecolor=RULE, tickfont_size=14, range=[-0.6, len(labels) - 0.4])
    figure.update_yaxes(visible=False, range=[0, (max(heights, default=0) or 1) * 1.14])
    return figure.update_layout(bargap=0.45, showlegend=False)


def draw_grid(
    title: str, finding: str, rows: Sequence[str], columns: Sequence[str], values: _Numbers, shades: _Numbers, unit: str
) -> go.Figure:
    """A heat map with its numbers in the cells; darker is more, and a cell without a value (None) is empty."""
    texts = [["" if value is None else format_number(value) for value in row] for row in values]
    hovers = [
        [
            f"<b>{escape_text(name)}</b>, {escape_text(year)}<br>{text or 'no'} {unit}"
            for year, text in zip(columns, row, strict=True)
        ]
        for name, row in zip(rows, texts, strict=True)
    ]
    figure = go.Figure(
        go.Heatmap(
            x=list(range(len(columns))),
            y=list(range(len(rows))),
            z=shades,
            text=texts,
            texttemplate="%{text}",
            textfont={"color": INK},
            customdata=hovers,
            hovertemplate="%{customdata}<extra></extra>",
            colorscale=_SCALE,
            showscale=False,
            xgap=3,
            ygap=3,
        )
    )
    apply_layout(figure, title, finding, height=34 + 34 * len(rows))
    years = {"tickvals": list(range(len(columns))), "ticktext": [escape_text(x, 12) for x in columns]}
    names = {"tickvals": list(range(len(rows))), "ticktext": [escape_text(x, 18) + " " for x in rows]}
    figure.update_xaxes(years, side="top", tickmode="array", range=[-0.5, len(columns) - 0.5])
    figure.update_yaxes(names, tickmode="array", range=[len(rows) - 0.5, -0.5])
    return figure.update_layout(margin_t=figure.layout.margin.t + 24)


def draw_number(title: str, finding: str, name: str, value: float, unit: str) -> go.Figure:
    """One name and one number, large."""
    figure = apply_layout(go.Figure(), title, finding, height=130)
    figure.update_xaxes(visible=False, range=[0, 1])
    figure.update_yaxes(visible=False, range=[0, 1])
    lines = "<br>".join(escape_text(line) for line in textwrap.wrap(truncate(clean_line(name), 70), 22))
    quiet = f'<span style="font-size:17px;color:{MUTED}">{format_number(value)} {escape_text(unit)}</span>'
    place = {"x": 0, "y": 0.5, "xref": "paper", "xanchor": "left", "yanchor": "middle", "align": "left"}
    figure.add_annotation(
        place, text=f"<b>{lines}</b><br>{quiet}", showarrow=False, borderpad=0, font={"size": 24, "color": BLUE}
    )
    return figure
