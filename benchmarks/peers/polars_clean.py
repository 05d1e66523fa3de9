"""The same cleaning by Polars: a topic's landing files -> the contract's columns, newest by key.

Two uses: a time to be measured against, and an independent check of the library's tables. Usual lines and values go
through Polars' own expressions; the few others through ``polars_odd``. Nothing is kept of rejected records but their
number, and repaired ones are not noted: that is less than the library does.
"""

import os
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import polars as pl

from benchmarks.peers import polars_odd as odd
from pinterest_transforms.entities import GEO, PIN, Entity

Value = int | float | datetime

_FILE = re.compile(r"\+([0-9]+)\+([0-9]+)\.json\Z")
_ISO = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-2][0-9]:[0-5][0-9]:[0-5][0-9]$"
_FIRST, _LAST = datetime(1900, 1, 1), datetime(2101, 1, 1)
_SAVED_IN = "Local save in "
_PIN_ORDER = (
    "ind",
    "unique_id",
    "title",
    "description",
    "follower_count",
    "poster_name",
    "tag_list",
    "is_image_or_video",
    "image_src",
    "save_location",
    "category",
)


@dataclass(frozen=True)
class Cleaned:
    """What a topic became.

    Attributes:
        frame: the contract's columns, one row a key.
        lines: lines that are not blank.
        rejected: those of them that are no usable record.
    """

    frame: pl.DataFrame
    lines: int
    rejected: int


def clean_topic(folder: Path, entity: Entity) -> Cleaned:
    """Cleans every file of a topic's folder; of each key the version with the latest position stays."""
    files = sorted(folder.glob("partition=*/*.json"))
    with ThreadPoolExecutor(os.cpu_count() or 2) as pool:
        parts = list(pool.map(lambda file: _clean_file(file, entity), files))
    frame = pl.concat([frame for frame, _ in parts])
    lines = sum(count for _, count in parts)
    # The narrow columns are sorted, the wide ones are only gathered.
    places = frame.select("ind", "_position", "_shard").with_row_index("_row")
    latest = places.sort("_position", "_shard").unique("ind", keep="last")["_row"].sort()
    return Cleaned(frame[latest].drop("_position", "_shard"), lines, lines - len(frame))


def _clean_file(file: Path, entity: Entity) -> tuple[pl.DataFrame, int]:
    """The usable records of a file, each with its position, and how many lines there were."""
    name = _FILE.search(file.name)
    if name is None:
        raise ValueError(f"landing file must be named <topic>+<partition>+<start offset>.json, got {file.name!r}")
    lines = _lines(file.read_bytes())
    texts = _texts(lines, entity)
    clean = _RULES[entity.name](_trimmed(texts, entity)).with_columns(
        (texts["_number"].cast(pl.Int64) + int(name[2])).alias("_position"),
        pl.lit(int(name[1]), pl.Int32).alias("_shard"),
    )
    return clean.drop_nulls("ind"), len(lines)


def _lines(data: bytes) -> pl.DataFrame:
    """Lines that are not blank, trimmed of JSON's white space, and their numbers; a null where there is no UTF-8."""
    try:
        lines = pl.Series("line", [data.decode()]).str.split("\n").explode()
    except UnicodeDecodeError:
        lines = pl.Series("line", [_decoded(line) for line in data.split(b"\n")], pl.String)
    frame = lines.to_frame().with_row_index("_number")
    marked = (pl.col("_number") == 0) & pl.col("line").str.starts_with("\ufeff")
    line = pl.when(marked).then(pl.col("line").str.slice(1)).otherwise(pl.col("line"))
    stripped = frame.with_columns(line.str.strip_chars(odd.JSON_SPACE))
    return stripped.filter(pl.col("line").is_null() | (pl.col("line") != ""))


def _decoded(line: bytes) -> str | None:
    try:
        return line.decode()
    except UnicodeDecodeError:
        return None


def _texts(lines: pl.DataFrame, entity: Entity) -> pl.DataFrame:
    """Every known field as text, of the lines that are records of the entity.

    The usual line is an object with one closing brace, at its end, and as many ``":`` as known fields with a value: no
    room for a second object, an unknown name or a name given twice. Every other line is read on its own.
    """
    names = [*entity.key_fields, *entity.fields]
    line = pl.col("line")
    flat = line.str.starts_with("{") & line.str.ends_with("}") & (line.str.count_matches("}", literal=True) == 1)
    plain = pl.all_horizontal(flat, *(~line.str.contains(text, literal=True) for text in ('" :', '"\t:')))
    usual = lines.filter(plain)
    try:
        read = usual["line"].str.json_decode(pl.Struct(dict.fromkeys(names, pl.String))).struct.unnest()
    except pl.exceptions.ComputeError:
        read = pl.DataFrame(schema=dict.fromkeys(names, pl.String))
    if len(read) != len(usual):
        return _read_singly(lines, entity, names)
    colons = usual["line"].str.count_matches('":', literal=True)
    full = read.select(
        (pl.sum_horizontal(pl.all().is_not_null()) == colons)
        & pl.any_horizontal(pl.col(*entity.fields).is_not_null())
        & ~pl.any_horizontal(pl.all().str.starts_with("[").fill_null(value=False))
    ).to_series()
    read = read.with_columns(usual["_number"])
    if full.all() and len(usual) == len(lines):
        return read
    others = pl.concat([usual.filter(~full), lines.filter(~plain.fill_null(value=False))])
    return pl.concat([read.filter(full), _read_singly(others, entity, names)])


