"""``python -m local explain``: the posts behind a row of an answer, and where their records came from."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pyspark.sql import DataFrame, SparkSession

from local.cli.command_options import check_given_once
from local.cli.query_command import find_schemas, schema_settings
from pinterest_transforms.analysis.answer_posts import parse_cell
from pinterest_transforms.analysis.answers import answer_named
from pinterest_transforms.errors import SettingsError
from pinterest_transforms.operations.explanation import explain
from pinterest_transforms.settings import Settings
from pinterest_transforms.tables.creation import register_tables


@dataclass(frozen=True)
class Explanation:
    """A row of an answer to explain.

    Attributes:
        settings: names and places.
        answer: name of the answer.
        cell: values of its columns that choose the rows.
        raw: also the raw texts.
    """

    settings: Settings
    answer: str
    cell: dict[str, str]
    raw: bool

    def open(self, spark: SparkSession) -> DataFrame:
        """The posts as a frame."""
        register_tables(spark, self.settings)
        return explain(spark, self.settings, self.answer, self.cell, raw=self.raw)


def check_explanation(
    answer: str,
    cell: Sequence[tuple[str, str]],
    *,
    warehouse: Path,
    schema: str | None,
    user_id: str,
    landing: Path,
    raw: bool,
) -> Explanation:
    """Checks what can be checked without Spark.

    Raises:
        SettingsError: there is no such answer, column, schema or landing, or a column is given twice.
        QueryError: there is no such warehouse or schema.
    """
    check_given_once([name for name, _ in cell], "a column")
    parse_cell(answer_named(answer), dict(cell))
    schemas, chosen = find_schemas(warehouse, schema)
    if chosen is None:
        raise SettingsError(f"schema must be one of {', '.join(schemas)}, got none (--schema)")
    settings = schema_settings(warehouse, chosen)
    if settings.leg == "batch":
        settings = replace(settings, user_id=user_id, landing=str(landing))
        if raw and not landing.is_dir():
            raise SettingsError(f"landing must be an existing folder, got {landing}: raw texts are read from it")
    return Explanation(settings, answer, dict(cell), raw)
