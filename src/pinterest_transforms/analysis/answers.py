"""The analysts' questions: clean frames -> answer frames, each with exactly its columns and in a total order.

A post counts once, and only where it has what the question needs. Ties return every winner unless said otherwise.
Years are UTC. Source: the data contract, section 4.
"""

from collections.abc import Callable
from dataclasses import dataclass

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from pinterest_transforms.columns import age_group, year_utc
from pinterest_transforms.entities import GEO, PIN, USER, Entity
from pinterest_transforms.errors import SettingsError


@dataclass(frozen=True)
class Posts:
    """The three clean frames, one row per key each: columns as in ``schemas.CONTRACT``.

    Attributes:
        pins: the clean pins.
        geolocations: the clean geolocations.
        users: the clean users.
        joined: what ``join_posts`` returns for every answer that is asked for, if it was computed before.
    """

    pins: DataFrame
    geolocations: DataFrame
    users: DataFrame
    joined: DataFrame | None = None


def join_posts(posts: Posts, *entities: Entity) -> DataFrame:
    """One row per pin, with what the answers need of the entities named; null where a pin has no such row.

    Returns:
        category, poster_name, follower_count; with ``GEO`` also country and post_year; with ``USER`` also age_group
        and join_year. Years are UTC.
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
    return frame.drop("ind")


def _winners(counted: DataFrame, measure: str, *within: str) -> DataFrame:
    """Rows with the greatest measure within each group; every one of a tie."""
    rank = F.rank().over(Window.partitionBy(*within).orderBy(F.desc(measure)))
    return counted.withColumn("_rank", rank).where("_rank = 1").drop("_rank")


def _group_order(column: str = "age_group") -> Column:
    return F.col(column) == "+50"


def _count_categories(posts: DataFrame, *groups: str) -> DataFrame:
    needed = posts.dropna(subset=[*groups, "category"])
    return needed.groupBy(*groups, "category").agg(F.count("*").alias("category_count"))


def top_category_by_country(posts: Posts) -> DataFrame:
    """Most popular category in each country: country, category, category_count."""
    winners = _winners(_count_categories(join_posts(posts, GEO), "country"), "category_count", "country")
    return winners.select("country", "category", "category_count").orderBy("country", "category")


def posts_by_category_and_year(posts: Posts, years: tuple[int, int] = (2018, 2022)) -> DataFrame:
    """Posts per category and year: post_year, category, category_count."""
    counted = _count_categories(join_posts(posts, GEO).where(F.col("post_year").between(*years)), "post_year")
    return counted.select("post_year", "category", "category_count").orderBy("post_year", "category")


def top_category_by_year(posts: Posts, years: tuple[int, int] = (2018, 2022)) -> DataFrame:
    """Most popular category in each of those years: post_year, category, category_count."""
    winners = _winners(posts_by_category_and_year(posts, years), "category_count", "post_year")
    return winners.select("post_year", "category", "category_count").orderBy("post_year", "category")


def top_user_by_country(posts: Posts) -> DataFrame:
    """Poster with the most followers in each country, once a country: country, poster_name, follower_count."""
    needed = ["country", "poster_name", "follower_count"]
    placed = join_posts(posts, GEO).dropna(subset=needed)
    most = placed.groupBy("country", "poster_name").agg(F.max("follower_count").alias("follower_count"))
    return _winners(most, "follower_count", "country").select(*needed).orderBy("country", "poster_name")


def top_user_country(posts: Posts) -> DataFrame:
    """Country of the poster with the most followers, one row, ties by country name: country, follower_count."""
    by_country = top_user_by_country(posts).select("country", "follower_count")
    return by_country.orderBy(F.desc("follower_count"), "country").limit(1)


def top_category_by_age_group(posts: Posts) -> DataFrame:
    """Most popular category per age group: age_group, category, category_count."""
    winners = _winners(_count_categories(join_posts(posts, USER), "age_group"), "category_count", "age_group")
    return winners.select("age_group", "category", "category_count").orderBy(_group_order(), "age_group", "category")


def _median_followers(posts: DataFrame, *groups: str) -> DataFrame:
    """Exact median over posts."""
    needed = posts.dropna(subset=[*groups, "follower_count"])
    return needed.groupBy(*groups).agg(F.median("follower_count").alias("median_follower_count"))


def _joined_between(posts: Posts, years: tuple[int, int]) -> DataFrame:
    """Posts of users who joined in those years; the year as ``post_year``, as the answers call it."""
    joined = join_posts(posts, USER).where(F.col("join_year").between(*years))
    return joined.select("follower_count", "age_group", F.col("join_year").alias("post_year"))


def median_followers_by_age_group(posts: Posts) -> DataFrame:
    """Exact median follower count, over posts, per age group: age_group, median_follower_count."""
    medians = _median_followers(join_posts(posts, USER), "age_group")
    return medians.select("age_group", "median_follower_count").orderBy(_group_order(), "age_group")


def users_joined_by_year(posts: Posts, years: tuple[int, int] = (2015, 2020)) -> DataFrame:
    """Users who joined each year, distinct by (user_name, age, date_joined): post_year, number_users_joined."""
    persons = posts.users.select("user_name", "age", "date_joined").distinct()
    dated = persons.withColumn("post_year", year_utc(F.col("date_joined"))).where(F.col("post_year").between(*years))
    joined = dated.groupBy("post_year").agg(F.count("*").alias("number_users_joined"))
    return joined.select("post_year", "number_users_joined").orderBy("post_year")


def median_followers_by_join_year(posts: Posts, years: tuple[int, int] = (2015, 2020)) -> DataFrame:
    """Exact median follower count, over posts, per joining year: post_year, median_follower_count."""
    medians = _median_followers(_joined_between(posts, years), "post_year")
    return medians.select("post_year", "median_follower_count").orderBy("post_year")


def median_followers_by_age_group_and_join_year(posts: Posts, years: tuple[int, int] = (2015, 2020)) -> DataFrame:
    """Exact median per age group and joining year: age_group, post_year, median_follower_count."""
    medians = _median_followers(_joined_between(posts, years), "age_group", "post_year")
    ordered = medians.orderBy(_group_order(), "age_group", "post_year")
    return ordered.select("age_group", "post_year", "median_follower_count")


@dataclass(frozen=True)
class Answer:
    """One question, and how it is answered.

    Attributes:
        name: table of the answer.
        question: what an analyst asks, in words.
        columns: name and SQL type of each column, and what it holds.
        compute: from the clean frames to the answer.
        entities: whose clean frames it needs.
        order: columns that give its total order.
    """

    name: str
    question: str
    columns: tuple[tuple[str, str, str], ...]
    compute: Callable[[Posts], DataFrame]
    entities: tuple[Entity, ...]
    order: tuple[str, ...]

    def ordered(self, frame: DataFrame) -> DataFrame:
        """The answer's rows in its order; the age groups by age."""
        return frame.orderBy(*(key for name in self.order for key in _order_of(name)))


