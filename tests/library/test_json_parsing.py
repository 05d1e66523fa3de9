"""What is thought of each record: input, verdict and values side by side, one Spark job a table."""

import json
import random
from dataclasses import dataclass, field

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from emulation.source.source_records import column_names, to_json_line
from emulation.synthetic.generator import generate_rows
from pinterest_transforms.cleaning import is_rejected, is_usable, validate_and_clean
from pinterest_transforms.entities import ENTITIES, GEO, PIN, USER, Entity
from pinterest_transforms.json_parsing import parse_json

NOT_TEXT = "not UTF-8"
NOT_ONE = "not exactly one JSON object"
TWICE = "a field is given twice"
NO_KEY = "no usable key"
OTHER = "a record of another kind"


@dataclass(frozen=True)
class Case:
    """A raw record and what must become of it; ``values`` are the clean ones that are not null, key included."""

    raw: str | bytes
    reasons: list[str] = field(default_factory=list)
    repairs: list[str] = field(default_factory=list)
    values: dict[str, object] | None = None
    unknown: list[str] = field(default_factory=list)


def judge(session: SparkSession, raw_records, entity: Entity, lines: list[str | bytes]) -> dict[int, dict]:
    """The verdict on each line by its number; raw as bytes."""
    # Kept as a batch keeps it: else Spark writes every rule out once more for each condition.
    rows = validate_and_clean(raw_records(session, lines), entity).localCheckpoint().where(is_usable() | is_rejected())
    rows = rows.withColumns({"number": F.col("_source")["position"].cast("int"), "raw": F.col("raw").cast("binary")})
    found = rows.drop("_source").collect()
    verdicts = {row["number"]: row.asDict() for row in found}
    assert len(verdicts) == len(found)
    return verdicts


def assert_cases(session: SparkSession, raw_records, entity: Entity, cases: list[Case]) -> None:
    verdicts = judge(session, raw_records, entity, [case.raw for case in cases])
    assert set(verdicts) == set(range(len(cases)))
    aside = ("raw", "rejections", "repairs", "unknown_fields", "number")
    for number, case in enumerate(cases):
        got, raw = verdicts[number], case.raw.encode() if isinstance(case.raw, str) else case.raw
        assert bytes(got["raw"]) == raw
        verdict = got["rejections"], got["repairs"] if not case.reasons else [], got["unknown_fields"] or []
        assert (raw[:200], verdict) == (raw[:200], (case.reasons, case.repairs, case.unknown))
        if case.values is not None:
            values = {name: value for name, value in got.items() if name not in aside and value is not None}
            assert (raw[:200], values) == (raw[:200], case.values)


