"""What must hold of a dashboard's file before anybody opens it: layout, references, SQL. Needs no workspace, no Spark.

The format is published nowhere as a schema. What is checked is what exported dashboards and Databricks' own tools show:
a widget is drawn only if its kind has the right version, and each encoding names a field of the widget's query.
"""

import re
from collections.abc import Collection, Iterator

import sqlglot
from sqlglot import exp
from sqlglot.errors import ParseError

from pinterest_transforms.analysis.answers import ANSWERS
from pinterest_transforms.tables.definitions import RUNS_TABLE
from pinterest_transforms.tables.views import POSTS_VIEW, SOURCES_VIEW
from tests.bundle.dashboard.dashboard_reading import (
    WidgetQuery,
    columns_of,
    datasets,
    encodings,
    queries,
    tables_of,
    widgets,
)

READABLE = frozenset({POSTS_VIEW, SOURCES_VIEW, RUNS_TABLE, *(answer.name for answer in ANSWERS)})
"""Tables that analysts may read. Not the quarantine: people's texts stand in it, and few may see them."""

GRID = {"GRID_V1": 12}
"""Columns of a page, by its layout version."""
VERSIONS = {
    "bar": 3,
    "counter": 2,
    "filter-date-range-picker": 2,
    "filter-multi-select": 2,
    "heatmap": 3,
    "table": 2,
}
"""Kinds of widget that are used here, and the version in which each is drawn."""
_NEEDED = {
    "bar": {"x", "y"},
    "counter": {"value"},
    "heatmap": {"x", "y", "color"},
    "table": {"columns"},
}
_NAME = re.compile(r"\A[A-Za-z0-9_-]{1,60}\Z")


def mistakes(dashboard: dict, tables: Collection[str] = READABLE) -> list[str]:
    """What is wrong with a dashboard, a line each; empty if nothing is.

    Args:
        dashboard: as ``dashboard_reading.load`` gives it.
        tables: bare names of the tables it may read.
    """
    found = [*_name_mistakes(dashboard)]
    for dataset in dashboard["datasets"]:
        found += _sql_mistakes(f"dataset {dataset['name']}", dataset["queryLines"], tables)
    for page in dashboard["pages"]:
        found += _layout_mistakes(page)
    for widget in widgets(dashboard):
        found += _widget_mistakes(widget)
    return [*found, *_reference_mistakes(dashboard)]


def _name_mistakes(dashboard: dict) -> Iterator[str]:
    kinds = {"dataset": dashboard["datasets"], "page": dashboard["pages"], "widget": widgets(dashboard)}
    for kind, named in kinds.items():
        names = [thing["name"] for thing in named]
        for name in sorted(set(names)):
            if names.count(name) > 1:
                yield f"{kind} {name}: name must be used once"
            if not _NAME.match(name):
                yield f"{kind}: name must be 1 to 60 letters, digits, _ or -, got {name!r}"


def _sql_mistakes(name: str, lines: list[str], tables: Collection[str]) -> Iterator[str]:
    sql = "".join(lines)
    if not all(line.endswith("\n") for line in lines):
        # They are joined with nothing between them.
        yield f"{name}: every line of the query must end in a line feed"
    try:
        parsed = sqlglot.parse(sql, read="databricks")
    except ParseError as error:
        told = error.errors[0]
        yield f"{name}: query must be Databricks SQL, line {told['line']}: {told['description']}"
        return
    if len(parsed) != 1 or not isinstance(parsed[0], exp.Query):
        yield f"{name}: query must be one that reads"
        return
    if parsed[0].is_star:
        yield f"{name}: query must name its columns"
    for table in sorted(tables_of(sql) - set(tables)):
        yield f"{name}: table must be one that viewers may read, by its bare name, got {table}"


