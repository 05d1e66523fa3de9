import base64
import csv
import io
import json
import shutil
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from local.cli.query_command import check_query, find_schemas, open_query, use_warehouse, write_rows
from pinterest_transforms.errors import SettingsError

KINDS = (
    "SELECT 7L AS ind, 'a,\"b\"\n日本' AS title, '' AS empty, CAST(NULL AS STRING) AS missing, true AS yes, 1.5D AS d, "
    "CAST('NaN' AS DOUBLE) AS nan, CAST('1.20' AS DECIMAL(5,2)) AS money, TIMESTAMP'2020-08-28 03:52:47.5Z' AS t, "
    "TIMESTAMP_NTZ'2020-08-28 03:52:47' AS local, DATE'2020-08-28' AS day, X'00FF' AS raw, array(1, NULL) AS list, "
    "named_struct('origin', 'x', 'arrived', TIMESTAMP'2020-01-01 00:00:00Z') AS _source, map('k', 2L) AS m"
)


pytestmark = pytest.mark.usefixtures("interpreted")


@pytest.fixture(scope="module")
def two_rows(interpreted: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a Delta table that holds 0 and 1."""
    folder = tmp_path_factory.mktemp("query") / "t"
    interpreted.range(2).write.format("delta").save(str(folder))
    return folder


def _rows(spark: SparkSession, query: str, form: str) -> str:
    out = io.StringIO(newline="")
    written: list[int] = []
    write_rows(open_query(spark, query), form, out, lambda: written.append(out.tell()))
    assert written == [0]  # progress has ended before the first row
    return out.getvalue()


def test_jsonl_keeps_every_kind_of_value(spark: SparkSession) -> None:
    text = _rows(spark, KINDS, "jsonl")

    assert text.count("\n") == 1
    assert json.loads(text) == {
        "ind": 7,
        "title": 'a,"b"\n日本',
        "empty": "",
        "missing": None,
        "yes": True,
        "d": 1.5,
        "nan": "NaN",
        "money": "1.20",
        "t": "2020-08-28T03:52:47.500000Z",
        "local": "2020-08-28T03:52:47",
        "day": "2020-08-28",
        "raw": base64.b64encode(b"\x00\xff").decode(),
        "list": [1, None],
        "_source": {"origin": "x", "arrived": "2020-01-01T00:00:00Z"},
        "m": {"k": 2},
    }
    assert "日本" in text


def test_csv_is_rfc_4180(spark: SparkSession) -> None:
    text = _rows(spark, KINDS, "csv")

    names, values = csv.reader(io.StringIO(text, newline=""))
    row = dict(zip(names, values, strict=True))
    assert (row["title"], row["empty"], row["missing"]) == ('a,"b"\n日本', "", "")
    assert ',"",,true,' in text  # an empty text is quoted, a missing value is not
    assert row["_source"] == '{"origin": "x", "arrived": "2020-01-01T00:00:00Z"}'
    assert text.endswith("\r\n")


def test_no_rows_are_no_lines_but_a_header(spark: SparkSession) -> None:
    assert _rows(spark, "SELECT 1 AS a WHERE false", "jsonl") == ""
    assert _rows(spark, "SELECT 1 AS a WHERE false", "csv") == "a\r\n"
    assert "(no rows)" in _rows(spark, "SELECT 1 AS a WHERE false", "table")


def test_rows_keep_their_order_over_partitions(spark: SparkSession) -> None:
    query = "SELECT id FROM range(0, 50000, 1, 7) ORDER BY id DESC"

    text = _rows(spark, query, "csv")

    assert text.split() == ["id", *map(str, range(49999, -1, -1))]


def test_a_table_shows_the_first_thousand(spark: SparkSession) -> None:
    lines = _rows(spark, "SELECT * FROM range(1001)", "table").splitlines()

    assert lines[1001].strip() == "999"
    assert lines[1002] == "… 1,000 of 1,001 rows"


def test_a_column_named_twice_is_refused_only_where_it_would_be_lost(spark: SparkSession) -> None:
    with pytest.raises(
        SettingsError, match="every column must have a different name for jsonl, got 'a' more than once"
    ):
        _rows(spark, "SELECT 1 AS a, 2 AS a", "jsonl")

    assert _rows(spark, "SELECT 1 AS a, 2 AS a", "csv") == "a,a\r\n1,2\r\n"


@pytest.mark.parametrize(
    "query",
    [
        "SELECT 1;",
        " -- first; this\n select ';' AS a, \"b;\" /* ; */ ; ",
        "WITH x AS (SELECT 1 AS a) SELECT * FROM x",
        "(SELECT 1) UNION ALL (SELECT 2)",
        "VALUES (1), (2)",
        "FROM range(2) SELECT id",
        "SHOW TABLES",
        "SHOW SCHEMAS",
        "DESCRIBE QUERY SELECT 1",
        "desc function sum",
        "EXPLAIN SELECT 1",
    ],
)
def test_queries_are_run(spark: SparkSession, query: str) -> None:
    assert _rows(spark, query, "csv")


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("", "query must be one statement, got 0"),
        (" ; -- nothing", "query must be one statement, got 0"),
        ("SELECT 1; SELECT 2", "query must be one statement, got 2"),
        ("DROP TABLE pins", "query must start with one of {starts}, got 'DROP'"),
        ("/* SELECT */ DELETE FROM pins", "query must start with one of {starts}, got 'DELETE'"),
        ("SET x = 1", "query must start with one of {starts}, got 'SET'"),
        ("EXECUTE IMMEDIATE 'DROP TABLE pins'", "query must start with one of {starts}, got 'EXECUTE'"),
        ("SELEKT 1", "query must start with one of {starts}, got 'SELEKT'"),
        ("日本", "query must start with one of {starts}, got '日本'"),
    ],
)
def test_what_is_no_query_is_told_without_spark(query: str, message: str) -> None:
    with pytest.raises(SettingsError) as told:
        check_query(query)

    starts = "SELECT, WITH, VALUES, FROM, TABLE, DESCRIBE, DESC, SHOW, EXPLAIN"
    assert str(told.value) == message.format(starts=starts)


@pytest.mark.parametrize(
    "query",
    [
        "WITH x AS (SELECT 1 AS id) INSERT INTO {table} SELECT * FROM x",
        "FROM range(3) INSERT INTO {table} SELECT id",
        "FROM range(3) INSERT INTO {table} SELECT id INSERT OVERWRITE {table} SELECT id",
        "WITH x AS (SELECT 1 AS id) DELETE FROM {table} WHERE id = 0",
        "WITH x AS (SELECT 1 AS id) MERGE INTO {table} t USING x ON t.id = x.id WHEN MATCHED THEN DELETE",
    ],
)
def test_nothing_changes_a_table(spark: SparkSession, two_rows: Path, query: str) -> None:
    table = f"delta.`{two_rows}`"
    try:
        with pytest.raises(SettingsError):
            open_query(spark, query.format(table=table))
    finally:
        assert sorted(row.id for row in spark.table(table).collect()) == [0, 1]


@pytest.mark.parametrize(
    ("query", "start"),
    [
        ("SELECT 1 +", "[PARSE_SYNTAX_ERROR] Syntax error at or near end of input."),
        ("SELECT * FROM no_such_table", "[TABLE_OR_VIEW_NOT_FOUND] The table or view `no_such_table` cannot be found."),
        ("SELECT nope FROM range(1)", "[UNRESOLVED_COLUMN.WITH_SUGGESTION] A column, variable, or function parameter"),
    ],
)
def test_what_does_not_parse_or_is_not_there_is_one_line(spark: SparkSession, query: str, start: str) -> None:
    with pytest.raises(SettingsError) as told:
        open_query(spark, query)

    assert str(told.value).startswith(start)
    assert "\n" not in str(told.value)


def _warehouse(folder: Path, *schemas: str) -> Path:
    for schema in schemas:
        (folder / schema / "pins" / "_delta_log").mkdir(parents=True)
    (folder / "_spark" / "x").mkdir(parents=True)
    return folder


@pytest.mark.parametrize(
    ("there", "schema", "used"),
    [
        (["pinterest"], None, "pinterest"),
        (["pinterest_stream"], None, "pinterest_stream"),
        (["mine"], None, "mine"),
        (["pinterest", "pinterest_stream"], None, "pinterest"),
        (["a", "b"], None, None),
        (["a", "b"], "b", "b"),
    ],
)
def test_bare_names_have_the_schema_asked_for_or_the_batch_leg_s_or_the_only_one(
    tmp_path: Path, there: list[str], schema: str | None, used: str | None
) -> None:
    assert find_schemas(_warehouse(tmp_path, *there), schema) == (there, used)


def test_a_warehouse_must_have_the_schema(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"^warehouse must be an existing folder, got /no/such$"):
        find_schemas(Path("/no/such"), None)
    with pytest.raises(SettingsError, match=r"^warehouse must hold tables, got none in .*$"):
        find_schemas(tmp_path, "pinterest")
    with pytest.raises(SettingsError, match=r"^schema must be one of a, b in .*, got 'other'$"):
        find_schemas(_warehouse(tmp_path, "a", "b"), "other")
    with pytest.raises(SettingsError, match=r"^schema must be one of a, b in .*, got 'a`b'$"):
        find_schemas(tmp_path, "a`b")


def test_a_bare_name_among_several_schemas_is_told_which_are_there(
    spark: SparkSession, two_rows: Path, tmp_path: Path
) -> None:
    for schema in ("query_a", "query_b"):
        shutil.copytree(two_rows, tmp_path / schema / "pins")
    schemas, schema = find_schemas(tmp_path, None)
    use_warehouse(spark, tmp_path, schemas, schema)
    try:
        assert open_query(spark, "SELECT * FROM query_b.pins", schemas).count() == 2
        with pytest.raises(SettingsError) as told:
            open_query(spark, "SELECT * FROM pins", schemas)
        assert str(told.value).startswith(
            "a table must be named with its schema, or --schema be one of query_a, query_b: [TABLE_OR_VIEW_NOT_FOUND]"
        )
    finally:
        for name in schemas:
            spark.sql(f"DROP SCHEMA {name} CASCADE")
