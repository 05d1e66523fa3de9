"""Records of erased posts and of undone runs: when they come again, they are taken for blank lines, no records."""

import gzip
import os
import re
import shutil
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from pinterest_transforms.cleaning import is_rejected
from pinterest_transforms.ingest.micro_batch import RecordRange
from pinterest_transforms.json_parsing import BLANK, no_labels
from pinterest_transforms.schemas import CONTRACT
from pinterest_transforms.settings import EntityLeg, Leg
from pinterest_transforms.tables.definitions import ERASED_TABLE, UNDONE_TABLE
from pinterest_transforms.tables.table_access import create_frame, has_commits

_KEY_PATTERN = (
    r'"(?:index|ind)"[^!-~]*:[^!-~]*(?:"[^!-~]*(?:\\(?:[nrtf]|u[0-9a-fA-F]{4})[^!-~]*){0,9}\+?)?'
    r"([0-9]+(?:\.[0-9]*)?(?:[eE][+-]?[0-9]{1,3})?)(?![0-9.])"
)
"""A key in the text of a record, valid JSON or not, in each spelling that the key rule takes: for Java and Python."""
_KEY = re.compile(_KEY_PATTERN.replace("[^", r"[^\n").encode())  # a line of a file ends at its line feed
KEYS_TYPE = "ARRAY<DECIMAL(38,17)>"  # 17.0 and 1.7e1 are 17
_RANGE = "struct<shard: string, file: string, first: string, last: string, arrived: bigint>"


def read_excluded(leg: Leg, table: str) -> DataFrame | None:
    """The table ``erased`` or ``undone``; None if it was never written, which costs no Spark job to find."""
    folder = leg.settings.table_folder(table)
    if folder is None:
        return leg.table(table) if leg.spark.catalog.tableExists(leg.qualified(table)) else None
    # A session that runs since before the table was made has none in its catalog.
    return leg.spark.read.format("delta").load(str(folder)) if has_commits(folder) else None


def read_undone(leg: EntityLeg) -> tuple[RecordRange, ...]:
    """Records of a topic or stream that no run reads again, since their run was undone."""
    undone = read_excluded(leg, UNDONE_TABLE)
    if undone is None:
        return ()
    own = undone.where(F.col("topic") == leg.source_name).select(range_values(F.col("source")))
    return tuple(RecordRange(*row[0]) for row in own.collect())


def range_values(source: Column) -> Column:
    """A range of a table as the values of ``RecordRange``."""
    arrived = F.coalesce(F.unix_micros(source["arrived"]), F.lit(0))
    return F.struct(source["shard"], F.coalesce(source["file"], F.lit("")), source["first"], source["last"], arrived)


def range_row(source: RecordRange) -> dict[str, object]:
    """A range as a table holds it."""
    arrived = datetime.fromtimestamp(0, UTC) + timedelta(microseconds=source.arrived)
    values = {"file": source.file or None, "arrived": arrived.isoformat() if source.arrived else None}
    return source._asdict() | values


def select_overlapping(undone: Sequence[RecordRange], read: Sequence[RecordRange]) -> list[RecordRange]:
    """Those of the undone ranges that may hold records of what was read."""
    spans: dict[tuple[str, str], tuple[str, str]] = {}
    for one in read:
        first, last = spans.get(one[:2], (one.first, one.last))
        spans[one[:2]] = min(first, one.first), max(last, one.last)
    return [
        one for one in undone if one[:2] in spans and one.first <= spans[one[:2]][1] and one.last >= spans[one[:2]][0]
    ]


def range_frame(spark: SparkSession, ranges: Sequence[RecordRange]) -> DataFrame:
    """The ranges as a frame of few rows, with the columns of ``RecordRange``."""
    return F.broadcast(create_frame(spark, [one._asdict() for one in ranges], _RANGE))


def is_in_range(source: Column) -> Column:
    """True where a record's ``_source`` is in the range of a row of ``range_frame``, and its file is not newer."""
    place = (source["shard"] == F.col("shard")) & (F.coalesce(source["file"], F.lit("")) == F.col("file"))
    return place & _is_between(source, F.col)


def _is_between(source: Column, bound: Callable[[str], Column]) -> Column:
    is_old = (bound("arrived") == 0) | (F.unix_micros(source["arrived"]) <= bound("arrived"))
    return source["position"].between(bound("first"), bound("last")) & is_old


