"""From source rows to landing files, as Kafka and its S3 sink would leave them.

Source: the data contract, section 1, for the files' names. A key lives in one partition; a file is complete when it
gets its name, so a reader never sees half of one.
"""

import gzip
import json
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import Engine

from emulation.cli.progress_display import Watch, unwatched
from emulation.source.database import count_rows
from emulation.source.source_records import Row
from emulation.source.table_reader import read_pages
from emulation.synthetic.delivery import USUAL, Delivery, deliveries
from pinterest_transforms.entities import ENTITIES, Entity
from pinterest_transforms.errors import LandingError, SettingsError
from pinterest_transforms.ingest.landing_listing import list_folder
from pinterest_transforms.landing_files import partition_and_start
from pinterest_transforms.settings import Settings, landing_key

PARTITIONS = 3
RECORDS_PER_FILE = 1000
TEMPORARY = ".tmp"
_KEY_LIMIT = 2**63


@dataclass
class Landed:
    """What was written for one topic.

    Attributes:
        topic: its name.
        records: lines, whatever stands in them.
        files: files.
        counts: ``rows`` of the source, and how often each share of the delivery happened, by its name.
    """

    topic: str
    records: int = 0
    files: int = 0
    counts: Counter[str] = field(default_factory=Counter)


def partition_of(key: int, partitions: int) -> int:
    """The partition of a key, the same on every machine and in every run."""
    return zlib.crc32(b"%d" % key) % partitions


def check_landing(settings: Settings, partitions: int = PARTITIONS, *, append: bool = False) -> None:
    """Sees to it that records can be landed there.

    Raises:
        LandingError: if the topics of this user hold files and ``append`` is not set, or if they hold keys in other
            partitions than these would have.
        SettingsError: if ``partitions`` is below 1, or the landing is no folder of this machine.
    """
    if partitions < 1:
        raise SettingsError(f"partitions must be at least 1, got {partitions}")
    landing = Path(settings.landing)
    if not settings.landing or "://" in settings.landing or (landing.exists() and not landing.is_dir()):
        raise SettingsError(f"landing must be a folder of this machine, got {settings.landing!r}")
    for entity in ENTITIES:
        folder, files = settings.topic_folder(entity), _files(settings, entity)
        if files and not append:
            raise LandingError(f"{folder} already has {len(files)} files: --append goes on behind them")
        for file in files:
            _check_partition(file, entity, settings.topic(entity), partitions)


def _files(settings: Settings, entity: Entity) -> list[str]:
    """The files of records that a topic has, by the rule that the pipeline takes them by."""
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
) -> Landed:
    """Writes the records of one topic; goes on behind what the topic has already.

    Args:
        rows: rows of the entity's source table, in the order of ``column_names(entity)``; read once, never kept.
        entity: which topic.
        settings: the user id and the landing folder.
        partitions: how many partitions the topic has.
        records_per_file: the sink's ``flush.size``; only the last file of a partition has fewer.
        delivery: what happens to the records on their way.
        seed: to which of them; the same rows and seed give the same files.

    Raises:
        SettingsError: if a number is below 1.
        LandingError: if the folder cannot be written.
    """
    if partitions < 1 or records_per_file < 1:
        wrong = ("partitions", partitions) if partitions < 1 else ("records_per_file", records_per_file)
        raise SettingsError(f"{wrong[0]} must be at least 1, got {wrong[1]}")
    landed = Landed(settings.topic(entity))
    try:
        offsets = next_offsets(_files(settings, entity), settings.topic(entity))
        files = [_Partition(settings, entity, number, offsets.get(number, 0)) for number in range(partitions)]
        for key, line in deliveries(rows, entity, delivery, seed, landed.counts):
            partition = files[partition_of(key, partitions)]
            partition.lines.append(line)
            if len(partition.lines) >= records_per_file:
                partition.flush(landed)
        for partition in files:
            partition.flush(landed)
    except OSError as error:
        raise LandingError(f"landing {settings.landing} cannot be written: {error.strerror}") from error
    return landed


