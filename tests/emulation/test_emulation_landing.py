import gzip
import json
import math
import re
from collections import Counter, defaultdict
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import pytest

from emulation.source.database import connect, write_source
from emulation.source.source_records import column_names
from emulation.synthetic.delivery import DIRTY, LATE, ONCE, USUAL, Delivery, deliveries
from emulation.synthetic.generator import chunks
from emulation.synthetic.landing_writer import check_landing, land_source, partition_of, write_landing
from pinterest_transforms.entities import ENTITIES, GEO, PIN, USER, Entity
from pinterest_transforms.errors import LandingError, SettingsError
from pinterest_transforms.settings import Settings

POSTS = 3000
HARSH = Delivery(0.05, 0.05, 0.05, 0.05, 0.05, 0.05, 0.05)
by_name = {"argvalues": ENTITIES, "ids": lambda entity: entity.name}


def rows_of(entity: Entity, posts: int = POSTS) -> list[tuple]:
    return [row for rows in chunks(entity, posts, 1) for row in rows]


def record_of(entity: Entity, row: tuple) -> dict:
    return dict(zip(column_names(entity), row, strict=True))


def delivered(entity: Entity, delivery: Delivery, seed: int = 1, posts: int = POSTS) -> tuple[list, Counter]:
    counts: Counter[str] = Counter()
    return list(deliveries(rows_of(entity, posts), entity, delivery, seed, counts)), counts


def usable(line: str, entity: Entity) -> dict | None:
    """The record, if the contract takes it: one object, no key twice, a key, a field of its own kind."""
    pairs: list[list] = []
    try:
        record = json.loads(line, object_pairs_hook=lambda found: pairs.append(found) or dict(found))
    except ValueError:
        return None
    if not isinstance(record, dict) or len(dict(pairs[-1])) < len(pairs[-1]) or "\udce3" in line:
        return None
    key = str(next((record[name] for name in entity.key_fields if name in record), None))
    if not re.fullmatch(r"\d+(\.0)?", key) or float(key) >= 2**63:
        return None
    return record if set(record) & set(entity.fields) else None


def landed_lines(landing: Path) -> dict[str, list[bytes]]:
    """Lines of every partition in the order of their offsets, which must have no gap."""
    lines = defaultdict(list)
    for file in sorted(landing.rglob("*.json")):
        topic, partition, start = re.fullmatch(r"(.+)\+(\d+)\+(\d{10})\.json", file.name).groups()
        assert file.parent == landing / "topics" / topic / f"partition={partition}"
        assert int(start) == len(lines[f"{topic}/{partition}"])
        content = file.read_bytes()
        assert content.endswith(b"\n")
        lines[f"{topic}/{partition}"] += content[:-1].split(b"\n")
    return lines


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(user_id="0abc", landing=str(tmp_path / "landing"))


@pytest.mark.parametrize("entity", **by_name)
def test_once_is_every_row_as_it_is(entity: Entity) -> None:
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
        (b"caf\xc3\xa9", '"café"'),
        ("no-break\u00a0", '"no-break\u00a0"'),
    ],
)
def test_values_of_any_database_become_json(value: object, expected: str) -> None:
    rows = [(7, "2020-08-28 03:52:47", value, 1.5, "Chad")]
    [(key, line)] = deliveries(rows, GEO, ONCE, 1, Counter())
    assert key == 7
    assert line == (
        f'{{"ind":7,"timestamp":"2020-08-28 03:52:47","latitude":{expected},"longitude":1.5,"country":"Chad"}}'
    )


@pytest.mark.parametrize("entity", **by_name)
def test_each_thing_happens_as_often_as_its_share_says(entity: Entity) -> None:
    _, counts = delivered(entity, HARSH, posts=20_000)
    for name, share in HARSH.shares():
        assert counts[name] / counts["rows"] == pytest.approx(share, abs=0.006)


