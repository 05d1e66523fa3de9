"""The rules for one value: input and expected side by side, one Spark job a table."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

import pytest
from chispa import assert_column_equality
from pyspark.sql import Column, SparkSession
from pyspark.sql import functions as F

from pinterest_transforms import columns
from pinterest_transforms.analysis import counted_posts

Table = Sequence[tuple[object, object]]
WHITE_SPACE = [chr(point) for point in range(0x110000) if chr(point).isspace() and not 0x1C <= point <= 0x1F]
LONG_MAX = 9_223_372_036_854_775_807
INT_MAX = 2_147_483_647


def assert_rule(
    session: SparkSession, rule: Callable[[Column], Column], table: Table, kind: str, given: str = "string"
) -> None:
    """The rule gives what the table says, of that type; a null row is among the table's."""
    assert any(value is None for value, _ in table)
    frame = session.createDataFrame(list(table), f"given {given}, expected {kind}")
    frame = frame.select("given", "expected", rule(F.col("given")).alias("got"))
    assert frame.schema["got"].dataType == frame.schema["expected"].dataType
    pairs = [F.struct("given", F.col(name).alias("value")).alias(name) for name in ("got", "expected")]
    assert_column_equality(frame.select(*pairs), "got", "expected")


def test_a_rule_takes_a_column_or_its_name(spark: SparkSession) -> None:
    rules = (
        *(
            columns.trim_whitespace,
            columns.parse_key,
            columns.parse_age,
            columns.parse_follower_count,
            columns.parse_save_location,
            columns.parse_timestamp,
        ),
        *(
            columns.may_be_no_text,
            lambda value: columns.null_if_placeholder(value, ("9",)),
            lambda value: columns.parse_degrees(value, 90),
        ),
        *(
            lambda value: columns.parse_text(value, F.parse_json("given")),
            lambda value: columns.join_names(value, value),
        ),
    )
    frame = spark.createDataFrame([("7",)], "given string")
    [row] = frame.select(*(rule(given) for rule in rules for given in ("given", F.col("given")))).collect()
    assert row[0::2] == row[1::2]
    assert row[0:6:2] == ("7", 7, 7)


def micros(iso: str) -> int:
    """Microseconds since 1970 of a moment in UTC."""
    return (datetime.fromisoformat(iso) - datetime(1970, 1, 1)) // timedelta(microseconds=1)


def test_the_white_space_is_unicodes() -> None:
    assert len(WHITE_SPACE) == 25
    assert sorted(columns.WHITE_SPACE) == WHITE_SPACE


def test_texts_lose_white_space_at_their_ends_only(spark: SparkSession) -> None:
    around = [(f"{space}A\u00a0 lamp{space}{space}", "A\u00a0 lamp") for space in WHITE_SPACE]
    alone = [(space * 2, None) for space in WHITE_SPACE]
    left_alone = ["\u200b", "\ufeff", "\u2060", "\u180e", "\x00", "\x1c", "\x1f", "\x7f", "\\n"]
    table = [
        *around,
        *alone,
        *((f"{kept}lamp{kept}", f"{kept}lamp{kept}") for kept in left_alone),
        *((kept, kept) for kept in left_alone),
        ("".join(WHITE_SPACE) + "x" + "".join(reversed(WHITE_SPACE)), "x"),
        ("".join(WHITE_SPACE), None),
        (None, None),
        ("", None),
        ("x", "x"),
        ("é", "é"),
        ("лампа\u00a0", "лампа"),
        ("\u3000ランプ", "ランプ"),
        (" 🪔\n🪔 ", "🪔\n🪔"),
        ("~!", "~!"),
        ("x ", "x"),
        (" x", "x"),
        ("ends in \u00e0", "ends in \u00e0"),
        ("line\nfeed\r\n", "line\nfeed"),
        ("y" * 100_000 + "\t", "y" * 100_000),
    ]
    assert_rule(spark, columns.trim_whitespace, table, "string")


def test_a_placeholder_is_a_whole_value(spark: SparkSession) -> None:
    table = [
        (None, None),
        ("Untitled", None),
        ("No description available", None),
        ("No description available Story format", "No description available Story format"),
        ("untitled", "untitled"),
        ("Untitled.", "Untitled."),
        (" Untitled", " Untitled"),
        ("", ""),
    ]
    assert_rule(
        spark,
        lambda value: columns.null_if_placeholder(value, ("Untitled", "No description available")),
        table,
        "string",
    )


