"""The answer tables: each is replaced as a whole, in one commit, when a clean table that it needs has changed.

The first write makes the table. What an answer was computed from is a property of its table, so that rows and property
are one commit: a kill leaves both or neither.
"""

import logging
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace

import pandas as pd
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from pinterest_transforms import __version__
from pinterest_transforms.analysis.answers import ANSWERS, Answer
from pinterest_transforms.analysis.counted_posts import CleanTables, join_posts
from pinterest_transforms.entities import ENTITIES, GEO, PIN, USER
from pinterest_transforms.schemas import SCHEMA_VERSION
from pinterest_transforms.settings import EntityLeg, Leg
from pinterest_transforms.tables import table_access
from pinterest_transforms.tables.commits import last_commit
from pinterest_transforms.tables.definitions import answer_spec
from pinterest_transforms.tables.locks import setup_lock
from pinterest_transforms.tables.retry import with_retries
from pinterest_transforms.tables.table_access import is_refused

_LOG = logging.getLogger(__name__)
SOURCE_PROPERTY = "pinterest.computed_from"
"""Of an answer table: the versions of the clean tables it was computed from, and the library's."""
_AT_ONCE = 4
_ONE_TASK_ROWS = 200_000
"""Up to so many posts one task answers a question sooner than several that exchange rows."""


def read_clean_tables(leg: Leg) -> CleanTables:
    """The leg's three clean tables.

    Raises:
        TableError: one is not there.
    """
    return CleanTables(*(table_access.read(leg, leg.settings.clean_table(entity)) for entity in (PIN, GEO, USER)))


def refresh_answers(leg: Leg) -> dict[str, pd.DataFrame]:
    """Writes each answer table whose clean tables have changed since, or that is missing; leaves the others alone.

    Returns:
        The rows of the answers that were written, by the name of the answer, in its order. They are few whatever the
        number of posts, and whoever shows them need not read the tables.

    Raises:
        TableError: a clean table is not there, or an answer table is not this library's.
    """
    with setup_lock(leg.settings), ThreadPoolExecutor(_AT_ONCE) as pool:
        versions = dict(zip(ENTITIES, pool.map(lambda entity: _version(leg.for_entity(entity)), ENTITIES), strict=True))
        needed = {answer: [versions[entity] for entity in answer.entities] for answer in ANSWERS}
        sources = {answer: ", ".join([*found, f"library {__version__}"]) for answer, found in needed.items()}
        existing = table_access.list_tables(leg)
        known = [answer for answer in ANSWERS if answer.name in existing]
        computed_from = dict(zip(known, pool.map(lambda answer: _computed_from(leg, answer), known), strict=True))
        stale = [answer for answer in ANSWERS if computed_from.get(answer) != sources[answer]]
        if not stale:
            return {}
        _LOG.info("answering %d question%s", len(stale), "s" * (len(stale) != 1))
        with _cached(read_clean_tables(leg), stale) as clean:
            frames = pool.map(lambda answer: _write(leg, answer, clean, sources[answer]), stale)
            return {answer.name: frame for answer, frame in zip(stale, frames, strict=True)}


def read_answer(leg: Leg, answer: Answer) -> DataFrame:
    """An answer as its table holds it, in its own order: columns as in ``Answer.columns``."""
    return answer.sort_rows(table_access.read(leg, answer.name))


def read_answers(leg: Leg, known: Mapping[str, pd.DataFrame] | None = None) -> dict[str, pd.DataFrame]:
    """The rows of every answer by its name, in its own order.

    Args:
        leg: session, names and places.
        known: rows that are known, as ``refresh_answers`` returns them: those tables are not read.

    Raises:
        TableError: a table is not there.
    """
    known = known or {}
    others = [answer for answer in ANSWERS if answer.name not in known]
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        frames = pool.map(lambda answer: read_answer(leg, answer).toPandas(), others)
        read = {answer.name: frame for answer, frame in zip(others, frames, strict=True)}
    found: dict[str, pd.DataFrame] = {answer.name: {**read, **known}[answer.name] for answer in ANSWERS}
    for name, frame in found.items():
        frame.attrs["answer"] = name  # whoever displays it may keep it
    return found


def _version(leg: EntityLeg) -> str:
    """The clean table's last commit; its fingerprint too, since a table that is created again starts at version 0."""
    table_access.read(leg, leg.clean_table)
    return f"{leg.entity.name} {last_commit(leg, leg.clean_table).id}"


def _computed_from(leg: Leg, answer: Answer) -> str:
    """What the answer's table was computed from; empty for a table of another schema version."""
    about = table_access.read_usable_properties(leg, answer.name)
    return about.get(SOURCE_PROPERTY, "") if about[table_access.VERSION_PROPERTY] == str(SCHEMA_VERSION) else ""


@contextmanager
def _cached(clean: CleanTables, stale: list[Answer]) -> Iterator[CleanTables]:
    """The clean tables joined once for all answers that are stale. Serverless refuses to cache: then for each."""
    entities = {entity for answer in stale for entity in answer.entities}
    if PIN not in entities:
        yield clean
        return
    joined = join_posts(clean, *entities).drop("ind")
    try:
        joined.cache()
    except (PySparkException, NotImplementedError) as error:
        if not is_refused(error):
            raise
        yield clean
        return
    try:
        few = joined.count() <= _ONE_TASK_ROWS
        yield replace(clean, joined=joined.coalesce(1)) if few else replace(clean, joined=joined)
    finally:
        joined.unpersist()


def _write(leg: Leg, answer: Answer, clean: CleanTables, source: str) -> pd.DataFrame:
    spec, name = answer_spec(answer), leg.qualified(answer.name)
    rows = answer.compute(clean).select(*(F.col(column).cast(kind) for column, kind, _ in answer.columns)).toArrow()
    comments = {field.name: {"comment": field.metadata["comment"]} for field in spec.columns}
    frame = leg.spark.createDataFrame(rows).select(*(F.col(key).alias(key, metadata=comments[key]) for key in comments))
    # Without statistics, which keep names of posters in the log for weeks.
    properties = {"delta.dataSkippingNumIndexedCols": "0", SOURCE_PROPERTY: source}
    pairs = table_access.properties_sql({table_access.VERSION_PROPERTY: str(SCHEMA_VERSION), **properties})
    table_access.remove_unfinished(leg.settings, answer.name)
    table = (
        f"CREATE OR REPLACE TABLE {name} USING DELTA COMMENT {table_access.sql_text(spec.comment)}"
        f"{table_access.location_sql(leg.settings, answer.name)} TBLPROPERTIES ({pairs})"
    )
    statement = table.replace("{", "{{").replace("}", "}}") + " AS SELECT * FROM {rows}"
    with_retries(lambda: leg.sql(statement, rows=frame))
    return rows.to_pandas()
