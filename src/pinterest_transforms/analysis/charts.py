"""A chart for each answer and for the quality of the data, for notebook and report alike.

Works from pandas frames with the columns of the data contract (section 4, and ``runs`` of section 5). plotly is what
Databricks Runtime ships; import this module only where a chart is drawn. Every figure carries its question and its
finding as plain text in ``layout.meta``.
"""

import math
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import pandas as pd
import plotly.graph_objects as go

from pinterest_transforms.analysis import chart_parts as parts
from pinterest_transforms.analysis.answers import answer_named
from pinterest_transforms.analysis.chart_parts import remove_title
from pinterest_transforms.analysis.chart_quality import draw_quality
from pinterest_transforms.analysis.chart_rows import Panel, Row, Series, draw_rows
from pinterest_transforms.analysis.chart_text import format_count, format_number
from pinterest_transforms.errors import SettingsError

__all__ = ["AGE_GROUPS", "draw_answer", "draw_quality", "remove_title"]

AGE_GROUPS = ("18-24", "25-35", "36-50", "+50")

_MOST_YEARS = 40


@dataclass(frozen=True)
class _Winner:
    """The categories that come first together in one country, year or age group."""

    of: str
    categories: tuple[str, ...]
    count: int

    @property
    def named(self) -> str:
        """The category; for a tie all of them, or how many there are."""
        if len(self.categories) > 3:
            return f"{len(self.categories)} categories tie"
        return ", ".join(self.categories) + (" (tie)" if len(self.categories) > 1 else "")


def _winners(frame: pd.DataFrame, key: str) -> list[_Winner]:
    """One winner a key, with every category that ties."""
    found: dict[tuple[str, int], list[str]] = {}
    for of, category, count in zip(frame[key], frame["category"], frame["category_count"], strict=True):
        found.setdefault((_label(of), int(count)), []).append(str(category))
    return [_Winner(of, tuple(sorted(categories)), count) for (of, count), categories in found.items()]


def _by_age(group: str) -> tuple[int, str]:
    return (AGE_GROUPS.index(group) if group in AGE_GROUPS else len(AGE_GROUPS), group)


def _all_years(years: Iterable[int]) -> list[int]:
    """Every year from the first to the last, so that a year without posts shows as a gap."""
    known = sorted(set(years))
    return list(range(known[0], known[-1] + 1)) if known[-1] - known[0] < _MOST_YEARS else known


def _top_category_by_country(title: str, frame: pd.DataFrame, top: int) -> go.Figure:
    countries = _winners(frame, "country")
    alone = Counter(w.categories[0] for w in countries if len(w.categories) == 1)
    shared = Counter(category for w in countries if len(w.categories) > 1 for category in w.categories)
    ranked = sorted({*alone, *shared}, key=lambda c: (-alone[c] - shared[c], c))
    most = alone[ranked[0]] + shared[ranked[0]]
    first = [category for category in ranked if alone[category] + shared[category] == most]
    ties = sum(len(w.categories) > 1 for w in countries)
    leads = f"{first[0]} comes first" if len(first) == 1 else f"{len(first)} categories each come first"
    finding = f"{leads} in {format_number(most)} of {format_count(len(countries), 'country')}; "
    finding += f"in {format_number(ties)} of them categories tie." if ties else "no country has a tie."
    largest = sorted(countries, key=lambda w: (-w.count, w.of))[:top]
    panels = (
        Panel(
            rows=tuple(Row(c, (alone[c], shared[c]), format_number(alone[c] + shared[c])) for c in ranked[:top]),
            series=(Series("first alone"), Series("first in a tie", parts.SKY, hatched=True)),
            heading="Countries where a category comes first",
        ),
        Panel(
            rows=tuple(Row(w.of, (w.count,), format_number(w.count), w.named) for w in largest),
            series=(Series("posts"),),
            heading=f"Most posts: {len(largest)} of {format_count(len(countries), 'country')}",
        ),
    )
    return draw_rows(title, finding, panels)