def _read_singly(lines: pl.DataFrame, entity: Entity, names: list[str]) -> pl.DataFrame:
    """The same, line by line."""
    found = [(odd.record(line, entity) if line is not None else None, number) for number, line in lines.iter_rows()]
    rows = [(*(texts[name] for name in names), number) for texts, number in found if texts is not None]
    return pl.DataFrame(rows, {**dict.fromkeys(names, pl.String), "_number": pl.UInt32}, orient="row")


def _trimmed(texts: pl.DataFrame, entity: Entity) -> pl.DataFrame:
    """Every field trimmed of Unicode's white space; null where nothing or a placeholder is left."""
    meant = []
    for name in (*entity.key_fields, *entity.fields):
        value = pl.col(name).str.strip_chars()
        nothing = ["", *entity.placeholders.get(name, ())]
        meant.append(pl.when(~value.is_in(nothing)).then(value).alias(name))
    return texts.select(meant)


def _mended(given: pl.Series, quick: pl.Series, rule: Callable[[str], Value | None]) -> pl.Series:
    """The quick result, and the rule's where that has none."""
    left = (given.is_not_null() & quick.is_null()).arg_true()
    found = [(row, rule(text)) for row, text in zip(left, given.gather(left), strict=True)]
    usable = [(row, value) for row, value in found if value is not None]
    if not usable:
        return quick
    rows, values = zip(*usable, strict=True)
    return quick.scatter(list(rows), pl.Series(values, dtype=quick.dtype))


def _whole(given: pl.Series, low: int, high: int) -> pl.Series:
    usual = pl.when(given.str.contains("^[0-9]{1,18}$")).then(given.cast(pl.Int64, strict=False))
    number = _mended(given, pl.select(usual).to_series(), odd.whole(low, high))
    return number.set(~number.is_between(low, high), None).rename(given.name)


def _key(texts: pl.DataFrame, entity: Entity) -> pl.Series:
    keys = [_whole(texts[name], 0, odd.LONG_MAX) for name in entity.key_fields]
    return pl.select(pl.coalesce(keys).alias("ind")).to_series()


def _followers(given: pl.Series) -> pl.Series:
    parts = pl.col("given").str.extract_groups("^([0-9]{1,9})([kKmMbB]?)$").struct
    unit = parts.field("2").str.to_lowercase().replace_strict(odd.UNITS, default=None, return_dtype=pl.Int64)
    number = parts.field("1").cast(pl.Int64) * unit
    quick = given.alias("given").to_frame().select(pl.when(number <= odd.INT_MAX).then(number).cast(pl.Int32))
    return _mended(given, quick.to_series(), odd.followers).alias("follower_count")


def _degrees(given: pl.Series, limit: int) -> pl.Series:
    usual = pl.when(given.str.contains(r"^-?[0-9]+(\.[0-9]+)?$")).then(given.cast(pl.Float64, strict=False))
    number = _mended(given, pl.select(usual).to_series(), odd.degrees)
    return number.set(~number.is_between(-limit, limit), None).rename(given.name)


def _instant(given: pl.Series) -> pl.Series:
    value = pl.when(given.str.contains(_ISO)).then(given)
    spellings = (value.str.to_datetime(f"%Y-%m-%d{sep}%H:%M:%S", strict=False, time_unit="us") for sep in "T ")
    moment = pl.select(pl.coalesce(*spellings)).to_series()
    quick = moment.set(~((moment >= _FIRST) & (moment < _LAST)), None)
    return _mended(given, quick, odd.instant).rename(given.name)


def _clean_pins(texts: pl.DataFrame) -> pl.DataFrame:
    saved = pl.col("save_location")
    within = saved.str.slice(len(_SAVED_IN)).str.strip_chars()
    path = pl.when(saved.str.starts_with(_SAVED_IN)).then(within).otherwise(saved)
    ready = texts.with_columns(
        _key(texts, PIN),
        _followers(texts["follower_count"]),
        pl.when(path.str.starts_with("/")).then(path).alias("save_location"),
    )
    return ready.select(_PIN_ORDER)


def _clean_geolocations(texts: pl.DataFrame) -> pl.DataFrame:
    latitude, longitude = _degrees(texts["latitude"], 90), _degrees(texts["longitude"], 180)
    both = latitude.is_not_null() & longitude.is_not_null()
    return texts.select(
        _key(texts, GEO),
        "country",
        pl.when(both).then(pl.concat_list(latitude, longitude)).alias("coordinates"),
        _instant(texts["timestamp"]),
    )


def _clean_users(texts: pl.DataFrame) -> pl.DataFrame:
    name = pl.concat_str("first_name", "last_name", separator=" ", ignore_nulls=True)
    return texts.select(
        _whole(texts["ind"], 0, odd.LONG_MAX),
        pl.when(name != "").then(name).alias("user_name"),
        _whole(texts["age"], 1, 120).cast(pl.Int32),
        _instant(texts["date_joined"]),
    )


_RULES: dict[str, Callable[[pl.DataFrame], pl.DataFrame]] = {
    "pin": _clean_pins,
    "geo": _clean_geolocations,
    "user": _clean_users,
}
