"""Raw records in, clean frames out: the contract's columns, on a classic and on a Connect session."""

import json
from datetime import UTC, datetime

import pytest
from chispa import assert_df_equality
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from pinterest_transforms.cleaning import is_usable, validate_and_clean
from pinterest_transforms.entities import ENTITIES, GEO, PIN, USER, Entity
from pinterest_transforms.schemas import CONTRACT

COLUMNS = {
    "pin": [
        ("ind", "bigint"),
        ("unique_id", "string"),
        ("title", "string"),
        ("description", "string"),
        ("follower_count", "int"),
        ("poster_name", "string"),
        ("tag_list", "string"),
        ("is_image_or_video", "string"),
        ("image_src", "string"),
        ("save_location", "string"),
        ("category", "string"),
    ],
    "geo": [("ind", "bigint"), ("country", "string"), ("coordinates", "array<double>"), ("timestamp", "timestamp")],
    "user": [("ind", "bigint"), ("user_name", "string"), ("age", "int"), ("date_joined", "timestamp")],
}
SOURCE = ("_source", "struct<shard:string,position:string,arrived:timestamp,file:string>")
by_name = {"argvalues": ENTITIES, "ids": lambda entity: entity.name}

A_PIN = {
    "index": 7528,
    "unique_id": "fbe53c66-3442-4773-b19e-d3ec6f54dddf",
    "title": "Lamps &amp;\nmore 🪔",
    "description": "Лампа\u00a0 ランプ 灯 <b>new</b> \u00a0",
    "poster_name": "\u00a0Lamp \u00a0House ",
    "follower_count": "1.1k",
    "tag_list": "Lamp,Home decor,\u00a0",
    "is_image_or_video": "multi-video(story page format)",
    "image_src": "https://i.pinimg.example/originals/a.jpg",
    "downloaded": 1,
    "save_location": "Local save in /data/home-decor",
    "category": "home-decor",
}
NO_PIN = {
    "index": 1,
    "unique_id": "  ",
    "title": "No Title Data Available ",
    "description": "No description available Story format",
    "poster_name": "User Info Error",
    "follower_count": "User Info Error",
    "tag_list": "N,o, ,T,a,g,s, ,A,v,a,i,l,a,b,l,e",
    "is_image_or_video": None,
    "image_src": "\u00a0Image src error.",
    "downloaded": 0,
    "save_location": "",
    "category": None,
}
ONLY_LIKE_PLACEHOLDERS = {
    "index": 2,
    "unique_id": "Untitled",
    "title": "User Info Error",
    "description": "No description available.",
    "poster_name": "No Title Data Available",
    "follower_count": 12,
    "tag_list": "No Tags Available",
    "is_image_or_video": "Image src error.",
    "image_src": "Image src error",
    "save_location": "/data/Untitled",
    "category": "Untitled",
}


def cleaned(records: DataFrame, entity: Entity) -> DataFrame:
    """The usable records, as a batch writes them; kept first as a batch keeps them, else each rule is planned twice."""
    usable = validate_and_clean(records, entity).localCheckpoint().where(is_usable())
    return usable.select(*CONTRACT[entity.name].names, "_source")


def clean_frame(session: SparkSession, rows: list[tuple], entity: Entity) -> DataFrame:
    """The expected contract columns; what a row leaves out is null."""
    schema = CONTRACT[entity.name]
    return session.createDataFrame([row + (None,) * (len(schema) - len(row)) for row in rows], schema)


def assert_clean(session: SparkSession, raw_records, entity: Entity, lines: list, rows: list[tuple]) -> None:
    got = cleaned(raw_records(session, lines), entity).orderBy("_source.position").drop("_source")
    assert_df_equality(got, clean_frame(session, rows, entity), ignore_nullable=True, ignore_metadata=True)


