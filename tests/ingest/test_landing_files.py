"""Which files of a landing are records, by one rule; and how a folder of this machine is listed. No Spark."""

import gzip
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from pinterest_transforms.errors import LandingError
from pinterest_transforms.ingest import landing_files
from pinterest_transforms.ingest.landing_files import (
    FileKind,
    FileStamp,
    Listing,
    file_kind,
    list_folder,
    object_key,
    why_unusable,
)

TOPIC = "abc.pin"
NAME = "abc.pin+0+0000000050"
TAKEN, PASSED, OTHER = FileKind.RECORDS, FileKind.PASSED_OVER, FileKind.OTHER


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        (f"partition=0/{NAME}.json", TAKEN),
        (f"partition=0/{NAME}.json.gz", TAKEN),
        (f"{NAME}.json", TAKEN),
        (f"year=2026/month=01/day=02/hour=10:00/{NAME}.json", TAKEN),
        ("a folder/abc.pin+12+7.json", TAKEN),
        (f"partition=0/{NAME}.keys.json", PASSED),
        (f"partition=0/{NAME}.headers.json", PASSED),
        (f"partition=0/{NAME}.keys.json.gz", PASSED),
        (f"tombstone/{NAME}.json", PASSED),
        (f"tombstone/year=2026/{NAME}.keys.json", PASSED),
        (f"_temporary/0/{NAME}.json", PASSED),
        (f"partition=0/.ipynb_checkpoints/{NAME}-checkpoint.json", PASSED),
        (f"_delta_log/{NAME}.json", PASSED),
        (f".git/{NAME}.json", PASSED),
        ("partition=0/_SUCCESS", PASSED),
        (f"partition=0/.{NAME}.json.crc", PASSED),
        (f"partition=0/.{NAME}.json.tmp", PASSED),
        (f"partition=0/{NAME}.JSON", OTHER),
        (f"partition=0/{NAME}.json.GZ", OTHER),
        (f"partition=0/{NAME}.avro", OTHER),
        (f"partition=0/{NAME}.snappy.parquet", OTHER),
        (f"partition=0/{NAME}", OTHER),
        (f"partition=0/{NAME}.json.bak", OTHER),
        (f"partition=0/{NAME}.json.zst", OTHER),
        (f"partition=0/{NAME}.jsonl", OTHER),
        (f"partition=0/{NAME} (1).json", OTHER),
        (f"partition=0/{NAME}.json\n", OTHER),
        ("partition=0/abc.geo+0+0000000050.json", OTHER),
        ("partition=0/abcxpin+0+0000000050.json", OTHER),
        ("partition=0/xabc.pin+0+0000000050.json", OTHER),
        ("partition=0/abc.pin+0.json", OTHER),
        ("partition=0/abc.pin+-1+0000000050.json", OTHER),
        ("partition=0/abc.pin+٣+0000000050.json", OTHER),
        ("partition=0/abc.pin+0+99999999999999999999.json", OTHER),
        ("notes.keys.json", OTHER),
        ("tombstone", OTHER),
        ("export.json", OTHER),
    ],
)  # fmt: skip
def test_one_rule_says_which_files_are_records(path: str, kind: FileKind) -> None:
    assert file_kind(path, TOPIC) is kind


def test_a_copy_below_its_own_topic_has_the_object_key_of_its_file() -> None:
    key = f"topics/{TOPIC}/partition=0/{NAME}.json"
    assert object_key(f"/landing/topics/{TOPIC}/copy/{key}", TOPIC) == key


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "topics" / TOPIC
    made.mkdir(parents=True)
    return made


def put(path: Path, content: bytes = b"{}\n") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def list_records(folder: Path) -> list[str]:
    return sorted(str(Path(path).relative_to(folder)) for path in list_folder(str(folder), TOPIC).records)


def number(offset: int) -> str:
    return f"abc.pin+0+{offset:010d}.json"


def test_files_are_found_at_any_depth_with_size_and_time_and_the_rest_is_named(folder: Path) -> None:
    deep = put(folder / "year=2026/month=01" / number(0), b"12345")
    put(folder / number(5))
    for other in ("b.avro", "a.JSON", "partition=0/x.json.bak", "c", "tombstone"):
        put(folder / other)
    for passed in (f"_temporary/0/{number(7)}", f".ipynb_checkpoints/{number(8)}", "abc.pin+0+9.keys.json"):
        put(folder / passed)
    os.mkfifo(folder / number(6))
    (folder / number(10)).symlink_to("nowhere")
    (folder / number(11)).symlink_to(number(11))
    found = list_folder(str(folder), TOPIC)
    assert found.records[str(deep)] == FileStamp(5, deep.stat().st_mtime_ns)
    assert list_records(folder) == [number(5), f"year=2026/month=01/{number(0)}"]
    assert found.remarks() == [
        "abc.pin: 8 files are not named <topic>+<partition>+<offset>.json or .json.gz and not taken: "
        "'a.JSON', 'abc.pin+0+0000000006.json', 'abc.pin+0+0000000010.json' and 5 more"
    ]


def test_a_name_that_is_no_text_is_told_in_one_line(folder: Path) -> None:
    put(Path(os.fsdecode(os.fsencode(folder) + b"/caf\xe9")) / number(0))
    put(folder / "two\nlines\x1b[31m.txt")
    [remark] = list_folder(str(folder), TOPIC).remarks()
    assert remark.endswith(r"not taken: 'caf\udce9/abc.pin+0+0000000000.json', 'two\nlines\x1b[31m.txt'")
    assert remark.isascii()