def test_an_object_or_an_array_is_no_text(spark: SparkSession) -> None:
    table = [
        (None, None, None),
        (None, '{"title":null}', None),
        ("Lamp", '{"title":"Lamp"}', "Lamp"),
        ("[DIY] lamp", '{"title":"[DIY] lamp"}', "[DIY] lamp"),
        ("[DIY] lamp", '{"title":"[DIY] lamp","follower_count":NaN}', "[DIY] lamp"),
        ("[DIY] lamp", '{"titl\\u0065" : "\\u005bDIY] lamp"}', "[DIY] lamp"),
        ("[DIY] lamp", '{"title":"  [DIY] lamp\u00a0"}', "[DIY] lamp"),
        ("{}", '{"title":"{}"}', "{}"),
        ('{"a":1}', '{"title":"{\\"a\\":1}"}', '{"a":1}'),
        ('["a"]', '{"title":"[\\"a\\"]","a":["a"]}', '["a"]'),
        ("{}", '{"title":{}}', None),
        ('{"a":1}', '{"title":{"a":1}}', None),
        ('{"a":1}', '{"title": {"a": 1}, "latitude": NaN}', None),
        ('["a"]', '{"title":["a"]}', None),
        ("[]", '{"title":[]}', None),
        ('["NaN"]', '{"title":[NaN]}', None),
        ('"NaN"', '{"title":NaN}', None),
        ('"NaN"', '{"title":"\\"NaN\\""}', '"NaN"'),
        ('"Infinity"', '{"title":Infinity}', None),
        ('"-Infinity"', '{"title":-Infinity}', None),
        ("NaN", '{"title":"NaN"}', "NaN"),
        ("12", '{"title":12}', "12"),
        ("true", '{"title":true}', "true"),
    ]
    frame = spark.createDataFrame(table, "value string, line string, expected string")
    kind = F.from_json("line", "struct<title variant>")["title"]
    frame = frame.withColumn("got", columns.parse_text(F.col("value"), kind))
    assert_column_equality(frame, "got", "expected")


KEYS: Table = [
    (None, None),
    ("", None),
    ("0", 0),
    ("-0", 0),
    ("-1", None),
    ("-1.0", None),
    ("7166", 7166),
    ("07166", 7166),
    ("+7166", 7166),
    (" 7 ", 7),
    ("\u00a07\u3000", 7),
    ("7166.0", 7166),
    ("7166.000000000000000000000", 7166),
    ("7166.5", None),
    ("7166.", None),
    (".0", None),
    ("7166.0000000000001", None),
    ("7166.000000000000000001", None),
    ("7166.0000000000000000001", None),
    ("1e3", 1000),
    ("1E3", 1000),
    ("1.5e3", 1500),
    ("1.0E7", 10_000_000),
    ("1.2345678901234E13", 12_345_678_901_234),
    ("1.5e0", None),
    ("1e-20", None),
    ("1.0E-5", None),
    ("1e19", None),
    ("1e99", None),
    ("1e999", None),
    (str(LONG_MAX), LONG_MAX),
    (f"{LONG_MAX}.0", LONG_MAX),
    (str(LONG_MAX + 1), None),
    (f"{LONG_MAX + 1}.0", None),
    (str(-LONG_MAX - 1), None),
    ("9.007199254740991E15", 2**53 - 1),
    ("9.007199254740992E15", None),
    ("1" + "0" * 60, None),
    ("0" * 60 + "1", None),
    ("true", None),
    ("seven", None),
    ("7 166", None),
    ("7,166", None),
    ("0x10", None),
    ("7L", None),
    ("7d", None),
    ("7\n8", None),
    ("\x017", None),
    ("7\x00", None),
    ("７１６６", None),
    ("٧", None),
    ('"NaN"', None),
    ("NaN", None),
    ("Infinity", None),
    ("{}", None),
    ("[7]", None),
]


def test_a_key_is_a_whole_number_that_fits(spark: SparkSession) -> None:
    assert_rule(spark, lambda value: columns.parse_key(columns.trim_whitespace(value)), KEYS, "bigint")


def test_an_age_is_a_whole_number_from_1_to_120(spark: SparkSession) -> None:
    table = [
        (None, None),
        ("0", None),
        ("1", 1),
        ("27", 27),
        ("27.0", 27),
        ("2.7E1", 27),
        ("27.5", None),
        ("27.00000000000000000001", None),
        ("120", 120),
        ("120.0", 120),
        ("121", None),
        ("-27", None),
        ("4294967323", None),
        ("old", None),
        ("27 years", None),
        ("2７", None),
        ("true", None),
        ('"NaN"', None),
    ]
    assert_rule(spark, columns.parse_age, table, "int")


