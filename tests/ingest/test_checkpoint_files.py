"""Spark's own files in a checkpoint, as a power cut may leave them: without Spark."""

from collections.abc import Callable
from pathlib import Path

import pytest

from pinterest_transforms.errors import CheckpointError
from pinterest_transforms.ingest.checkpoint_files import check_checkpoint_files, check_query_error

REMEDY = "do this"
OFFSET = 'v1\n{"batchWatermarkMs":0,"conf":{}}\n{"logOffset":1}'
FILES = {
    "metadata": '{"id":"304df8b9"}',
    "offsets/3": OFFSET,
    "offsets/4": OFFSET,
    "commits/3": 'v1\n{"nextBatchWatermarkMs":0}',
    "commits/4": 'v1\n{"nextBatchWatermarkMs":0}',
    "sources/0/0": 'v1\n{"path":"file:///a.json","timestamp":1,"batchId":0}',
    "sources/0/9.compact": "v1",
    "sources/0/metadata": "",
    "offsets/.4.crc": "a checksum of an earlier version",
    "offsets/.5.7a.tmp": "",
}
Change = Callable[[Path], object]


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    for name, content in FILES.items():
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)
    return tmp_path


WHOLE: dict[str, Change] = {
    "as it was": lambda _: None,
    "a batch was planned and not done": lambda root: (root / "commits/4").unlink(),
    "its first batch was planned": lambda root: (
        [(root / name).unlink() for name in FILES if name not in ("metadata", "offsets/3")]
        and (root / "offsets" / "3").rename(root / "offsets" / "0")
    ),
    "nothing was planned": lambda root: [(root / name).unlink() for name in FILES if name != "metadata"],
    "a source that has not begun": lambda root: (root / "offsets" / "4").write_text("v1\n{}\n-"),
}
TORN: dict[str, tuple[Change, str]] = {
    "metadata": (
        lambda root: (root / "metadata").write_text(""),
        "metadata must be as Spark wrote it, got an empty file",
    ),
    "metadata torn": (
        lambda root: (root / "metadata").write_text('{"id":"30'),
        "metadata must be as Spark wrote it, got 9 bytes that are torn",
    ),
    "offset": (
        lambda root: (root / "offsets/4").write_text(""),
        "offsets/4 must be as Spark wrote it, got an empty file",
    ),
    "offset torn": (
        lambda root: (root / "offsets/4").write_text("v1"),
        "offsets/4 must be as Spark wrote it, got 2 bytes that are torn",
    ),
    "zeros": (
        lambda root: (root / "commits/4").write_bytes(bytes(40)),
        "commits/4 must be as Spark wrote it, got 40 bytes that are torn",
    ),
    "commit": (
        lambda root: (root / "commits/3").write_text(""),
        "commits/3 must be as Spark wrote it, got an empty file",
    ),
    "source": (
        lambda root: (root / "sources/0/0").write_text(""),
        "sources/0/0 must be as Spark wrote it, got an empty file",
    ),
    "source joined": (
        lambda root: (root / "sources/0/9.compact").write_text('v1\n{"path":'),
        "sources/0/9.compact must be as Spark wrote it, got 11 bytes that are torn",
    ),
    "gap": (lambda root: (root / "offsets/3").unlink(), "offsets/3 must be there, got none"),
    "first gap": (
        lambda root: [
            ((root / name / "3").unlink(), (root / name / "4").rename(root / name / "1"))
            for name in ("offsets", "commits")
        ],
        "offsets/0 must be there, got none",
    ),
    "last offset": (lambda root: (root / "offsets/4").unlink(), "offsets/4 must be there, got none"),
    "all offsets": (
        lambda root: [file.unlink() for file in (root / "offsets").iterdir()],
        "offsets/3 must be there, got none",
    ),
}


@pytest.mark.parametrize("change", WHOLE.values(), ids=WHOLE)
def test_a_checkpoint_that_spark_can_open_is_let_through(checkpoint: Path, change: Change):
    change(checkpoint)
    check_checkpoint_files(str(checkpoint), REMEDY)


@pytest.mark.parametrize(("change", "message"), TORN.values(), ids=TORN)
def test_what_a_power_cut_leaves_is_named_with_the_way_out(checkpoint: Path, change: Change, message: str):
    change(checkpoint)
    with pytest.raises(CheckpointError) as error:
        check_checkpoint_files(str(checkpoint), REMEDY)
    assert str(error.value) == f"checkpoint file {checkpoint}/{message}; nothing was read; {REMEDY}"


@pytest.mark.parametrize(
    ("said", "found"),
    [
        (
            "[STREAM_FAILED] … Failed to read log file file:/x/sources/0/1. Incomplete log file",
            "Failed to read log file",
        ),
        ("[STREAM_FAILED] … batch 1 doesn't exist", "batch 1 doesn't exist"),
    ],
)
def test_sparks_own_words_of_a_checkpoint_become_one_line(said: str, found: str):
    with pytest.raises(CheckpointError) as error:
        check_query_error(RuntimeError(said), "/c", REMEDY)
    assert str(error.value) == (
        f"checkpoint /c must be as Spark wrote it, got one that Spark cannot read ({found}); {REMEDY}"
    )
    # Another run on the same checkpoint, or a full disk, is no torn file.
    for other in ("[CONCURRENT_STREAM_LOG_UPDATE] Concurrent update to the log.", "No space left on device"):
        check_query_error(RuntimeError(other), "/c", REMEDY)
