"""Which files of a landing hold records, one rule for everybody who looks into it; and their listing. Free of Spark.

Source: the data contract, section 3, "What is a landing file". The names of the S3 sink's other files are those of
Confluent's connector: keys and headers stand beside the values, tombstones in a folder ``tombstone``.
"""

import gzip
import os
import re
import stat
import zlib
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import NamedTuple

from pinterest_transforms.entities import ENTITIES
from pinterest_transforms.errors import LandingError
from pinterest_transforms.settings import Settings

TOMBSTONES = "tombstone"
"""The sink's folder of records without a value, its setting ``tombstone.encoded.partition``: keys and headers alone."""

HOLDS_TOPICS = "landing must be a folder that holds topics/"
FEW_NAMED = 3
_SMALL_BYTES, _MANY_FILES = 16 * 1024, 1000
_CHUNK = 1 << 20
# Where a path has one of these, Spark takes it apart, and a part of it with a colon for an address.
_PATTERN = re.compile(r"[\\*?\[\]{}]")


def check_local_landing(settings: Settings) -> None:
    """Checks that the landing is a folder of this machine with topics of this user id.

    Raises:
        LandingError: it is none, or has no such topics.
    """
    topics = Path(settings.landing, "topics")
    if not settings.landing or not topics.is_dir():
        raise LandingError(f"{HOLDS_TOPICS}, got {settings.landing!r}")
    if not any(Path(settings.topic_folder(entity)).is_dir() for entity in ENTITIES):
        raise LandingError(describe_topics(settings, [entry.name for entry in _entries(topics) if entry.is_dir()]))


def describe_topics(settings: Settings, topics: Iterable[str]) -> str:
    """A message about a landing that has other topics than those of this user id."""
    found = ", ".join(sorted(topics)[:9]) or "no files"
    return f"landing must hold topics {settings.user_id}.pin, .geo or .user, got {found}"


class FileKind(Enum):
    """What a file of a topic's folder is."""

    RECORDS = "records"
    PASSED_OVER = "passed over"
    OTHER = "other"


class FileStamp(NamedTuple):
    """What shows whether a file has been rewritten: its bytes, and when it was modified, in ns since 1970."""

    size: int
    modified: int


def is_hidden(name: str) -> bool:
    """True if a file or folder of that name is passed over, with whatever lies under it."""
    return name.startswith((".", "_"))


def file_kind(path: str, topic: str) -> FileKind:
    """What a file is, by its path below the topic's folder.

    >>> file_kind("year=2026/abc.pin+3+0000000050.json.gz", "abc.pin").value
    'records'
    """
    *folders, name = path.split("/")
    if any(map(is_hidden, (*folders, name))) or TOMBSTONES in folders:
        return FileKind.PASSED_OVER
    found = _pattern(topic).fullmatch(name)
    if found is None:
        return FileKind.OTHER
    return FileKind.PASSED_OVER if found["beside"] else FileKind.RECORDS


def partition_and_start(path: str, topic: str) -> tuple[str, int]:
    """Partition, and offset of the first line, from the name of a file of records alone.

    >>> partition_and_start("x/topics/a.pin/partition=3/a.pin+3+0000000050.json", "a.pin")
    ('3', 50)

    Raises:
        ValueError: the name is that of another file.
    """
    found = _pattern(topic).fullmatch(path.rpartition("/")[2])
    if found is None:
        raise ValueError(f"a file of records must be named {topic}+<partition>+<offset>.json, got {path!r}")
    return found["partition"], int(found["start"])


def object_key(path: str, topic: str) -> str:
    """Object key of a landing file: what stands from ``topics/`` on.

    >>> object_key("file:/tmp/x/topics/a.pin/partition=0/a.pin+0+0000000000.json", "a.pin")
    'topics/a.pin/partition=0/a.pin+0+0000000000.json'
    """
    marker = f"topics/{topic}/"
    return marker + path.rpartition(f"/{marker}")[2]


def start_offsets(paths: Iterable[str], topic: str) -> dict[str, tuple[int, int]]:
    """The least and the greatest start offset of each partition's files."""
    found: dict[str, tuple[int, int]] = {}
    for path in paths:
        shard, start = partition_and_start(path, topic)
        least, greatest = found.get(shard, (start, start))
        found[shard] = min(least, start), max(greatest, start)
    return found


def find_backward_partitions(starts: Mapping[str, tuple[int, int]], last: Mapping[str, int]) -> list[str]:
    """Partitions whose files begin at or before offsets that were ingested: late, rewritten, or of another topic."""
    return sorted(shard for shard, (least, _) in starts.items() if least <= last.get(shard, -1))


def format_backward_offsets(starts: Mapping[str, tuple[int, int]], last: Mapping[str, int]) -> str:
    """A message about partitions whose files begin before ingested ones; empty if there are none."""
    back = [shard for shard in find_backward_partitions(starts, last) if starts[shard][0] < last[shard]]
    if not back:
        return ""
    shard, more = back[0], f", and of {len(back) - 1} more" if len(back) > 1 else ""
    return (
        f"offsets of partition {shard} go back from {last[shard]} to {starts[shard][0]}{more}: files are late or were "
        "rewritten; if the topic was made again, run with --rebuild"
    )


def _pattern(topic: str) -> re.Pattern[str]:
    names = r"[+](?P<partition>[0-9]{1,9})[+](?P<start>[0-9]{1,18})(?P<beside>[.](?:keys|headers))?[.]json(?:[.]gz)?"
    return re.compile(re.escape(topic) + names)


