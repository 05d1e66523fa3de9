"""Every answer has a chart that reads right, whatever the data holds."""

import ast
import json
import re
from pathlib import Path

import pandas as pd
import plotly.graph_objects as go
import pytest

import pinterest_transforms
from pinterest_transforms.analysis.answers import ANSWERS
from pinterest_transforms.analysis.chart_text import escape_text, truncate
from pinterest_transforms.analysis.charts import AGE_GROUPS, draw_answer, draw_quality, remove_title
from pinterest_transforms.errors import SettingsError

QUESTIONS = {answer.name: answer.question for answer in ANSWERS}
COUNTS = ["category", "category_count"]
FRAMES = {
    "top_category_by_country": pd.DataFrame(
        [("Peru", "art", 5), ("Peru", "travel", 5), ("Oman", "art", 9), ("Fiji", "art", 2), ("Chad", "quotes", 1)],
        columns=["country", *COUNTS],
    ),
    "posts_by_category_and_year": pd.DataFrame(
        [(2018, "art", 5), (2020, "art", 7), (2020, "travel", 1)], columns=["post_year", *COUNTS]
    ),
    "top_category_by_year": pd.DataFrame(
        [(2019, "art", 5), (2018, "travel", 3), (2018, "art", 3)], columns=["post_year", *COUNTS]
    ),
    "top_user_by_country": pd.DataFrame(
        [("Peru", "Ana", 1000), ("Oman", "Bo", 2_000_000)], columns=["country", "poster_name", "follower_count"]
    ),
    "top_user_country": pd.DataFrame([("Oman", 2_000_000)], columns=["country", "follower_count"]),
    "top_category_by_age_group": pd.DataFrame(
        [("+50", "art", 5), ("18-24", "travel", 3), ("36-50", "art", 4), ("25-35", "art", 1)],
        columns=["age_group", *COUNTS],
    ),
    "median_followers_by_age_group": pd.DataFrame(
        [("+50", 5.5), ("18-24", 90000.0)], columns=["age_group", "median_follower_count"]
    ),
    "users_joined_by_year": pd.DataFrame([(2017, 3), (2015, 4)], columns=["post_year", "number_users_joined"]),
    "median_followers_by_join_year": pd.DataFrame(
        [(2015, 700.0), (2017, 50.0)], columns=["post_year", "median_follower_count"]
    ),
    "median_followers_by_age_group_and_join_year": pd.DataFrame(
        [("+50", 2015, 1.0), ("18-24", 2017, 900.5)], columns=["age_group", "post_year", "median_follower_count"]
    ),
}
RUNS = pd.DataFrame(
    [("x.pin", 10, 6, 3, 1, 2), ("x.pin", 5, 0, 5, 0, 0), ("x.geo", 4, 4, 0, 0, 0)],
    columns=["topic", "read", "merged", "already_there", "rejected", "repaired"],
)
REJECTED = pd.DataFrame([("x.pin", "no usable key", 1)], columns=["topic", "reason", "records"])
REPAIRED = pd.DataFrame([("x.pin", "age", 2), ("x.geo", "age", 3)], columns=["topic", "column", "records"])
HOSTILE = [
    "<script>alert(1)</script>",
    "</script><i>x</i>",
    "<a href='javascript:alert(1)'>x</a>",
    "&lt;i&gt;",
    "$\\href{x}{y}$",
    "%{customdata}",
]


def texts(figure: go.Figure) -> list[str]:
    """Every text plotly reads as markup."""
    found = [figure.layout.title.text or "", *(a.text for a in figure.layout.annotations)]
    for trace in figure.data:
        for value in (trace.name, *(trace.customdata if trace.customdata is not None else ())):
            found += list(value) if isinstance(value, (tuple, list)) else [value or ""]
    for axis in (*figure.select_xaxes(), *figure.select_yaxes()):
        found += axis.ticktext or ()
    return [str(text) for text in found]


def test_the_questions_are_the_ten_answers_of_the_contract():
    assert set(QUESTIONS) == set(FRAMES)