def _posts_by_category_and_year(title: str, frame: pd.DataFrame, top: int) -> go.Figure:
    cells: Counter[tuple[str, int]] = Counter()
    totals: Counter[str] = Counter()
    for year, category, count in zip(frame["post_year"], frame["category"], frame["category_count"], strict=True):
        cells[str(category), int(year)] += int(count)
        totals[str(category)] += int(count)
    years = _all_years(year for _, year in cells)
    ranked = sorted(totals, key=lambda category: (-totals[category], category))
    (most_category, most_year), most = min(cells.items(), key=lambda item: (-item[1], item[0]))
    finding = (
        f"{format_count(totals.total(), 'post')} in {format_count(len(totals), 'category')}, "
        f"most of them in {ranked[0]}; the largest single count is "
        f"{most_category} in {most_year} with {format_number(most)}."
    )
    if len(ranked) > top:
        finding += f" Shown: the {top} largest."
    values = [[float(cells[category, year]) for year in years] for category in ranked[:top]]
    return parts.draw_grid(title, finding, ranked[:top], list(map(str, years)), values, values, "posts")


def _top_category_by(key: str, what: str) -> "_Draw":
    """Draws the most popular category of each year or age group, in their own order."""

    def draw(title: str, frame: pd.DataFrame, top: int) -> go.Figure:  # noqa: ARG001
        winners = sorted(_winners(frame, key), key=lambda w: _by_age(w.of))
        often = Counter(category for w in winners for category in w.categories)
        most = max(often.values())
        first = sorted(category for category in often if often[category] == most)
        where = f"{format_number(most)} of {format_count(len(winners), what)}"
        finding = f"{first[0]} comes first in {where}."
        if len(first) > 1:
            finding = f"No single category leads: {', '.join(first)} each win {where}."
        rows = tuple(Row(w.of, (w.count,), format_count(w.count, "post"), w.named) for w in winners)
        return draw_rows(title, finding, [Panel(rows, (Series("posts"),))])

    return draw


def _top_user_by_country(title: str, frame: pd.DataFrame, top: int) -> go.Figure:
    columns = (frame["country"], frame["poster_name"], frame["follower_count"])
    found = [(str(c), float(n), str(poster)) for c, poster, n in zip(*columns, strict=True)]
    rows = [Row(country, (followers,), format_number(followers), poster) for country, followers, poster in found]
    rows.sort(key=lambda row: (-row.values[0], row.label, row.detail))
    best = [row for row in rows if row.values == rows[0].values]
    finding = f"{best[0].detail} in {best[0].label} has the most: {format_count(best[0].values[0], 'follower')}."
    if len(best) > 1:
        finding = f"{len(best)} entries have the most: {format_count(best[0].values[0], 'follower')} each."
    heading = f"Most followers: {min(top, len(rows))} of {format_count(len(rows), 'entry')}"
    return draw_rows(title, finding, [Panel(tuple(rows[:top]), (Series("followers"),), heading)])


def _top_user_country(title: str, frame: pd.DataFrame, top: int) -> go.Figure:  # noqa: ARG001
    country, followers = str(frame["country"].iloc[0]), float(frame["follower_count"].iloc[0])
    finding = f"{country}: a poster there has {format_count(followers, 'follower')}; no poster has more."
    return parts.draw_number(title, finding, country, followers, "followers")


def _columns(key: str, column: str, unit: str, summed: bool = False) -> "_Draw":
    """Draws one number for each year or age group; ``summed`` numbers add up, so a year without a row is a zero."""

    def draw(title: str, frame: pd.DataFrame, top: int) -> go.Figure:  # noqa: ARG001
        values = {_label(of): float(value) for of, value in zip(frame[key], frame[column], strict=True)}
        labels = _labels(key, values)
        most, least = max(values, key=lambda of: values[of]), min(values, key=lambda of: values[of])
        if summed:
            finding = f"{format_count(sum(values.values()), unit)} in all; "
            finding += f"most joined in {most}: {format_number(values[most])}."
        else:
            highest, lowest = (format_number(values[of]) for of in (most, least))
            finding = f"Highest: {most} with {highest}; lowest: {least} with {lowest}."
        shown = [values.get(label, 0.0 if summed else None) for label in labels]
        return parts.draw_columns(title, finding, labels, shown, f"{unit}s")

    return draw


