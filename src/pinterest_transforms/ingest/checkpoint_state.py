"""State stored beside a checkpoint: which tables, source and query it belongs to, and the batch that was begun.

Spark's checkpoint knows which files it has handed out; it does not know that the table it filled was dropped, or that
the folder it reads is another bucket now. Either would be a successful empty run. So their identities are kept in
``<checkpoint>.json`` and compared at each start. Written whole to a temporary name and renamed, so that a kill leaves
the old one or the new one.
"""

import json
import os
import shutil
import uuid
from dataclasses import dataclass, field
from pathlib import Path

from pinterest_transforms.errors import CheckpointError
from pinterest_transforms.ingest.checkpoint_files import check_checkpoint_files

INGESTED_FILES = "files.jsonl"
"""File in a checkpoint's folder that lists ingested landing files; a folder that Spark fills has no such file."""
REBUILD = "run again with --rebuild to clean everything again"
OTHER_TABLES = "; use another warehouse or schema for a source that has not replaced that one"


def flush_to_disk() -> None:
    """Puts what was written before on the disk: a state that means "done" must never be safer there than the data."""
    if hasattr(os, "sync"):
        os.sync()


@dataclass
class CheckpointState:
    """State stored beside a checkpoint.

    Attributes:
        path: the file it is stored in.
        query_id: identifies this checkpoint; a new checkpoint gets a new one.
        source: where the records come from.
        tables: ids of the tables it fills.
        commits: their last commits when a run ended, ``Commit.id`` by the table's name.
        rebuild: true while the first batch is to replace what it reads again.
        before: version of the clean table before a batch was first written, by the batch's id.
        has_quarantined: whether quarantine holds records of the topic; null where that is not known yet.
        pending_files: landing files that are being ingested, by the id of that batch.
        next_batch_id: id of the next batch of the landing; in the stream leg, of a rebuild.
        last_offsets: the greatest offset that a landing file began with, by its partition.
        conflicts: records that came to offsets which were ingested with another content.
        previous_removed: false until the checkpoint that this one takes the place of is removed.
        progress: how far a run of a stream is, for whoever watches: its ``run_id``, ``batches``, ``read``, ``rejected``
            and ``repaired``; in seconds since 1970 when it ``began``, when the newest record ``arrived``, up to which
            arrival the tables may hold records that the checkpoint does not count (``known_until``), when it was
            written (``at``); number of the batch that was ``begun`` when a rebuild came between.
        earlier_queries: those of the checkpoints before it that had a micro-batch, the earliest first.
    """

    path: str
    query_id: str = ""
    source: str = ""
    tables: dict[str, str] = field(default_factory=dict)
    commits: dict[str, str] = field(default_factory=dict)
    rebuild: bool = False
    before: dict[str, int] = field(default_factory=dict)
    has_quarantined: bool | None = None
    pending_files: dict[str, list[str]] = field(default_factory=dict)
    next_batch_id: int = 0
    last_offsets: dict[str, int] = field(default_factory=dict)
    conflicts: int = 0
    previous_removed: bool = True
    progress: dict[str, str | float] = field(default_factory=dict)
    earlier_queries: list[str] = field(default_factory=list)

    def reload(self) -> None:
        """Takes over what was saved by another process.

        Raises:
            CheckpointError: the file is none that this library has written.
        """
        saved = load_state(self.path.removesuffix(".json"))
        if saved is not None:
            self.__dict__.update(saved.__dict__)

    def save(self) -> None:
        """Writes it whole, or not at all."""
        target = Path(self.path)
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.with_name(f".{target.name}.{os.getpid()}")
        content = {key: value for key, value in vars(self).items() if key != "path"}
        with temporary.open("w", encoding="utf-8") as file:
            file.write(json.dumps(content))  # json.dump would encode value by value, in Python
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(target)


def open_state(
    checkpoint: str,
    source: str,
    tables: dict[str, str],
    *,
    reset: bool,
    rebuild: bool = False,
    remedy: str = REBUILD,
    remedy_for_torn_files: str = REBUILD,
) -> CheckpointState:
    """The checkpoint's state, checked; a new one where the checkpoint is new or is reset.

    Args:
        checkpoint: folder of the checkpoint, reachable as a path.
        source: identity of the source.
        tables: ids of the tables it fills, by name.
        reset: begin a new checkpoint; the previous one is removed.
        rebuild: the first batch of the new checkpoint replaces what it reads again.
        remedy: what the error suggests to do.
        remedy_for_torn_files: the same, where files of Spark's are torn or gone.

    Raises:
        CheckpointError: the checkpoint belongs to other tables or another source, or a file of it is torn or gone.
    """
    try:
        known = load_state(checkpoint)
    except CheckpointError:
        if not reset:
            raise
        known = None
    if reset or not _has_begun(checkpoint, known):
        unfinished = known is not None and known.rebuild  # a new checkpoint must not forget it
        new = CheckpointState(f"{checkpoint}.json", uuid.uuid4().hex, source, tables, rebuild=rebuild or unfinished)
        if known:
            # One without a micro-batch has no row in `runs`, and a topic without files has another one in each run.
            new.earlier_queries = [*known.earlier_queries, *([known.query_id] if known.before else [])]
        new.previous_removed = False
        # Saved before it is done: a kill between the two must not leave the old checkpoint under the new state.
        new.save()
        shutil.rmtree(checkpoint, ignore_errors=True)
        new.previous_removed = True
        new.save()
        return new
    check_checkpoint_files(checkpoint, remedy_for_torn_files)
    if known is None:
        raise _mismatch(checkpoint, "its identity file", "beside it", "none", remedy)
    if known.source != source:
        raise _mismatch(checkpoint, "source", known.source, source, remedy + OTHER_TABLES)
    for name, table_id in tables.items():
        if known.tables.get(name) != table_id:
            raise _mismatch(checkpoint, f"table {name}", f"id {known.tables.get(name)}", f"id {table_id}", remedy)
    return known


def load_state(checkpoint: str) -> CheckpointState | None:
    """The checkpoint's state as it was left; None where there is none.

    Raises:
        CheckpointError: the file is none that this library has written.
    """
    path = f"{checkpoint}.json"
    if not Path(path).is_file():
        return None
    try:
        return CheckpointState(path, **json.loads(Path(path).read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise CheckpointError(
            f"{path} must be a checkpoint's identity as JSON, got {error}; run --rebuild, for a stream new_checkpoint"
        ) from error


def has_begun(checkpoint: str) -> bool:
    """True if a query has run with the checkpoint, and it is not one to be removed.

    Raises:
        CheckpointError: its state is none that this library has written.
    """
    return _has_begun(checkpoint, load_state(checkpoint))


def _has_begun(checkpoint: str, known: CheckpointState | None) -> bool:
    begun = any(Path(checkpoint, name).is_file() for name in ("metadata", INGESTED_FILES))
    return begun and (known is None or known.previous_removed)


def _mismatch(checkpoint: str, what: str, wanted: str, given: str, remedy: str) -> CheckpointError:
    return CheckpointError(
        f"checkpoint {checkpoint} belongs to other data: {what} must be {wanted}, got {given}; "
        f"nothing was read; {remedy}"
    )
