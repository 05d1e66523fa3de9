"""Number, columns and order of the answers."""

from pyspark.sql import SparkSession

from pinterest_transforms.analysis.answers import ANSWERS
from pinterest_transforms.analysis.counted_posts import CleanTables
from pinterest_transforms.entities import ENTITIES
from pinterest_transforms.schemas import clean_schema

COLUMNS = {
    "top_category_by_country": [("country", "string"), ("category", "string"), ("category_count", "bigint")],
    "posts_by_category_and_year": [("post_year", "int"), ("category", "string"), ("category_count", "bigint")],
    "top_category_by_year": [("post_year", "int"), ("category", "string"), ("category_count", "bigint")],
    "top_user_by_country": [("country", "string"), ("poster_name", "string"), ("follower_count", "int")],
    "top_user_country": [("country", "string"), ("follower_count", "int")],
    "top_category_by_age_group": [("age_group", "string"), ("category", "string"), ("category_count", "bigint")],
    "median_followers_by_age_group": [("age_group", "string"), ("median_follower_count", "double")],
    "users_joined_by_year": [("post_year", "int"), ("number_users_joined", "bigint")],
    "median_followers_by_join_year": [("post_year", "int"), ("median_follower_count", "double")],
    "median_followers_by_age_group_and_join_year": [
        ("age_group", "string"),
        ("post_year", "int"),
        ("median_follower_count", "double"),
    ],
}


def test_an_answer_has_exactly_its_columns(spark: SparkSession) -> None:
    posts = CleanTables(*(spark.createDataFrame([], clean_schema(entity)) for entity in ENTITIES))
    for answer in ANSWERS:
        schema = answer.compute(posts).schema
        assert [(column.name, column.dataType.simpleString()) for column in schema] == COLUMNS[answer.name]
        assert [(name, kind.lower()) for name, kind, _ in answer.columns] == COLUMNS[answer.name]


def test_there_are_ten_answers() -> None:
    assert [answer.name for answer in ANSWERS] == list(COLUMNS)
    assert all(answer.question.endswith("?") and all(comment for _, _, comment in answer.columns) for answer in ANSWERS)


def test_the_order_of_an_answer_is_total_and_can_be_made_again(spark: SparkSession) -> None:
    for answer in ANSWERS:
        names = [name for name, _ in COLUMNS[answer.name]]
        assert set(answer.order) <= set(names)
    rows = [("+50", 2015, 1.0), ("18-24", 2016, 2.0), ("36-50", 2015, 3.0), ("18-24", 2015, 4.0), ("25-35", 2015, 5.0)]
    [answer] = [answer for answer in ANSWERS if answer.name == "median_followers_by_age_group_and_join_year"]
    frame = spark.createDataFrame(rows, "age_group string, post_year int, median double")
    assert [row[:2] for row in answer.sort_rows(frame).collect()] == [
        ("18-24", 2015),
        ("18-24", 2016),
        ("25-35", 2015),
        ("36-50", 2015),
        ("+50", 2015),
    ]
