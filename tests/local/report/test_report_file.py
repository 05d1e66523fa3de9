"""The report is one page that opens offline, holds every row, and runs no text of the data."""

import base64
import hashlib
import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest

from local.report.report_file import ReportData, write_report
from local.report.report_sections import render_table, render_time
from pinterest_transforms.analysis import answers
from pinterest_transforms.errors import SettingsError

EVIL = "<script>alert(1)</script>"
ENDS = '</script><img src=x onerror="alert(2)"> & \u2028 \x00 مرحبا 🌸'
MADE = datetime(2025, 11, 23, 9, 5, tzinfo=UTC)
QUESTIONS = {answer.name: answer.question for answer in answers.ANSWERS}
COUNTS = ["category", "category_count"]
ANSWERS = {
    "top_category_by_country": pd.DataFrame(
        [(f"Land, {i} (the)", "art", i + 1000) for i in range(237)], columns=["country", *COUNTS]
    ),
    "posts_by_category_and_year": pd.DataFrame([(2018, "art", 5)], columns=["post_year", *COUNTS]),
    "top_category_by_year": pd.DataFrame([(2018, "art", 5)], columns=["post_year", *COUNTS]),
    "top_user_by_country": pd.DataFrame(
        [("Peru", EVIL, 1_234_567), ("Oman", ENDS, 10)], columns=["country", "poster_name", "follower_count"]
    ),
    "top_user_country": pd.DataFrame([("Peru", 1_234_567)], columns=["country", "follower_count"]),
    "top_category_by_age_group": pd.DataFrame([("+50", "art", 5), ("18-24", "diy", 3)], columns=["age_group", *COUNTS]),
    "median_followers_by_age_group": pd.DataFrame([("+50", 5.5)], columns=["age_group", "median_follower_count"]),
    "users_joined_by_year": pd.DataFrame([(2015, 4)], columns=["post_year", "number_users_joined"]),
    "median_followers_by_join_year": pd.DataFrame([(2015, 7.0)], columns=["post_year", "median_follower_count"]),
    "median_followers_by_age_group_and_join_year": pd.DataFrame(
        [("+50", 2015, 1.0)], columns=["age_group", "post_year", "median_follower_count"]
    ),
}
RUNS = pd.DataFrame(
    [
        ("x.pin", MADE, 1.5, 11_500, 11_001, 400, 99, 37),
        ("x.pin", MADE + timedelta(hours=1), 1.5, 2, 0, 1, 1, 0),
        ("x.geo", MADE, 1.5, 7, 7, 0, 0, 0),
    ],
    columns=["topic", "started", "seconds", "read", "merged", "already_there", "rejected", "repaired"],
)
DATA = ReportData(
    made_at=MADE,
    user_id="12f6caff3559",
    source="/some where/<landing>&",
    library_version="1.2.3",
    posts=11_001,
    latest_arrivals={"x.pin": MADE, "x.geo": None},
    latest_post=datetime(2022, 11, 2, 3, 52),
    answers={name: ANSWERS[name] for name in QUESTIONS},
    runs=RUNS,
    rejected_by_reason=pd.DataFrame([("x.pin", "no usable key", 8_765)], columns=["topic", "reason", "records"]),
    repaired_by_column=pd.DataFrame([("x.pin", "follower_count", 4_321)], columns=["topic", "column", "records"]),
    unknown_fields=pd.DataFrame([("x.pin", "<i>colour", 17)], columns=["topic", "field", "records"]),
    tables=pd.DataFrame([("pins", 11_001, 3)], columns=["table", "rows", "delta_version"]),
    landing=("x.pin: 1 file is not named <topic>… and not taken: 'a.JSON'",),
)
EMPTY = replace(
    DATA,
    posts=0,
    latest_arrivals={},
    latest_post=None,
    answers={name: frame.iloc[:0] for name, frame in DATA.answers.items()},
    runs=RUNS.iloc[:0],
    **dict.fromkeys(("rejected_by_reason", "repaired_by_column", "unknown_fields"), pd.DataFrame()),
    tables=pd.DataFrame(),
)


