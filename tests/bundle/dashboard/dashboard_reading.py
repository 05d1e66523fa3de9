"""Reads a dashboard's file (`.lvdash.json`): its datasets, and what its widgets ask of them."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import sqlglot
from sqlglot import exp
from sqlglot.errors import ParseError

ROOT = Path(__file__).parents[3]
DASHBOARD = ROOT / "resources" / "pinterest.lvdash.json"

# The expressions that a widget may have: a column, or one aggregate of a column. All else belongs into the dataset.
_EXPRESSION = re.compile(
    r"\A(?:(?P<aggregate>(?:SUM|AVG|MIN|MAX|COUNT)\(|COUNT\(DISTINCT )`(?P<within>\w+)`\)|`(?P<plain>\w+)`)\Z"
)


@dataclass(frozen=True)
class Field:
    """A field of a widget's query.

    Attributes:
        name: what encodings call it.
        expression: as the file has it.
        column: the dataset's column in it; empty where the expression is one that no widget may have.
        aggregates: whether it makes one value of many.
    """

    name: str
    expression: str
    column: str
    aggregates: bool


@dataclass(frozen=True)
class WidgetQuery:
    """One query of a widget.

    Attributes:
        widget: name of the widget.
        name: name of the query, which encodings may refer to.
        dataset: name of the dataset it asks.
        fields: what it asks for.
        rows: whether it takes the dataset's rows as they are; else they are grouped by the fields without aggregate.
        scales: by field, the kind of scale it is drawn on: quantitative, temporal or categorical.
    """

    widget: str
    name: str
    dataset: str
    fields: tuple[Field, ...]
    rows: bool
    scales: dict[str, str]

    @property
    def columns(self) -> set[str]:
        """Columns of the dataset that the fields use."""
        return {field.column for field in self.fields if field.column}

    def statement(self, dataset: str) -> str:
        """What the warehouse is asked, around the dataset's own query."""
        picked = ", ".join(f"{field.expression} AS `{field.name}`" for field in self.fields)
        groups = [field.expression for field in self.fields if not field.aggregates and not self.rows]
        grouped = f"\nGROUP BY {', '.join(groups)}" if groups else ""
        return f"SELECT {picked}\nFROM (\n{dataset}\n){grouped}"


def load(path: Path = DASHBOARD) -> dict:
    """The dashboard as plain data."""
    return json.loads(path.read_text(encoding="utf-8"))


def written(dashboard: dict) -> str:
    """The dashboard as `databricks bundle generate` writes it, so that a change that was made there is a small diff."""
    return json.dumps(dashboard, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def datasets(dashboard: dict) -> dict[str, str]:
    """SQL of each dataset, by its name."""
    return {dataset["name"]: "".join(dataset["queryLines"]).rstrip() for dataset in dashboard["datasets"]}


def columns_of(sql: str) -> set[str]:
    """Columns that a query gives; none if it cannot be read."""
    try:
        parsed = sqlglot.parse_one(sql, read="databricks")
    except ParseError:
        return set()
    return set(parsed.named_selects) if isinstance(parsed, exp.Query) else set()


def tables_of(sql: str) -> set[str]:
    """Tables that a query reads, as it names them.

    Raises:
        ParseError: it is no Databricks SQL.
    """
    parsed = sqlglot.parse_one(sql, read="databricks")
    own = {part.alias for part in parsed.find_all(exp.CTE)}
    return {".".join(part.name for part in table.parts) for table in parsed.find_all(exp.Table)} - own


def widgets(dashboard: dict) -> list[dict]:
    """The widgets of all pages, in their order."""
    return [placed["widget"] for page in dashboard["pages"] for placed in page["layout"]]


def encodings(widget: dict) -> Iterator[dict]:
    """What a widget draws: columns of a table and fields of a filter one by one."""
    for encoding in widget.get("spec", {}).get("encodings", {}).values():
        yield from encoding if isinstance(encoding, list) else [encoding]


def queries(widget: dict) -> Iterator[WidgetQuery]:
    """The queries of a widget; a text has none."""
    scales = {at["fieldName"]: at["scale"]["type"] for at in encodings(widget) if "fieldName" in at and "scale" in at}
    for query in widget.get("queries", []):
        asked = query["query"]
        fields = tuple(_field(field["name"], field["expression"]) for field in asked["fields"])
        yield WidgetQuery(widget["name"], query["name"], asked["datasetName"], fields, asked["disaggregated"], scales)


def _field(name: str, expression: str) -> Field:
    found = _EXPRESSION.match(expression)
    column = (found["plain"] or found["within"]) if found else ""
    return Field(name, expression, column, bool(found and found["aggregate"]))
