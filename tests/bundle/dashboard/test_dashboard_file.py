"""The dashboard's file is whole, and the checker that says so sees what is planted."""

import copy
from collections import defaultdict
from collections.abc import Callable

import pytest

from pinterest_transforms.analysis.answers import ANSWERS
from pinterest_transforms.tables.views import SOURCES_VIEW
from tests.bundle.dashboard.dashboard_reading import DASHBOARD, datasets, load, queries, tables_of, widgets, written
from tests.bundle.dashboard.dashboards import READABLE, mistakes
from workspace.workspace_names import list_analyst_tables


def test_the_dashboard_has_no_mistake() -> None:
    assert mistakes(load()) == []


def test_the_file_stands_as_a_generated_one_would() -> None:
    assert DASHBOARD.read_text(encoding="utf-8") == written(load())


def test_every_answer_is_shown_under_its_table_s_own_name() -> None:
    sources = {name: tables_of(sql) for name, sql in datasets(load()).items()}
    assert all(sources[answer.name] == {answer.name} for answer in ANSWERS)


def test_no_query_reads_what_analysts_may_not() -> None:
    read = set().union(*(tables_of(sql) for sql in datasets(load()).values()))
    assert {*read, SOURCES_VIEW} == READABLE == set(list_analyst_tables())


def test_the_pages_are_answers_and_data_quality() -> None:
    assert [page["displayName"] for page in load()["pages"]] == ["Answers", "Data quality"]


def test_country_category_and_year_are_filters_of_all_that_has_them() -> None:
    bound: dict[str, set[str]] = defaultdict(set)
    columns: dict[str, set[str]] = defaultdict(set)
    for widget in widgets(load()):
        for query in queries(widget):
            columns[query.dataset] |= query.columns
            if widget["spec"]["widgetType"].startswith("filter-"):
                bound[query.fields[0].name].add(query.dataset)
    having = {name: {dataset for dataset, there in columns.items() if name in there} for name in bound}
    # One row, and the answer to one question: with a country chosen there would be nothing left.
    having["country"].discard("top_user_country")
    assert set(bound) == {"country", "category", "post_year", "kind", "day"}
    assert bound == having


def widget(dashboard: dict, name: str) -> dict:
    return next(found for found in widgets(dashboard) if found["name"] == name)


def placed(dashboard: dict, name: str) -> dict:
    return next(at for page in dashboard["pages"] for at in page["layout"] if at["widget"]["name"] == name)


def dataset(dashboard: dict, name: str) -> dict:
    return next(found for found in dashboard["datasets"] if found["name"] == name)


def ask(dashboard: dict, name: str) -> dict:
    return widget(dashboard, name)["queries"][0]["query"]