def test_pins_are_cleaned(either: SparkSession, raw_records) -> None:
    lines = [json.dumps(A_PIN, ensure_ascii=False), json.dumps(NO_PIN), json.dumps(ONLY_LIKE_PLACEHOLDERS)]
    lines += ['{"index":3,"title":null}', '{"index":4,"description":"Untitled\\u00a0"}', '{"index":4}', "null", ""]
    lines += ['{"index":5,"description":"No description available","follower_count":"lots","title":["a"]}']
    rows = [
        (
            7528,
            "fbe53c66-3442-4773-b19e-d3ec6f54dddf",
            "Lamps &amp;\nmore 🪔",
            "Лампа\u00a0 ランプ 灯 <b>new</b>",
            1100,
            "Lamp \u00a0House",
            "Lamp,Home decor,",
            "multi-video(story page format)",
            "https://i.pinimg.example/originals/a.jpg",
            "/data/home-decor",
            "home-decor",
        ),
        (1,),
        (
            2,
            "Untitled",
            "User Info Error",
            "No description available.",
            12,
            "No Title Data Available",
            "No Tags Available",
            "Image src error.",
            "Image src error",
            "/data/Untitled",
            "Untitled",
        ),
        (3,),
        (4,),
        (5,),
    ]
    assert_clean(either, raw_records, PIN, lines, rows)


def test_geolocations_are_cleaned(either: SparkSession, raw_records) -> None:
    spellings = ["2020-08-28 03:52:47", "2020-08-28T03:52:47", "2020:08:28 03:52:47", "08/28/2020, 03:52:47"]
    lines = [json.dumps({"ind": number, "timestamp": text}) for number, text in enumerate(spellings)]
    lines += [
        '{"ind":"4","timestamp":"2020-08-28T05:52:47.5+02:00","latitude":-28.01,"longitude":-160.7,"country":" Peru"}',
        '{"ind":5,"timestamp":null,"latitude":null,"longitude":null,"country":null}',
        '{"ind":6.0,"timestamp":"03:52:47","latitude":400,"longitude":1,"country":"Holy See (Vatican City State)"}',
        '{"ind":-7,"country":"Peru"}',
        '{"ind":8,"latitude":"90","longitude":-180,"country":"Lao People\'s Democratic Republic, \\"Laos\\""}',
    ]
    moment = datetime(2020, 8, 28, 3, 52, 47, tzinfo=UTC)
    rows = [
        *((number, None, None, moment) for number in range(4)),
        (4, "Peru", [-28.01, -160.7], moment.replace(microsecond=500_000)),
        (5,),
        (6, "Holy See (Vatican City State)"),
        (8, 'Lao People\'s Democratic Republic, "Laos"', [90.0, -180.0]),
    ]
    assert_clean(either, raw_records, GEO, lines, rows)


def test_users_are_cleaned(either: SparkSession, raw_records) -> None:
    lines = [
        '{"ind":1,"first_name":"Ana","last_name":"Lopez","age":27,"date_joined":"2016-02-29 00:00:00"}',
        '{"ind":2,"first_name":" Ana Maria\\u00a0","last_name":"\\tde la Cruz ","age":"60"}',
        '{"ind":3,"first_name":null,"last_name":"Lopez","age":121,"date_joined":"2017-02-29 00:00:00"}',
        '{"ind":4,"first_name":null,"last_name":null,"age":null,"date_joined":null}',
        '{"ind":5,"title":"a pin"}',
        '{"ind":6,"last_name":"User Info Error"}',
    ]
    rows = [
        (1, "Ana Lopez", 27, datetime(2016, 2, 29, tzinfo=UTC)),
        (2, "Ana Maria de la Cruz", 60),
        (3, "Lopez"),
        (4,),
        (6, "User Info Error"),
    ]
    assert_clean(either, raw_records, USER, lines, rows)


@pytest.mark.parametrize("entity", **by_name)
def test_the_columns_are_the_contracts_and_their_source(spark: SparkSession, raw_records, entity: Entity) -> None:
    schema = cleaned(raw_records(spark, ["{}"]), entity).schema
    got = [(column.name, column.dataType.simpleString()) for column in schema]
    assert got == [*COLUMNS[entity.name], SOURCE]