class Reader(HTMLParser):
    """Reads a page as a browser does: its elements, its scripts, the text of its cells."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.scripts: list[str] = []
        self.cells: list[str] = []
        self.text = ""
        self._inside = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        self._inside = tag if tag in {"script", "style"} else self._inside
        if tag == "script":
            self.scripts.append("")
        if tag in {"td", "th"}:
            self.cells.append("")
            self._inside = "cell"

    def handle_endtag(self, tag):
        if tag in {"script", "style", "td", "th"}:
            self._inside = ""

    def handle_data(self, data):
        if self._inside == "script":
            self.scripts[-1] += data
        elif self._inside != "style":
            self.text += data
        if self._inside == "cell":
            self.cells[-1] += data

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = write_report(tmp_path_factory.mktemp("report") / "deep" / "report.html", DATA)
    return path.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def reader(page: str) -> Reader:
    return Reader(page)


def test_every_chart_has_a_place_words_and_a_figure(reader):
    places = {div["id"]: div for div in reader.all("div") if div.get("class") == "chart"}
    figures = json.loads(reader.scripts[0])
    expected = [*(f"chart-{name}" for name in QUESTIONS), "chart-records_by_topic", "chart-rejected_by_reason"]
    assert set(places) == set(figures) == {*expected, "chart-repaired_by_column"}
    for name, place in places.items():
        assert place["role"] == "img"
        assert place["aria-label"].startswith("Chart. ")
        assert figures[name]["layout"]["height"] > 0


def test_the_page_says_what_it_is_made_from_when_and_up_to_when(reader):
    for said in [
        "/some where/<landing>&",
        "12f6caff3559",
        "x.pin: 1 file is not named <topic>… and not taken: 'a.JSON'",
        "1.2.3",
        "23 Nov 2025, 09:05 UTC",
        "2 Nov 2022, 03:52 UTC",
        "x.geo none yet",
    ]:
        assert said in reader.text


def test_key_numbers_are_the_totals_of_all_runs(page):
    numbers = re.search(r'<dl class="numbers">(.*?)</dl>', page, re.S).group(1)
    pairs = re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", numbers)
    assert pairs == [
        ("Posts", "11,001"),
        ("Records read", "11,509"),
        ("Merged", "11,008"),
        ("Already there", "401"),
        ("Rejected", "100"),
        ("Repaired", "37"),
    ]


def test_every_row_of_every_answer_is_in_a_table(reader):
    for i in range(237):
        assert f"Land, {i} (the)" in reader.cells
    assert "Show all 237 rows" in reader.text
    assert all(question in reader.text for question in QUESTIONS.values())


def test_the_quality_of_the_data_is_in_tables(reader):
    for cell in ["no usable key", "8,765", "follower_count", "4,321", "<i>colour", "17", "11,502", "401", "pins"]:
        assert cell in reader.cells


def test_text_of_the_data_is_text(page, reader):
    assert EVIL in reader.cells
    assert ENDS.replace("\x00", "�") in reader.cells
    assert "<script>alert" not in page
    assert "<img" not in page
    assert len(reader.all("script")) == 3, "the figures, plotly.js, the page's own"
    assert not [name for _, attributes in reader.elements for name in attributes if name.startswith("on")]


def test_the_figures_cannot_end_their_element(page):
    block = re.search(r'<script type="application/json" id="figures">(.*?)</script>', page, re.S).group(1)
    assert not set("<>&\u2028\u2029") & set(block)
    assert block.isascii()
    assert "\\u0026lt;script\\u0026gt;alert(1)" in block


def test_nothing_is_loaded_from_anywhere(page, reader):
    for tag, attributes in reader.elements:
        assert not {"src", "srcset", "data", "action", "poster", "background"} & set(attributes), tag
        assert attributes.get("href", "#").startswith(("#", "data:,")), tag
        assert "url(" not in attributes.get("style", "")
    style = re.search(r"<style>(.*?)</style>", page, re.S).group(1)
    assert not re.search(r"url\(|@import|https?:", style)
    markup = re.sub(r"<script.*?</script>", "", page, flags=re.S)
    assert "http:" not in markup
    assert "https:" not in markup


def test_the_policy_allows_the_two_scripts_and_nothing_else(reader):
    metas = [meta for meta in reader.all("meta") if meta.get("http-equiv") == "Content-Security-Policy"]
    rules = dict(rule.strip().split(" ", 1) for rule in metas[0]["content"].split(";"))
    hashes = [base64.b64encode(hashlib.sha256(s.encode()).digest()).decode() for s in reader.scripts[1:]]
    assert rules == {
        "default-src": "'none'",
        "script-src": " ".join(f"'sha256-{value}'" for value in hashes),
        "style-src": "'unsafe-inline'",
        "img-src": "data:",
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    assert reader.elements.index(("meta", metas[0])) < [tag for tag, _ in reader.elements].index("script")


def test_the_index_leads_to_every_section_and_no_id_stands_twice(reader):
    ids = [attributes["id"] for _, attributes in reader.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert {a["href"][1:] for a in reader.all("a")} <= set(ids)
    assert len(reader.all("section")) == 12
    assert [meta["content"] for meta in reader.all("meta") if meta.get("name") == "viewport"]


def test_the_same_data_gives_the_same_bytes(tmp_path, page):
    assert write_report(tmp_path / "again.html", DATA).read_text(encoding="utf-8") == page


def test_an_empty_warehouse_gives_a_page_too(tmp_path):
    text = Reader(write_report(tmp_path / "report.html", EMPTY).read_text(encoding="utf-8")).text
    assert "none yet" in text
    assert "No record had a field the schema does not know." in text


def test_a_report_that_fails_leaves_the_earlier_one(tmp_path):
    path = tmp_path / "report.html"
    path.write_text("earlier", encoding="utf-8")
    broken = replace(DATA, answers={"no_such_answer": pd.DataFrame()})
    with pytest.raises(SettingsError, match="answer must be one of"):
        write_report(path, broken)
    assert [(p.name, p.read_text(encoding="utf-8")) for p in tmp_path.iterdir()] == [("report.html", "earlier")]


def test_half_a_surrogate_pair_does_not_stop_the_report(tmp_path):
    frame = pd.DataFrame([("Peru", "a\ud83cb", 1)], columns=["country", "poster_name", "follower_count"])
    data = replace(DATA, answers={"top_user_by_country": frame})
    assert "a�b" in Reader(write_report(tmp_path / "r.html", data).read_text(encoding="utf-8")).cells


def test_a_table_shows_each_value_in_its_way():
    frame = pd.DataFrame(
        {
            "post_year": pd.array([2018, None], dtype="Int64"),
            "median_follower_count": [1234.5, float("nan")],
            "poster_name": [None, "a_b"],
            "records": pd.Series([1234567, 2], dtype=object),
        }
    )
    shown = re.findall(r"<t[dh](?: [^>]*)?>.*?</t[dh]>", render_table(frame, "Caption"))
    assert shown == [
        '<th scope="col">Year</th>',
        '<th scope="col" class="n">Median followers</th>',
        '<th scope="col">Poster</th>',
        '<th scope="col" class="n">Records</th>',
        "<td>2018</td>",
        '<td class="n">1,234.5</td>',
        "<td>–</td>",
        '<td class="n">1,234,567</td>',
        "<td>–</td>",
        '<td class="n">–</td>',
        "<td><bdi>a_<wbr>b</bdi></td>",
        '<td class="n">2</td>',
    ]


def test_age_groups_stand_in_their_order_in_the_table(page):
    section = re.search(r'<section id="answer-top_category_by_age_group".*?</section>', page, re.S).group(0)
    assert section.index("<bdi>18-24</bdi>") < section.index("<bdi>+50</bdi>")


def test_a_time_is_shown_in_utc():
    for given, expected in [
        (None, "none yet"),
        (pd.NaT, "none yet"),
        (datetime(2022, 3, 4, 5, 6, tzinfo=timezone(timedelta(hours=2))), "4 Mar 2022, 03:06 UTC"),
        (pd.Timestamp("2022-03-04 05:06"), "4 Mar 2022, 05:06 UTC"),
    ]:
        assert re.sub(r"<.*?>", "", render_time(given)) == expected


def test_the_page_has_no_place_of_this_machine(page):
    assert str(Path(__file__).parents[3]) not in page
