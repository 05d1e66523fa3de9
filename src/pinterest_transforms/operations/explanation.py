"""The posts behind a number of an answer, with the place of each record, and its raw text while that is kept."""

import re
from collections.abc import Mapping

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from pinterest_transforms.analysis.answer_posts import explain_answer
from pinterest_transforms.analysis.answers import answer_named
from pinterest_transforms.analysis.counted_posts import CleanTables, year_utc
from pinterest_transforms.entities import GEO, PIN, USER
from pinterest_transforms.ingest import landing_reader
from pinterest_transforms.ingest.landing import folder_exists
from pinterest_transforms.ingest.landing_files import object_key
from pinterest_transforms.settings import EntityLeg, Leg
from pinterest_transforms.tables import raw_archive, table_access
from pinterest_transforms.tables.definitions import QUARANTINE_TABLE
from pinterest_transforms.tables.views import SOURCES_VIEW

_PAIR = re.compile(r"\s+(?=\w+=)")
_PLACE = ("file", "shard", "position")


def explain(leg: Leg, answer: str, cell: Mapping[str, object], *, raw: bool = False) -> DataFrame:
    """The posts behind the rows of a leg's answer, as the clean tables are now, for whoever may read ``post_sources``.

    Args:
        leg: session, names and places; ``landing`` for the raw texts of the batch leg.
        answer: name of the answer.
        cell: values of its columns that choose the rows.
        raw: also the raw texts, which hold personal values: they are for those who may read the quarantine.

    Returns:
        As ``explain_answer``, but of each record's source ``pin_file`` and ``pin_position`` (and so on): in the stream
        leg, where there are no files, ``pin_shard``. With ``raw`` also ``pin_raw``, null where it is no longer kept.

    Raises:
        SettingsError: there is no such answer, column or row.
        TableError: a table is not there.
    """
    posts = explain_answer(_viewed_tables(leg), answer, **cell)
    others = [name for name in posts.columns if not name.endswith("_source")]
    order = [name for name in others if name in {column for column, _, _ in answer_named(answer).columns}]
    place = ("file", "position") if leg.settings.leg == "batch" else ("shard", "position")
    if raw:
        # Of values: each look-up would otherwise hold the whole plan several times, and the next one that again.
        posts = leg.spark.createDataFrame(posts.toArrow())
    shown: list[str | Column] = [*others]
    for entity in answer_named(answer).entities:
        source = f"{entity.name}_source"
        shown += [F.col(source)[name].alias(f"{entity.name}_{name}") for name in place]
        if raw:
            posts = _add_raw_text(leg.for_entity(entity), posts)
            shown.append(f"{entity.name}_raw")
    return posts.select(*shown).orderBy(*order, "ind")


def _viewed_tables(leg: Leg) -> CleanTables:
    """What the answers count, by the view that analysts may read: a user is a number in the year of joining."""
    view = table_access.read(leg, SOURCES_VIEW)
    counted = ("ind", "category", "poster_name", "follower_count", "country", "age_group", "join_year")
    joined = view.select(*counted, year_utc(F.col("timestamp")).alias("post_year"))
    # The middle of the year, which is in that year in every time zone.
    year = F.make_date("join_year", F.lit(7), F.lit(1)).cast(T.TimestampType()).alias("date_joined")
    user = (F.col("user_number").alias("user_name"), F.lit(None).alias("age"), year)
    pins, geolocations, users = (
        view.select("ind", F.col(f"{entity.name}_source").alias("_source"), *(user if entity == USER else ()))
        for entity in (PIN, GEO, USER)
    )
    return CleanTables(pins, geolocations, users, joined)


def parse_explanation(text: str) -> tuple[str, dict[str, str]]:
    """Answer and cell of a widget's text, such as ``top_category_by_country country=Cameroon``.

    >>> parse_explanation("top_user_by_country country=Iran, Islamic Republic of poster_name=Ana")
    ('top_user_by_country', {'country': 'Iran, Islamic Republic of', 'poster_name': 'Ana'})
    """
    answer, *pairs = _PAIR.split(text.strip())
    return answer, {name: value for name, _, value in (pair.partition("=") for pair in pairs)}


def _add_raw_text(leg: EntityLeg, posts: DataFrame) -> DataFrame:
    """Adds ``<entity>_raw``: the text in the landing or the raw archive; else in the quarantine, if it was repaired."""
    source = f"{leg.entity.name}_source"
    wanted = posts.select(*(f"{source}.{name}" for name in _PLACE)).where("position IS NOT NULL").distinct()
    find = _landing_lines if leg.settings.leg == "batch" else _archived
    quarantine = table_access.read(leg, QUARANTINE_TABLE)
    raw = F.coalesce("raw", F.col("raw_bytes").cast("string")).alias("quarantined")
    repaired = quarantine.where(F.col("topic") == leg.source_name).select("_source.shard", "_source.position", raw)
    texts = wanted.join(find(leg, wanted), ["shard", "position"], "left")
    texts = texts.join(repaired.dropDuplicates(["shard", "position"]), ["shard", "position"], "left")
    text = F.coalesce("kept", "quarantined").alias(f"{leg.entity.name}_raw")
    found = texts.select(F.struct("shard", "position").alias("_place"), text)
    place = F.struct(f"{source}.shard", f"{source}.position")
    return posts.join(found, place == F.col("_place"), "left").drop("_place")


def _archived(leg: EntityLeg, wanted: DataFrame) -> DataFrame:
    """Records of the stream leg's raw archive: shard, position, kept."""
    records = raw_archive.read_records(leg).select("_source.shard", "_source.position", F.col("raw").alias("kept"))
    return records.join(wanted, ["shard", "position"], "left_semi")


def _landing_lines(leg: EntityLeg, wanted: DataFrame) -> DataFrame:
    """Lines of the landing files that are still there: shard, position, kept.

    The files are read twice, for the numbers of the lines and for the lines themselves; Spark splits them alike.
    """
    files = {row["file"] for row in wanted.select("file").distinct().collect()}
    paths: list[str] = []
    if leg.settings.landing and folder_exists(leg, leg.topic_folder):
        there = landing_reader.list_topic(leg).records
        paths = sorted(path for path in there if object_key(path, leg.topic) in files)
    if not paths:
        return wanted.select("shard", "position", F.lit(None).cast("string").alias("kept")).where("false")
    lines = landing_reader.raw_records(leg.spark, paths)
    split = landing_reader.split_columns()
    with landing_reader.name_unreadable_file():
        tally = lines.groupBy(*split).agg(F.min("_row").alias("first"), F.count("*").alias("lines")).collect()
    placed = landing_reader.add_source(lines, landing_reader.file_splits(tally, leg.topic))
    kept = placed.select(*(f"_source.{name}" for name in _PLACE), F.col("raw").alias("kept"))
    return kept.join(wanted, list(_PLACE), "left_semi").drop("file")