@dataclass
class Listing:
    """What stands below a topic's folder.

    Attributes:
        topic: the topic.
        records: the files of records, by their paths.
        others: how many files are neither records nor passed over by the rule.
        examples: paths of the first of these, below the topic's folder.
    """

    topic: str
    records: dict[str, FileStamp] = field(default_factory=dict)
    others: int = 0
    examples: list[str] = field(default_factory=list)

    def add(self, path: str, below: str, stamp: FileStamp) -> None:
        """Adds a file by its path, and its path below the topic's folder, which decides its kind."""
        if file_kind(below, self.topic) is FileKind.RECORDS:
            self.records[path] = stamp
        else:
            self.add_other(below)

    def add_other(self, below: str) -> None:
        """Adds a file that holds no records, whatever its name is."""
        if file_kind(below, self.topic) is not FileKind.PASSED_OVER:
            self.others += 1
            # The first by name, whatever order they come in.
            self.examples = sorted([*self.examples, below])[:FEW_NAMED]

    def remarks(self) -> list[str]:
        """Warnings about the folder, one line each."""
        said = []
        if self.others:
            said.append(f"{self.topic}: {format_others(self.others, self.examples)}")
        count, size = len(self.records), sum(stamp.size for stamp in self.records.values())
        if count >= _MANY_FILES and size < count * _SMALL_BYTES:
            said.append(
                f"{self.topic}: {count:,} files of {size // count:,} bytes on average: larger ones are read many times "
                "faster; raise flush.size and rotate.schedule.interval.ms of the S3 sink"
            )
        return said


def format_others(count: int, examples: Sequence[str]) -> str:
    """Names files that are not taken: the first few, and how many. A name may hold anything, so it is escaped."""
    named = ", ".join(ascii(name) for name in examples)
    more = f" and {count - len(examples):,} more" if count > len(examples) else ""
    files = "1 file is" if count == 1 else f"{count:,} files are"
    return f"{files} not named <topic>+<partition>+<offset>.json or .json.gz and not taken: {named}{more}"


def list_folder(folder: str, topic: str) -> Listing:
    """Every file below a topic's folder on this machine; what the rule passes over is not counted.

    Spark's own listing follows a link as often as it comes by it, so a folder that links back is read dozens of times.
    Real files and folders come before links to them, so a file has the same path in every run. A link to a folder
    above the topic's is not followed: everything below would be found again under other names.

    Raises:
        LandingError: a folder cannot be read.
    """
    found, home = Listing(topic), Path(folder).resolve()
    seen = {home, *home.parents}
    folders, links, file_links = deque([("", home)]), deque[str](), list[str]()
    while folders or links:
        below, real = folders.popleft() if folders else (link := links.popleft(), Path(folder, link).resolve())
        if below and real in seen:
            continue
        seen.add(real)
        for entry in _entries(Path(folder, below)):
            inside = f"{below}/{entry.name}" if below else entry.name
            if is_hidden(entry.name):
                continue
            if entry.is_symlink():
                (links if Path(entry.path).is_dir() else file_links).append(inside)
            elif entry.is_dir():
                folders.append((inside, real / entry.name))
            else:
                _add(found, folder, inside)
    _add_links(found, folder, file_links)
    return found


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except (FileNotFoundError, NotADirectoryError):
        return []  # taken away since it was found
    except OSError as error:
        raise LandingError(f"a landing folder must be readable, got {folder}: {error.strerror}") from None


def _add(found: Listing, folder: str, below: str) -> None:
    path = Path(folder, below)
    try:
        below.encode()  # a name that is no text cannot be given to Java
        status = path.stat()
    except (OSError, UnicodeEncodeError):
        if path.is_symlink() or path.exists():
            found.add_other(below)  # else it was taken away since it was found
        return
    if stat.S_ISREG(status.st_mode):
        found.add(str(path), below, FileStamp(status.st_size, status.st_mtime_ns))
    else:
        found.add_other(below)


def _add_links(found: Listing, folder: str, links: list[str]) -> None:
    """Adds the files that links lead to and no other path does."""
    seen = {_identity(Path(path)) for path in found.records} if links else set()
    for below in links:
        identity = _identity(Path(folder, below))
        if identity is None or identity not in seen:
            seen.add(identity)
            _add(found, folder, below)


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def why_unusable(path: str, size: int, limit: int, *, local: bool) -> str:
    """Why a file cannot be taken, as a line that names it; empty if it can, as far as is known.

    On this machine (``local``) a compressed file is unpacked once, up to the limit and no further: a small file may
    hold more than a disk does.
    """
    if size > limit:
        return f"a landing file must have at most {limit} bytes, got {size} in {path}: split it"
    if local and ":" in path and _PATTERN.search(path):
        return f"a landing file's path must have no colon beside one of \\*?[]{{}}, which Spark cannot read, got {path}"
    said = ""
    try:
        if local and path.endswith(".gz") and _holds_more(path, limit):
            said = f"a landing file must have at most {limit} bytes unpacked, got more in {path}: split it"
        elif local:
            Path(path).open("rb").close()
    except (EOFError, gzip.BadGzipFile, zlib.error):
        said = f"a landing file named .gz must be whole gzip, got {path}: land it again"
    except OSError as error:
        said = f"a landing file must be readable, got {path}: {error.strerror}"
    return said


def _holds_more(path: str, limit: int) -> bool:
    unpacked = 0
    with gzip.open(path) as content:
        while unpacked <= limit and (chunk := content.read(_CHUNK)):
            unpacked += len(chunk)
    return unpacked > limit