@pytest.mark.parametrize("name", FRAMES)
def test_each_answer_has_a_figure_with_its_question_and_a_finding(name):
    figure = draw_answer(name, FRAMES[name])
    assert figure.layout.meta["title"] == QUESTIONS[name]
    assert figure.layout.meta["finding"].endswith(".")
    words = figure.layout.title.text.replace("<br>", " ")
    assert QUESTIONS[name] in words
    assert figure.data or name == "top_user_country"
    assert figure.layout.height < 2000


@pytest.mark.parametrize("name", FRAMES)
@pytest.mark.parametrize("how", ["no rows", "no columns", "only nulls"])
def test_nothing_to_show_is_said_and_is_no_error(name, how):
    frame = {"no rows": FRAMES[name].iloc[:0], "no columns": pd.DataFrame()}.get(how)
    figure = draw_answer(name, FRAMES[name].iloc[:1].map(lambda _: None) if frame is None else frame)
    assert "no posts have what this question needs" in texts(figure)
    assert figure.layout.meta["title"] == QUESTIONS[name]


@pytest.mark.parametrize("name", FRAMES)
@pytest.mark.parametrize("hostile", HOSTILE)
def test_text_of_the_data_is_never_markup(name, hostile):
    frame = FRAMES[name].copy()
    for column in {"country", "category", "poster_name"} & set(frame.columns):
        frame[column] = hostile
    for text in texts(draw_answer(name, frame)):
        assert "<" not in re.sub(r'</?b>|<br>|<span style="[^"]*">|</span>', "", text), "only the chart's own marks"
        assert "$" not in text
        assert hostile != "&lt;i&gt;" or "&lt;i" not in text


def test_text_is_shown_as_it_is():
    for given, expected in [
        ("<b>&</b>", "&lt;b&gt;&amp;&lt;/b&gt;"),
        ("&lt;", "&amp;lt;"),
        ("a\n\tb\u00a0 c\x00", "a b c"),
        ("$x$", "&#36;x&#36;"),
        ("مرحبا", "\u2068مرحبا\u2069"),
        ("a\u202eb", "a b"),
        ("🌸 ok", "🌸 ok"),
        (None, "None"),
    ]:
        assert escape_text(given) == expected


def test_a_long_text_is_cut_by_its_width():
    for given, width, expected in [("abc", 3, "abc"), ("abcd", 3, "ab…"), ("日本語", 4, "日…"), ("", 1, "")]:
        assert truncate(given, width) == expected


def test_a_tie_counts_for_every_winner_and_shows_as_one():
    figure = draw_answer("top_category_by_country", FRAMES["top_category_by_country"])
    alone, shared = (list(trace.x) for trace in figure.data[:2])
    assert (alone, shared) == ([2, 1, 0], [1, 0, 1])
    assert figure.layout.meta["finding"] == "art comes first in 3 of 4 countries; in 1 of them categories tie."
    assert any("art, travel (tie)" in text for text in texts(figure))


def test_only_the_top_rows_of_237_countries_are_drawn_and_it_says_of_how_many():
    frame = pd.DataFrame([(f"Land {i}", "art", i) for i in range(237)], columns=["country", *COUNTS])
    figure = draw_answer("top_category_by_country", frame, top=5)
    assert list(figure.data[2].x) == [236, 235, 234, 233, 232]
    assert any("5 of 237 countries" in text for text in texts(figure))


@pytest.mark.parametrize("name", [name for name in FRAMES if "age_group" in name])
def test_age_groups_stand_in_their_order(name):
    figure = draw_answer(name, FRAMES[name])
    if name == "top_category_by_age_group":
        order = [text[3:].split("</b>")[0] for text in texts(figure) if text.startswith("<b>") and "</b>  " in text]
    elif name == "median_followers_by_age_group":
        order = [text.strip() for text in figure.layout.xaxis.ticktext]
    else:
        order = [text.strip() for text in figure.layout.yaxis.ticktext]
        assert figure.layout.yaxis.range[0] > figure.layout.yaxis.range[1], "the first stands on top"
    assert order == list(AGE_GROUPS)