@pytest.mark.parametrize("entity", **by_name)
def test_no_row_is_lost_and_the_counts_are_true(entity: Entity) -> None:
    made, counts = delivered(entity, HARSH)
    records = [(key, usable(line, entity)) for key, line in made]
    extra = counts["twice"] + counts["changed"] + counts["broken"] + counts["strangers"]
    assert len(made) == counts["rows"] + extra
    assert sum(record is None for _, record in records) == counts["broken"] + counts["strangers"]
    assert {key for key, record in records if record} == {row[0] for row in rows_of(entity)}
    assert sum("board_name" in record for _, record in records if record) == counts["unknown_fields"]
    keys = [record[entity.key_fields[0]] for _, record in records if record]
    assert sum(not isinstance(key, int) for key in keys) == counts["text_keys"]
    assert {type(key) for key in keys} == {int, str, float}


@pytest.mark.parametrize("entity", **by_name)
def test_later_versions_come_later_and_are_different(entity: Entity) -> None:
    made, counts = delivered(entity, Delivery(twice=0.1, changed=0.1))
    versions = defaultdict(list)
    for place, (key, line) in enumerate(made):
        versions[key].append((place, line))
    several = [found for found in versions.values() if len(found) > 1]
    assert all(len(found) == 2 and found[1][0] - found[0][0] <= 2 * LATE for found in several)
    assert sum(found[0][1] == found[1][1] for found in several) == counts["twice"] > 200
    assert sum(found[0][1] != found[1][1] for found in several) == counts["changed"] > 200
    originals = {row[0]: record_of(entity, row) for row in rows_of(entity)}
    assert all(json.loads(found[0][1]) == originals[key] for key, found in versions.items())
    fields = {"pin": "follower_count", "geo": "country", "user": "age"}
    for one, other in ([json.loads(line) for _, line in found] for found in several):
        assert {name for name in one if one[name] != other[name]} <= {fields[entity.name]}


def test_pins_stray_into_the_user_topic() -> None:
    made, counts = delivered(USER, Delivery(0, 0, strangers=0.1))
    strays = [(key, json.loads(line)) for key, line in made if "unique_id" in line]
    assert len(strays) == counts["strangers"] > 200
    assert all(set(record) == set(column_names(PIN)) and record["index"] == key for key, record in strays)


@pytest.mark.parametrize("entity", **by_name)
def test_every_way_to_be_broken_is_there(entity: Entity) -> None:
    made, counts = delivered(entity, Delivery(0, 0, broken=0.2))
    lines = [line for _, line in made if usable(line, entity) is None]
    assert len(lines) == counts["broken"] > 300
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


def test_unusable_values_are_there() -> None:
    def values(entity: Entity, field: str) -> list[object]:
        return [json.loads(line)[field] for _, line in delivered(entity, Delivery(0, 0, repaired=0.2))[0]]

    assert "lots" in values(PIN, "follower_count")
    assert {"text": "Nested"} in values(PIN, "title")
    assert 400.0 in values(GEO, "latitude")
    assert "2020-13-45T25:61:61" in values(GEO, "timestamp")
    assert {0, "old", 121} <= set(values(USER, "age"))
    assert "2017-02-30T10:00:00" in values(USER, "date_joined")


@pytest.mark.parametrize(
    ("shares", "message"),
    [
        ({"broken": -0.1}, "share broken must be 0 to 1, got -0.1"),
        ({"twice": 1.5}, "share twice must be 0 to 1, got 1.5"),
        ({"twice": 0.75, "changed": 0.5}, "shares must be at most 1 together, got 1.25"),
    ],
)
def test_shares_are_checked(shares: dict, message: str) -> None:
    with pytest.raises(SettingsError) as raised:
        Delivery(**shares)
    assert str(raised.value) == message


