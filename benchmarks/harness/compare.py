"""Checks what the variants wrote by content: ``python -m benchmarks.harness.compare LANDING EXPORTS``.

The landing is cleaned by Polars here, whatever else is measured. ``EXPORTS`` holds Parquet files, a folder a variant
and in it a folder an entity; ``ours`` must be there. Prints one JSON object. A process of its own, so that its memory
is nobody's.
"""

import json
import sys
from pathlib import Path
from typing import TypedDict

import polars as pl

from benchmarks.peers.polars_clean import clean_topic
from benchmarks.peers.variants import OURS, PLAIN, RAW, digest, parquet_files
from pinterest_transforms.entities import ENTITIES, Entity
from pinterest_transforms.settings import Settings


class Plain(TypedDict):
    """How the plain way's table of an entity differs from the clean one."""

    rows: int
    keyless: int
    repeated: int
    missing: int
    wrong: dict[str, int]


class Compared(TypedDict):
    """What was found for an entity; ``different`` is empty where ours and Polars are equal."""

    lines: int
    rejected: int
    rows: int
    digest: str
    different: dict[str, int]
    raw_rows: int | None
    plain: Plain | None


def compared(landing: Path, exports: Path, entity: Entity) -> Compared:
    """Compares what there is of one entity."""
    cleaned = clean_topic(Path(Settings(landing=str(landing)).topic_folder(entity)), entity)
    right = cleaned.frame
    there = {name: parquet_files(exports / name / entity.name) for name in (OURS, RAW, PLAIN)}
    raw = pl.scan_parquet(there[RAW]).select(pl.len()).collect().item() if there[RAW] else None
    return {
        "lines": cleaned.lines,
        "rejected": cleaned.rejected,
        "rows": len(right),
        "digest": digest(right),
        "different": differences(_like(there[OURS], right), right),
        "raw_rows": raw,
        "plain": _plain(_like(there[PLAIN], right), right) if there[PLAIN] else None,
    }


def _like(files: list[Path], model: pl.DataFrame) -> pl.DataFrame:
    """What the files hold, with the columns and types of the model; moments are UTC in both."""
    found = pl.read_parquet(files)
    zoned = [name for name, kind in found.schema.items() if isinstance(kind, pl.Datetime) and kind.time_zone]
    found = found.with_columns(pl.col(zoned).dt.convert_time_zone("UTC").dt.replace_time_zone(None))
    return found.select(pl.col(name).cast(kind) for name, kind in model.schema.items())


def differences(ours: pl.DataFrame, right: pl.DataFrame) -> dict[str, int]:
    """By column, in how many keys two tables differ; empty where they are equal."""
    found = {
        "rows more than keys": len(ours) - ours["ind"].n_unique(),
        "keys that only ours has": len(ours.join(right, "ind", how="anti")),
        "keys that only Polars has": len(right.join(ours, "ind", how="anti")),
        **_wrong(ours, right),
    }
    return {name: count for name, count in found.items() if count}


def _wrong(given: pl.DataFrame, right: pl.DataFrame) -> dict[str, int]:
    """By column, how many rows have another value than the right table has for their key."""
    both = given.join(right, "ind", suffix=" right")
    counts = both.select((pl.col(name).ne_missing(pl.col(f"{name} right"))).sum() for name in right.columns[1:])
    return counts.row(0, named=True)


def _plain(plain: pl.DataFrame, right: pl.DataFrame) -> Plain:
    keyed = plain.drop_nulls("ind")
    return {
        "rows": len(plain),
        "keyless": len(plain) - len(keyed),
        "repeated": len(keyed) - keyed["ind"].n_unique(),
        "missing": len(right.join(keyed, "ind", how="anti")),
        "wrong": {name: count for name, count in _wrong(keyed, right).items() if count},
    }


if __name__ == "__main__":
    folders = [Path(name) for name in sys.argv[1:3]]
    print(json.dumps({entity.name: compared(folders[0], folders[1], entity) for entity in ENTITIES}))