@pytest.mark.parametrize("name", ["users_joined_by_year", "median_followers_by_join_year"])
def test_years_are_discrete_and_a_year_without_rows_is_a_gap(name):
    figure = draw_answer(name, FRAMES[name].astype("float64"))
    assert list(figure.layout.xaxis.ticktext) == ["2015", "2016", "2017"]
    assert figure.data[0].text[1] == ("0" if name == "users_joined_by_year" else "–")


def test_a_category_without_posts_in_a_year_has_none():
    figure = draw_answer("posts_by_category_and_year", FRAMES["posts_by_category_and_year"])
    assert [list(row) for row in figure.data[0].z] == [[5, 0, 7], [0, 0, 1]]
    assert list(figure.layout.xaxis.ticktext) == ["2018", "2019", "2020"]


def test_a_median_keeps_its_half():
    figure = draw_answer(
        "median_followers_by_age_group_and_join_year", FRAMES["median_followers_by_age_group_and_join_year"]
    )
    assert figure.data[0].text[0][2] == "900.5"
    assert figure.data[0].text[1][0] == ""


def test_the_same_frame_gives_the_same_figure():
    for name, frame in FRAMES.items():
        assert draw_answer(name, frame).to_json() == draw_answer(name, frame.copy()).to_json()
        json.loads(draw_answer(name, frame).to_json())


def test_a_figure_without_its_title_is_as_much_lower():
    figure = draw_answer("users_joined_by_year", FRAMES["users_joined_by_year"])
    bare = remove_title(figure)
    assert bare.layout.title.text is None
    assert figure.layout.height - bare.layout.height == figure.layout.margin.t - bare.layout.margin.t > 0


def test_what_cannot_be_drawn_is_a_clear_error():
    with pytest.raises(SettingsError, match=r"\Aanswer must be one of top_category_by_country, .*, got 'x'\Z"):
        draw_answer("x", pd.DataFrame())
    with pytest.raises(SettingsError, match=r"\Atop must be at least 1, got 0\Z"):
        draw_answer("top_user_country", FRAMES["top_user_country"], top=0)
    wanted = r"\Atop_user_country must have the columns country, follower_count, got none named 'follower_count'\Z"
    with pytest.raises(SettingsError, match=wanted):
        draw_answer("top_user_country", FRAMES["top_user_country"][["country"]])


def test_quality_adds_up_the_runs_of_a_topic():
    figure = draw_quality(RUNS, REJECTED, REPAIRED)["records_by_topic"]
    assert {trace.name: list(trace.x) for trace in figure.data} == {
        "merged": [4, 6],
        "already there": [0, 8],
        "rejected": [0, 1],
    }
    assert (
        figure.layout.meta["finding"] == "Of 19 records read, 10 were merged, 8 were already there and 1 were rejected."
    )


def test_quality_shows_reasons_and_columns_by_topic():
    figures = draw_quality(RUNS, REJECTED, REPAIRED)
    assert [(trace.name, list(trace.x)) for trace in figures["rejected_by_reason"].data] == [("pin", [1])]
    assert [(t.name, list(t.x)) for t in figures["repaired_by_column"].data] == [("geo", [3]), ("pin", [2])]


def test_quality_of_nothing_says_so():
    figures = draw_quality(RUNS.iloc[:0], pd.DataFrame(), REPAIRED.iloc[:0])
    said = [figure.layout.annotations[0].text for figure in figures.values()]
    assert said == ["no run has read a record", "no record was rejected", "no record was repaired"]


def test_the_library_loads_plotly_only_for_charts():
    folder = Path(pinterest_transforms.__file__).parent
    for path in folder.rglob("*.py"):
        if path.name.startswith("chart"):
            continue
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            names = [alias.name for alias in node.names] if isinstance(node, (ast.Import, ast.ImportFrom)) else []
            module = getattr(node, "module", None) or ""
            assert not any("plotly" in name or ".chart" in f".{name}" for name in (module, *names)), path
