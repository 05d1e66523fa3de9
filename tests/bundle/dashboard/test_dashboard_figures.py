"""The dashboard's queries, run on local tables: they give rows, and the figures that the tables hold."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import polars
import pytest
from pyspark.errors import AnalysisException
from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as T

from pinterest_transforms.analysis.answers import ANSWERS, Answer
from pinterest_transforms.operations import summaries
from pinterest_transforms.settings import Leg, Settings
from pinterest_transforms.tables import answer_tables
from tests.bundle.dashboard.dashboard_reading import WidgetQuery, datasets, load, queries, widgets
from tests.bundle.dashboard.dashboards import READABLE
from tests.support.notebook_runs import POSTS, Ran

ELSEWHERE = "Pacific/Kiritimati"  # 14 hours before UTC
QUERIES = [query for widget in widgets(load()) for query in queries(widget)]
ON_SCALE = {
    "quantitative": (T.LongType, T.IntegerType, T.DoubleType),
    "temporal": (T.DateType,),
    "categorical": (T.StringType, T.IntegerType),
}


@dataclass
class Board:
    """The dashboard over the tables of one small warehouse."""

    spark: SparkSession
    settings: Settings
    sql: dict[str, str] = field(default_factory=lambda: datasets(load()))

    @property
    def leg(self) -> Leg:
        return Leg(self.spark, self.settings)

    def dataset(self, name: str) -> DataFrame:
        return self.spark.sql(self.sql[name])

    def run_query(self, query: WidgetQuery) -> DataFrame:
        return self.spark.sql(query.statement(self.sql[query.dataset]))

    def number(self, widget: str, where: str = "true") -> int:
        """What a counter shows, with a filter chosen."""
        query = next(query for query in QUERIES if query.widget == widget)
        return self.spark.sql(f"{query.statement(self.sql[query.dataset])} WHERE {where}").collect()[0][0]

    def stored(self, name: str) -> polars.DataFrame:
        return polars.read_delta(str(self.settings.table_folder(name)))


@pytest.fixture(scope="module")
def board(ran: Ran, interpreted: SparkSession) -> Iterator[Board]:
    # The dashboard's default schema, as analysts see it: what they may not read is not there.
    interpreted.sql("CREATE SCHEMA read_by_analysts")
    for name in READABLE:
        interpreted.sql(f"CREATE VIEW read_by_analysts.{name} AS SELECT * FROM {ran.settings.qualified(name)}")
    interpreted.sql("USE read_by_analysts")
    board = Board(interpreted, ran.settings)
    # Computed once: Spark finds a dataset in each query around it.
    kept = [board.dataset(name).cache() for name in board.sql]
    yield board
    for frame in kept:
        frame.unpersist()
    interpreted.sql("USE default")
    interpreted.sql("DROP SCHEMA read_by_analysts CASCADE")


@pytest.mark.parametrize("name", datasets(load()))
def test_a_dataset_gives_rows_and_the_columns_that_widgets_use(board: Board, name: str) -> None:
    rows = board.dataset(name).collect()
    assert rows
    assert set(rows[0].asDict()) == {at.column for query in QUERIES if query.dataset == name for at in query.fields}


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: f"{query.widget}-{query.dataset}")
def test_a_widget_s_query_gives_rows_that_fit_what_it_draws(board: Board, query: WidgetQuery) -> None:
    frame = board.run_query(query)
    assert frame.columns == [at.name for at in query.fields]
    assert frame.head(1)
    for name, scale in query.scales.items():
        assert isinstance(frame.schema[name].dataType, ON_SCALE[scale]), f"{name} is drawn on a {scale} scale"


@pytest.mark.parametrize("answer", ANSWERS, ids=lambda answer: answer.name)
def test_an_answer_is_shown_as_it_is_kept(board: Board, answer: Answer) -> None:
    shown = board.dataset(answer.name).collect()
    kept = [tuple(row) for row in answer_tables.read_answer(board.leg, answer).collect()]
    if answer.name == "top_user_by_country":  # the most followers first
        kept.sort(key=lambda row: -row[2])
    assert [tuple(row) for row in shown] == kept


def test_the_counts_are_those_of_the_clean_tables(board: Board) -> None:
    pins, places, users = (board.stored(name) for name in ("pins", "geolocations", "users"))
    assert board.number("posts") == pins.height > POSTS - 10
    placed = places.filter(~polars.all_horizontal(polars.col("country", "coordinates", "timestamp").is_null()))
    person = ["user_name", "age", "date_joined"]
    known = users.filter(~polars.all_horizontal(polars.col(person).is_null())).join(pins, "ind", "semi")
    assert board.number("located-posts") == pins.join(placed, "ind", "semi").height
    assert board.number("posts-with-user") == known.height
    years = polars.col("date_joined").dt.year()
    assert board.number("users") == users.filter(years.is_between(2015, 2020)).select(person).unique().height > 0
    countries = places.join(pins, "ind", "semi")["country"].drop_nulls().unique()
    assert board.number("countries") == len(countries)
    assert board.number("categories") == len(pins["category"].drop_nulls().unique())


def test_a_filter_leaves_the_posts_that_it_names(board: Board) -> None:
    posts = board.stored("pins").join(board.stored("geolocations"), "ind").sort("ind")
    first = posts.drop_nulls(["country", "category"]).row(0, named=True)
    chosen = {"country": first["country"], "category": first["category"]}
    where = " AND ".join(f"{name} = '{value}'" for name, value in chosen.items())
    assert board.number("posts", where) == posts.filter(**chosen).height > 0
    assert board.number("countries", where) == 1


def test_the_quality_counts_are_those_of_the_runs(board: Board) -> None:
    totals = summaries.read_run_totals(board.leg, "first").drop("topic", "seconds").groupBy().sum().first()
    assert totals is not None
    shown = [board.number(name) for name in ("read", "merged", "already-there", "rejected", "repaired")]
    assert shown == list(totals)
    assert all(shown)


def test_what_became_of_the_records_adds_up_to_what_was_read(board: Board) -> None:
    fates = board.dataset("fates").groupBy("kind").agg(F.sum("records")).collect()
    read = board.dataset("quality").groupBy("kind").agg(F.sum("read")).collect()
    assert sorted(map(tuple, fates)) == sorted(map(tuple, read))
    assert [kind for kind, _ in sorted(map(tuple, read))] == ["geo", "pin", "user"]


def test_a_share_is_one_of_all_records_read(board: Board) -> None:
    for row in board.dataset("quality").collect():
        assert row["rejected_share"] == row["rejected"] / row["read"] < 1
        assert row["repaired_share"] == row["repaired"] / row["read"] < 1


def test_unknown_fields_are_counted_as_in_the_notebook(board: Board) -> None:
    expected = summaries.read_unknown_fields(board.leg).collect()
    shown = {(row["kind"], row["field"]): row["records"] for row in board.dataset("unknown_fields").collect()}
    assert shown == {(row["topic"].split(".")[1], row["field"]): row["records"] for row in expected}


def test_up_to_when_the_data_goes_is_the_newest_post_and_the_last_run_of_each_kind(board: Board) -> None:
    newest, *taken = board.dataset("freshness").collect()
    latest = summaries.read_freshness(board.leg).where("latest_post IS NOT NULL").first()
    started = {
        f"Last records taken in: {row['topic'].split('.')[1]}": f"{row['started']:%Y-%m-%d %H:%M}"
        for row in summaries.read_runs(board.leg).collect()
    }
    assert latest is not None
    assert newest == Row(what="Newest post", utc=f"{latest['latest_post']:%Y-%m-%d %H:%M}")
    assert dict(map(tuple, taken)) == started


@pytest.mark.parametrize("name", ["posts", "freshness", "quality", "fates", "micro_batches"])
def test_days_and_years_are_utc_in_every_session_s_zone(board: Board, name: str) -> None:
    expected = board.dataset(name).collect()
    board.dataset(name).unpersist()
    before = board.spark.conf.get("spark.sql.session.timeZone")
    board.spark.conf.set("spark.sql.session.timeZone", ELSEWHERE)
    try:
        found = board.dataset(name).collect()
    finally:
        board.spark.conf.set("spark.sql.session.timeZone", before)
    assert before == "UTC"
    assert found == expected


def test_a_misspelt_function_is_caught_by_running_it(board: Board) -> None:
    """SQL that parses, and that no warehouse knows."""
    misspelt = Board(board.spark, board.settings, {"users": "SELECT cuont(*) AS users FROM posts"})
    with pytest.raises(AnalysisException, match="UNRESOLVED_ROUTINE"):
        misspelt.dataset("users")
