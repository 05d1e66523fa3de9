"""Landing files in the layout of the S3 sink."""

import re
from collections import defaultdict
from pathlib import Path

import pytest

from emulation.synthetic.delivery import DIRTY, ONCE, USUAL, Delivery
from emulation.synthetic.landing_writer import assign_partition, check_landing_target, write_landing
from pinterest_transforms.entities import GEO, PIN, USER
from pinterest_transforms.errors import LandingError, SettingsError
from pinterest_transforms.settings import Settings
from tests.emulation.synthetic_records import HARSH, rows_of, usable


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


@pytest.mark.parametrize("delivery", [ONCE, USUAL, DIRTY, HARSH], ids=["once", "usual", "dirty", "harsh"])
def test_files_have_the_layout_of_the_s3_sink(settings: Settings, delivery: Delivery) -> None:
    landed = write_landing(rows_of(PIN), PIN, settings, partitions=3, records_per_file=70, delivery=delivery)
    landing = Path(settings.landing)
    lines = landed_lines(landing)
    files = list(landing.rglob("*"))
    assert sorted(lines) == ["0abc.pin/0", "0abc.pin/1", "0abc.pin/2"]
    assert sum(map(len, lines.values())) == landed.records
    assert sum(file.is_file() for file in files) == landed.files == sum(-(-len(some) // 70) for some in lines.values())
    assert all(file.suffix == ".json" for file in files if file.is_file())
    assert (landing / "topics/0abc.pin/partition=0/0abc.pin+0+0000000070.json").read_bytes().count(b"\n") == 70


def test_a_key_has_one_partition(settings: Settings) -> None:
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
    assert [assign_partition(key, 3) for key in (0, 1, 7166, 2**40)] == [2, 2, 1, 2]


def test_the_same_seed_writes_the_same_files(tmp_path: Path) -> None:
    def contents(folder: str, seed: int) -> dict[str, bytes]:
        write_landing(rows_of(GEO), GEO, Settings(landing=str(tmp_path / folder)), delivery=DIRTY, seed=seed)
        return {file.name: file.read_bytes() for file in (tmp_path / folder).rglob("*.json")}

    assert contents("one", 1) == contents("two", 1) != contents("three", 2)


def test_an_incomplete_file_is_never_visible(settings: Settings) -> None:
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


def test_a_file_that_cannot_be_renamed_leaves_no_temporary_file(settings: Settings) -> None:
    def rows_behind_a_folder():
        Path(settings.landing, "topics/0abc.pin/partition=0/0abc.pin+0+0000000000.json").mkdir(parents=True)
        yield from rows_of(PIN)[:50]

    with pytest.raises(LandingError, match=r"\Alanding .* cannot be written: Is a directory\Z"):
        write_landing(rows_behind_a_folder(), PIN, settings, partitions=1, records_per_file=40, delivery=ONCE)
    assert [file for file in Path(settings.landing).rglob("*") if file.is_file()] == []


def test_a_landing_is_written_once(settings: Settings) -> None:
    write_landing(rows_of(GEO), GEO, settings, records_per_file=400, delivery=HARSH)
    with pytest.raises(LandingError) as raised:
        check_landing_target(settings)
    count = len(list(Path(settings.landing).rglob("*.json")))
    folder = f"{settings.landing}/topics/0abc.geo"
    assert str(raised.value) == f"{folder} already has {count} files: remove them, or choose another landing"
    check_landing_target(Settings(user_id="other", landing=settings.landing))


def test_offsets_continue_after_those_of_record_files(settings: Settings) -> None:
    folder = Path(settings.landing, "topics/0abc.geo")
    files = {
        "partition=0/0abc.geo+0+0000000000.json": b"{}\n" * 40,
        "partition=1/0abc.geo+1+0000000003.json": b"{}\n{}",
        "_temporary/0/0abc.geo+2+0000000900.json": b"{}\n",
        "partition=2/0abc.geo+2+0000000800.keys.json": b"1\n",
    }
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    write_landing(rows_of(GEO), GEO, settings, records_per_file=5000, delivery=ONCE)
    written = {file.name for file in folder.rglob("partition=*/*.json")} - {Path(name).name for name in files}
    assert written == {"0abc.geo+0+0000000040.json", "0abc.geo+1+0000000005.json", "0abc.geo+2+0000000000.json"}


@pytest.mark.parametrize("landing", ["", "s3://user-abc-bucket", __file__])
def test_a_landing_is_a_folder(landing: str) -> None:
    with pytest.raises(SettingsError) as raised:
        check_landing_target(Settings(landing=landing))
    assert str(raised.value) == f"landing must be a folder of this machine, got {landing!r}"


def test_an_empty_source_writes_no_files(settings: Settings) -> None:
    assert write_landing([], PIN, settings, delivery=DIRTY).files == 0
    assert not Path(settings.landing).exists()