@pytest.mark.parametrize("delivery", [ONCE, USUAL, DIRTY, HARSH], ids=["once", "usual", "dirty", "harsh"])
def test_files_look_as_the_sink_leaves_them(settings: Settings, delivery: Delivery) -> None:
    landed = write_landing(rows_of(PIN), PIN, settings, partitions=3, records_per_file=70, delivery=delivery)
    landing = Path(settings.landing)
    lines = landed_lines(landing)
    files = list(landing.rglob("*"))
    assert sorted(lines) == ["0abc.pin/0", "0abc.pin/1", "0abc.pin/2"]
    assert sum(map(len, lines.values())) == landed.records
    assert sum(file.is_file() for file in files) == landed.files == sum(-(-len(some) // 70) for some in lines.values())
    assert all(file.suffix == ".json" for file in files if file.is_file())
    assert (landing / "topics/0abc.pin/partition=0/0abc.pin+0+0000000070.json").read_bytes().count(b"\n") == 70


def test_a_key_lives_in_one_partition(settings: Settings) -> None:
    write_landing(rows_of(USER), USER, settings, partitions=4, delivery=HARSH)
    where = defaultdict(set)
    for partition, lines in landed_lines(Path(settings.landing)).items():
        for line in lines:
            record = usable(line.decode("utf-8", "surrogateescape"), USER)
            if record:
                where[int(float(record["ind"]))].add(partition)
    assert set(where) == {row[0] for row in rows_of(USER)}
    assert all(len(partitions) == 1 for partitions in where.values())
    assert len(set.union(*where.values())) == 4


def test_partitions_do_not_change_from_run_to_run() -> None:
    assert [partition_of(key, 3) for key in (0, 1, 7166, 2**40)] == [2, 2, 1, 2]


def test_the_same_seed_lands_the_same_files(tmp_path: Path) -> None:
    def contents(folder: str, seed: int) -> dict[str, bytes]:
        write_landing(rows_of(GEO), GEO, Settings(landing=str(tmp_path / folder)), delivery=DIRTY, seed=seed)
        return {file.name: file.read_bytes() for file in (tmp_path / folder).rglob("*.json")}

    assert contents("one", 1) == contents("two", 1) != contents("three", 2)


def test_the_generator_and_the_database_land_the_same_files(settings: Settings, tmp_path: Path) -> None:
    engine = connect(str(tmp_path / "source.db"))
    write_source(engine, [(entity, chunks(entity, 500, 1)) for entity in ENTITIES])
    landed = land_source(engine, settings, delivery=DIRTY)
    direct = Settings(user_id=settings.user_id, landing=str(tmp_path / "direct"))
    assert [write_landing(rows_of(entity, 500), entity, direct, delivery=DIRTY) for entity in ENTITIES] == landed
    assert landed_lines(Path(settings.landing)) == landed_lines(tmp_path / "direct")


def test_a_reader_never_sees_half_a_file(settings: Settings) -> None:
    def interrupted():
        yield from rows_of(PIN)[:100]
        landing = Path(settings.landing)
        seen.extend(file.read_bytes() for file in landing.rglob("*.json"))
        raise KeyboardInterrupt

    seen: list[bytes] = []
    with pytest.raises(KeyboardInterrupt):
        write_landing(interrupted(), PIN, settings, partitions=1, records_per_file=40, delivery=ONCE)
    files = [file for file in Path(settings.landing).rglob("*") if file.is_file()]
    assert [content.count(b"\n") for content in seen] == [40, 40]
    assert sorted(file.name for file in files) == ["0abc.pin+0+0000000000.json", "0abc.pin+0+0000000040.json"]


def test_a_file_that_cannot_be_named_leaves_nothing(settings: Settings) -> None:
    def rows_behind_a_folder():
        Path(settings.landing, "topics/0abc.pin/partition=0/0abc.pin+0+0000000000.json").mkdir(parents=True)
        yield from rows_of(PIN)[:50]

    with pytest.raises(LandingError, match=r"\Alanding .* cannot be written: Is a directory\Z"):
        write_landing(rows_behind_a_folder(), PIN, settings, partitions=1, records_per_file=40, delivery=ONCE)
    assert [file for file in Path(settings.landing).rglob("*") if file.is_file()] == []


def test_a_landing_is_gone_on_with_only_when_asked(settings: Settings) -> None:
    write_landing(rows_of(GEO), GEO, settings, records_per_file=400, delivery=HARSH)
    before = landed_lines(Path(settings.landing))
    with pytest.raises(LandingError) as raised:
        check_landing(settings)
    count = len(list(Path(settings.landing).rglob("*.json")))
    assert str(raised.value) == (
        f"{settings.landing}/topics/0abc.geo already has {count} files: --append goes on behind them"
    )
    check_landing(Settings(user_id="other", landing=settings.landing))
    check_landing(settings, append=True)
    write_landing(rows_of(GEO), GEO, settings, records_per_file=400, delivery=HARSH)
    after = landed_lines(Path(settings.landing))
    assert after == {partition: lines * 2 for partition, lines in before.items()}


def test_a_landing_is_gone_on_with_behind_every_file_that_is_taken_and_no_other(settings: Settings) -> None:
    folder = Path(settings.landing, "topics/0abc.geo")
    files = {
        "year=2026/month=01/0abc.geo+0+0000000040.json.gz": gzip.compress(b"{}\n" * 5),
        "partition=0/0abc.geo+0+0000000000.json": b"{}\n" * 40,
        "partition=1/0abc.geo+1+0000000003.json": b"{}\n{}",
        "_temporary/0/0abc.geo+2+0000000900.json": b"{}\n",
        "partition=2/0abc.geo+2+0000000800.keys.json": b"1\n",
        "partition=2/0abc.geo+2+0000000700.JSON": b"{}\n",
        "partition=2/export.json": b"{}\n",
        "tombstone/0abc.geo+2+0000000600.json": b"null\n",
    }
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    (folder / "partition=2/loop").symlink_to("..")
    check_landing(settings, append=True)
    write_landing(rows_of(GEO), GEO, settings, records_per_file=5000, delivery=ONCE)
    written = {file.name for file in folder.rglob("partition=*/*.json")} - {Path(name).name for name in files}
    assert written == {"0abc.geo+0+0000000045.json", "0abc.geo+1+0000000005.json", "0abc.geo+2+0000000000.json"}

    broken = folder / "0abc.geo+2+0000009000.json.gz"
    broken.write_bytes(gzip.compress(b"{}\n" * 99)[:-9])
    with pytest.raises(LandingError) as raised:
        write_landing(rows_of(GEO), GEO, settings, delivery=ONCE)
    assert str(raised.value) == f"{broken} cannot be read: it must be whole gzip"


def test_going_on_with_other_partitions_would_move_keys(settings: Settings) -> None:
    write_landing(rows_of(GEO), GEO, settings, partitions=3, delivery=ONCE)
    with pytest.raises(LandingError, match=r"which 5 partitions put elsewhere: append with as many\Z"):
        check_landing(settings, 5, append=True)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"partitions": 0}, "partitions must be at least 1, got 0"),
        ({"records_per_file": 0}, "records_per_file must be at least 1, got 0"),
    ],
)
def test_sizes_are_checked(settings: Settings, options: dict, message: str) -> None:
    with pytest.raises(SettingsError) as raised:
        write_landing([], PIN, settings, **options)
    assert str(raised.value) == message


@pytest.mark.parametrize("landing", ["", "s3://user-abc-bucket", __file__])
def test_a_landing_is_a_folder(landing: str) -> None:
    with pytest.raises(SettingsError) as raised:
        check_landing(Settings(landing=landing))
    assert str(raised.value) == f"landing must be a folder of this machine, got {landing!r}"


def test_no_rows_are_no_files(settings: Settings) -> None:
    assert write_landing([], PIN, settings, delivery=DIRTY).files == 0
    assert not Path(settings.landing).exists()