def test_a_follower_count_is_exact(spark: SparkSession) -> None:
    table = [
        (None, None),
        ("0", 0),
        ("7", 7),
        ("9000", 9000),
        ("9k", 9000),
        ("9K", 9000),
        ("1.1k", 1100),
        ("1.10k", 1100),
        ("1.1000000000000k", 1100),
        ("1.100000000000000000000k", 1100),
        ("2,147,483,647.00000000", INT_MAX),
        ("0.5k", 500),
        ("0.001k", 1),
        ("2M", 2_000_000),
        ("2m", 2_000_000),
        ("2.000001M", 2_000_001),
        ("1B", 1_000_000_000),
        ("1b", 1_000_000_000),
        ("1.123456789B", 1_123_456_789),
        ("2.147483647B", INT_MAX),
        ("2.147483648B", None),
        ("3B", None),
        (str(INT_MAX), INT_MAX),
        (str(INT_MAX + 1), None),
        ("1,234", 1234),
        ("1,234,567", 1_234_567),
        ("1,234.5k", 1_234_500),
        ("12,345k", 12_345_000),
        ("12.0", 12),
        ("1.234E7", 12_340_000),
        ("1e3", 1000),
        ("12.5", None),
        ("1.2345k", None),
        ("1.0000001k", None),
        ("1.0000000001", None),
        ("0.0000001M", None),
        ("12,34", None),
        ("1234,567", None),
        (",123", None),
        ("1,,234", None),
        ("1,234,", None),
        ("-5", None),
        ("-5k", None),
        ("9 k", None),
        ("9kk", None),
        ("9T", None),
        ("k", None),
        (".5k", None),
        ("5.k", None),
        ("1e3k", None),
        ("９k", None),
        ("９", None),
        ("9К", None),  # a Cyrillic letter
        ("9\u212a", None),  # the kelvin sign, whose lower case is k
        ("9k\n", None),
        ("9\x00", None),
        ("9" * 30, None),
        ("9" * 30 + "k", None),
        ("lots", None),
        ("true", None),
        ('"NaN"', None),
        ("{}", None),
        ("", None),
    ]
    assert_rule(spark, columns.parse_follower_count, table, "int")


def test_a_save_location_is_the_path_only(spark: SparkSession) -> None:
    table = [
        (None, None),
        ("Local save in /data/mens-fashion", "/data/mens-fashion"),
        ("Local save in  \u00a0/data/mens fashion", "/data/mens fashion"),
        ("/data/mens-fashion", "/data/mens-fashion"),
        ("Local save in /data/Local save in /x", "/data/Local save in /x"),
        ("Local save in", None),
        ("Local save in data", None),
        ("local save in /data/art", None),
        ("s3://bucket/art", None),
        ("art", None),
        ('{"path":"/data/art"}', None),
        ('["/data/art"]', None),
        ("", None),
    ]
    assert_rule(spark, columns.parse_save_location, table, "string")


@pytest.mark.parametrize("limit", [90, 180])
def test_degrees_are_finite_and_within_their_limit(spark: SparkSession, limit: int) -> None:
    table = [
        (None, None),
        (f"{limit}", float(limit)),
        (f"-{limit}", float(-limit)),
        (f"{limit}.0", float(limit)),
        (f"{limit}.0000001", None),
        (f"-{limit}.0000001", None),
        (f"{limit + 1}", None),
        ("400", None),
        ("0", 0.0),
        ("-0.0", -0.0),
        ("+12.5", 12.5),
        ("-77.9931", -77.9931),
        ("1.0E-5", 0.00001),
        ("1e-300", 1e-300),
        ("1e400", None),
        ("1e9", None),
        ("NaN", None),
        ('"NaN"', None),
        ("Infinity", None),
        ("-Infinity", None),
        ("1d", None),
        ("1f", None),
        ("1D", None),
        ("0x1p3", None),
        ("12,5", None),
        ("12.5N", None),
        ("12.5.1", None),
        ("１２", None),
        ("west", None),
        ("true", None),
        ("", None),
        ("[12]", None),
    ]
    assert_rule(spark, lambda value: columns.parse_degrees(value, limit), table, "double")


