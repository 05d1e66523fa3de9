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
    """The three clean frames, one row a key each: columns as in ``schemas.CONTRACT``."""

    pins: DataFrame
    geolocations: DataFrame
    users: DataFrame


def _winners(counted: DataFrame, measure: str, *within: str) -> DataFrame:
    """Rows with the greatest measure within each group; every one of a tie."""
    rank = F.rank().over(Window.partitionBy(*within).orderBy(F.desc(measure)))
    return counted.withColumn("_rank", rank).where("_rank = 1").drop("_rank")


def _between(moment: Column, years: tuple[int, int]) -> Column:
    return year_utc(moment).between(*years)


def _group_order(column: str = "age_group") -> Column:
    return F.col(column) == "+50"


def _count_categories(posts: DataFrame, *groups: str) -> DataFrame:
    needed = posts.dropna(subset=[*groups, "category"])
    return needed.groupBy(*groups, "category").agg(F.count("*").alias("category_count"))


def top_category_by_country(posts: Posts) -> DataFrame:
    """Most popular category in each country: country, category, category_count."""
    counted = _count_categories(posts.pins.join(posts.geolocations, "ind"), "country")
    winners = _winners(counted, "category_count", "country")
    return winners.select("country", "category", "category_count").orderBy("country", "category")


def posts_by_category_and_year(posts: Posts, years: tuple[int, int] = (2018, 2022)) -> DataFrame:
    """Posts a category and year: post_year, category, category_count."""
    made = posts.geolocations.where(_between(F.col("timestamp"), years))
    dated = posts.pins.join(made, "ind").withColumn("post_year", year_utc(F.col("timestamp")))
    counted = _count_categories(dated, "post_year")
    return counted.select("post_year", "category", "category_count").orderBy("post_year", "category")


def top_category_by_year(posts: Posts, years: tuple[int, int] = (2018, 2022)) -> DataFrame:
    """Most popular category in each of those years: post_year, category, category_count."""
    winners = _winners(posts_by_category_and_year(posts, years), "category_count", "post_year")
    return winners.select("post_year", "category", "category_count").orderBy("post_year", "category")


def top_user_by_country(posts: Posts) -> DataFrame:
    """Poster with the most followers in each country, once a country: country, poster_name, follower_count."""
    needed = ["country", "poster_name", "follower_count"]
    placed = posts.pins.join(posts.geolocations, "ind").dropna(subset=needed)
    most = placed.groupBy("country", "poster_name").agg(F.max("follower_count").alias("follower_count"))
    return _winners(most, "follower_count", "country").select(*needed).orderBy("country", "poster_name")


def top_user_country(posts: Posts) -> DataFrame:
    """Country of the poster with the most followers, one row, ties by country name: country, follower_count."""
    by_country = top_user_by_country(posts).select("country", "follower_count")
    return by_country.orderBy(F.desc("follower_count"), "country").limit(1)


def _with_age_group(posts: Posts, *others: str) -> DataFrame:
    """Pins with their user's age group; only those that have one."""
    users = posts.users.withColumn("age_group", age_group(F.col("age"))).select("ind", "age_group", *others)
    return posts.pins.join(users.dropna(subset=["age_group"]), "ind")


def top_category_by_age_group(posts: Posts) -> DataFrame:
    """Most popular category an age group: age_group, category, category_count."""
    counted = _count_categories(_with_age_group(posts), "age_group")
    winners = _winners(counted, "category_count", "age_group")
    return winners.select("age_group", "category", "category_count").orderBy(_group_order(), "age_group", "category")


def _median_followers(posts: DataFrame, *groups: str) -> DataFrame:
    """Exact median over posts."""
    needed = posts.dropna(subset=[*groups, "follower_count"])
    return needed.groupBy(*groups).agg(F.median("follower_count").alias("median_follower_count"))


def median_followers_by_age_group(posts: Posts) -> DataFrame:
    """Exact median follower count, over posts, an age group: age_group, median_follower_count."""
    medians = _median_followers(_with_age_group(posts), "age_group")
    return medians.select("age_group", "median_follower_count").orderBy(_group_order(), "age_group")


def _with_join_year(frame: DataFrame, years: tuple[int, int]) -> DataFrame:
    return frame.where(_between(F.col("date_joined"), years)).withColumn("post_year", year_utc(F.col("date_joined")))


def users_joined_by_year(posts: Posts, years: tuple[int, int] = (2015, 2020)) -> DataFrame:
    """Users who joined each year, distinct by (user_name, age, date_joined): post_year, number_users_joined."""
    persons = posts.users.select("user_name", "age", "date_joined").distinct()
    joined = _with_join_year(persons, years).groupBy("post_year").agg(F.count("*").alias("number_users_joined"))
    return joined.select("post_year", "number_users_joined").orderBy("post_year")


def median_followers_by_join_year(posts: Posts, years: tuple[int, int] = (2015, 2020)) -> DataFrame:
    """Exact median follower count, over posts, a joining year: post_year, median_follower_count."""
    joined = _with_join_year(posts.users, years).select("ind", "post_year")
    medians = _median_followers(posts.pins.join(joined, "ind"), "post_year")
    return medians.select("post_year", "median_follower_count").orderBy("post_year")


def median_followers_by_age_group_and_join_year(posts: Posts, years: tuple[int, int] = (2015, 2020)) -> DataFrame:
    """Exact median an age group and joining year: age_group, post_year, median_follower_count."""
    grouped = _with_join_year(_with_age_group(posts, "date_joined"), years)
    medians = _median_followers(grouped, "age_group", "post_year")
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
