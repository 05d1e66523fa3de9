"""The clean tables joined, and the posts that each answer counts: those that have what the question needs."""

from dataclasses import dataclass

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from pinterest_transforms.entities import GEO, USER, Entity

POST_YEARS, JOIN_YEARS = (2018, 2022), (2015, 2020)


@dataclass(frozen=True)
class CleanTables:
    """The three clean frames, one row per key each: columns as in ``schemas.CONTRACT``.

    Attributes:
        pins: the clean pins.
        geolocations: the clean geolocations.
        users: the clean users.
        joined: what ``join_posts`` returns for all requested answers, if it was computed before.
    """

    pins: DataFrame
    geolocations: DataFrame
    users: DataFrame
    joined: DataFrame | None = None


def join_posts(posts: CleanTables, *entities: Entity) -> DataFrame:
    """One row per pin, with what the answers need of the entities named; null where a pin has no such row.

    Returns:
        ind, category, poster_name, follower_count; with ``GEO`` also country and post_year; with ``USER`` also
        age_group and join_year. Years are UTC.
    """
    if posts.joined is not None:
        return posts.joined
    frame = posts.pins.select("ind", "category", "poster_name", "follower_count")
    if GEO in entities:
        year = year_utc(F.col("timestamp")).alias("post_year")
        frame = frame.join(posts.geolocations.select("ind", "country", year), "ind", "left")
    if USER in entities:
        group, year = age_group(F.col("age")).alias("age_group"), year_utc(F.col("date_joined")).alias("join_year")
        frame = frame.join(posts.users.select("ind", group, year), "ind", "left")
    return frame


def categories_by_country(posts: CleanTables) -> DataFrame:
    """Posts with a country and a category."""
    return join_posts(posts, GEO).dropna(subset=["country", "category"])


def categories_by_year(posts: CleanTables, years: tuple[int, int] = POST_YEARS) -> DataFrame:
    """Posts of those years with a category; the year as ``post_year``."""
    return join_posts(posts, GEO).where(F.col("post_year").between(*years)).dropna(subset=["category"])


def posters_by_country(posts: CleanTables) -> DataFrame:
    """Posts with a country, a poster and a follower count."""
    return join_posts(posts, GEO).dropna(subset=["country", "poster_name", "follower_count"])


def categories_by_age_group(posts: CleanTables) -> DataFrame:
    """Posts with an age group and a category."""
    return join_posts(posts, USER).dropna(subset=["age_group", "category"])


def followers_by_age_group(posts: CleanTables) -> DataFrame:
    """Posts with an age group and a follower count."""
    return join_posts(posts, USER).dropna(subset=["age_group", "follower_count"])


def users_by_year(posts: CleanTables, years: tuple[int, int] = JOIN_YEARS) -> DataFrame:
    """Users who joined in those years, one row per post; the year as ``post_year``."""
    dated = posts.users.withColumn("post_year", year_utc(F.col("date_joined")))
    return dated.where(F.col("post_year").between(*years))


def followers_by_join_year(posts: CleanTables, years: tuple[int, int] = JOIN_YEARS) -> DataFrame:
    """Posts with a follower count of users who joined in those years; the year as ``post_year``."""
    joined = join_posts(posts, USER).where(F.col("join_year").between(*years)).dropna(subset=["follower_count"])
    return joined.drop("post_year").withColumnRenamed("join_year", "post_year")


def followers_by_age_group_and_join_year(posts: CleanTables, years: tuple[int, int] = JOIN_YEARS) -> DataFrame:
    """As ``followers_by_join_year``, with an age group."""
    return followers_by_join_year(posts, years).dropna(subset=["age_group"])


def year_utc(moment: Column) -> Column:
    """Year of a TIMESTAMP as INT, in UTC whatever the session's time zone.

    >>> spark.range(1).select(year_utc(F.lit("2019-12-31T23:00:00Z").cast("timestamp"))).first()[0]
    2019
    """
    days = F.floor(F.unix_seconds(moment) / 86_400).cast("int")
    return F.year(F.date_from_unix_date(days))


def age_group(years: Column) -> Column:
    """Age group as STRING: 18-24, 25-35, 36-50, +50; none under 18.

    >>> spark.range(1).select(age_group(F.lit(51))).first()[0]
    '+50'
    """
    groups = F.when(years.between(18, 24), "18-24").when(years.between(25, 35), "25-35")
    return groups.when(years.between(36, 50), "36-50").when(years > 50, "+50")