GOOD = '{"ind":7,"country":"Peru"}'
PERU = {"ind": 7, "country": "Peru"}
NOT_JSON = [
    '{"ind":7,"country":"Pe',
    '{"ind":7,"country":"Peru"',
    '{"ind":7,"country":',
    '{"ind":7,',
    "{",
    GOOD + GOOD,
    f"{GOOD} {GOOD}",
    f"{GOOD},{GOOD}",
    f"{GOOD} , {GOOD}",
    f"{GOOD}\r{GOOD}",
    '{"ind":7,"country":"}{"}{"ind":8,"country":"{}"}',
    '{"ind":7,"country":"}"} {"ind":8,"country":"{"}',
    '{"ind":7,"country":"},{"},{"ind":8,"country":"},{"}',
    '{"ind":7,"country":{"a":1}}{"ind":8}',
    f"{GOOD} retry=1",
    f"{GOOD}x",
    f"{GOOD}}}",
    f"{GOOD}]",
    f"{GOOD}],[",
    f"{GOOD},",
    f'{GOOD},"a"',
    f'{GOOD},"a":1',
    f"{GOOD}:1",
    f"{GOOD}null",
    f'{GOOD}"a"',
    f"{GOOD}/* a comment */",
    f"{GOOD}\x00",
    f"{GOOD}\u00a0",
    '{"ind":7,"country":"}"}}',
    '{"ind":7,"country":"}"}]',
    '{"ind":7,"country":"}"}],[',
    '{"ind":7,"country":"}"},',
    '{"ind":7,"country":"}"},"a"',
    '{"ind":7,"country":"}"},"a":1',
    '{"ind":7,"country":"}"} x',
    f"[{GOOD}]",
    f"[{GOOD},{GOOD}]",
    "[]",
    "[",
    "]",
    "}",
    "7",
    "-7.5",
    "NaN",
    '"text"',
    '"{}"',
    "true",
    "null",
    "text",
    "\u00a0",
    f"\ufeff{GOOD}",
    f"\u00a0{GOOD}",
    f"x{GOOD}",
    "{'ind':7,'country':'Peru'}",
    '{"ind":7,\'country\':"Peru"}',
    '{"ind":7,"country":\'Peru\'}',
    '{ind:7,"country":"Peru"}',
    '{"ind":7,"country":"Peru",}',
    '{"ind":7,,"country":"Peru"}',
    '{"ind":7 "country":"Peru"}',
    '{"ind":7,"country":Peru}',
    '{"ind":7,"country":None}',
    '{"ind":07,"country":"Peru"}',
    '{"ind":+7,"country":"Peru"}',
    '{"ind":7.,"country":"Peru"}',
    '{"ind":.7,"country":"Peru"}',
    '{"ind":0x7,"country":"Peru"}',
    '{"ind":7,"country":"Pe\\ru"}'.replace("\\r", "\\x"),
    '{"ind":7,"country":"Pe\tru"}',
    '{"ind":7,"country":"Pe\x00ru"}',
    '{"ind":7,"country":"\\u12"}',
    '{"ind":7,"country":["Peru"}',
    '{"ind":7,"country":"Peru"]',
    '{"ind":7,/* a comment */"country":"Peru"}',
    '{"ind":7,"country":' + "[" * 1100 + "]" * 1100 + "}",
]