def test_every_version_of_a_row_is_kept_with_its_source(spark: SparkSession, raw_records) -> None:
    lines = ['{"ind":1,"country":"Peru"}', "rubbish", '{"ind":1,"country":"Peru"}', '{"ind":"1","country":"Chad"}']
    got = cleaned(raw_records(spark, lines), GEO).orderBy("_source.position").collect()
    assert [(row["ind"], row["country"], *row["_source"]) for row in got] == [
        (1, country, "0", position, None, "a file")
        for country, position in [("Peru", "000"), ("Peru", "002"), ("Chad", "003")]
    ]


@pytest.mark.usefixtures("spark")
@pytest.mark.parametrize(
    ("session", "zone"), [("spark", "Pacific/Auckland"), ("connect", "America/Los_Angeles")], ids=["classic", "connect"]
)
def test_the_sessions_zone_moves_no_instant(request, raw_records, in_zone, session: str, zone: str) -> None:
    either = request.getfixturevalue(session)
    moments = ["2020-12-31 23:59:59", "2020-03-08T02:30:00", "2020:09:27 02:30:00", "11/01/2020, 01:30:00"]
    lines = [json.dumps({"ind": number, "timestamp": moment}) for number, moment in enumerate(moments)]
    with in_zone(either, zone):
        rows = cleaned(raw_records(either, lines), GEO).select("ind", F.unix_seconds("timestamp")).collect()
    expected = ["2020-12-31T23:59:59", "2020-03-08T02:30:00", "2020-09-27T02:30:00", "2020-11-01T01:30:00"]
    assert [datetime.fromtimestamp(seconds, UTC).isoformat() for _, seconds in sorted(map(tuple, rows))] == [
        f"{moment}+00:00" for moment in expected
    ]


def test_only_a_record_without_a_reason_against_it_is_usable(spark: SparkSession, raw_records) -> None:
    lines = ['{"ind":1,"country":"Peru"}', '{"ind":2,"country":[]}', '{"ind":3}', "null"]
    rows = validate_and_clean(raw_records(spark, lines), GEO).select(F.col("_source.position"), is_usable()).collect()
    assert sorted(map(tuple, rows)) == [("000", True), ("001", True), ("002", False), ("003", False)]


def test_no_value_of_any_field_stops_a_run(spark: SparkSession, raw_records) -> None:
    odd = [
        "",
        " ",
        "-",
        "9" * 400,
        "9" * 40 + "k",
        "1e999",
        "١",
        "\x00",
        "NaN",
        "Infinity",
        "{",
        "[",
        "\\",
        "'",
        "`",
        "$",
    ]
    odd += [
        "0000-00-00 00:00:00",
        "99/99/9999, 99:99:99",
        "2020-08-28 03:52:47+99:99",
        "k",
        ",",
        ".",
        "1,k",
        "💡" * 500,
    ]
    values = [*odd, None, True, 0, -1, 1.5, 1e300, 2**70, {}, [], {"a": [None]}, [[]]]
    for entity in ENTITIES:
        names = [*entity.key_fields, *entity.fields]
        lines = [json.dumps({**dict.fromkeys(entity.key_fields, 1), name: value}) for name in names for value in values]
        rows = validate_and_clean(raw_records(spark, lines), entity).select("ind", "rejections", "repairs").collect()
        assert len(rows) == len(lines)


@pytest.mark.parametrize("entity", **by_name)
def test_java_compiles_every_method_of_the_rules(spark: SparkSession, raw_records, entity: Entity) -> None:
    """Java interprets a method of over 8,000 bytes for ever, and whole-stage code is one method for each projection."""
    plan = validate_and_clean(raw_records(spark, ["{}"]), entity, every_raw=False)._jdf.queryExecution().executedPlan()
    debug = getattr(getattr(spark._jvm.org.apache.spark.sql.execution.debug, "package$"), "MODULE$")
    stages = debug.codegenStringSeq(plan)
    sizes = [stages.apply(number)._3().maxMethodCodeSize() for number in range(stages.size())]
    assert sizes
    assert max(sizes) < 8_000
