"""Which landing files were taken, as it stands on the disk: torn lines, a full disk. No Spark."""

import os
from pathlib import Path

import pytest

from pinterest_transforms.errors import CheckpointError
from pinterest_transforms.ingest import ingested_files
from pinterest_transforms.ingest.ingested_files import IngestedFiles
from pinterest_transforms.ingest.landing_files import FileStamp

ONE, TWO = FileStamp(7, 1_795_787_319_927_577_018), FileStamp(9, 2)
KEY = 'topics/abc.pin/a "b"\n/abc.pin+0+0000000000.json'


def test_a_file_is_taken_until_its_size_or_time_is_another_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[bytes] = []
    on_disk: list[int] = []
    file = tmp_path / "pin" / "files.jsonl"
    monkeypatch.setattr(ingested_files, "flush_to_disk", lambda: written.append(file.read_bytes()))
    monkeypatch.setattr(os, "fsync", lambda handle: on_disk.append(os.fstat(handle).st_size))
    IngestedFiles(str(tmp_path / "pin")).add({KEY: ONE})
    assert written == [b""]  # the tables are on the disk before it is noted
    assert on_disk == [0, file.stat().st_size]  # of the new list, and with the file's line
    taken = IngestedFiles(str(tmp_path / "pin"))
    assert taken.is_ingested(KEY, ONE)
    assert not taken.is_ingested(KEY, ONE._replace(size=8))
    assert not taken.is_ingested(KEY, ONE._replace(modified=ONE.modified + 1))
    assert not taken.is_ingested("another", ONE)


@pytest.mark.parametrize("cut", range(1, 40, 3))
def test_a_line_that_was_torn_says_nothing_and_is_in_nobodys_way(tmp_path: Path, cut: int) -> None:
    taken = IngestedFiles(str(tmp_path))
    taken.add({"one": ONE})
    taken.add({"two": TWO})
    [file] = tmp_path.iterdir()
    file.write_bytes(file.read_bytes()[:-cut])
    torn = IngestedFiles(str(tmp_path))
    assert set(torn.stamps.items()) <= {("one", ONE), ("two", TWO)}
    assert "two" not in torn.stamps or cut == 1
    torn.add({"three": TWO})
    again = IngestedFiles(str(tmp_path))
    assert again.stamps == torn.stamps
    assert again.is_ingested("three", TWO)
    assert [path.name for path in tmp_path.iterdir()] == ["files.jsonl"]


@pytest.mark.parametrize(
    "content", [b"", b"\n\n", b"\x00" * 64, b"[1]\n", b'"abc"\n', b"{}\n", b"[[], 1, 2]\n", b"\xff"]
)
def test_what_a_power_cut_leaves_means_that_files_are_read_again(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "files.jsonl").write_bytes(content)
    assert IngestedFiles(str(tmp_path)).stamps == {}


def test_a_file_rewritten_again_and_again_takes_no_more_room(tmp_path: Path) -> None:
    for number in range(30):
        IngestedFiles(str(tmp_path)).add({str(key): FileStamp(number, key) for key in range(100)})
    assert (tmp_path / "files.jsonl").read_bytes().count(b"\n") < 1400
    assert IngestedFiles(str(tmp_path)).stamps == {str(key): FileStamp(29, key) for key in range(100)}


def test_a_disk_that_is_full_is_one_line(tmp_path: Path) -> None:
    taken = IngestedFiles(str(tmp_path))
    (tmp_path / "files.jsonl").unlink()
    (tmp_path / "files.jsonl").symlink_to("/dev/full")
    with pytest.raises(CheckpointError) as error:
        taken.add({"one": ONE})
    wanted = f"a checkpoint's folder must be writable, got {tmp_path / 'files.jsonl'}: No space left on device"
    assert str(error.value) == wanted