GEOS = [
    Case(GOOD, values=PERU),
    Case(f"{GOOD}\r", values=PERU),
    Case(f" \t{GOOD} \t\r", values=PERU),
    Case('{"ind" : 7 ,\t"country"\t:\t"Peru"}', values=PERU),
    Case('{"ind"\r:7,"country" :"Peru"}', values=PERU),
    Case('{"country":"Peru","ind":7}', values=PERU),
    Case('{"ind":7,"country":"{}}{\\"}"}', values={"ind": 7, "country": '{}}{"}'}),
    Case('{"ind":7,"country":"a\\":b\\" :"}', values={"ind": 7, "country": 'a":b" :'}),
    Case('{"ind":7,"country":"\\u0050eru\\n"}', values=PERU),
    Case('{"\\u0069nd":7,"country":"Peru"}', values=PERU),
    Case(b'{"ind":7,"country":"C\xc3\xb4te d\'Ivoire"}', values={"ind": 7, "country": "Côte d'Ivoire"}),
    # not text
    Case(b'{"ind":7,"country":"Per\xff"}', [NOT_TEXT]),
    Case(b'{"ind":7,"country":"Peru"}\xc3', [NOT_TEXT]),
    Case(b'{"ind":7,"country":"\xed\xa0\x80"}', [NOT_TEXT]),
    Case(b'{"ind":7,"country":"Pe\xe3', [NOT_TEXT]),
    Case(b"\xff\xfe{\x00}\x00", [NOT_TEXT]),
    # keys
    Case('{"country":"Peru"}', [NO_KEY]),
    Case('{"index":7,"country":"Peru"}', values=PERU),
    Case('{"IND":7,"country":"Peru"}', [NO_KEY], unknown=["IND"]),
    Case('{"ind":null,"country":"Peru"}', [NO_KEY]),
    Case('{"ind":"","country":"Peru"}', [NO_KEY]),
    Case('{"ind":-1,"country":"Peru"}', [NO_KEY]),
    Case('{"ind":7.5,"country":"Peru"}', [NO_KEY]),
    Case('{"ind":1e-20,"country":"Peru"}', [NO_KEY]),
    Case('{"ind":9223372036854775808,"country":"Peru"}', [NO_KEY]),
    Case('{"ind":9007199254740993.0,"country":"Peru"}', [NO_KEY]),
    Case('{"ind":"seven","country":"Peru"}', [NO_KEY]),
    Case('{"ind":true,"country":"Peru"}', [NO_KEY]),
    Case('{"ind":NaN,"country":"Peru"}', [NO_KEY]),
    Case('{"ind":{"ind":7},"country":"Peru"}', [NO_KEY]),
    Case('{"ind":[7],"country":"Peru"}', [NO_KEY]),
    Case('{"ind":0,"country":"Peru"}', values={"ind": 0, "country": "Peru"}),
    Case('{"ind":"7","country":"Peru"}', values=PERU),
    Case('{"ind":" 7 ","country":"Peru"}', values=PERU),
    Case('{"ind":7.0,"country":"Peru"}', values=PERU),
    Case('{"ind":"7.0","country":"Peru"}', values=PERU),
    Case('{"ind":7e3,"country":"Peru"}', values={"ind": 7000, "country": "Peru"}),
    Case('{"ind":9223372036854775807,"country":"Peru"}', values={"ind": 2**63 - 1, "country": "Peru"}),
    # given twice
    Case('{"ind":7,"ind":7,"country":"Peru"}', [TWICE]),
    Case('{"ind":7,"ind":8,"country":"Peru"}', [TWICE]),
    Case('{"ind":7,"\\u0069nd":8,"country":"Peru"}', [TWICE]),
    Case('{"ind":7,"country":"Peru","country":"Peru"}', [TWICE]),
    Case('{"ind":7,"country":"Peru","country":null}', [TWICE]),
    Case('{"ind":7,"country":null,"country":"Peru"}', [TWICE]),
    Case('{"ind":7,"country":"Peru","countr\\u0079" : "Chad"}', [TWICE]),
    Case('{"ind":7,"latitude":NaN,"country":"Peru","country":"Chad"}', [TWICE]),
    Case('{"ind":7,"country":"Peru","x":1,"x":1}', [TWICE], unknown=["x"]),
    Case('{"ind":7,"country":"Peru","x":{"ind":8,"ind":9}}', values=PERU, unknown=["x"]),
    # another kind
    Case('{"ind":7}', [OTHER]),
    Case('{"ind":7,"title":"Lamp"}', [OTHER], unknown=["title"]),
    Case('{"ind":7,"Country":"Peru"}', [OTHER], unknown=["Country"]),
    Case('{"ind":7,"x":{"country":"Peru"}}', [OTHER], unknown=["x"]),
    Case("{}", [NO_KEY, OTHER]),
    Case('{"index":7,"title":"Lamp"}', [OTHER], unknown=["title"]),
    Case('{"x":1,"x":2}', [TWICE, NO_KEY, OTHER], unknown=["x"]),
    # null and missing is nothing unusual
    Case('{"ind":7,"country":null}', values={"ind": 7}),
    Case('{"ind":7,"timestamp":null,"latitude":null,"longitude":null,"country":null}', values={"ind": 7}),
    Case('{"ind":7,"country":" \u00a0"}', values={"ind": 7}),
    # new fields
    Case('{"ind":7,"country":"Peru","board":"x"}', values=PERU, unknown=["board"]),
    Case('{"ind":7,"country":"Peru","board" : null}', values=PERU, unknown=["board"]),
    Case('{"ind":7,"country":"Peru","":{"a":[1,"}"]}}', values=PERU, unknown=[""]),
    Case('{"ind":7,"country":"Peru","_unreadable":"x"}', values=PERU, unknown=["_unreadable"]),
    Case('{"ind":7,"latitude":1,"longitude":NaN,"board":1}', [], ["coordinates"], values={"ind": 7}, unknown=["board"]),
    # repaired
    Case('{"ind":7,"country":{"name":"Peru"}}', [], ["country"], {"ind": 7}),
    Case('{"ind":7,"country":["Peru"]}', [], ["country"], {"ind": 7}),
    Case('{"ind":7,"country":{}}', [], ["country"], {"ind": 7}),
    Case('{"ind":7,"country":' + "[" * 900 + "]" * 900 + "}", [], ["country"], {"ind": 7}),
    Case('{"ind":7,"country":NaN}', [], ["country"], {"ind": 7}),
    Case('{"ind":7,"country":{"name":"Peru","name":"Chad"}}', [], ["country"], {"ind": 7}),
    Case('{"ind":7,"country":"[Peru]","latitude":NaN}', [], ["coordinates"], {"ind": 7, "country": "[Peru]"}),
    # the reader's own limit on the digits of a number
    Case('{"ind":7,"country":"[P]","x":' + "1" * 1001 + "}", values={"ind": 7, "country": "[P]"}, unknown=["x"]),
    Case('{"ind":7,"latitude":NaN,"longitude":1.5}', [], ["coordinates"], {"ind": 7}),
    Case('{"ind":7,"latitude":-Infinity,"longitude":1.5}', [], ["coordinates"], {"ind": 7}),
    Case('{"ind":7,"latitude":400,"longitude":1.5}', [], ["coordinates"], {"ind": 7}),
    Case('{"ind":7,"latitude":1.5,"longitude":"west"}', [], ["coordinates"], {"ind": 7}),
    Case('{"ind":7,"latitude":[1.5],"longitude":1}', [], ["coordinates"], {"ind": 7}),
    Case('{"ind":7,"latitude":1.5}', [], ["coordinates"], {"ind": 7}),
    Case('{"ind":7,"longitude":1.5,"latitude":null}', [], ["coordinates"], {"ind": 7}),
    Case('{"ind":7,"latitude":"-1.5","longitude":2}', values={"ind": 7, "coordinates": [-1.5, 2.0]}),
    Case('{"ind":7,"latitude":-90,"longitude":180.0}', values={"ind": 7, "coordinates": [-90.0, 180.0]}),
    Case('{"ind":7,"timestamp":"2020-13-45T25:61:61"}', [], ["timestamp"], {"ind": 7}),
    Case('{"ind":7,"timestamp":"03:52:47","country":"Peru"}', [], ["timestamp"], PERU),
    Case('{"ind":7,"timestamp":1598586767}', [], ["timestamp"], {"ind": 7}),
    Case(
        '{"ind":7,"country":[],"latitude":91,"longitude":0,"timestamp":"x"}',
        [],
        ["country", "coordinates", "timestamp"],
        {"ind": 7},
    ),
]

