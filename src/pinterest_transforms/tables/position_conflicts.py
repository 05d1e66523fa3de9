"""Records at places that were taken before with another content: objects rewritten, or a topic that was made again.

A topic that is created again begins at offset 0. What the old one left in the tables then stands at the places of other
records, or behind them, where it would win for ever.
"""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from pinterest_transforms.cleaning import is_rejected, is_repaired, is_usable
from pinterest_transforms.schemas import CONTRACT
from pinterest_transforms.settings import EntityLeg
from pinterest_transforms.tables.definitions import QUARANTINE_TABLE

_PLACE = ["_shard", "_position"]


def read_last_offsets(leg: EntityLeg) -> dict[str, int]:
    """The last offset of each partition that has a row in the clean table."""
    rows = leg.table(leg.clean_table).select("_source.shard", "_source.position")
    last = rows.groupBy("shard").agg(F.max("position").alias("last")).collect()
    return {row["shard"]: int(row["last"]) for row in last}


def count_conflicts(leg: EntityLeg, rows: DataFrame) -> int:
    """Counts the positions of a batch at which the tables hold another content.

    Args:
        leg: session, names and places, kind of record.
        rows: evaluated rows with ``_source``; ``raw`` of the bad ones.
    """
    values = F.struct(*CONTRACT[leg.entity.name].names)
    raw = F.when(is_rejected() | is_repaired(), F.make_valid_utf8("raw"))
    batch = rows.where(is_usable() | is_rejected())
    batch = batch.select(*_place(), F.when(is_usable(), values).alias("_values"), raw.alias("_raw"))
    clean = leg.table(leg.clean_table).select(*_place(), values.alias("_there"))
    noted = leg.table(QUARANTINE_TABLE).where(F.col("topic") == leg.source_name)
    noted = noted.select(*_place(), F.col("raw").alias("_there"))
    others = [_others(batch, clean, "_values"), _others(batch, noted, "_raw")]
    return others[0].union(others[1]).distinct().count()


def _others(batch: DataFrame, there: DataFrame, column: str) -> DataFrame:
    """Positions of a batch at which the table holds other values only."""
    taken = there.join(batch.select(_PLACE).distinct(), _PLACE, "left_semi")
    taken = taken.groupBy(_PLACE).agg(F.collect_set("_there").alias("_taken"))
    equal = F.coalesce(F.array_contains("_taken", F.col(column)), F.lit(False))
    return batch.join(taken, _PLACE).where(~equal).select(_PLACE)


def exclude_earlier_topic(kept: DataFrame, rows: DataFrame) -> DataFrame:
    """What a table holds of files that are gone, without what an earlier topic of the same name left there.

    The sink writes offsets in their order. So a row whose offset lies behind that of a partition's first file, but
    which arrived before that file, is of an earlier topic, as is all that had arrived before then. Rows of files that
    went by age have lower offsets, and stay.

    Args:
        kept: rows of a table whose files are gone.
        rows: what was read of all files that are there.
    """
    # As numbers: this machine's zone may have the hour of a local time twice.
    arrived = F.unix_micros("_source.arrived")
    begins = rows.select(*_place(), arrived.alias("_since"))
    first = begins.groupBy("_shard").agg(
        F.min("_position").alias("_first"), F.min_by("_since", "_position").alias("_since")
    )
    later = (F.col("_source.shard") == F.col("_shard")) & (F.col("_source.position") > F.col("_first"))
    earlier = kept.join(F.broadcast(first), later & (arrived < F.col("_since")))
    since = earlier.agg(F.max("_since")).collect()[0][0]
    return kept if since is None else kept.where(arrived >= since)


def _place() -> tuple[Column, Column]:
    return F.col("_source.shard").alias("_shard"), F.col("_source.position").alias("_position")
