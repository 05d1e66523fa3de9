"""Deliveries: each fault occurs, and no row is lost."""

import json
import math
import re
from collections import Counter, defaultdict
from dataclasses import asdict
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal

import pytest

from emulation.source.source_records import column_names
from emulation.synthetic.delivery import MAX_DELAY, ONCE, Delivery, deliver
from pinterest_transforms.entities import GEO, PIN, USER, Entity
from tests.emulation.synthetic_records import HARSH, POSTS, by_name, record_of, rows_of, usable


def delivered(entity: Entity, delivery: Delivery, seed: int = 1, posts: int = POSTS) -> tuple[list, Counter]:
    counts: Counter[str] = Counter()
    return list(deliver(rows_of(entity, posts), entity, delivery, seed, counts)), counts


@pytest.mark.parametrize("entity", **by_name)
def test_delivery_once_delivers_each_row_unchanged(entity: Entity) -> None:
    made, counts = delivered(entity, ONCE)
    assert [json.loads(line) for _, line in made] == [record_of(entity, row) for row in rows_of(entity)]
    assert counts == Counter(rows=len(rows_of(entity)))
    assert all(list(json.loads(line)) == list(column_names(entity)) for _, line in made[:3])


def test_text_stays_utf_8() -> None:
    made, _ = delivered(PIN, ONCE)
    assert any(re.search("[а-я]", line) and "\\u0" not in line for _, line in made)
    assert not any("\n" in line for _, line in made)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, "null"),
        (math.nan, "null"),
        (math.inf, "null"),
        (Decimal("NaN"), "null"),
        (Decimal("12"), "12"),
        (Decimal("1.5"), "1.5"),
        (datetime(2020, 8, 28, 3, 52, 47), '"2020-08-28T03:52:47"'),
        (datetime(2020, 8, 28, 3, 52, 47, 5, timezone(timedelta(hours=-3))), '"2020-08-28T03:52:47.000005-03:00"'),
        (date(2020, 8, 28), '"2020-08-28"'),
        (b"caf\xc3\xa9", '"café"'),
        ("no-break\u00a0", '"no-break\u00a0"'),
    ],
)
def test_values_of_any_database_become_json(value: object, expected: str) -> None:
    rows = [(7, "2020-08-28 03:52:47", value, 1.5, "Chad")]
    [(key, line)] = deliver(rows, GEO, ONCE, 1, Counter())
    assert key == 7
    assert line == (
        f'{{"ind":7,"timestamp":"2020-08-28 03:52:47","latitude":{expected},"longitude":1.5,"country":"Chad"}}'
    )


@pytest.mark.parametrize("entity", **by_name)
def test_each_fault_occurs_with_its_share(entity: Entity) -> None:
    _, counts = delivered(entity, HARSH, posts=20_000)
    for name, share in asdict(HARSH).items():
        assert counts[name] / counts["rows"] == pytest.approx(share, abs=0.006)


@pytest.mark.parametrize("entity", **by_name)
def test_no_row_is_lost_and_the_counts_are_exact(entity: Entity) -> None:
    made, counts = delivered(entity, HARSH)
    records = [(key, usable(line, entity)) for key, line in made]
    extra = counts["duplicates"] + counts["updates"] + counts["malformed"] + counts["foreign"]
    assert len(made) == counts["rows"] + extra
    assert sum(record is None for _, record in records) == counts["malformed"] + counts["foreign"]
    assert {key for key, record in records if record} == {row[0] for row in rows_of(entity)}
    assert sum("board_name" in record for _, record in records if record) == counts["unknown_fields"]
    keys = [record[entity.key_fields[0]] for _, record in records if record]
    assert sum(not isinstance(key, int) for key in keys) == counts["text_keys"]
    assert {type(key) for key in keys} == {int, str, float}


@pytest.mark.parametrize("entity", **by_name)
def test_updates_are_delivered_later_and_differ(entity: Entity) -> None:
    made, counts = delivered(entity, Delivery(duplicates=0.1, updates=0.1))
    versions = defaultdict(list)
    for place, (key, line) in enumerate(made):
        versions[key].append((place, line))
    several = [found for found in versions.values() if len(found) > 1]
    assert all(len(found) == 2 and found[1][0] - found[0][0] <= 2 * MAX_DELAY for found in several)
    assert sum(found[0][1] == found[1][1] for found in several) == counts["duplicates"] > 200
    assert sum(found[0][1] != found[1][1] for found in several) == counts["updates"] > 200
    originals = {row[0]: record_of(entity, row) for row in rows_of(entity)}
    assert all(json.loads(found[0][1]) == originals[key] for key, found in versions.items())
    fields = {"pin": "follower_count", "geo": "country", "user": "age"}
    for one, other in ([json.loads(line) for _, line in found] for found in several):
        assert {name for name in one if one[name] != other[name]} <= {fields[entity.name]}


def test_foreign_pins_are_in_the_user_topic() -> None:
    made, counts = delivered(USER, Delivery(0, 0, foreign=0.1))
    strays = [(key, json.loads(line)) for key, line in made if "unique_id" in line]
    assert len(strays) == counts["foreign"] > 200
    assert all(set(record) == set(column_names(PIN)) and record["index"] == key for key, record in strays)


@pytest.mark.parametrize("entity", **by_name)
def test_every_kind_of_malformed_line_is_generated(entity: Entity) -> None:
    made, counts = delivered(entity, Delivery(0, 0, malformed=0.2))
    lines = [line for _, line in made if usable(line, entity) is None]
    assert len(lines) == counts["malformed"] > 300
    key = entity.key_fields[0]
    for pattern in (
        r"\{.*\}\{.*\}",
        r"\[\{.*\}\]",
        r"null",
        r"\{.*\} retry=1",
        rf'\{{"{key}":\d+,"{key}":\d+.*\}}',
        rf'\{{"{key}":null,.*',
        rf'\{{"{key}":-1,.*',
        rf'\{{"{key}":7\.5,.*',
        rf'\{{"{key}":9223372036854775808,.*',
        r".*\udce3",
        rf'\{{"{entity.fields[0]}".*\}}',
    ):
        assert any(re.fullmatch(pattern, line) for line in lines), pattern


def test_unusable_values_are_generated() -> None:
    def values(entity: Entity, field: str) -> list[object]:
        return [json.loads(line)[field] for _, line in delivered(entity, Delivery(0, 0, repairable=0.2))[0]]

    assert "lots" in values(PIN, "follower_count")
    assert {"text": "Nested"} in values(PIN, "title")
    assert 400.0 in values(GEO, "latitude")
    assert "2020-13-45T25:61:61" in values(GEO, "timestamp")
    assert {0, "old", 121} <= set(values(USER, "age"))
    assert "2017-02-30T10:00:00" in values(USER, "date_joined")
