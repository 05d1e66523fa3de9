"""``python -m local sql``: one query over the tables of a warehouse folder, its rows to standard output."""

import argparse
import json
import os
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from itertools import islice
from pathlib import Path
from typing import TextIO

from pyspark.errors import AnalysisException, ParseException
from pyspark.sql import DataFrame, SparkSession

from local.cli.command_session import open_session
from local.cli.step_progress import StepProgress
from local.notebooks.display import Screen, collect_rows
from local.notebooks.json_values import to_json_value
from local.notebooks.terminal_table import WIDEST_CELL
from pinterest_transforms.entities import ENTITIES
from pinterest_transforms.error_format import message_of
from pinterest_transforms.errors import SettingsError
from pinterest_transforms.settings import LEGS, Leg, Settings, quote_identifiers
from pinterest_transforms.tables.creation import register_tables

TABLE_ROWS = 1000
_BATCH = LEGS["batch"]
# A result comes a partition at a time: small ones, and no bound on all of them together.
_SESSION_SETTINGS = {
    "spark.driver.maxResultSize": "0",
    "spark.sql.files.maxPartitionBytes": "16m",
    "spark.sql.adaptive.advisoryPartitionSizeInBytes": "16m",
}
_STARTS = ("SELECT", "WITH", "VALUES", "FROM", "TABLE", "DESCRIBE", "DESC", "SHOW", "EXPLAIN")
_DESCRIBING = ("DESCRIBE", "DESC", "SHOW", "EXPLAIN")
_CHANGES = (
    "org.apache.spark.sql.catalyst.plans.logical.Command",
    "org.apache.spark.sql.catalyst.plans.logical.InsertIntoStatement",
    "org.apache.spark.sql.catalyst.plans.logical.ParsedStatement",
)
# Comments, quoted texts and quoted names, in which a semicolon ends nothing.
_OPAQUE = re.compile(r"--[^\n]*|/\*.*?\*/|'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"|`[^`]*`", re.DOTALL)
_COMMENT = re.compile(r"\A(?:--|/\*)")
_NEEDS_QUOTES = re.compile(r'[",\r\n]|\A\s|\s\Z')


def run(options: argparse.Namespace) -> None:
    """Prints the rows of the query."""
    check_query(options.query)
    schemas, schema = find_schemas(options.warehouse, options.schema)
    with open_query_session(options) as (spark, steps):
        steps("reading the tables")
        use_warehouse(spark, options.warehouse, schemas, schema)
        steps("running the query")
        frame = open_query(spark, options.query, () if schema else schemas)
        write_rows(frame, options.format, sys.stdout, steps.end)


def open_query_session(options: argparse.Namespace) -> AbstractContextManager[tuple[SparkSession, StepProgress]]:
    """A session whose result goes to standard output in the options' format, with progress for a terminal only."""
    # One query is over before Java's optimizing compiler has paid for itself.
    os.environ.setdefault("JAVA_TOOL_OPTIONS", "-XX:TieredStopAtLevel=1")
    if options.format != "table":
        sys.stdout.reconfigure(encoding="utf-8", newline="")  # type: ignore[union-attr]
    return open_session(options.warehouse, _SESSION_SETTINGS, quiet=not sys.stderr.isatty())


def check_query(text: str) -> str:
    """The first word of a query, if it is one statement that may only read.

    Raises:
        SettingsError: if it is empty, more than one statement, or one that is not a query.
    """
    plain_text = _OPAQUE.sub(lambda found: " " if _COMMENT.match(found[0]) else "q", text)
    statements = [part.strip() for part in plain_text.split(";") if part.strip()]
    if len(statements) != 1:
        raise SettingsError(f"query must be one statement, got {len(statements)}")
    first = re.split(r"[^A-Za-z]", statements[0].lstrip("( \t\r\n"), maxsplit=1)[0].upper()
    if first not in _STARTS:
        raise SettingsError(f"query must start with one of {', '.join(_STARTS)}, got {first or statements[0][:20]!r}")
    return first


def open_query(spark: SparkSession, text: str, schemas: Sequence[str] = ()) -> DataFrame:
    """The query as a frame; nothing of it has run, except DESCRIBE, SHOW and EXPLAIN.

    ``schemas`` are those that a query may name, where bare names have none.

    Raises:
        SettingsError: if it does not parse, names an unknown table or column, or would change something.
    """
    first = check_query(text)
    try:
        plan = spark._jsparkSession.sessionState().sqlParser().parsePlan(text)
        if first not in _DESCRIBING and _has_change(spark, plan):
            raise SettingsError("query must only read, and this one would change something")
        return spark.sql(text)
    except (ParseException, AnalysisException) as error:
        reason = message_of(error)
        if schemas and "TABLE_OR_VIEW_NOT_FOUND" in reason:
            reason = f"a table must be named with its schema, or --schema be one of {', '.join(schemas)}: {reason}"
        raise SettingsError(reason) from error


def find_schemas(warehouse: Path, schema: str | None) -> tuple[list[str], str | None]:
    """Schemas with tables in a warehouse folder, and the one of bare names.

    That is the given one, else the batch leg's, else the only one; None where a query has to name its schema.

    Raises:
        SettingsError: if there is no such folder, or the given schema has no tables there.
    """
    if not warehouse.is_dir():
        raise SettingsError(f"warehouse must be an existing folder, got {warehouse}")
    schemas = sorted({folder.parent.parent.name for folder in warehouse.glob("*/*/_delta_log") if folder.is_dir()})
    if not schemas:
        raise SettingsError(f"warehouse must hold tables, got none in {warehouse}")
    if schema is not None and schema not in schemas:
        raise SettingsError(f"schema must be one of {', '.join(schemas)} in {warehouse}, got {schema!r}")
    if schema is None and _BATCH in schemas:
        schema = _BATCH
    return schemas, schema or (schemas[0] if len(schemas) == 1 else None)


def use_warehouse(spark: SparkSession, warehouse: Path, schemas: Sequence[str], schema: str | None) -> None:
    """Attaches the tables of schemas of a warehouse folder, and makes one schema the current one.

    Raises:
        TableError: if a table's folder is broken.
    """
    for name in schemas:
        register_tables(Leg(spark, schema_settings(warehouse, name)))
    if schema is not None:
        spark.sql(f"USE {quote_identifiers(schema)}")


def write_rows(
    frame: DataFrame, form: str, out: TextIO, end_steps: Callable[[], object], widest: int | None = WIDEST_CELL
) -> None:
    """Writes the rows of a frame: as ``table`` the first of them, as ``jsonl`` or ``csv`` all, without holding them.

    ``end_steps`` is called once the first row is there; a table cuts texts longer than ``widest``, if that is given.
    """
    if form == "table":
        rows = collect_rows(frame, TABLE_ROWS)
        end_steps()
        Screen(out).show_rows(rows, widest)
        return
    lines = _json_lines(frame) if form == "jsonl" else _csv_lines(frame)
    # The first line of CSV is there before any row.
    first = list(islice(lines, 2 if form == "csv" else 1))
    end_steps()
    out.writelines(first)
    out.writelines(lines)
    out.flush()


def _json_lines(frame: DataFrame) -> Iterator[str]:
    schema = frame.schema
    names = [name for name in schema.names if schema.names.count(name) > 1]
    if names:
        raise SettingsError(f"every column must have a different name for jsonl, got {names[0]!r} more than once")
    for row in frame.toLocalIterator(prefetchPartitions=True):
        yield json.dumps(to_json_value(row, schema), ensure_ascii=False) + "\n"


def _csv_lines(frame: DataFrame) -> Iterator[str]:
    """RFC 4180: CRLF, quotes doubled; a missing value is empty, an empty text is ``""``."""
    fields = frame.schema.fields
    yield ",".join(_csv_value(field.name) for field in fields) + "\r\n"
    for row in frame.toLocalIterator(prefetchPartitions=True):
        values = [to_json_value(value, field.dataType) for value, field in zip(row, fields, strict=True)]
        yield ",".join("" if value is None else _csv_value(value) for value in values) + "\r\n"


def _csv_value(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return '"' + text.replace('"', '""') + '"' if not text or _NEEDS_QUOTES.search(text) else text


def _has_change(spark: SparkSession, plan: object) -> bool:
    """Whether a parsed plan has a part that does more than read: ``WITH … INSERT INTO`` starts like a query."""
    type_util = spark._jvm.py4j.reflection.TypeUtil  # type: ignore[union-attr]
    if any(type_util.isInstanceOf(name, plan) for name in _CHANGES):
        return True
    children = plan.children()  # type: ignore[attr-defined]
    return any(_has_change(spark, children.apply(at)) for at in range(children.size()))


def schema_settings(warehouse: Path, schema: str) -> Settings:
    """Settings of a schema's folder: one with ``<id>_pin_table`` and its like is a stream's."""
    for entity in ENTITIES:
        for folder in sorted((warehouse / schema).glob(f"*_{entity.name}_table")):
            user_id = folder.name.removesuffix(f"_{entity.name}_table")
            return Settings(user_id=user_id, leg="stream", schema=schema, warehouse=str(warehouse))
    return Settings(schema=schema, warehouse=str(warehouse))