SPELLINGS = {
    "{y}-{m}-{d} {clock}": "a space",
    "{y}-{m}-{d}T{clock}": "a T",
    "{y}:{m}:{d} {clock}": "colons",
    "{m}/{d}/{y}, {clock}": "month first",
}
CLOCKS = {
    "03:52:47": "03:52:47",
    "03:52:47.1": "03:52:47.100000",
    "03:52:47.123": "03:52:47.123000",
    "03:52:47.1234": "03:52:47.123400",
    "03:52:47.123456": "03:52:47.123456",
    "03:52:47.123456789": "03:52:47.123456",
    "03:52:47Z": "03:52:47",
    "03:52:47.5Z": "03:52:47.500000",
    "03:52:47+00:00": "03:52:47",
    "03:52:47-00:00": "03:52:47",
    "03:52:47+02:00": "01:52:47",
    "03:52:47-05:30": "09:22:47",
    "03:52:47.25+02:00": "01:52:47.250000",
    "03:52:47+0200": "01:52:47",
    "03:52:47-0530": "09:22:47",
    "03:52:47.5+0000": "03:52:47.500000",
    "00:00:00": "00:00:00",
    "23:59:59": "23:59:59",
}
INSTANTS: list[tuple[object, object]] = [
    (None, None),
    *(
        (spelling.format(y="2020", m="08", d="28", clock=clock), micros(f"2020-08-28T{utc}"))
        for spelling in SPELLINGS
        for clock, utc in CLOCKS.items()
    ),
    ("2020-02-29T10:00:00", micros("2020-02-29T10:00:00")),
    ("2020-01-01T00:30:00+01:00", micros("2019-12-31T23:30:00")),
    ("1900-01-01 00:00:00", micros("1900-01-01T00:00:00")),
    ("2100-12-31 23:59:59", micros("2100-12-31T23:59:59")),
    ("2100-12-31 23:59:59.999999", micros("2100-12-31T23:59:59.999999")),
    ("1899-12-31 23:59:59", None),
    ("1899-12-31 23:59:59-01:00", micros("1900-01-01T00:59:59")),
    ("1900-01-01 00:00:00+01:00", None),
    ("2101-01-01 00:00:00", None),
    ("0000-01-01 00:00:00", None),
    ("9999-12-31 23:59:59", None),
    ("99999-01-01 00:00:00", None),
    ("19000-01-1 03:52:47", None),  # a year of five digits in as many bytes as the usual spelling
    ("20200-1-11 00:00:00", None),
    ("2020-08-28 3:52:47N", None),  # in as many bytes, and with a Z it would be New Zealand's time
    ("2020-08-28 3:52:4.5", None),
    ("-2020-08-28 03:52:47", None),
    ("03:52:47", None),
    ("T03:52:47", None),
    ("2020-08-28", micros("2020-08-28T00:00:00")),
    ("1900-01-01", micros("1900-01-01T00:00:00")),
    ("2100-12-31", micros("2100-12-31T00:00:00")),
    ("1899-12-31", None),
    ("2101-01-01", None),
    ("2019-02-29", None),
    ("2020-08-28Z", None),
    ("2020-08-28+0200", None),
    ("2020-08-28+02:00", None),
    ("2020:08:28", None),
    ("08/28/2020", None),
    ("20200828", None),
    ("2020-08-28\n", None),
    ("2020-08", None),
    ("2020", None),
    ("2020-08-28 03:52", None),
    ("2020-08-28 3:52:47", None),
    ("2020-8-28 03:52:47", None),
    ("2020-02-30T10:00:00", None),
    ("2019-02-29T10:00:00", None),
    ("2020-13-01T10:00:00", None),
    ("2020-00-10T10:00:00", None),
    ("2020-01-00T10:00:00", None),
    ("2020-13-45T25:61:61", None),
    ("2020-08-28 24:00:00", None),
    ("2020-08-28 23:60:00", None),
    ("2020-08-28 23:59:60", None),
    ("28/08/2020, 03:52:47", None),
    ("08/28/2020 03:52:47", None),
    ("08/28/2020,03:52:47", None),
    ("02/30/2020, 03:52:47", None),
    ("2020:08:28T03:52:47", None),
    ("2020:02:30 03:52:47", None),
    ("2020/08/28 03:52:47", None),
    ("2020-08-28 03:52:47.", None),
    ("2020-08-28 03:52:47.1234567890", None),
    ("2020-08-28 03:52:47 Z", None),
    ("2020-08-28 03:52:47z", None),
    ("2020-08-28 03:52:47+020", None),
    ("2020-08-28 03:52:47+2500", None),
    ("2020-08-28 03:52:47+0260", None),
    ("2020-08-28 03:52:47+02", None),
    ("2020-08-28 03:52:47+25:00", None),
    ("2020-08-28 03:52:47+02:60", None),
    ("2020-08-28 03:52:47 UTC", None),
    ("2020-08-28 03:52:47 Europe/Berlin", None),
    ("2020-08-28  03:52:47", None),
    ("2020-08-28 03:52:47\n", None),
    ("2020-08-28 03:52:47\n2020-08-28 03:52:47", None),
    ("２０２０-08-28 03:52:47", None),
    ("1598586767", None),
    ("now", None),
    ("epoch", None),
    ("tomorrow", None),
    ("", None),
    ("{}", None),
]