def _median_by_age_group_and_year(title: str, frame: pd.DataFrame, top: int) -> go.Figure:  # noqa: ARG001
    columns = (frame["age_group"], frame["post_year"], frame["median_follower_count"])
    cells = {(str(group), _label(year)): float(value) for group, year, value in zip(*columns, strict=True)}
    groups = _labels("age_group", (group for group, _ in cells))
    years = _labels("post_year", (year for _, year in cells))
    (group, year), value = max(cells.items(), key=lambda item: item[1])
    values = [[cells.get((g, y)) for y in years] for g in groups]
    # Medians of small groups differ a hundredfold: on a plain scale all but one cell would look alike.
    shades = [[None if v is None else math.log10(1 + v) for v in row] for row in values]
    finding = f"Highest: age {group}, joined in {year}, with {format_number(value)}. "
    finding += "Darker is higher, on a logarithmic scale."
    return parts.draw_grid(title, finding, groups, years, values, shades, "followers")


def _label(of: object) -> str:
    """A year or an age group as text; a year may come as a float out of a column with gaps."""
    return str(of) if isinstance(of, str) else str(int(of))  # type: ignore[call-overload]


def _labels(key: str, found: Iterable[str]) -> list[str]:
    """Every age group in its order, or every year from the first to the last."""
    if key == "age_group":
        return sorted({*AGE_GROUPS, *found}, key=_by_age)
    return [str(year) for year in _all_years(map(int, found))]


_Draw = Callable[[str, pd.DataFrame, int], go.Figure]
_DRAWINGS: dict[str, _Draw] = {
    "top_category_by_country": _top_category_by_country,
    "posts_by_category_and_year": _posts_by_category_and_year,
    "top_category_by_year": _top_category_by("post_year", "year"),
    "top_user_by_country": _top_user_by_country,
    "top_user_country": _top_user_country,
    "top_category_by_age_group": _top_category_by("age_group", "age group"),
    "median_followers_by_age_group": _columns("age_group", "median_follower_count", "follower"),
    "users_joined_by_year": _columns("post_year", "number_users_joined", "user", summed=True),
    "median_followers_by_join_year": _columns("post_year", "median_follower_count", "follower"),
    "median_followers_by_age_group_and_join_year": _median_by_age_group_and_year,
}


def draw_answer(answer_name: str, frame: pd.DataFrame, top: int = 25) -> go.Figure:
    """The chart of an answer.

    Args:
        answer_name: name of the answer's table, one of ``ANSWERS``.
        frame: the answer, with exactly the columns the data contract gives it; rows in any order.
        top: the most rows a list of countries, posters or categories shows.

    Returns:
        A figure whose ``layout.meta`` holds ``title`` (the question) and ``finding`` (a sentence), both plain text.
        Without a row its text is that no posts have what the question needs.

    Raises:
        SettingsError: if there is no such answer, a column is missing, or ``top`` is under 1.
    """
    answer = answer_named(answer_name)
    if top < 1:
        raise SettingsError(f"top must be at least 1, got {top}")
    if frame.empty:
        return parts.draw_empty(answer.question)
    columns = [name for name, _, _ in answer.columns]
    missing = [column for column in columns if column not in frame.columns]
    if missing:
        raise SettingsError(f"{answer_name} must have the columns {', '.join(columns)}, got none named {missing[0]!r}")
    complete = frame.loc[:, columns].dropna()
    if complete.empty:
        return parts.draw_empty(answer.question)
    return _DRAWINGS[answer_name](answer.question, complete, top)
