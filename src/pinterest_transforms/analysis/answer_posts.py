"""Where a number of an answer comes from: the posts behind its rows, and where each of their records came from."""

from collections.abc import Callable, Mapping

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from pinterest_transforms.analysis.answers import Answer, answer_named
from pinterest_transforms.analysis.counted_posts import CleanTables
from pinterest_transforms.entities import GEO, PIN, USER
from pinterest_transforms.errors import SettingsError

_MEASURED = "follower_count"
_NUMBERS: dict[str, Callable[[str], object]] = {"INT": int, "BIGINT": int, "DOUBLE": float}


def explain_answer(tables: CleanTables, answer: str, /, **cell: object) -> DataFrame:
    """The posts behind the rows of an answer; these posts alone give the same rows again.

    Args:
        tables: the clean tables.
        answer: name of the answer.
        cell: values of columns of the answer, which choose its rows; none for all of them. Where a tie has several
            winners, the posts of each.

    Returns:
        ind; the post's values of the answer's columns; follower_count where the answer is a median; user_number where
        it counts users, one number per user; ``pin_source``, ``geo_source``, ``user_source``: where the records that
        the answer needs came from. No column names a person, but for the poster of ``top_user_by_country``.

    Raises:
        SettingsError: there is no such answer, column or row. No message has a value of the cell: it may be a name.
    """
    chosen = answer_named(answer)
    rows = chosen.compute(tables)
    for column, value in parse_cell(chosen, cell).items():
        rows = rows.where(F.col(column) == F.lit(value))
    keys = _key_columns(chosen, chosen.counted_posts(tables))
    found = rows.select(*keys).distinct().toArrow()
    if not found.num_rows:
        raise SettingsError(f"{answer} must have a row for the {' and '.join(cell) or 'question'} given, got none")
    return posts_behind(tables, chosen, tables.users.sparkSession.createDataFrame(found))


def posts_behind(tables: CleanTables, answer: Answer, rows: DataFrame) -> DataFrame:
    """The posts behind rows of an answer, as ``explain_answer`` returns them.

    Args:
        tables: the clean tables.
        answer: the answer.
        rows: some of its rows; those of its columns that a post has are enough.
    """
    counted = answer.counted_posts(tables)
    keys = _key_columns(answer, counted)
    posts = counted.join(F.broadcast(rows.select(*keys).distinct()), keys, "left_semi")
    shown: list[str | Column] = ["ind", *keys]
    if any(name == f"median_{_MEASURED}" for name, _, _ in answer.columns):
        shown.append(_MEASURED)
    if "user_name" in counted.columns:
        users = Window.partitionBy(*keys).orderBy("user_name", "age", "date_joined")
        shown.append(F.dense_rank().over(users).alias("user_number"))
    posts = posts.select(*shown)
    clean = {PIN: tables.pins, GEO: tables.geolocations, USER: tables.users}
    for entity in answer.entities:
        source = clean[entity].select("ind", F.col("_source").alias(f"{entity.name}_source"))
        posts = posts.join(source, "ind", "left")
    return posts.orderBy(*keys, "ind")


def _key_columns(answer: Answer, counted: DataFrame) -> list[str]:
    """The columns of an answer that each post it counts has, too: by these a post is found from a row."""
    return [name for name, _, _ in answer.columns if name in counted.columns]


def parse_cell(answer: Answer, cell: Mapping[str, object]) -> dict[str, object]:
    """The values of a cell in the types of the answer's columns.

    Raises:
        SettingsError: there is no such column, or a value is no number where the column has numbers.
    """
    kinds = {name: kind for name, kind, _ in answer.columns}
    for name in cell:
        if name not in kinds:
            raise SettingsError(f"column must be one of {', '.join(kinds)} of {answer.name}, got {name!r}")
    return {name: _parse_value(name, kinds[name], value) for name, value in cell.items()}


def _parse_value(name: str, kind: str, value: object) -> object:
    try:
        parsed = _NUMBERS.get(kind, str)(str(value))
    except ValueError:
        parsed = None
    if parsed is None or (isinstance(parsed, int) and abs(parsed) >= 2**63):
        raise SettingsError(f"{name} must be a number ({kind}), got something else")
    return parsed