PINS = [
    Case('{"index":7,"title":"Lamp"}', values={"ind": 7, "title": "Lamp"}),
    Case('{"ind":7,"title":"Lamp"}', values={"ind": 7, "title": "Lamp"}),
    Case('{"index":7,"ind":8,"title":"Lamp"}', values={"ind": 7, "title": "Lamp"}),
    Case('{"index":null,"ind":8,"title":"Lamp"}', values={"ind": 8, "title": "Lamp"}),
    Case('{"index":"seven","ind":8,"title":"Lamp"}', values={"ind": 8, "title": "Lamp"}),
    Case('{"index":7}', [OTHER]),
    Case('{"index":7,"ind":8}', [OTHER]),
    Case('{"index":7,"downloaded":1}', values={"ind": 7}),
    Case('{"index":7,"downloaded":{"a":1}}', values={"ind": 7}),
    Case('{"index":7,"title":""}', values={"ind": 7}),
    Case('{"index":7,"title":"[DIY] lamp"}', values={"ind": 7, "title": "[DIY] lamp"}),
    Case('{"index":7,"title":" {lamp} ","category":"[a"}', values={"ind": 7, "title": "{lamp}", "category": "[a"}),
    Case('{"index":7,"title":"{\\"a\\":1}"}', values={"ind": 7, "title": '{"a":1}'}),
    Case('{"index":7,"title":{"text":"Lamp"}}', [], ["title"], {"ind": 7}),
    Case('{"index":7,"title":["Lamp"],"description":{}}', [], ["title", "description"], {"ind": 7}),
    Case('{"index":7,"title":["}"],"category":"art"}', [], ["title"], {"ind": 7, "category": "art"}),
    Case('{"index":7,"unique_id":12,"category":true}', values={"ind": 7, "unique_id": "12", "category": "true"}),
    Case('{"index":7,"follower_count":9000}', values={"ind": 7, "follower_count": 9000}),
    Case('{"index":7,"follower_count":9000.0}', values={"ind": 7, "follower_count": 9000}),
    Case('{"index":7,"follower_count":12340000.0}', values={"ind": 7, "follower_count": 12_340_000}),
    Case('{"index":7,"follower_count":0}', values={"ind": 7, "follower_count": 0}),
    Case('{"index":7,"follower_count":"User Info Error"}', values={"ind": 7}),
    Case('{"index":7,"follower_count":""}', values={"ind": 7}),
    Case('{"index":7,"follower_count":"lots"}', [], ["follower_count"], {"ind": 7}),
    Case('{"index":7,"follower_count":-5}', [], ["follower_count"], {"ind": 7}),
    Case('{"index":7,"follower_count":NaN}', [], ["follower_count"], {"ind": 7}),
    Case('{"index":7,"follower_count":[9]}', [], ["follower_count"], {"ind": 7}),
    Case('{"index":7,"follower_count":"No Title Data Available"}', [], ["follower_count"], {"ind": 7}),
    Case('{"index":7,"save_location":"Local save in art"}', [], ["save_location"], {"ind": 7}),
    Case('{"index":7,"save_location":["/data/art"]}', [], ["save_location"], {"ind": 7}),
    Case(
        '{"index":7,"title":"' + "y" * 1_000_000 + '","x":"{"}',
        values={"ind": 7, "title": "y" * 1_000_000},
        unknown=["x"],
    ),
    Case('{"index":7,"title":"' + "y" * 1_000_000, [NOT_ONE]),
    Case(
        '{"index":7,"title":"Lamp",' + ",".join(f'"f{number}":{number}' for number in range(2000)) + "}",
        values={"ind": 7, "title": "Lamp"},
        unknown=[f"f{number}" for number in range(2000)],
    ),
]

