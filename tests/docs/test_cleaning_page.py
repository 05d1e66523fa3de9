"""Each line of the page about cleaning is what the library does."""

import re
from pathlib import Path

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from pinterest_transforms import ENTITIES, PIN, clean
from pinterest_transforms.placeholders import PIN_PLACEHOLDERS
from pinterest_transforms.schemas import CONTRACT

pytestmark = pytest.mark.usefixtures("interpreted")  # few records

KEY, FIELD = '"ind": 1', '"title": "a pin"'
PAGE = (Path(__file__).parents[2] / "docs" / "cleaning.md").read_text(encoding="utf-8")


def lines(section: str, pattern: str) -> list[tuple[str, ...]]:
    """What the rows of a section's table say."""
    found = re.findall(rf"^\| {pattern} \|$", PAGE.split(f"## {section}\n", 1)[1].split("\n## ", 1)[0], re.M)
    assert found
    return found


def test_each_value_becomes_what_the_page_says(spark: SparkSession) -> None:
    said = lines("Values", r"`(\w+)` \| `(.+?)` \| (?:`(.+?)`|null) \| ?(\w*)")
    assert len(said) == PAGE.split("## Values")[1].split("##")[0].count("\n| `")
    seen = []
    for entity in ENTITIES:
        records = [(column, record) for column, record, _, _ in said if column in CONTRACT[entity.name].names]
        records = [one for one in records if one[0] != "ind" or entity == PIN]
        texts = [f"{{{record}, {KEY if column != 'ind' else FIELD}}}" for column, record in records]
        usable, quarantined = clean(spark.createDataFrame([(text,) for text in texts], "value STRING"), entity)
        noted = {raw: (kind, columns) for raw, kind, columns in quarantined.select("raw", "kind", "columns").collect()}
        values = usable.select(*(F.col(name).cast("string") for name in CONTRACT[entity.name].names)).collect()
        for (column, record), text, row in zip(records, texts, values, strict=True):
            kind, columns = noted.get(text, ("", [column]))
            assert columns == [column]
            seen.append((column, record, row[column] or "", kind))
    assert seen == said


def test_each_placeholder_is_on_the_page() -> None:
    said = lines("Placeholders", r"`(\w+)` \| `(.+?)`")
    assert said == [(field, text) for field, texts in PIN_PLACEHOLDERS.items() for text in texts]


def test_each_reason_is_what_the_page_says(spark: SparkSession) -> None:
    said = lines("Records", r"`(.+?)` \| (.+)")
    rows = spark.createDataFrame([(text,) for text, _ in said], "value STRING")
    found = clean(rows, PIN)[1].select("raw", "reasons").collect()
    assert sorted((text, *reasons) for text, reasons in found) == sorted(said)