def blank_undone(rows: DataFrame, undone: Sequence[RecordRange]) -> DataFrame:
    """Makes blank lines of the records of undone runs, so that positions and counts of lines stay as they are.

    Args:
        rows: evaluated rows, with ``_source``.
        undone: where the records stand.
    """
    spans: dict[tuple[str, str], list[dict[str, object]]] = {}
    for one in undone:
        spans.setdefault(one[:2], []).append(one._asdict())
    places = [{"_shard": shard, "_file": file, "_spans": found} for (shard, file), found in spans.items()]
    kind = f"struct<_shard: string, _file: string, _spans: array<{_RANGE}>>"
    known = F.broadcast(create_frame(rows.sparkSession, places, kind))
    source = F.col("_source")
    here = (source["shard"] == F.col("_shard")) & (F.coalesce(source["file"], F.lit("")) == F.col("_file"))
    gone = F.coalesce(F.exists("_spans", lambda span: _is_between(source, span.getField)), F.lit(False))
    return _blank(rows.join(known, here, "left"), gone, rows.columns)


def blank_erased(leg: EntityLeg, rows: DataFrame) -> DataFrame:
    """Makes blank lines of the records of erased posts, so that positions and counts of lines stay as they are.

    Args:
        leg: session, names and places, kind of record.
        rows: evaluated rows, ``cleaning.validate_and_clean``.
    """
    there = read_excluded(leg, ERASED_TABLE)
    if there is None:
        return rows
    of_kind = there.where(F.col("kind") == leg.entity.name).select("ind")
    keys = ",".join(sorted({str(row["ind"]) for row in of_kind.collect()}))
    if not keys:
        return rows
    # One text to Spark: joins to the table itself cost as many jobs as the rest of a micro-batch.
    texts = F.split(F.lit(keys), ",")
    erased = leg.spark.range(0, 1, 1, 1).select(F.explode(texts.cast("array<bigint>")).alias("_erased"))
    joined = rows.join(F.broadcast(erased), F.col("ind") == F.col("_erased"), "left")
    # A rejected record may name its key although it cannot be read.
    named = F.when(is_rejected(), F.arrays_overlap(F.expr(keys_in_sql("raw")), texts.cast(KEYS_TYPE)))
    return _blank(joined, F.col("_erased").isNotNull() | F.coalesce(named, F.lit(False)), rows.columns)


def _blank(rows: DataFrame, gone: Column, names: Sequence[str]) -> DataFrame:
    """The columns of these names; blank lines where a record is gone."""
    blank: dict[str, Column] = {
        **{field.name: F.lit(None) for kind in CONTRACT.values() for field in kind},
        "raw": F.lit(""),
        "rejections": F.array(F.lit(BLANK)),
        "repairs": no_labels(),
        "unknown_fields": F.lit(None),
    }
    chosen = {
        name: F.when(gone, value).otherwise(F.col(name)).alias(name) for name, value in blank.items() if name in names
    }
    return rows.select(*(chosen.get(name, F.col(name)) for name in names))


def keys_in_sql(text: str) -> str:
    """SQL of every key that a text of JSON names, as ``KEYS_TYPE``.

    Args:
        text: SQL of the text.
    """
    # As bytes: what a backslash in a text means depends on ``spark.sql.parser.escapedStringLiterals``.
    pattern = f"CAST(X'{_KEY_PATTERN.encode().hex()}' AS STRING)"
    return f"TRY_CAST(regexp_extract_all({text}, {pattern}, 1) AS {KEYS_TYPE})"


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
        if Decimal(match[1].decode()) in keys:
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
    """Replaces a file, or the one that a link leads to; who may read it stays as it was."""
    path = path.resolve()
    # Hidden, so that a landing passes it over should this process be killed.
    new = path.with_name(f".{path.name}.new")
    new.unlink(missing_ok=True)
    new.touch(mode=0o600)
    new.write_bytes(data)
    there = path.stat()
    with suppress(OSError):  # not every file system has owners, and only root may give a file away
        os.chown(new, there.st_uid, there.st_gid)
    with suppress(OSError):
        shutil.copymode(path, new)
    new.replace(path)
