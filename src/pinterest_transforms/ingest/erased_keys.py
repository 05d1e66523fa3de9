"""Keys of erased posts: whatever arrives of them again is taken for blank lines, which are no records."""

import gzip
import os
import re
from collections.abc import Collection
from pathlib import Path

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from pinterest_transforms.cleaning import is_rejected
from pinterest_transforms.entities import Entity
from pinterest_transforms.json_parsing import BLANK, no_labels
from pinterest_transforms.schemas import CONTRACT
from pinterest_transforms.settings import Settings
from pinterest_transforms.tables.definitions import ERASED_TABLE
from pinterest_transforms.tables.table_access import has_commits, sql_text

_KEY_PATTERN = r'"(?:index|ind)"\s*:\s*"?\s*0*([0-9]+)(?:\.0*)?(?![0-9.])'
"""A key in the text of a record, of one that is no valid JSON too: the same in Java and Python."""
_KEY = re.compile(_KEY_PATTERN.encode())


def has_erased(spark: SparkSession, settings: Settings) -> bool:
    """Whether any post was ever erased. Costs no Spark job."""
    folder = settings.table_folder(ERASED_TABLE)
    if folder is not None:
        return has_commits(folder)
    return spark.catalog.tableExists(settings.qualified(ERASED_TABLE))


def read_erased(spark: SparkSession, settings: Settings) -> DataFrame:
    """The table of erased keys: kind, ind, erased_at. It is read by its folder where it has one."""
    folder = settings.table_folder(ERASED_TABLE)
    if folder is not None:  # a session that runs since before the first erasure has no such table in its catalog
        return spark.read.format("delta").load(str(folder))
    return spark.table(settings.qualified(ERASED_TABLE))


def blank_erased(spark: SparkSession, settings: Settings, entity: Entity, rows: DataFrame) -> DataFrame:
    """Makes blank lines of the records of erased posts, so that positions and counts of lines stay as they are.

    Args:
        spark: session.
        settings: names and places.
        entity: the kind of record.
        rows: evaluated rows, ``cleaning.validate_and_clean``.
    """
    if not has_erased(spark, settings):
        return rows
    keys = read_erased(spark, settings).where(F.col("kind") == entity.name).select("ind").distinct()
    erased = F.broadcast(keys.select(F.col("ind").alias("_erased")))
    texts = F.broadcast(keys.agg(F.collect_set(F.col("ind").cast("string")).alias("_texts")))
    joined = rows.join(erased, F.col("ind") == F.col("_erased"), "left").crossJoin(texts)
    # A rejected record may name its key although it cannot be read.
    named = F.when(is_rejected(), F.arrays_overlap(F.expr(keys_in_sql("raw")), F.col("_texts")))
    gone = F.col("_erased").isNotNull() | F.coalesce(named, F.lit(False))
    blank: dict[str, Column] = {
        **{name: F.lit(None) for name in CONTRACT[entity.name].names},
        "raw": F.lit(""),
        "rejections": F.array(F.lit(BLANK)),
        "repairs": no_labels(),
        "unknown_fields": F.lit(None),
    }
    chosen = {name: F.when(gone, value).otherwise(F.col(name)).alias(name) for name, value in blank.items()}
    return joined.select(*(chosen.get(name, F.col(name)) for name in rows.columns))


def keys_in_sql(text: str) -> str:
    """SQL of every key that a text of JSON names, without leading zeros, as ARRAY<STRING>.

    Args:
        text: SQL of the text.
    """
    return f"regexp_extract_all({text}, {sql_text(_KEY_PATTERN)}, 1)"


def blank_lines(data: bytes, keys: Collection[int]) -> tuple[bytes, int]:
    """Makes spaces of the lines that name one of the keys, so that the place of every other line stays the same.

    Args:
        data: content of a file of JSON lines.
        keys: the keys.

    Returns:
        The new content, of the same size, and how many lines were blanked.
    """
    spans: dict[int, int] = {}
    for match in _KEY.finditer(data):
        if int(match[1]) in keys:
            start = data.rfind(b"\n", 0, match.start()) + 1
            end = data.find(b"\n", match.end())
            spans[start] = len(data) if end < 0 else end
    if not spans:
        return data, 0
    blanked = bytearray(data)
    for start, end in spans.items():
        blanked[start:end] = b" " * (end - start)
    return bytes(blanked), len(spans)


def count_lines(path: Path, keys: Collection[int]) -> int:
    """How many lines of a file, compressed or not, name one of the keys."""
    return blank_lines(_read_file(path), keys)[1]


def blank_file(path: Path, keys: Collection[int]) -> int:
    """Blanks the lines of a file, compressed or not, that name one of the keys; returns how many.

    The file is replaced in one step and keeps its time, so that an equal size is not taken for a rewritten file.
    """
    data, count = blank_lines(_read_file(path), keys)
    if count:
        times = path.stat()
        _replace_file(path, gzip.compress(data) if path.suffix == ".gz" else data)
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    return count


def _read_file(path: Path) -> bytes:
    content = path.read_bytes()
    return gzip.decompress(content) if path.suffix == ".gz" else content


def remove_lines(path: Path, keys: Collection[int]) -> int:
    """Removes the lines of a file that name one of the keys; returns how many."""
    data, count = blank_lines(path.read_bytes(), keys)
    if count:
        _replace_file(path, b"".join(line for line in data.splitlines(keepends=True) if line.strip()))
    return count


def _replace_file(path: Path, data: bytes) -> None:
    # Hidden, so that a landing passes it over should this process be killed.
    new = path.with_name(f".{path.name}.new")
    new.write_bytes(data)
    new.replace(path)