USERS = [
    Case(
        '{"ind":7,"first_name":"Ana","last_name":"Lopez","age":27}',
        values={"ind": 7, "user_name": "Ana Lopez", "age": 27},
    ),
    Case('{"ind":7,"first_name":" Ana\u00a0","last_name":""}', values={"ind": 7, "user_name": "Ana"}),
    Case('{"ind":7,"first_name":null,"last_name":"Lopez"}', values={"ind": 7, "user_name": "Lopez"}),
    Case('{"ind":7,"first_name":null,"last_name":" "}', values={"ind": 7}),
    Case('{"ind":7,"first_name":{"a":1},"last_name":"Lopez"}', [], ["user_name"], {"ind": 7, "user_name": "Lopez"}),
    Case('{"ind":7,"first_name":"Ana","last_name":[]}', [], ["user_name"], {"ind": 7, "user_name": "Ana"}),
    Case('{"ind":7,"first_name":[],"last_name":[]}', [], ["user_name"], {"ind": 7}),
    Case('{"ind":7,"age":"27"}', values={"ind": 7, "age": 27}),
    Case('{"ind":7,"age":27.0}', values={"ind": 7, "age": 27}),
    Case('{"ind":7,"age":27.5}', [], ["age"], {"ind": 7}),
    Case('{"ind":7,"age":0}', [], ["age"], {"ind": 7}),
    Case('{"ind":7,"age":NaN}', [], ["age"], {"ind": 7}),
    Case('{"ind":7,"age":{"years":27}}', [], ["age"], {"ind": 7}),
    Case('{"ind":7,"age":121,"date_joined":"2017-02-30T10:00:00"}', [], ["age", "date_joined"], {"ind": 7}),
    # a pin in the user topic
    Case(
        '{"index":7,"unique_id":"a","title":"Lamp","category":"art"}',
        [OTHER],
        unknown=["unique_id", "title", "category"],
    ),
    Case('{"index":7,"age":27}', values={"ind": 7, "age": 27}),
    Case('{"ind":7,"index":8,"age":27}', values={"ind": 7, "age": 27}),
    Case('{"ind":"n/a","index":"8.0","age":27}', values={"ind": 8, "age": 27}),
    Case('{"index":7}', [OTHER]),
    Case('{"ind":7,"unique_id":"a","title":"Lamp"}', [OTHER], unknown=["unique_id", "title"]),
    Case('{"ind":7,"age":27,"title":"Lamp"}', values={"ind": 7, "age": 27}, unknown=["title"]),
]


