import hashlib
import re
from collections import Counter, defaultdict

import numpy as np
import pytest

from emulation.source.source_records import column_names
from emulation.synthetic import generator
from emulation.synthetic.column_random import ColumnRandom
from emulation.synthetic.countries import COUNTRIES
from emulation.synthetic.phrases import CATEGORIES
from pinterest_transforms.entities import ENTITIES, GEO, PIN, USER, Entity

POSTS = 20_000
SPELLINGS = {
    "T": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d",
    "space": r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d",
    "colons": r"\d{4}:\d\d:\d\d \d\d:\d\d:\d\d",
    "slashes": r"\d\d/\d\d/\d{4}, \d\d:\d\d:\d\d",
}


def rows_of(entity: Entity, posts: int = POSTS, seed: int = 1, chunk: int = 10_000) -> list[tuple]:
    return [row for rows in generator.generate_rows(entity, posts, seed, chunk) for row in rows]


def records_of(entity: Entity) -> list[dict]:
    return [dict(zip(column_names(entity), row, strict=True)) for row in rows_of(entity)]


@pytest.fixture(scope="module")
def pins() -> list[dict]:
    return records_of(PIN)


@pytest.fixture(scope="module")
def geos() -> list[dict]:
    return records_of(GEO)


@pytest.fixture(scope="module")
def users() -> list[dict]:
    return records_of(USER)


def share(records: list[dict], wanted) -> float:
    return sum(1 for record in records if wanted(record)) / len(records)


def spelling(text: str) -> str:
    return next(name for name, pattern in SPELLINGS.items() if re.fullmatch(pattern, text))


@pytest.mark.parametrize(
    ("field", "pattern", "expected"),
    [
        ("follower_count", r"\d+k", 0.73),
        ("follower_count", r"\d+", 0.18),
        ("follower_count", r"\d+M", 0.08),
        ("follower_count", "User Info Error", 0.01),
        ("poster_name", "User Info Error", 0.01),
        ("description", r"(?s).*\u00a0", 0.37),
        ("description", "No description available Story format", 0.08),
        ("description", "No description available", 0.007),
        ("description", "Untitled", 0.007),
        ("title", "No Title Data Available", 0.02),
        ("title", "", 0.003),
        ("title", r"(?s).*\n.*", 0.032),
        ("title", r".*[а-я]{3}.*", 0.016),
        ("title", r".*[\u3040-\u30ff].*", 0.016),
        ("title", ".*创意.*", 0.016),
        ("title", r".*[\U0001f300-\U0001faff✨].*", 0.048),
        ("title", r"<.*>.*", 0.032),
        ("tag_list", "N,o, ,T,a,g,s, ,A,v,a,i,l,a,b,l,e", 0.02),
        ("image_src", r"Image src error\.", 0.02),
        ("is_image_or_video", "video", 0.045),
    ],
)
def test_defects_have_their_real_proportions(pins: list[dict], field: str, pattern: str, expected: float) -> None:
    found = share(pins, lambda pin: re.fullmatch(pattern, pin[field]))
    assert found == pytest.approx(expected, abs=max(0.003, expected / 30))


def test_placeholders_occur_together(pins: list[dict]) -> None:
    for pin in pins:
        assert (pin["poster_name"] == "User Info Error") == (pin["follower_count"] == "User Info Error")
        assert (pin["description"] == "No description available Story format") == (
            pin["is_image_or_video"] == "multi-video(story page format)"
        )
        assert (pin["image_src"] == "Image src error.") == (pin["downloaded"] == 0)


