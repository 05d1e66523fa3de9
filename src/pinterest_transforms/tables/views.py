"""The views of a leg: ``posts`` and ``post_sources`` for analysts, and ``posts_identified`` for stewards.

Each has one row per post: the pin with its geolocation and user. A view reads with its owner's rights, so that whoever
may read ``posts`` need not be able to read the clean tables.
"""

from pyspark.sql import types as T

from pinterest_transforms.entities import ENTITIES, GEO, PIN, USER
from pinterest_transforms.schemas import CONTRACT, POST_SOURCES, POSTS
from pinterest_transforms.settings import Settings, quote_identifiers
from pinterest_transforms.tables.table_access import sql_text

POSTS_VIEW = "posts"
SOURCES_VIEW = "post_sources"
IDENTIFIED_VIEW = "posts_identified"
_ALIASES = {PIN: "p", GEO: "g", USER: "u"}
VIEWS = {
    POSTS_VIEW: "One row per post: the pin with its place, time and age group, without what identifies a person",
    SOURCES_VIEW: "One row per post, or user without one: what the answers count, and where its records came from",
    IDENTIFIED_VIEW: "One row per post: the pin with its geolocation and user, every column; for data stewards",
}
"""The views and their comments."""
# A year in UTC whatever the session's time zone, as `counted_posts.year_utc` has it.
_JOIN_YEAR = "year(date_from_unix_date(CAST(floor(unix_seconds(u.date_joined) / 86400) AS INT)))"
_AGE_GROUP = (
    "CASE WHEN u.age BETWEEN 18 AND 24 THEN '18-24' WHEN u.age BETWEEN 25 AND 35 THEN '25-35' "
    "WHEN u.age BETWEEN 36 AND 50 THEN '36-50' WHEN u.age > 50 THEN '+50' END"
)
_COUNTED = "g.country IS NOT NULL AND p.poster_name IS NOT NULL"
_MOST_FOLLOWERS = f"max(CASE WHEN {_COUNTED} THEN p.follower_count END) OVER (PARTITION BY g.country)"
_EXPRESSIONS = {
    "coordinates": "transform(g.coordinates, x -> round(x))",
    "age_group": _AGE_GROUP,
    "join_year": _JOIN_YEAR,
    "has_user": "coalesce(u.user_name, CAST(u.age AS STRING), CAST(u.date_joined AS STRING)) IS NOT NULL",
}
"""What `posts` shows in place of a clean table's column, or beside them."""
_SOURCES_EXPRESSIONS = {
    "ind": "coalesce(p.ind, u.ind)",
    "age_group": _AGE_GROUP,
    "join_year": _JOIN_YEAR,
    "poster_name": f"CASE WHEN {_COUNTED} AND p.follower_count = {_MOST_FOLLOWERS} THEN p.poster_name END",
    # In the order of hashes: that of names would tell something of them.
    "user_number": f"CASE WHEN u.ind IS NOT NULL THEN dense_rank() OVER "
    f"(PARTITION BY {_JOIN_YEAR} ORDER BY xxhash64(u.user_name, u.age, u.date_joined)) END",
    **{f"{entity.name}_source": f"{alias}._source" for entity, alias in _ALIASES.items()},
}


def view_columns(view: str) -> T.StructType:
    """Columns of a view; each with ``comment`` and ``class`` in its metadata.

    Args:
        view: one of ``VIEWS``.
    """
    if view != IDENTIFIED_VIEW:
        return POSTS if view == POSTS_VIEW else POST_SOURCES
    columns = {column.name: column for entity in ENTITIES for column in CONTRACT[entity.name].fields}
    return T.StructType(list(columns.values()))


def view_expressions(view: str) -> dict[str, str]:
    """SQL of each column of a view, over the clean tables ``p``, ``g`` and ``u``."""
    # The key is the pin's.
    aliases = {name: _ALIASES[entity] for entity in reversed(ENTITIES) for name in CONTRACT[entity.name].names}
    found = {name: f"{aliases[name]}.{quote_identifiers(name)}" for name in view_columns(view).names if name in aliases}
    return {**found, **{POSTS_VIEW: _EXPRESSIONS, SOURCES_VIEW: _SOURCES_EXPRESSIONS}.get(view, {})}


def create_view_sql(settings: Settings, view: str) -> str:
    """The statement that creates a view, or replaces an older version of it."""
    columns, expressions = view_columns(view), view_expressions(view)
    named = ", ".join(f"{quote_identifiers(c.name)} COMMENT {sql_text(c.metadata['comment'])}" for c in columns)
    # A view takes no expression without an alias, although its columns are named.
    selected = ", ".join(f"{expressions[name]} AS {quote_identifiers(name)}" for name in columns.names)
    pins, geolocations, users = (settings.qualified(settings.clean_table(entity)) for entity in (PIN, GEO, USER))
    users_join = "FULL" if view == SOURCES_VIEW else "LEFT"
    return (
        f"CREATE OR REPLACE VIEW {settings.qualified(view)} ({named}) COMMENT {sql_text(VIEWS[view])} "
        f"AS SELECT {selected} FROM {pins} p LEFT JOIN {geolocations} g ON p.ind = g.ind "
        f"{users_join} JOIN {users} u ON p.ind = u.ind"
    )