def land_source(
    engine: Engine,
    settings: Settings,
    *,
    partitions: int = PARTITIONS,
    records_per_file: int = RECORDS_PER_FILE,
    delivery: Delivery = USUAL,
    seed: int = 1,
    append: bool = False,
    watch: Watch = unwatched,
) -> list[Landed]:
    """Lands the three tables of a source database, read in keyset pages; see ``write_landing``.

    Raises:
        LandingError: if the landing is not free (see ``check_landing``) or cannot be written.
        SourceError: if the source cannot be read.
    """
    check_landing(settings, partitions, append=append)
    made = []
    for entity in ENTITIES:
        pages = watch(f"landing {entity.name}", count_rows(engine, entity), read_pages(engine, entity))
        made.append(
            write_landing(
                (row for page in pages for row in page),
                entity,
                settings,
                partitions=partitions,
                records_per_file=records_per_file,
                delivery=delivery,
                seed=seed,
            )
        )
    return made


class _Partition:
    """One partition of a topic: the lines that wait for their file, and the offset of the first of them."""

    def __init__(self, settings: Settings, entity: Entity, number: int, offset: int) -> None:
        self.lines: list[str] = []
        self._root = Path(settings.landing)
        self._topic = settings.topic(entity)
        self._number = number
        self._offset = offset

    def flush(self, landed: Landed) -> None:
        """Writes the waiting lines as a file; the S3 sink ends every record with a line feed."""
        if not self.lines:
            return
        file = self._root.joinpath(landing_key(self._topic, self._number, self._offset))
        file.parent.mkdir(parents=True, exist_ok=True)
        hidden = file.with_name(f".{file.name}{TEMPORARY}")
        try:
            # surrogateescape: a broken line may hold a byte that is not UTF-8
            hidden.write_bytes(("\n".join(self.lines) + "\n").encode("utf-8", "surrogateescape"))
            hidden.rename(file)
        except BaseException:
            with suppress(OSError):
                hidden.unlink(missing_ok=True)
            raise
        landed.records += len(self.lines)
        landed.files += 1
        self._offset += len(self.lines)
        self.lines = []


def next_offsets(files: Iterable[str], topic: str) -> dict[int, int]:
    """The offset behind the last record of each partition that has files."""
    last: dict[int, tuple[int, str]] = {}
    for file in files:
        partition, start = partition_and_start(file, topic)
        last[int(partition)] = max(last.get(int(partition), (-1, "")), (start, file))
    return {partition: start + sum(1 for _ in _lines(file)) for partition, (start, file) in last.items()}


def _lines(file: str) -> Iterator[bytes]:
    """Lines of a landing file, a last one without its end too: it has an offset as well.

    Raises:
        LandingError: it cannot be read.
    """
    try:
        with gzip.open(file) if file.endswith(".gz") else Path(file).open("rb") as content:
            yield from content
    except (EOFError, zlib.error) as error:
        raise LandingError(f"{file} cannot be read: it must be whole gzip") from error
    except OSError as error:
        raise LandingError(f"{file} cannot be read: {error.strerror or error}") from error


def _check_partition(file: str, entity: Entity, topic: str, partitions: int) -> None:
    """Sees to it that the first record of a file stands in the partition it would be given."""
    line = next(_lines(file), b"").decode(errors="replace")
    try:
        record = json.loads(line)
        key = next(record[name] for name in (*entity.key_fields, "index", "ind") if name in record)
        whole = int(key)
    except (ValueError, TypeError, OverflowError, StopIteration):
        return  # a broken line says nothing
    usable = whole >= 0 and float(key) == float(whole) and whole < _KEY_LIMIT
    if usable and int(partition_and_start(file, topic)[0]) != partition_of(whole, partitions):
        raise LandingError(f"{file} has key {whole}, which {partitions} partitions put elsewhere: append with as many")