def test_locations_categories_and_ids(pins: list[dict]) -> None:
    assert {pin["category"] for pin in pins} == set(CATEGORIES)
    assert len(CATEGORIES) == 13
    assert {pin["save_location"] for pin in pins} == {f"Local save in /data/{name}" for name in CATEGORIES}
    assert all(pin["save_location"].endswith(f"/{pin['category']}") for pin in pins)
    ids = {pin["unique_id"] for pin in pins}
    assert len(ids) == len(pins)
    assert all(re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-a[0-9a-f]{3}-[0-9a-f]{12}", one) for one in ids)


def test_posters_keep_their_follower_count(pins: list[dict]) -> None:
    counts = defaultdict(set)
    for pin in pins:
        counts[pin["poster_name"]].add(pin["follower_count"])
    assert all(len(several) == 1 for several in counts.values())
    assert len(counts) > 4000


def test_geolocations(geos: list[dict]) -> None:
    assert len(COUNTRIES) == len(set(COUNTRIES)) == 237
    assert {geo["country"] for geo in geos} == set(COUNTRIES)
    for mark in (",", "'", "("):
        assert any(mark in name for name in COUNTRIES)
    assert all(-90 <= geo["latitude"] <= 90 and -180 <= geo["longitude"] <= 180 for geo in geos)
    years = Counter(re.search(r"\d{4}", geo["timestamp"]).group() for geo in geos)
    assert sorted(years) == ["2017", "2018", "2019", "2020", "2021", "2022"]


def test_users(users: list[dict]) -> None:
    assert {user["age"] for user in users} == set(range(20, 61))
    joined = {
        f"{year}-{month}"
        for user in users
        if spelling(user["date_joined"]) == "T"
        for year, month in [user["date_joined"].split("-")[:2]]
    }
    assert (min(joined), max(joined)) == ("2015-10", "2017-10")
    people = Counter(
        (u["first_name"], u["last_name"], u["age"], u["date_joined"])
        for u in users
        if spelling(u["date_joined"]) == "T"
    )
    assert people.most_common(1)[0][1] > 10
    names = Counter(person[:2] for person in people)
    assert sum(1 for several in names.values() if several > 1) > 100


@pytest.mark.parametrize(("entity", "field"), [(GEO, "timestamp"), (USER, "date_joined")])
def test_timestamps_have_four_formats_two_of_them_rare(entity: Entity, field: str) -> None:
    counts = Counter(spelling(record[field]) for record in records_of(entity))
    shares = {name: count / counts.total() for name, count in counts.items()}
    assert shares == pytest.approx({"T": 0.57, "space": 0.40, "colons": 0.02, "slashes": 0.01}, abs=0.012)


def test_a_timestamp_is_the_same_in_every_format() -> None:
    moments = np.full(2000, np.datetime64("2020-08-28T03:52:47"))
    made = set(generator.format_timestamps(moments, ColumnRandom(1, np.arange(2000)), "timestamp"))
    assert made == {"2020-08-28T03:52:47", "2020-08-28 03:52:47", "2020:08:28 03:52:47", "08/28/2020, 03:52:47"}


def test_tables_have_different_lengths() -> None:
    pins, geos, users = ({row[0] for row in rows_of(entity)} for entity in ENTITIES)
    assert pins - geos
    assert pins - users
    assert geos - pins
    for keys in (pins, geos, users):
        assert POSTS * 0.994 < len(keys) < POSTS
        assert min(keys) >= 0


@pytest.mark.parametrize(
    ("entity", "digest"),
    [(PIN, "0fa0bbbf37c2aeaa"), (GEO, "d45924e92189be04"), (USER, "2c5917061da08164")],
)
def test_the_same_seed_gives_the_same_bytes(entity: Entity, digest: str) -> None:
    made = repr(rows_of(entity, 2000, seed=7)).encode()
    assert hashlib.sha256(made).hexdigest()[:16] == digest
    assert repr(rows_of(entity, 2000, seed=8)).encode() != made


@pytest.mark.parametrize("entity", ENTITIES, ids=lambda entity: entity.name)
def test_rows_depend_on_neither_chunk_size_nor_posts(entity: Entity) -> None:
    made = rows_of(entity, 1500)
    assert rows_of(entity, 1500, chunk=1) == made
    assert rows_of(entity, 1500, chunk=997) == made
    assert rows_of(entity, 3000)[: len(made)] == made
