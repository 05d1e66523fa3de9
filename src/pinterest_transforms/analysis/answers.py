"""The analysts' ten questions: each one's text, columns and function in one place.

Clean frames -> answer frames, each with exactly its columns and in a total order. A post counts once, and only where it
has what the question needs. Ties return every winner unless stated otherwise. Years are UTC. Source: the data contract,
section 4.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Concatenate, ParamSpec

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from pinterest_transforms.analysis import counted_posts
from pinterest_transforms.analysis.counted_posts import JOIN_YEARS, POST_YEARS, CleanTables
from pinterest_transforms.entities import GEO, PIN, USER, Entity
from pinterest_transforms.errors import SettingsError


@dataclass(frozen=True)
class Answer:
    """One question, and how it is answered.

    Attributes:
        name: table of the answer.
        question: the question in words.
        columns: name and SQL type of each column, and what it holds.
        compute: from the clean frames to the answer.
        entities: whose clean frames it needs.
        counted_posts: from the clean frames to the posts that the answer counts, with ``ind``.
    """

    name: str
    question: str
    columns: tuple[tuple[str, str, str], ...]
    compute: Callable[[CleanTables], DataFrame]
    entities: tuple[Entity, ...]
    counted_posts: Callable[[CleanTables], DataFrame]

    @property
    def order(self) -> tuple[str, ...]:
        """Columns that give its total order: all but the last one, which is counted or measured."""
        return tuple(name for name, _, _ in self.columns[:-1])

    def sort_rows(self, frame: DataFrame) -> DataFrame:
        """The answer's rows in its order; the age groups by age."""
        return frame.orderBy(*(key for name in self.order for key in _sort_keys(name)))


def _sort_keys(name: str) -> list[Column]:
    column = F.col(name)
    return [column == "+50", column] if name == "age_group" else [column]


_registered: list[Answer] = []
_P = ParamSpec("_P")
_Compute = Callable[Concatenate[CleanTables, _P], DataFrame]


def _answers(
    question: str,
    *,
    columns: tuple[tuple[str, str, str], ...],
    entities: tuple[Entity, ...],
    counted_posts: Callable[[CleanTables], DataFrame],
) -> Callable[[_Compute[_P]], _Compute[_P]]:
    """Makes an answer of a function: its frame gets exactly these columns, in this order."""

    def register(compute: _Compute[_P]) -> _Compute[_P]:
        @wraps(compute)
        def shaped(posts: CleanTables, /, *args: _P.args, **kwargs: _P.kwargs) -> DataFrame:
            return answer.sort_rows(compute(posts, *args, **kwargs).select(*(name for name, _, _ in columns)))

        answer = Answer(compute.__name__, question, columns, shaped, entities, counted_posts)
        _registered.append(answer)
        return shaped

    return register


def _winners(counted: DataFrame, measure: str, *within: str) -> DataFrame:
    """Rows with the greatest measure within each group; every one of a tie."""
    rank = F.rank().over(Window.partitionBy(*within).orderBy(F.desc(measure)))
    return counted.withColumn("_rank", rank).where("_rank = 1").drop("_rank")


def _count_categories(posts: DataFrame, group: str) -> DataFrame:
    return posts.groupBy(group, "category").agg(F.count("*").alias("category_count"))


def _median_followers(posts: DataFrame, *groups: str) -> DataFrame:
    return posts.groupBy(*groups).agg(F.median("follower_count").alias("median_follower_count"))


_COUNTRY = ("country", "STRING", "Country of the posts")
_CATEGORY = ("category", "STRING", "Category of the posts")
_COUNT = ("category_count", "BIGINT", "Posts of that category")
_YEAR = ("post_year", "INT", "Year of the posts, UTC")
_JOINED = ("post_year", "INT", "Year the users joined, UTC")
_GROUP = ("age_group", "STRING", "Age of the users: 18-24, 25-35, 36-50, +50 (over 50)")
_POSTER = ("poster_name", "STRING", "Account that posted")
_FOLLOWERS = ("follower_count", "INT", "Followers of that poster, in persons")
_MEDIAN = ("median_follower_count", "DOUBLE", "Exact median follower count over posts, in persons")


@_answers(
    "Which category is the most popular in each country?",
    columns=(_COUNTRY, _CATEGORY, _COUNT),
    entities=(PIN, GEO),
    counted_posts=counted_posts.categories_by_country,
)
def top_category_by_country(posts: CleanTables) -> DataFrame:
    """Most popular category in each country: country, category, category_count."""
    counted = _count_categories(counted_posts.categories_by_country(posts), "country")
    return _winners(counted, "category_count", "country")


@_answers(
    "How many posts did each category get in each year from 2018 to 2022?",
    columns=(_YEAR, _CATEGORY, _COUNT),
    entities=(PIN, GEO),
    counted_posts=counted_posts.categories_by_year,
)
def posts_by_category_and_year(posts: CleanTables, years: tuple[int, int] = POST_YEARS) -> DataFrame:
    """Posts per category and year: post_year, category, category_count."""
    return _count_categories(counted_posts.categories_by_year(posts, years), "post_year")


