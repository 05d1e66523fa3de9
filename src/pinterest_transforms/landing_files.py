"""Which files of a landing hold records: one rule for everybody who looks into it. Free of Spark and of I/O.

Source: the data contract, section 3, "What is a landing file". The names of the S3 sink's other files are those of
Confluent's connector: keys and headers stand beside the values, tombstones in a folder ``tombstone``.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple

TOMBSTONES = "tombstone"
"""The sink's folder of records without a value, its setting ``tombstone.encoded.partition``: keys and headers alone."""

FEW_NAMED = 3
_SMALL_BYTES, _MANY_FILES = 16 * 1024, 1000


class FileKind(Enum):
    """What a file of a topic's folder is."""

    RECORDS = "records"
    PASSED_OVER = "passed over"
    OTHER = "other"


class FileStamp(NamedTuple):
    """What tells whether a file has been rewritten: its bytes, and when it was modified, in ns since 1970."""

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
    """
    found = _pattern(topic).fullmatch(path.rpartition("/")[2])
    if found is None:
        raise ValueError(f"a file of records must be named {topic}+<partition>+<offset>.json, got {path!r}")
    return found["partition"], int(found["start"])


def key_of(path: str, topic: str) -> str:
    """Object key of a landing file: what stands from ``topics/`` on.

    >>> key_of("file:/tmp/x/topics/a.pin/partition=0/a.pin+0+0000000000.json", "a.pin")
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


def goes_back(starts: Mapping[str, tuple[int, int]], last: Mapping[str, int]) -> list[str]:
    """Partitions whose files begin at or before offsets that were ingested: late, rewritten, or of another topic."""
    return sorted(shard for shard, (least, _) in starts.items() if least <= last.get(shard, -1))


def backward_offsets_text(starts: Mapping[str, tuple[int, int]], last: Mapping[str, int]) -> str:
    """A message about partitions whose files begin before ingested ones; empty if there are none."""
    back = [shard for shard in goes_back(starts, last) if starts[shard][0] < last[shard]]
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
        """Adds a file by its path, and its path below the topic's folder, which says its kind."""
        if file_kind(below, self.topic) is FileKind.RECORDS:
            self.records[path] = stamp
        else:
            self.add_other(below)

    def add_other(self, below: str) -> None:
        """Adds a file that holds no records, whatever its name says."""
        if file_kind(below, self.topic) is not FileKind.PASSED_OVER:
            self.others += 1
            # The first by name, whatever order they come in.
            self.examples = sorted([*self.examples, below])[:FEW_NAMED]

    def remarks(self) -> list[str]:
        """What a person is to know of the folder, a line each."""
        said = []
        if self.others:
            said.append(f"{self.topic}: {others_text(self.others, self.examples)}")
        count, size = len(self.records), sum(stamp.size for stamp in self.records.values())
        if count >= _MANY_FILES and size < count * _SMALL_BYTES:
            said.append(
                f"{self.topic}: {count:,} files of {size // count:,} bytes on average: larger ones are read many times "
                "faster; raise flush.size and rotate.schedule.interval.ms of the S3 sink"
            )
        return said


def others_text(count: int, examples: Sequence[str]) -> str:
    """Names files that are not taken: the first few, and how many. A name may hold anything, so it is escaped."""
    named = ", ".join(ascii(name) for name in examples)
    more = f" and {count - len(examples):,} more" if count > len(examples) else ""
    files = "1 file is" if count == 1 else f"{count:,} files are"
    return f"{files} not named <topic>+<partition>+<offset>.json or .json.gz and not taken: {named}{more}"
