"""The views of a leg: ``posts`` for analysts, which shows no person, and ``posts_identified`` for stewards.

Both have one row per post: the pin with its geolocation and user. A view reads with its owner's rights, so that whoever
may read ``posts`` need not be able to read the clean tables.
"""

from pinterest_transforms.entities import ENTITIES, GEO, PIN, USER
from pinterest_transforms.schemas import CONTRACT
from pinterest_transforms.settings import Settings, quote_identifiers
from pinterest_transforms.tables.table_access import sql_text

POSTS_VIEW = "posts"
IDENTIFIED_VIEW = "posts_identified"
VIEWS = (POSTS_VIEW, IDENTIFIED_VIEW)
_ALIASES = {PIN: "p", GEO: "g", USER: "u"}
_COMMENTS = {
    POSTS_VIEW: "One row per post: the pin with its place, time and age group, without what identifies a person",
    IDENTIFIED_VIEW: "One row per post: the pin with its geolocation and user, every column; for data stewards",
}
# A year in UTC whatever the session's time zone, as `columns.year_utc` has it.
_JOIN_YEAR = "year(date_from_unix_date(CAST(floor(unix_seconds(u.date_joined) / 86400) AS INT)))"
_AGE_GROUP = (
    "CASE WHEN u.age BETWEEN 18 AND 24 THEN '18-24' WHEN u.age BETWEEN 25 AND 35 THEN '25-35' "
    "WHEN u.age BETWEEN 36 AND 50 THEN '36-50' WHEN u.age > 50 THEN '+50' END"
)
# Free text (title, description) may name anybody, and an identifier or address of a pin leads to its poster: none of
# them is here, nor the poster's name, which an answer alone needs.
_POSTS = (
    ("ind", "p.ind", ""),
    ("follower_count", "p.follower_count", ""),
    ("tag_list", "p.tag_list", ""),
    ("is_image_or_video", "p.is_image_or_video", ""),
    ("save_location", "p.save_location", ""),
    ("category", "p.category", ""),
    ("country", "g.country", ""),
    ("coordinates", "transform(g.coordinates, x -> round(x))", "Latitude and longitude, rounded to whole degrees"),
    ("timestamp", "g.timestamp", ""),
    ("age_group", _AGE_GROUP, "Age group of the user: 18-24, 25-35, 36-50, +50 (over 50); null under 18"),
    ("join_year", _JOIN_YEAR, "Year the user joined, UTC"),
    (
        "has_user",
        "coalesce(u.user_name, CAST(u.age AS STRING), CAST(u.date_joined AS STRING)) IS NOT NULL",
        "Whether anything is known of the user",
    ),
)


def view_columns(view: str) -> list[tuple[str, str, str]]:
    """Columns of a view.

    Args:
        view: ``posts`` or ``posts_identified``.

    Returns:
        Name, SQL expression over the clean tables p, g and u, and comment of each column, in order.
    """
    comments = {field.name: field.metadata["comment"] for e in ENTITIES for field in CONTRACT[e.name].fields}
    if view == POSTS_VIEW:
        return [(name, sql, comment or comments[name]) for name, sql, comment in _POSTS]
    aliases: dict[str, str] = {}
    for entity in ENTITIES:
        for field in CONTRACT[entity.name].fields:
            aliases.setdefault(field.name, _ALIASES[entity])
    return [(name, f"{alias}.{quote_identifiers(name)}", comments[name]) for name, alias in aliases.items()]


def create_view_sql(settings: Settings, view: str) -> str:
    """The statement that creates a view, or replaces an older version of it."""
    columns = view_columns(view)
    named = ", ".join(f"{quote_identifiers(name)} COMMENT {sql_text(comment)}" for name, _, comment in columns)
    # A view takes no expression without an alias, although its columns are named.
    selected = ", ".join(f"{sql} AS {quote_identifiers(name)}" for name, sql, _ in columns)
    return (
        f"CREATE OR REPLACE VIEW {settings.qualified(view)} ({named}) COMMENT {sql_text(_COMMENTS[view])} "
        f"AS SELECT {selected} {_joined_tables(settings)}"
    )


def _joined_tables(settings: Settings) -> str:
    pins, geolocations, users = (settings.qualified(settings.clean_table(entity)) for entity in (PIN, GEO, USER))
    return f"FROM {pins} p LEFT JOIN {geolocations} g ON p.ind = g.ind LEFT JOIN {users} u ON p.ind = u.ind"