@_answers(
    "Which category was the most popular in each year from 2018 to 2022?",
    columns=(_YEAR, _CATEGORY, _COUNT),
    entities=(PIN, GEO),
    counted_posts=counted_posts.categories_by_year,
)
def top_category_by_year(posts: CleanTables, years: tuple[int, int] = POST_YEARS) -> DataFrame:
    """Most popular category in each of those years: post_year, category, category_count."""
    counted = _count_categories(counted_posts.categories_by_year(posts, years), "post_year")
    return _winners(counted, "category_count", "post_year")


@_answers(
    "Who has the most followers in each country?",
    columns=(_COUNTRY, _POSTER, _FOLLOWERS),
    entities=(PIN, GEO),
    counted_posts=counted_posts.posters_by_country,
)
def top_user_by_country(posts: CleanTables) -> DataFrame:
    """Poster with the most followers in each country, once a country: country, poster_name, follower_count."""
    posters = counted_posts.posters_by_country(posts).groupBy("country", "poster_name")
    most = posters.agg(F.max("follower_count").alias("follower_count"))
    return _winners(most, "follower_count", "country")


@_answers(
    "In which country does the poster with the most followers post?",
    columns=(_COUNTRY, _FOLLOWERS),
    entities=(PIN, GEO),
    counted_posts=counted_posts.posters_by_country,
)
def top_user_country(posts: CleanTables) -> DataFrame:
    """Country of the poster with the most followers, one row, ties by country name: country, follower_count."""
    return top_user_by_country(posts).orderBy(F.desc("follower_count"), "country").limit(1)


@_answers(
    "Which category is the most popular in each age group?",
    columns=(_GROUP, _CATEGORY, _COUNT),
    entities=(PIN, USER),
    counted_posts=counted_posts.categories_by_age_group,
)
def top_category_by_age_group(posts: CleanTables) -> DataFrame:
    """Most popular category per age group: age_group, category, category_count."""
    counted = _count_categories(counted_posts.categories_by_age_group(posts), "age_group")
    return _winners(counted, "category_count", "age_group")


@_answers(
    "What is the median follower count in each age group?",
    columns=(_GROUP, _MEDIAN),
    entities=(PIN, USER),
    counted_posts=counted_posts.followers_by_age_group,
)
def median_followers_by_age_group(posts: CleanTables) -> DataFrame:
    """Exact median follower count, over posts, per age group: age_group, median_follower_count."""
    return _median_followers(counted_posts.followers_by_age_group(posts), "age_group")


@_answers(
    "How many users joined in each year from 2015 to 2020?",
    columns=(_JOINED, ("number_users_joined", "BIGINT", "Distinct users who joined that year")),
    entities=(USER,),
    counted_posts=counted_posts.users_by_year,
)
def users_joined_by_year(posts: CleanTables, years: tuple[int, int] = JOIN_YEARS) -> DataFrame:
    """Users who joined each year, distinct by (user_name, age, date_joined): post_year, number_users_joined."""
    users = counted_posts.users_by_year(posts, years).select("post_year", "user_name", "age", "date_joined").distinct()
    return users.groupBy("post_year").agg(F.count("*").alias("number_users_joined"))


@_answers(
    "What is the median follower count of users by the year they joined, 2015 to 2020?",
    columns=(_JOINED, _MEDIAN),
    entities=(PIN, USER),
    counted_posts=counted_posts.followers_by_join_year,
)
def median_followers_by_join_year(posts: CleanTables, years: tuple[int, int] = JOIN_YEARS) -> DataFrame:
    """Exact median follower count, over posts, per joining year: post_year, median_follower_count."""
    return _median_followers(counted_posts.followers_by_join_year(posts, years), "post_year")


@_answers(
    "What is the median follower count by age group and joining year, 2015 to 2020?",
    columns=(_GROUP, _JOINED, _MEDIAN),
    entities=(PIN, USER),
    counted_posts=counted_posts.followers_by_age_group_and_join_year,
)
def median_followers_by_age_group_and_join_year(posts: CleanTables, years: tuple[int, int] = JOIN_YEARS) -> DataFrame:
    """Exact median per age group and joining year: age_group, post_year, median_follower_count."""
    counted = counted_posts.followers_by_age_group_and_join_year(posts, years)
    return _median_followers(counted, "age_group", "post_year")


ANSWERS: tuple[Answer, ...] = tuple(_registered)
"""The ten answers, in the order of the questions."""


def answer_named(name: str) -> Answer:
    """The answer of that name.

    Raises:
        SettingsError: if there is none.
    """
    for answer in ANSWERS:
        if answer.name == name:
            return answer
    raise SettingsError(f"answer must be one of {', '.join(answer.name for answer in ANSWERS)}, got {name!r}")