def _layout_mistakes(page: dict) -> Iterator[str]:
    name, version = f"page {page['name']}", page.get("layoutVersion")
    if page.get("pageType") != "PAGE_TYPE_CANVAS":
        yield f"{name}: pageType must be PAGE_TYPE_CANVAS, got {page.get('pageType')!r}"
    if version not in GRID:
        yield f"{name}: layoutVersion must be one of {', '.join(GRID)}, got {version!r}"
        return
    taken: dict[tuple[int, int], str] = {}
    for placed in page["layout"]:
        widget, at = placed["widget"]["name"], placed["position"]
        right, below = at["x"] + at["width"], at["y"] + at["height"]
        if min(at["x"], at["y"]) < 0 or min(at["width"], at["height"]) < 1 or right > GRID[version]:
            yield f"widget {widget}: must lie within the {GRID[version]} columns of its page, got {at}"
            continue
        cells = [(x, y) for x in range(at["x"], right) for y in range(at["y"], below)]
        for other in sorted({taken[cell] for cell in cells if cell in taken}):
            yield f"widget {widget}: must not lie over {other}"
        taken |= dict.fromkeys(cells, widget)
    rows = range(max((y for _, y in taken), default=-1) + 1)
    if free := [(x, y) for y in rows for x in range(GRID[version]) if (x, y) not in taken]:
        yield f"{name}: must have no hole, got one at column {free[0][0]}, row {free[0][1]}"


def _widget_mistakes(widget: dict) -> Iterator[str]:
    name, spec = f"widget {widget['name']}", widget.get("spec")
    if spec is None:
        if not "".join(widget.get("multilineTextboxSpec", {}).get("lines", [])).strip():
            yield f"{name}: must have a spec or a text"
        return
    kind = spec["widgetType"]
    if spec["version"] != VERSIONS.get(kind):
        yield f"{name}: version of {kind} must be {VERSIONS.get(kind, 'known')}, got {spec['version']}"
    if missing := _NEEDED.get(kind, {"fields"}) - set(spec["encodings"]):
        yield f"{name}: {kind} must have the encoding {', '.join(sorted(missing))}"
    if not spec.get("frame", {}).get("title"):
        yield f"{name}: must have a title"
    asked = list(queries(widget))
    # Only filters have several queries, and name them.
    shown = {(at.get("queryName", asked[0].name), at["fieldName"]) for at in encodings(widget) if "fieldName" in at}
    for query in sorted({query for query, _ in shown} - {query.name for query in asked}):
        yield f"{name}: query must be one of the widget's, got {query}"
    for query in asked:
        yield from _field_mistakes(name, query, {field for at, field in shown if at == query.name})


def _field_mistakes(name: str, query: WidgetQuery, shown: set[str]) -> Iterator[str]:
    there = {field.name for field in query.fields}
    yield from (f"{name}: field {unasked} must be in the query {query.name}" for unasked in sorted(shown - there))
    yield from (f"{name}: field {spare} of {query.name} must be shown" for spare in sorted(there - shown))
    for field in query.fields:
        if not field.column:
            yield f"{name}: field must be a column or one aggregate of a column, got {field.expression}"
        elif query.rows and field.aggregates:
            yield f"{name}: rows that are shown as they are must not be aggregated, got {field.expression}"


def _reference_mistakes(dashboard: dict) -> Iterator[str]:
    """Datasets and columns that are asked for must be there; those that are there must be asked for."""
    there = {name: columns_of(sql) for name, sql in datasets(dashboard).items()}
    used: dict[str, set[str]] = {name: set() for name in there}
    for query in (query for widget in widgets(dashboard) for query in queries(widget)):
        if query.dataset not in there:
            yield f"widget {query.widget}: dataset must be one of {', '.join(there)}, got {query.dataset}"
            continue
        used[query.dataset] |= query.columns
        # A query that cannot be read is told elsewhere.
        for column in sorted(query.columns - there[query.dataset]) if there[query.dataset] else ():
            yield f"widget {query.widget}: column must be one that dataset {query.dataset} gives, got {column}"
    for name, columns in there.items():
        if not used[name]:
            yield f"dataset {name}: must be used"
        else:
            yield from (f"dataset {name}: column {column} must be used" for column in sorted(columns - used[name]))
