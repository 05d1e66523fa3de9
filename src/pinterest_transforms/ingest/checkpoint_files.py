"""Whether the files that Spark keeps in a checkpoint are whole: a power cut may leave empty or torn ones, or none.

Spark itself ends on such a file with an error that names no way out.
"""

import re
from pathlib import Path

from pinterest_transforms.errors import CheckpointError

_BATCH_FILE = re.compile(r"([0-9]+)(?:\.compact)?")
_WHOLE = re.compile(rb"v[0-9]+\s.*[}\]-]\s*|\s*\{.*\}\s*", re.DOTALL)
_NO_ENTRIES = re.compile(rb"v[0-9]+\s*")
_SPARKS_WORDS = re.compile(r"Failed to read log file|[Bb]atch \S+ doesn't exist")


def check_checkpoint_files(checkpoint: str, remedy: str) -> None:
    """Looks at what Spark will read when it opens the checkpoint again.

    Args:
        checkpoint: folder of the checkpoint, reachable as a path.
        remedy: what the error suggests to do.

    Raises:
        CheckpointError: a file is empty or torn, or is missing where other files show that it was there.
    """
    root = Path(checkpoint)
    if not (root / "metadata").exists():  # Spark has not been here
        return
    _check_content(root / "metadata", remedy)
    sources = sorted((root / "sources").glob("[0-9]*"))
    for folder in (root / "offsets", root / "commits", *sources):
        for file in _numbered(folder).values():
            _check_content(file, remedy, may_have_no_entries=folder in sources)
    offsets, commits = (_numbered(root / name) for name in ("offsets", "commits"))
    last = max((*offsets, *commits), default=0)
    for number in (last - 1, last):
        if number >= 0 and number not in offsets and (offsets or commits):
            missing = root / "offsets" / str(number)
            raise CheckpointError(f"checkpoint file {missing} must be there, got none; nothing was read; {remedy}")


def has_unfinished_batch(checkpoint: str) -> bool:
    """Whether Spark has begun a micro-batch of the checkpoint that was not finished."""
    offsets, commits = (_numbered(Path(checkpoint, name)) for name in ("offsets", "commits"))
    return max(offsets, default=-1) > max(commits, default=-1)


def check_query_error(error: Exception, checkpoint: str, remedy: str) -> None:
    """Looks whether a query failed since Spark could not read its checkpoint, in a way that no look before shows.

    Raises:
        CheckpointError: it did.
    """
    found = _SPARKS_WORDS.search(str(error))
    if found:
        raise CheckpointError(
            f"checkpoint {checkpoint} must be as Spark wrote it, got one that Spark cannot read ({found[0]}); {remedy}"
        ) from error


def _numbered(folder: Path) -> dict[int, Path]:
    files = folder.iterdir() if folder.is_dir() else ()
    return {int(found[1]): file for file in files if (found := _BATCH_FILE.fullmatch(file.name)) and file.is_file()}


def _check_content(file: Path, remedy: str, *, may_have_no_entries: bool = False) -> None:
    content = file.read_bytes()
    if _WHOLE.fullmatch(content) or (may_have_no_entries and _NO_ENTRIES.fullmatch(content)):
        return
    got = f"{len(content)} bytes that are torn" if content else "an empty file"
    raise CheckpointError(f"checkpoint file {file} must be as Spark wrote it, got {got}; nothing was read; {remedy}")