@pytest.mark.parametrize("zone", ["UTC", "Pacific/Auckland", "America/Los_Angeles"])
def test_a_timestamp_is_the_same_instant_in_any_session_zone(spark: SparkSession, in_zone, zone: str) -> None:
    with in_zone(spark, zone):
        assert_rule(spark, lambda value: F.unix_micros(columns.parse_timestamp(value)), INSTANTS, "bigint")


def test_a_timestamp_is_a_timestamp_with_a_zone(spark: SparkSession) -> None:
    frame = spark.createDataFrame([(None,)], "given string").select(
        columns.parse_timestamp(F.col("given")).alias("got")
    )
    assert frame.schema["got"].dataType.simpleString() == "timestamp"


def test_a_name_is_first_and_last_with_one_space(spark: SparkSession) -> None:
    table = [
        (None, None, None),
        ("Ana", "Lopez", "Ana Lopez"),
        ("Ana", None, "Ana"),
        (None, "Lopez", "Lopez"),
        ("Ana Maria", "de la Cruz", "Ana Maria de la Cruz"),
        ("Олег", "李", "Олег 李"),
    ]
    frame = spark.createDataFrame(table, "first string, last string, expected string")
    frame = frame.withColumn("got", columns.join_names(F.col("first"), F.col("last")))
    assert_column_equality(frame, "got", "expected")


@pytest.mark.parametrize("zone", ["UTC", "Pacific/Auckland", "America/Los_Angeles"])
def test_a_year_is_utc_in_any_session_zone(spark: SparkSession, in_zone, zone: str) -> None:
    moments = {
        "2018-01-01T00:00:00": 2018,
        "2017-12-31T23:59:59.999999": 2017,
        "2018-12-31T23:59:59": 2018,
        "2020-02-29T12:00:00": 2020,
        "1970-01-01T00:00:00": 1970,
        "1969-12-31T23:59:59.999999": 1969,
        "1900-01-01T00:00:00": 1900,
        "2100-12-31T23:59:59": 2100,
    }
    table = [(None, None), *((micros(moment), year) for moment, year in moments.items())]
    with in_zone(spark, zone):
        assert_rule(
            spark, lambda value: counted_posts.year_utc(F.timestamp_micros(value)), table, "int", given="bigint"
        )


def test_age_groups_meet_at_their_edges(spark: SparkSession) -> None:
    table = [
        (None, None),
        (1, None),
        (17, None),
        (18, "18-24"),
        (24, "18-24"),
        (25, "25-35"),
        (35, "25-35"),
        (36, "36-50"),
        (50, "36-50"),
        (51, "+50"),
        (120, "+50"),
    ]
    assert_rule(spark, counted_posts.age_group, table, "string", given="int")


def test_every_rule_works_over_connect(connect: SparkSession) -> None:
    value = F.col("given")
    rules = {
        "trimmed": columns.trim_whitespace(value),
        "without": columns.null_if_placeholder(value, ("7",)),
        "text": columns.parse_text(F.lit("{}"), F.parse_json(F.lit('"{}"'))),
        "key": columns.parse_key(value),
        "age": columns.parse_age(value),
        "follower_count": columns.parse_follower_count(F.lit("1.1k")),
        "save_location": columns.parse_save_location(F.lit("Local save in /data/art")),
        "degrees": columns.parse_degrees(value, 90),
        "instant": F.unix_micros(columns.parse_timestamp(F.lit("08/28/2020, 03:52:47"))),
        "full_name": columns.join_names(value, F.lit("b")),
        "year": counted_posts.year_utc(F.timestamp_micros(F.lit(0))),
        "age_group": counted_posts.age_group(columns.parse_age(F.lit("51"))),
    }
    frame = connect.createDataFrame([("7",)], "given string").select(*(rules[name].alias(name) for name in rules))
    [row] = frame.collect()
    assert row.asDict() == {
        "trimmed": "7",
        "without": None,
        "text": "{}",
        "key": 7,
        "age": 7,
        "follower_count": 1100,
        "save_location": "/data/art",
        "degrees": 7.0,
        "instant": micros("2020-08-28T03:52:47"),
        "full_name": "7 b",
        "year": 1970,
        "age_group": "+50",
    }
