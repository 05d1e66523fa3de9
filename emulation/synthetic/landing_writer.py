"""Writes landing files of source rows in the layout of the Kafka Connect S3 sink.

Source: the data contract, section 1, for file names. A key has one partition. A file is written under a temporary name
and renamed when it is complete.
"""

import zlib
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from emulation.source.source_records import Row
from emulation.synthetic.delivery import USUAL, Delivery, deliver
from pinterest_transforms.entities import ENTITIES, Entity
from pinterest_transforms.errors import LandingError, SettingsError
from pinterest_transforms.ingest.landing_files import list_folder, partition_and_start
from pinterest_transforms.settings import Settings, landing_key

PARTITIONS = 3
RECORDS_PER_FILE = 1000


@dataclass
class WrittenTopic:
    """What was written for one topic.

    Attributes:
        records: number of lines.
        files: number of files.
        counts: ``rows`` of the source, and the number of each fault by the name of its share.
    """

    records: int = 0
    files: int = 0
    counts: Counter[str] = field(default_factory=Counter)


def assign_partition(key: int, partitions: int) -> int:
    """The partition of a key, the same on every machine and in every run."""
    return zlib.crc32(b"%d" % key) % partitions


def check_landing_target(settings: Settings) -> None:
    """Checks that landing files can be written.

    Raises:
        LandingError: the user's topics have files.
        SettingsError: the landing is no local folder.
    """
    landing = Path(settings.landing)
    if not settings.landing or "://" in settings.landing or (landing.exists() and not landing.is_dir()):
        raise SettingsError(f"landing must be a folder of this machine, got {settings.landing!r}")
    for entity in ENTITIES:
        folder, files = settings.topic_folder(entity), _list_files(settings, entity)
        if files:
            raise LandingError(f"{folder} already has {len(files)} files: remove them, or choose another landing")


def _list_files(settings: Settings, entity: Entity) -> list[str]:
    """The topic's record files, by the rule of the pipeline."""
    folder = settings.topic_folder(entity)
    return sorted(list_folder(folder, settings.topic(entity)).records) if Path(folder).is_dir() else []


def write_landing(
    rows: Iterable[Row],
    entity: Entity,
    settings: Settings,
    *,
    partitions: int = PARTITIONS,
    records_per_file: int = RECORDS_PER_FILE,
    delivery: Delivery = USUAL,
    seed: int = 1,
) -> WrittenTopic:
    """Writes the records of one topic after the offsets of its existing files.

    Args:
        rows: rows of the entity's source table in the order of ``column_names(entity)``; read once.
        entity: the topic's entity.
        settings: user id and landing folder.
        partitions: number of partitions.
        records_per_file: the sink's ``flush.size``; only the last file of a partition has fewer records.
        delivery: shares of the faults.
        seed: decides which records have a fault; the same rows and seed give the same files.

    Raises:
        LandingError: the folder cannot be written.
    """
    written, topic = WrittenTopic(), settings.topic(entity)
    try:
        offsets = _read_next_offsets(_list_files(settings, entity), topic)
        buffers = [_PartitionBuffer(Path(settings.landing), topic, n, offsets.get(n, 0)) for n in range(partitions)]
        for key, line in deliver(rows, entity, delivery, seed, written.counts):
            buffer = buffers[assign_partition(key, partitions)]
            buffer.lines.append(line)
            if len(buffer.lines) >= records_per_file:
                buffer.flush(written)
        for buffer in buffers:
            buffer.flush(written)
    except OSError as error:
        raise LandingError(f"landing {settings.landing} cannot be written: {error.strerror}") from error
    return written


class _PartitionBuffer:
    """Lines of one partition for its next file, and the offset of the first of them."""

    def __init__(self, landing: Path, topic: str, number: int, offset: int) -> None:
        self.lines: list[str] = []
        self._landing, self._topic, self._number, self._offset = landing, topic, number, offset

    def flush(self, written: WrittenTopic) -> None:
        """Writes the lines to a file; the S3 sink ends each record with a line feed."""
        if not self.lines:
            return
        file = self._landing.joinpath(landing_key(self._topic, self._number, self._offset))
        file.parent.mkdir(parents=True, exist_ok=True)
        temporary = file.with_name(f".{file.name}.tmp")
        try:
            # surrogateescape: a malformed line may hold a byte that is not UTF-8
            temporary.write_bytes(("\n".join(self.lines) + "\n").encode("utf-8", "surrogateescape"))
            temporary.rename(file)
        except BaseException:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise
        written.records += len(self.lines)
        written.files += 1
        self._offset += len(self.lines)
        self.lines = []


def _read_next_offsets(files: Iterable[str], topic: str) -> dict[int, int]:
    """The offset after the last record of each partition with files; a last line may lack its line feed."""
    last: dict[int, tuple[int, str]] = {}
    for file in files:
        partition, start = partition_and_start(file, topic)
        last[int(partition)] = max(last.get(int(partition), (-1, "")), (start, file))
    return {partition: start + len(Path(file).read_bytes().splitlines()) for partition, (start, file) in last.items()}
