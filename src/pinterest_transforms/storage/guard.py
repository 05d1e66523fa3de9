"""What stands beside a checkpoint: which tables, source and query it belongs to, and what the batch in hand found.

Spark's checkpoint knows which files it has handed out; it does not know that the table it filled was dropped, or that
the folder it reads is another bucket now. Either would be a successful empty run. So their identities are kept in
``<checkpoint>.json`` and compared at each start. Written whole to a temporary name and renamed, so that a kill leaves
the old one or the new one.
"""

import json
import os
import shutil
import uuid
from dataclasses import asdict, dataclass, field
from pathlib import Path

from pinterest_transforms.errors import CheckpointError
from pinterest_transforms.storage.checkpoint_files import check_checkpoint_files

TAKEN_FILES = "files.jsonl"
"""File of a checkpoint's folder that says which landing files were taken; a folder that Spark fills has no such one."""
REBUILD = "run again with --rebuild to clean everything again"


def flush_to_disk() -> None:
    """Puts what was written before on the disk: a state that says "done" must never be safer there than the data."""
    if hasattr(os, "sync"):
        os.sync()


@dataclass
class Guard:
    """The identity of one checkpoint's life.

    Attributes:
        path: the file this is kept in; null for one that is kept nowhere.
        query_id: this checkpoint's life; a new checkpoint gets a new one.
        source: where the records come from.
        tables: ids of the tables it fills.
        commits: their last commits when a run ended, ``commits.commit_id`` by the table's name.
        rebuild: true while the first batch is to replace what it reads again.
        before: versions of the clean table before a batch was merged, by the batch's id.
        again: landing files that are being taken, by the id of that batch.
        next_again: id of the next such batch; of the stream leg, of a rebuild.
        last: the greatest offset that a landing file began with, by its partition.
        conflicts: records that came to offsets which were taken with another content.
        cleared: false until the checkpoint of the life before is gone.
        seen: how far a run of a stream is, for whoever watches: its ``run_id``, ``batches``, ``read``, ``rejected`` and
            ``repaired``; in seconds since 1970 when it ``began``, when the newest record ``arrived``, when it was there
            (``at``), when old raw records were removed last (``tidied``); number of the batch that was ``begun`` when
            a rebuild came between.
    """

    path: str
    query_id: str = ""
    source: str = ""
    tables: dict[str, str] = field(default_factory=dict)
    commits: dict[str, str] = field(default_factory=dict)
    rebuild: bool = False
    before: dict[str, int] = field(default_factory=dict)
    again: dict[str, list[str]] = field(default_factory=dict)
    next_again: int = 0
    last: dict[str, int] = field(default_factory=dict)
    conflicts: int = 0
    cleared: bool = True
    seen: dict[str, str | float] = field(default_factory=dict)

    def reload(self) -> None:
        """Takes over what was saved by another process."""
        saved = _load(self.path)
        if saved is not None:
            self.__dict__.update(saved.__dict__)

    def save(self) -> None:
        """Writes it whole, or not at all."""
        target = Path(self.path)
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.with_name(f".{target.name}.{os.getpid()}")
        content = {key: value for key, value in asdict(self).items() if key != "path"}
        with temporary.open("w", encoding="utf-8") as file:
            json.dump(content, file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(target)


def open_guard(
    checkpoint: str,
    source: str,
    tables: dict[str, str],
    *,
    fresh: bool,
    rebuild: bool = False,
    way_out: str = REBUILD,
    way_out_of_torn_files: str = REBUILD,
) -> Guard:
    """The checkpoint's guard, checked; a new one where the checkpoint is new, or is to be made anew.

    Args:
        checkpoint: folder of the checkpoint, reachable as a path.
        source: identity of the source.
        tables: ids of the tables it fills, by name.
        fresh: begin a new life: the checkpoint is removed.
        rebuild: in that life, the first batch replaces what it reads again.
        way_out: what an error says can be done.
        way_out_of_torn_files: the same, where files of Spark's are torn or gone.

    Raises:
        CheckpointError: the checkpoint belongs to other tables or another source, or a file of it is torn or gone.
    """
    path = f"{checkpoint}.json"
    known = None if fresh else load_guard(checkpoint)
    if fresh or not has_begun(checkpoint):
        unfinished = known is not None and known.rebuild
        new = Guard(path, uuid.uuid4().hex, source, tables, rebuild=rebuild or unfinished, cleared=False)
        # Said before it is done: a kill between the two must not leave the old checkpoint in the new life.
        new.save()
        shutil.rmtree(checkpoint, ignore_errors=True)
        new.cleared = True
        new.save()
        return new
    check_checkpoint_files(checkpoint, way_out_of_torn_files)
    if known is None:
        raise _mismatch(checkpoint, "its identity file", "beside it", "none", way_out)
    if known.source != source:
        raise _mismatch(checkpoint, "source", known.source, source, way_out)
    for name, table_id in tables.items():
        if known.tables.get(name) != table_id:
            raise _mismatch(checkpoint, f"table {name}", f"id {known.tables.get(name)}", f"id {table_id}", way_out)
    return known


def load_guard(checkpoint: str) -> Guard | None:
    """The checkpoint's guard as it was left; None where there is none.

    Raises:
        CheckpointError: the file is none that a guard has written.
    """
    return _load(f"{checkpoint}.json")


def has_begun(checkpoint: str) -> bool:
    """True if a query has run with the checkpoint, and it is not one to be removed."""
    known = load_guard(checkpoint)
    begun = any(Path(checkpoint, name).is_file() for name in ("metadata", TAKEN_FILES))
    return begun and (known is None or known.cleared)


def _load(path: str) -> Guard | None:
    file = Path(path)
    if not file.is_file():
        return None
    try:
        return Guard(path, **json.loads(file.read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise CheckpointError(
            f"{path} must be a checkpoint's identity as JSON, got {error}; run --rebuild, for a stream new_checkpoint"
        ) from error


def _mismatch(checkpoint: str, what: str, wanted: str, given: str, way_out: str) -> CheckpointError:
    return CheckpointError(
        f"checkpoint {checkpoint} belongs to other data: {what} must be {wanted}, got {given}; "
        f"nothing was read; {way_out}"
    )