PLANTED: list[tuple[str, Callable[[dict], object], str]] = [
    (
        "a missing column",
        lambda d: ask(d, "posts")["fields"][0].update(expression="SUM(`pots`)"),
        "widget posts: column must be one that dataset posts gives, got pots",
    ),
    (
        "a column that nothing shows",
        lambda d: dataset(d, "users").update(queryLines=["SELECT 1 AS users, 2 AS people FROM posts\n"]),
        "dataset users: column people must be used",
    ),
    (
        "a widget over another",
        lambda d: placed(d, "countries")["position"].update(x=1),
        "widget categories: must not lie over countries",
    ),
    (
        "a widget beyond the grid",
        lambda d: placed(d, "micro-batches")["position"].update(width=13),
        "widget micro-batches: must lie within the 12 columns of its page, got ",
    ),
    (
        "a hole",
        lambda d: placed(d, "micro-batches")["position"].update(x=6, width=6),
        "page quality: must have no hole, got one at column 0, row 29",
    ),
    (
        "an unknown dataset",
        lambda d: ask(d, "read").update(datasetName="qualities"),
        "widget read: dataset must be one of ",
    ),
    (
        "a dataset that nobody uses",
        lambda d: d["datasets"].append(
            {"name": "spare", "displayName": "Spare", "queryLines": ["SELECT count(*) AS posts FROM posts\n"]}
        ),
        "dataset spare: must be used",
    ),
    (
        "a typo in SQL",
        lambda d: dataset(d, "users").update(queryLines=["SELECT count(*) AS users\n", "FORM posts\n"]),
        "dataset users: query must be Databricks SQL, line 2: ",
    ),
    (
        "lines that run into each other",
        lambda d: dataset(d, "users").update(queryLines=["SELECT count(*) AS users ", "FROM posts\n"]),
        "dataset users: every line of the query must end in a line feed",
    ),
    (
        "a query that writes",
        lambda d: dataset(d, "users").update(queryLines=["DELETE FROM posts\n"]),
        "dataset users: query must be one that reads",
    ),
    (
        "two queries",
        lambda d: dataset(d, "users")["queryLines"].append("; SELECT 2 AS users\n"),
        "dataset users: query must be one that reads",
    ),
    (
        "a star",
        lambda d: dataset(d, "users").update(queryLines=["SELECT * FROM posts\n"]),
        "dataset users: query must name its columns",
    ),
    (
        "a table that few may read",
        lambda d: dataset(d, "users").update(queryLines=["SELECT count(*) AS users FROM quarantine\n"]),
        "dataset users: table must be one that viewers may read, by its bare name, got quarantine",
    ),
    (
        "a catalog of one target",
        lambda d: dataset(d, "users").update(queryLines=["SELECT count(*) AS users FROM main.pinterest.posts\n"]),
        "dataset users: table must be one that viewers may read, by its bare name, got main.pinterest.posts",
    ),
    (
        "a name used twice",
        lambda d: widget(d, "read").update(name="merged"),
        "widget merged: name must be used once",
    ),
    (
        "a name with a space",
        lambda d: widget(d, "read").update(name="records read"),
        "widget: name must be 1 to 60 letters, digits, _ or -, got 'records read'",
    ),
    (
        "the version of another kind",
        lambda d: widget(d, "posts")["spec"].update(version=3),
        "widget posts: version of counter must be 2, got 3",
    ),
    (
        "a kind that does not exist",
        lambda d: widget(d, "filter-kind")["spec"].update(widgetType="filter"),
        "widget filter-kind: version of filter must be known, got 2",
    ),
    (
        "an encoding of a field that is not asked for",
        lambda d: widget(d, "posts")["spec"]["encodings"]["value"].update(fieldName="posts"),
        "widget posts: field posts must be in the query main_query",
    ),
    (
        "a field that is not shown",
        lambda d: widget(d, "micro-batches")["spec"]["encodings"]["columns"].pop(),
        "widget micro-batches: field library_version of main_query must be shown",
    ),
    (
        "a bar without a height",
        lambda d: widget(d, "fates-by-day")["spec"]["encodings"].pop("y"),
        "widget fates-by-day: bar must have the encoding y",
    ),
    (
        "a filter of a query that is not there",
        lambda d: widget(d, "filter-kind")["spec"]["encodings"]["fields"][0].update(queryName="other"),
        "widget filter-kind: query must be one of the widget's, got other",
    ),
    (
        "an expression that belongs into the dataset",
        lambda d: ask(d, "posts")["fields"][0].update(expression="SUM(`posts`) / 2"),
        "widget posts: field must be a column or one aggregate of a column, got SUM(`posts`) / 2",
    ),
    (
        "an aggregate of rows that are shown as they are",
        lambda d: ask(d, "posts").update(disaggregated=True),
        "widget posts: rows that are shown as they are must not be aggregated, got SUM(`posts`)",
    ),
    (
        "a widget without a title",
        lambda d: widget(d, "posts")["spec"]["frame"].pop("title"),
        "widget posts: must have a title",
    ),
    (
        "an empty text",
        lambda d: widget(d, "answers-about")["multilineTextboxSpec"].update(lines=[" "]),
        "widget answers-about: must have a spec or a text",
    ),
    (
        "a page without its layout's version",
        lambda d: d["pages"][0].pop("layoutVersion"),
        "page answers: layoutVersion must be one of GRID_V1, got None",
    ),
    (
        "a page without its type",
        lambda d: d["pages"][1].pop("pageType"),
        "page quality: pageType must be PAGE_TYPE_CANVAS, got None",
    ),
]


@pytest.mark.parametrize(("plant", "told"), [row[1:] for row in PLANTED], ids=[row[0] for row in PLANTED])
def test_a_planted_mistake_is_caught(plant: Callable[[dict], object], told: str) -> None:
    dashboard = copy.deepcopy(load())
    plant(dashboard)
    assert any(mistake.startswith(told) for mistake in mistakes(dashboard)), mistakes(dashboard)