# Half a surrogate pair is no character: whoever wrote it cut a text in its middle.
HALVES = [
    Case(r'{"index":7,"title":"\ud83d"}', [], ["title"], {"ind": 7}),
    Case(r'{"index":7,"title":"a\uDE00b","category":"art"}', [], ["title"], {"ind": 7, "category": "art"}),
    Case(
        r'{"index":7,"title":"\ud83d\ude00","category":"\uD83D\uDE00"}',
        values={"ind": 7, "title": "😀", "category": "😀"},
    ),
    Case(r'{"index":7,"title":"\ud83d\ud83d\ude00"}', [], ["title"], {"ind": 7}),
    Case(r'{"index":7,"title":"\ud83d\ude00\ude00"}', [], ["title"], {"ind": 7}),
    Case(r'{"index":7,"title":"\ude00\ud83d"}', [], ["title"], {"ind": 7}),
    Case(r'{"index":7,"title":"\ud83d \ude00"}', [], ["title"], {"ind": 7}),
    Case(r'{"index":7,"title":"\\ud83d"}', values={"ind": 7, "title": r"\ud83d"}),
    Case(r'{"index":7,"title":"\\\ud83d"}', [], ["title"], {"ind": 7}),
    Case(r'{"index":7,"title":"\\ud83d\ude00"}', [], ["title"], {"ind": 7}),
    Case(r'{"index":7,"title":"\ud83d?","category":"?"}', [], ["title"], {"ind": 7, "category": "?"}),
    Case(r'{"index":7,"title":"[\ud83d","category":"[\u0041]"}', [], ["title"], {"ind": 7, "category": "[A]"}),
    Case(r'{"index":7,"tag_list":"\ud7ff\ue000"}', values={"ind": 7, "tag_list": "\ud7ff\ue000"}),
    Case(r'{"index":7,"follower_count":"9k\ud83d"}', [], ["follower_count"], {"ind": 7}),
    Case(r'{"index":7,"save_location":"Local save in /data/\ud83d"}', [], ["save_location"], {"ind": 7}),
    Case(r'{"index":7,"downloaded":"\ud83d","title":"Lamp"}', values={"ind": 7, "title": "Lamp"}),
    Case(r'{"index":"7\ud83d","title":"Lamp"}', [NO_KEY]),
    Case(r'{"index":7,"note":"\ud83d","title":"Lamp"}', values={"ind": 7, "title": "Lamp"}, unknown=["note"]),
    Case(r'{"index":7,"no\ud83dte":1,"title":"Lamp"}', values={"ind": 7, "title": "Lamp"}, unknown=["no\ufffdte"]),
    Case(r'{"index":7,"title":"\ud83d"} {}', [NOT_ONE]),
]


@pytest.mark.parametrize(
    ("entity", "cases"),
    [(GEO, [*GEOS, *(Case(line, [NOT_ONE]) for line in NOT_JSON)]), (PIN, [*PINS, *HALVES]), (USER, USERS)],
    ids=["geo", "pin", "user"],
)
def test_each_record_is_clean_repaired_or_rejected(
    either: SparkSession, raw_records, entity: Entity, cases: list[Case]
) -> None:
    assert_cases(either, raw_records, entity, cases)


def test_blank_records_are_skipped(spark: SparkSession, raw_records) -> None:
    lines = ["", " ", "\t", "\r", " \t\r \n", GOOD, "", "\x00"]
    assert {n: row["rejections"] for n, row in judge(spark, raw_records, GEO, lines).items()} == {5: [], 7: [NOT_ONE]}


def test_no_records_give_no_rows_and_the_same_columns(spark: SparkSession, raw_records) -> None:
    rows = validate_and_clean(raw_records(spark, [GOOD]).where("false"), GEO)
    assert rows.columns == [
        *("ind", "country", "coordinates", "timestamp", "_source"),
        *("raw", "rejections", "repairs", "unknown_fields"),
    ]
    assert rows.collect() == []


