"""Reads a leg's tables and their entries in the catalog; SQL clauses of their properties and places; small frames."""

import json
import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import unquote

from pyspark.errors import AnalysisException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from pinterest_transforms.errors import TableError
from pinterest_transforms.schemas import SCHEMA_VERSION
from pinterest_transforms.settings import Leg, Settings, quote_identifiers

VERSION_PROPERTY = "pinterest.schema_version"
ID_PROPERTY = "pinterest.table_id"
"""A table's id, set when it is created. Delta's own id comes only with the table's counts, which take 0.5 s."""
_DATA_FILE = re.compile(r"\.?part-\S+\.parquet(\.crc)?")


def list_tables(leg: Leg) -> set[str]:
    """Names of the schema's tables and views in the catalog; none if there is no such schema."""
    try:
        found = leg.sql(f"SHOW TABLES IN {quote_identifiers(leg.settings.catalog, leg.settings.schema)}").collect()
    except AnalysisException as error:
        if "SCHEMA_NOT_FOUND" in str(error):
            return set()
        raise
    return {row["tableName"] for row in found if not row["isTemporary"]}


def read_properties(leg: Leg, table: str) -> dict[str, str]:
    """The table's properties, ``VERSION_PROPERTY`` and ``ID_PROPERTY`` among them."""
    found = leg.sql(f"SHOW TBLPROPERTIES {leg.qualified(table)}").collect()
    return {row["key"]: row["value"] for row in found}


def read_table_ids(leg: Leg, *names: str) -> dict[str, str]:
    """``ID_PROPERTY`` of tables by their names."""
    return {name: read_properties(leg, name)[ID_PROPERTY] for name in names}


def read(leg: Leg, table: str) -> DataFrame:
    """The table or view as a frame.

    Raises:
        TableError: it is not there.
    """
    try:
        frame = leg.table(table)
        frame.schema  # noqa: B018 - Spark Connect resolves it only now
    except AnalysisException as error:
        if "TABLE_OR_VIEW_NOT_FOUND" in str(error):
            raise TableError(f"table {leg.settings.schema}.{table} must be there: run the batch first") from None
        raise
    return frame


def sql_text(value: str) -> str:
    """A SQL string literal."""
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def properties_sql(of: dict[str, str]) -> str:
    """Table properties as SQL."""
    return ", ".join(f"{sql_text(key)} = {sql_text(value)}" for key, value in of.items())


def cluster_by_sql(columns: Sequence[str]) -> str:
    """The clause of liquid clustering."""
    return f"CLUSTER BY ({', '.join(map(quote_identifiers, columns))})"


def location_sql(settings: Settings, table: str) -> str:
    """The ``LOCATION`` clause of a table in a folder; empty where a catalog manages the tables."""
    folder = settings.table_folder(table)
    # A plain path: Spark takes the escapes of a URI for a part of the name.
    return f" LOCATION {sql_text(str(folder.absolute()))}" if folder else ""


def has_commits(folder: Path) -> bool:
    """True if the folder holds a Delta table whose making is complete."""
    return any((folder / "_delta_log").glob("[0-9]*.json")) or any((folder / "_delta_log").glob("[0-9]*.parquet"))


def remove_unfinished(settings: Settings, table: str) -> None:
    """Removes what a kill in the middle of a table's making has left. To be called under the set-up lock.

    Raises:
        TableError: the folder holds something else.
    """
    folder = settings.table_folder(table)
    if folder is not None and folder.exists() and is_unfinished(settings, folder):
        shutil.rmtree(folder)


def is_unfinished(settings: Settings, folder: Path) -> bool:
    """True for a log with no commit in it, with nothing beside it but data files of a first write.

    Raises:
        TableError: there is no Delta table, and something else.
    """
    if has_commits(folder):
        return False
    log = folder / "_delta_log"
    entries = list(folder.iterdir()) if folder.is_dir() else [folder]
    if any(entry != log and not (log.is_dir() and _DATA_FILE.fullmatch(entry.name)) for entry in entries):
        raise TableError(f"table {settings.schema}.{folder.name} must be a Delta table, got something else in {folder}")
    return True


def read_usable_properties(leg: Leg, table: str) -> dict[str, str]:
    """The properties of an existing table, if this library can use it; the schema version is ``0`` where it has none.

    Raises:
        TableError: it is not a Delta table, or a newer version of the library has made it.
    """
    label = f"table {leg.settings.schema}.{table}"
    try:
        about = read_properties(leg, table)
        # Only a table of somebody else has no version; one that has it is Delta.
        form = "delta" if VERSION_PROPERTY in about else _form(leg, table)
    except AnalysisException as error:
        raise TableError(f"{label} must be a Delta table, got {type(error).__name__}") from error
    if form != "delta":
        raise TableError(f"{label} must be a Delta table, got {form}")
    version = about.setdefault(VERSION_PROPERTY, "0")
    if not version.isdigit() or int(version) > SCHEMA_VERSION:
        raise TableError(
            f"{label} must have schema version {SCHEMA_VERSION} or older, got {version}: use a newer library"
        )
    return about


def check_folder(leg: Leg, table: str) -> None:
    """Checks that a table of the catalog is the one in the warehouse's folder.

    A session knows a name by one folder: with another warehouse, records would go into the first one's tables.

    Raises:
        TableError: it is a Delta table in another folder.
    """
    try:
        about = _describe(leg, table)
    except AnalysisException:  # its folder is gone, which whoever needs the table finds
        return
    folder, location = leg.settings.table_folder(table), unquote(about.get("Location", ""))
    if folder and about.get("Provider") == "delta" and not location.endswith(unquote(str(folder.absolute()))):
        raise TableError(
            f"table {leg.settings.schema}.{table} must stand in {folder}, got one in {location}: use one warehouse per "
            "session, or another schema"
        )


def _form(leg: Leg, table: str) -> str:
    about = _describe(leg, table)
    return about.get("Provider", about.get("Type", "something else")).lower()


def _describe(leg: Leg, table: str) -> dict[str, str]:
    """The table's columns and metadata, of the catalog alone: Delta's own description also counts its files."""
    found = leg.sql(f"DESCRIBE TABLE EXTENDED {leg.qualified(table)}").collect()
    return {row["col_name"]: row["data_type"] for row in found}


def is_refused(error: Exception) -> bool:
    """True if the platform does not keep frames: serverless compute may refuse to cache or checkpoint them."""
    return any(refusal in str(error).upper() for refusal in ("NOT_SUPPORTED", "UNSUPPORTED", "NOT_IMPLEMENTED"))


def create_frame(spark: SparkSession, rows: Sequence[Mapping[str, object]], struct: str) -> DataFrame:
    """A frame of the rows.

    They are one text to Spark. ``createDataFrame`` starts Python workers for a list, and values that stand as literals
    in a plan are written into the code that Spark generates, which is then compiled again for each micro-batch.

    Args:
        spark: session.
        rows: values by column, as JSON can hold them; times in ISO 8601.
        struct: type of a row, as ``struct<…>``; its times are of type ``timestamp_ltz``.
    """
    one_row = spark.range(0, 1, 1, 1)
    # Times are read as texts: the JSON reader's own way depends on ``spark.sql.legacy.timeParserPolicy``.
    texts = F.from_json(F.lit(json.dumps(rows)), f"array<{struct.replace('timestamp_ltz', 'string')}>")
    return one_row.select(F.inline(texts.cast(f"array<{struct}>") if "timestamp_ltz" in struct else texts))
