import io
import re
from datetime import datetime

import pandas as pd
import plotly.graph_objects as go
import pytest
from pyspark.sql import DataFrame, SparkSession
from rich.cells import cell_len
from rich.control import strip_control_codes

from local.notebooks.display import Screen, collect_rows
from pinterest_transforms.error_format import clean_text


@pytest.fixture
def out() -> io.StringIO:
    return io.StringIO()


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


def _shown(frame: DataFrame) -> str:
    out = io.StringIO()
    Screen(out).display(frame)
    return out.getvalue()


def test_numbers_are_readable_and_years_are_years(either: SparkSession) -> None:
    frame = either.sql(
        "SELECT 2018 AS post_year, 1234567L AS category_count, 1234.5D AS median, 2000.0D AS whole, "
        "7166L AS ind, CAST('12345.60' AS DECIMAL(10,2)) AS money, true AS yes"
    )

    assert _shown(frame) == (
        "post_year  category_count   median  whole   ind      money  yes\n"
        "────────────────────────────────────────────────────────────────\n"
        "     2018       1,234,567  1,234.5  2,000  7166  12,345.60  true\n"
        "\n"
    )


def test_missing_values_moments_and_nested_ones(either: SparkSession) -> None:
    frame = either.sql(
        "SELECT CAST(NULL AS INT) AS n, TIMESTAMP'2020-08-28 03:52:47Z' AS t, array(1.5D, NULL) AS c, "
        "named_struct('a', 'x', 'b', array(1)) AS s, X'0102' AS b, map('k', DATE'2020-01-02') AS m"
    )

    assert _shown(frame).splitlines()[2].split("  ") == [
        "NULL", "2020-08-28 03:52:47", "[1.5, null]", '{"a": "x", "b": [1]}', "2 bytes", '{"k": "2020-01-02"}',
    ]  # fmt: skip


def test_rows_are_cut_and_counted(spark: SparkSession) -> None:
    lines = _shown(spark.range(1234)).splitlines()

    assert lines[2].strip() == "0"
    assert lines[21].strip() == "19"
    assert lines[22] == "… 20 of 1,234 rows"
    assert "rows" not in _shown(spark.range(20))
    assert _shown(spark.range(0)).splitlines()[2] == "(no rows)"


def test_wide_characters_line_up(spark: SparkSession) -> None:
    frame = spark.createDataFrame([("日本語",), ("🎉 party",), ("плов",), ("👩‍👩‍👧",)], "title string").selectExpr(
        "title", "'|' AS edge"
    )

    lines = _shown(frame).splitlines()[2:6]

    assert {cell_len(line.partition("|")[0]) for line in lines} == {cell_len("🎉 party") + 2}


def test_control_characters_do_not_reach_the_terminal(spark: SparkSession) -> None:
    evil = "a\x1b[31mred\x07\nnext\ttab\u202eturned\r\x9b2J [bold]markup[/bold] :smile:"
    frame = spark.createDataFrame([(evil,)], "title string")

    line = _shown(frame).splitlines()[2]

    assert line == "a[31mred next tabturned 2J [bold]markup[/bold] :smile:"
    assert strip_control_codes(line) == line


@pytest.mark.parametrize(
    ("text", "expected"),
    [("plain", "plain"), ("a\r\nb\x00\x85c\u2028d", "a b c d"), ("\ud800x", "x"), ("non\u00a0break", "non\u00a0break")],
)
def test_text_is_cleaned_to_one_line(text: str, expected: str) -> None:
    assert clean_text(text) == expected


def test_long_text_ends_in_an_ellipsis(spark: SparkSession) -> None:
    frame, out = spark.sql("SELECT repeat('x', 1000) AS t"), io.StringIO()
    Screen(out).show_rows(collect_rows(frame, 1), widest=None)

    assert _shown(frame).splitlines()[2] == "x" * 59 + "…"
    assert out.getvalue().splitlines()[2] == "x" * 1000


def test_a_terminal_gets_colour_and_a_pipe_gets_none(spark: SparkSession, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    frame = spark.sql("SELECT NULL AS n")
    terminal, plain = Terminal(), Terminal()

    Screen(terminal).display(frame)
    monkeypatch.setenv("NO_COLOR", "1")
    Screen(plain).display(frame)

    assert "\x1b[2mNULL\x1b[0m" in terminal.getvalue()
    assert "\x1b[3" not in plain.getvalue()
    assert "\x1b" not in _shown(frame)


def test_a_narrow_terminal_gets_a_line_for_each_value(spark: SparkSession, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    terminal = Terminal()

    Screen(terminal).display(spark.sql("SELECT 1 AS a, 'two' AS b, 3 AS c, 4 AS d, 5 AS e, repeat('y ', 40) AS f"))

    lines = re.sub(r"\x1b\[[0-9;]*m", "", terminal.getvalue()).splitlines()
    assert lines[0] == "row 1"
    assert all(cell_len(line) <= 40 for line in lines)
    assert [line.split() for line in lines if line.split()[:1] == ["b"]] == [["b", "two"]]


def test_pandas_frames_are_tables(out: io.StringIO) -> None:
    frame = pd.DataFrame({"year": [2018, 2019], "n": [1234.0, None], "t": pd.to_datetime(["2020-01-01", None])})

    Screen(out).display(frame)

    lines = out.getvalue().splitlines()
    assert lines[0].split() == ["year", "n", "t"]
    assert lines[2].split() == ["2018", "1,234", "2020-01-01", "00:00:00"]
    assert lines[3].split() == ["2019", "NULL", "NULL"]


def test_figures_are_told(out: io.StringIO) -> None:
    screen = Screen(out)
    figure = go.Figure(layout={"title": {"text": "Posts<br><b>per year</b>\x1b[2J"}})

    screen.display(figure)
    screen.display(go.Figure())

    assert out.getvalue() == "chart: Posts per year [2J\n\nchart: without a title\n\n"


def test_text_is_text(out: io.StringIO) -> None:
    screen = Screen(out)

    screen.display("taken from here")

    assert out.getvalue() == "taken from here\n"


def test_moments_are_utc_in_every_zone(spark: SparkSession, monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    try:
        # Twice 01:30 in New York, an hour apart.
        moments = "TIMESTAMP'2020-11-01 05:30:00Z' AS a, TIMESTAMP'2020-11-01 06:30:00Z' AS b"
        shown = _shown(spark.sql(f"SELECT {moments}")).splitlines()[2]
    finally:
        monkeypatch.undo()
        time.tzset()

    assert [datetime.fromisoformat(part).hour for part in shown.split("  ")] == [5, 6]