@pytest.mark.parametrize("entity", ENTITIES, ids=lambda entity: entity.name)
def test_every_field_is_read_as_text(spark: SparkSession, raw_records, entity: Entity) -> None:
    read = parse_json(raw_records(spark, [GOOD]), entity).dtypes
    names = [*entity.key_fields, *entity.fields]
    assert [column for column in read if column[0].startswith("field_")] == [(f"field_{n}", "string") for n in names]


def test_raw_texts_are_kept_of_the_bad_records_alone_if_asked_for(spark: SparkSession, raw_records) -> None:
    lines = [GOOD, "{}", '{"ind":7,"country":[]}', b"\xff", '{"ind":7,"country":"\ufffd"}']
    rows = validate_and_clean(raw_records(spark, lines), GEO, every_raw=False).orderBy("_source.position").collect()
    assert [row["raw"] is not None for row in rows] == [False, True, True, True, False]


PARTS = [
    "{",
    "}",
    "[",
    "]",
    '"',
    ",",
    ":",
    " ",
    "\\",
    "\\u0069",
    "NaN",
    "null",
    "7",
    ".0",
    "-",
    "'",
    "\t",
    "é",
    "{}",
    '""',
]


def mutated(line: str, chance: random.Random) -> str:
    """The line with one or two small changes anywhere."""
    for _ in range(chance.randint(1, 2)):
        at = chance.randrange(len(line) + 1)
        match chance.randrange(5):
            case 0:
                line = line[:at] + chance.choice(PARTS) + line[at:]
            case 1:
                line = line[:at] + line[at + chance.randint(1, 3) :]
            case 2:
                line = line[:at] + chance.choice(PARTS) + line[at + 1 :]
            case 3:
                line += chance.choice(PARTS)
            case _:
                line = line + chance.choice(["", " ", ","]) + line
    return line


def plain_verdict(line: str, entity: Entity) -> tuple[list[str], set[str]]:
    """Reasons to reject and unknown names, found with Python's own JSON reader."""
    outermost: list[list[tuple[str, object]]] = []

    def collect_pairs(pairs: list[tuple[str, object]]) -> dict[str, object]:
        outermost.append(pairs)
        return dict(pairs)

    try:
        record = json.loads(line.strip(" \t\r\n"), object_pairs_hook=collect_pairs, parse_int=str, parse_float=str)
    except ValueError:
        return [NOT_ONE], set()
    if not isinstance(record, dict):
        return [NOT_ONE], set()
    names = [name for name, _ in outermost[-1]]
    keys = [record[name].strip() for name in entity.key_fields if isinstance(record.get(name), str)]
    whole = [key for key in keys if key.removeprefix("-").removesuffix(".0").replace("0", "").isdigit() or key == "0"]
    reasons = [TWICE] if len(set(names)) < len(names) else []
    reasons += [] if any(not key.startswith("-") for key in whole) else [NO_KEY]
    reasons += [] if set(names) & set(entity.fields) else [OTHER]
    return reasons, set(names) - {*entity.key_fields, *entity.fields}


@pytest.mark.parametrize("entity", ENTITIES, ids=lambda entity: entity.name)
def test_damaged_lines_are_judged_as_python_reads_them(spark: SparkSession, raw_records, entity: Entity) -> None:
    chance = random.Random(5)
    rows = next(generate_rows(entity, 1200, 3))
    lines = [mutated(to_json_line(dict(zip(column_names(entity), row, strict=True))), chance) for row in rows]
    verdicts = judge(spark, raw_records, entity, lines)
    expected = {number: plain_verdict(line, entity) for number, line in enumerate(lines)}
    differ = {
        lines[number]: (verdicts[number]["rejections"], reasons)
        for number, (reasons, _) in expected.items()
        if verdicts[number]["rejections"] != reasons
    }
    assert differ == {}
    assert {tuple(reasons) for reasons, _ in expected.values()} >= {(), (NOT_ONE,), (NO_KEY,)}
    names = {number: set(verdicts[number]["unknown_fields"] or []) for number in expected}
    readable = {number: unknown for number, (reasons, unknown) in expected.items() if NOT_ONE not in reasons}
    assert {number: names[number] for number in readable} == readable