def _order_of(name: str) -> list[Column]:
    return [_group_order(), F.col(name)] if name == "age_group" else [F.col(name)]


_COUNTRY = ("country", "STRING", "Country of the posts")
_CATEGORY = ("category", "STRING", "Category of the posts")
_COUNT = ("category_count", "BIGINT", "Posts of that category")
_YEAR = ("post_year", "INT", "Year of the posts, UTC")
_JOINED = ("post_year", "INT", "Year the users joined, UTC")
_GROUP = ("age_group", "STRING", "Age of the users: 18-24, 25-35, 36-50, +50 (over 50)")
_FOLLOWERS = ("follower_count", "INT", "Followers of that poster, in persons")
_MEDIAN = ("median_follower_count", "DOUBLE", "Exact median follower count over posts, in persons")

ANSWERS: tuple[Answer, ...] = (
    Answer(
        "top_category_by_country",
        "Which category is the most popular in each country?",
        (_COUNTRY, _CATEGORY, _COUNT),
        top_category_by_country,
        (PIN, GEO),
        ("country", "category"),
    ),
    Answer(
        "posts_by_category_and_year",
        "How many posts did each category get in each year from 2018 to 2022?",
        (_YEAR, _CATEGORY, _COUNT),
        posts_by_category_and_year,
        (PIN, GEO),
        ("post_year", "category"),
    ),
    Answer(
        "top_category_by_year",
        "Which category was the most popular in each year from 2018 to 2022?",
        (_YEAR, _CATEGORY, _COUNT),
        top_category_by_year,
        (PIN, GEO),
        ("post_year", "category"),
    ),
    Answer(
        "top_user_by_country",
        "Who has the most followers in each country?",
        (_COUNTRY, ("poster_name", "STRING", "Account that posted"), _FOLLOWERS),
        top_user_by_country,
        (PIN, GEO),
        ("country", "poster_name"),
    ),
    Answer(
        "top_user_country",
        "In which country does the poster with the most followers post?",
        (_COUNTRY, _FOLLOWERS),
        top_user_country,
        (PIN, GEO),
        ("country",),
    ),
    Answer(
        "top_category_by_age_group",
        "Which category is the most popular in each age group?",
        (_GROUP, _CATEGORY, _COUNT),
        top_category_by_age_group,
        (PIN, USER),
        ("age_group", "category"),
    ),
    Answer(
        "median_followers_by_age_group",
        "What is the median follower count in each age group?",
        (_GROUP, _MEDIAN),
        median_followers_by_age_group,
        (PIN, USER),
        ("age_group",),
    ),
    Answer(
        "users_joined_by_year",
        "How many users joined in each year from 2015 to 2020?",
        (_JOINED, ("number_users_joined", "BIGINT", "Distinct users who joined that year")),
        users_joined_by_year,
        (USER,),
        ("post_year",),
    ),
    Answer(
        "median_followers_by_join_year",
        "What is the median follower count of users by the year they joined, 2015 to 2020?",
        (_JOINED, _MEDIAN),
        median_followers_by_join_year,
        (PIN, USER),
        ("post_year",),
    ),
    Answer(
        "median_followers_by_age_group_and_join_year",
        "What is the median follower count by age group and joining year, 2015 to 2020?",
        (_GROUP, _JOINED, _MEDIAN),
        median_followers_by_age_group_and_join_year,
        (PIN, USER),
        ("age_group", "post_year"),
    ),
)


def answer_named(name: str) -> Answer:
    """The answer of that name.

    Raises:
        SettingsError: if there is none.
    """
    for answer in ANSWERS:
        if answer.name == name:
            return answer
    raise SettingsError(f"answer must be one of {', '.join(answer.name for answer in ANSWERS)}, got {name!r}")
