"""Where each line of a landing stands: the number of a line, and with it its position, its ``_source``.

Spark reads a file's lines in order, but does not say their numbers. What it gives is a number a row, which grows by one
from line to line of the piece of a file that one task reads. So once the rows of a batch are kept, and with them those
numbers, the first one of each piece is looked up, and the rest is arithmetic. Nothing is read for it a second time.
"""

from collections.abc import Sequence
from itertools import pairwise
from urllib.parse import unquote

from pyspark.sql import Column, DataFrame, Row
from pyspark.sql import functions as F

from pinterest_transforms.landing_files import partition_and_start
from pinterest_transforms.schemas import POSITION_WIDTH
from pinterest_transforms.storage.files import key_of

PLACE = "_place"
Piece = tuple[str, int, str, str, int, int]
"""Path and block of a piece, its object key, shard, what is to be added to a row's number, and its lines."""


def pieces(tally: Sequence[Row], topic: str) -> list[Piece]:
    """The pieces that were read, numbered.

    Args:
        tally: a row a piece: ``path``, ``block``, ``first`` (the least row number) and ``lines``.
        topic: the topic.
    """
    found: list[Piece] = []
    path, offset = "", 0
    for row in sorted(tally, key=lambda row: (row["path"], row["block"])):
        key = key_of(unquote(row["path"]), topic)
        shard, start = partition_and_start(key, topic)
        offset = offset if row["path"] == path else start
        path = row["path"]
        found.append((path, row["block"], key, shard, offset - row["first"], row["lines"]))
        offset += row["lines"]
    return found


def overlap(found: Sequence[Piece], tally: Sequence[Row]) -> bool:
    """True if two lines can have one position: files of one partition whose offsets overlap."""
    firsts = {(row["path"], row["block"]): row["first"] for row in tally}
    spans = sorted((shard, delta + firsts[path, block], lines) for path, block, _, shard, delta, lines in found)
    return any(a[0] == b[0] and a[1] + a[2] > b[1] for a, b in pairwise(spans))


def located(rows: DataFrame, found: Sequence[Piece], topic: str) -> DataFrame:
    """Puts ``_source`` in the place of ``_place``; ``_row`` stays.

    Args:
        rows: kept rows with ``_place`` and ``_row``.
        found: their pieces.
        topic: the topic.
    """
    columns = "_path STRING, _block BIGINT, _key STRING, _shard STRING, _delta BIGINT"
    numbered = rows.sparkSession.createDataFrame([piece[:5] for piece in found], columns)
    place = F.col(PLACE)
    same = (place["path"] == F.col("_path")) & (place["block"] == F.col("_block"))
    source = F.struct(
        F.lit(topic).alias("origin"),
        F.col("_shard").alias("shard"),
        position(F.col("_row") + F.col("_delta")).alias("position"),
        place["arrived"].alias("arrived"),
        F.col("_key").alias("file"),
    )
    joined = rows.join(F.broadcast(numbered), same)
    return joined.select(*(source.alias("_source") if name == PLACE else name for name in rows.columns))


def position(number: Column) -> Column:
    """A position as text that sorts like the number: zero-padded.

    Most zeros come as one literal: padding them on takes a copy each.
    """
    digits = 20  # more than a BIGINT has
    return F.concat(F.lit("0" * (POSITION_WIDTH - digits)), F.lpad(number.cast("string"), digits, "0"))