LOOPS: dict[str, Callable[[Path], None]] = {
    "to itself": lambda folder: (folder / "loop").symlink_to("."),
    "two of them": lambda folder: ((folder / "p/a").symlink_to(".."), (folder / "p/b").symlink_to("..")),
    "to the landing": lambda folder: (folder / "p/up").symlink_to("../../.."),
    "to the root": lambda folder: (folder / "root").symlink_to("/"),
    "to one another": lambda folder: ((folder / "p/q").symlink_to("../r"), put(folder / "r" / number(9)),
                                      (folder / "r/s").symlink_to("../p")),
    "a folder twice": lambda folder: (folder / "again").symlink_to("p"),
    "a file twice": lambda folder: (folder / number(3)).symlink_to(f"p/{number(1)}"),
    "of a file only": lambda folder: ((folder / "x").symlink_to("y"), (folder / "y").symlink_to("x")),
}  # fmt: skip


@pytest.mark.parametrize("loop", LOOPS)
def test_each_file_is_found_once_whatever_links_lead_to_it(folder: Path, loop: str) -> None:
    put(folder / "p" / number(1))
    put(folder / "p/deeper" / number(2))
    LOOPS[loop](folder)
    more = [f"r/{number(9)}"] if loop == "to one another" else []
    assert list_records(folder) == [f"p/{number(1)}", f"p/deeper/{number(2)}", *more]


def test_files_and_folders_elsewhere_are_found_through_links(folder: Path, tmp_path: Path) -> None:
    put(tmp_path / "elsewhere/deep" / number(1))
    file = put(tmp_path / "another" / number(2))
    for name in (".hidden", "linked"):
        (folder / name).symlink_to(tmp_path / "elsewhere")
    for name in (number(2), number(3)):  # the second one is the same file
        (folder / name).symlink_to(file)
    assert list_records(folder) == [number(2), f"linked/deep/{number(1)}"]


def test_what_is_taken_away_while_it_is_listed_is_passed_over(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(folder / "p" / number(1))
    put(folder / "a.avro")
    entries = landing_files._entries

    def take_away(place: Path) -> list[os.DirEntry[str]]:
        found = entries(place)
        shutil.rmtree(folder, ignore_errors=True)
        return found

    monkeypatch.setattr(landing_files, "_entries", take_away)
    assert list_folder(str(folder), TOPIC) == Listing(TOPIC)
    assert not folder.exists()


def test_what_must_not_be_read_is_named() -> None:
    user = os.geteuid()
    with TemporaryDirectory() as root:
        Path(root).chmod(0o755)  # pytest's own folders let nobody else in
        file = put(Path(root, "open", number(0)))
        shut = put(Path(root, "shut", number(1))).parent
        file.chmod(0)
        shut.chmod(0)
        if user == 0:
            os.seteuid(65534)  # root may read anything
        try:
            with pytest.raises(LandingError) as error:
                list_folder(root, TOPIC)
            said = why_unusable(str(file), 3, 9, local=True)
        finally:
            os.seteuid(user)
            shut.chmod(0o755)
    assert str(error.value) == f"a landing folder must be readable, got {shut}: Permission denied"
    assert said == f"a landing file must be readable, got {file}: Permission denied"


def test_what_cannot_be_taken_is_told_with_its_name(folder: Path) -> None:
    whole = gzip.compress(b"{}\n" * 100)
    no_gzip = "a landing file named .gz must be whole gzip, got {}: land it again"
    contents = {
        "whole": (whole, ""),
        "two members": (whole + whole, ""),
        "empty": (b"", ""),
        "at the limit": (gzip.compress(bytes(50_000)), ""),
        "cut off": (whole[:-9], no_gzip),
        "a bit turned": (whole[:20] + bytes([whole[20] ^ 1]) + whole[21:], no_gzip),
        "plain": (b"{}\n", no_gzip),
        "a bomb": (
            gzip.compress(bytes(10_000_000)),
            "a landing file must have at most 50000 bytes unpacked, got more in {}: split it",
        ),
        "large": (os.urandom(60_000), "a landing file must have at most 50000 bytes, got 60000 in {}: split it"),
    }
    for name, (content, wanted) in contents.items():
        path = put(folder / f"{name}.json.gz", content)
        assert why_unusable(str(path), len(content), 50_000, local=True) == wanted.format(path), name
    # One byte more than a limit of whole chunks, in which a file is unpacked.
    path = put(folder / "a byte too long.json.gz", gzip.compress(bytes(2**20 + 1)))
    assert why_unusable(str(path), 1, 2**20, local=True) == (
        f"a landing file must have at most 1048576 bytes unpacked, got more in {path}: split it"
    )
    colon = put(folder / "[a]" / "hour=10:00" / number(0))
    assert why_unusable(str(colon), 3, 9, local=True) == (
        f"a landing file's path must have no colon beside one of \\*?[]{{}}, which Spark cannot read, got {colon}"
    )
    assert why_unusable(str(colon), 3, 9, local=False) == ""  # a bucket is read by its names
    assert why_unusable(str(put(folder / "hour=10:00" / number(0))), 3, 3, local=True) == ""
    assert why_unusable(str(folder / "gone.json"), 1, 9, local=True) == (
        f"a landing file must be readable, got {folder / 'gone.json'}: No such file or directory"
    )


def test_many_small_files_are_told() -> None:
    few, large = Listing(TOPIC), Listing(TOPIC)
    for offset in range(999):
        few.records[number(offset)] = FileStamp(600, 0)
    for offset in range(1000):
        large.records[number(offset)] = FileStamp(16_384, 0)
    assert few.remarks() == large.remarks() == []
    few.records[number(999)] = FileStamp(600, 0)
    assert few.remarks() == [
        "abc.pin: 1,000 files of 600 bytes on average: larger ones are read many times faster; raise flush.size and "
        "rotate.schedule.interval.ms of the S3 sink"
    ]
