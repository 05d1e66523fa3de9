"""Which landing files were ingested, and as what: one line per file, appended to a file beside the checkpoint's state.

A file is read again when its size or time has changed. A line that a kill or a power cut has torn says
nothing: its file is read again, which changes nothing.
"""

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from pinterest_transforms.errors import CheckpointError
from pinterest_transforms.ingest.checkpoint_state import INGESTED_FILES, flush_to_disk
from pinterest_transforms.ingest.landing_files import FileStamp

_SPARE = 1000


class IngestedFiles:
    """The files that were ingested with one checkpoint.

    Attributes:
        stamps: the size and time of each when it was ingested, by its key.
    """

    def __init__(self, checkpoint: str) -> None:
        """Reads the list in a checkpoint's folder, which is created if missing.

        Raises:
            CheckpointError: the folder cannot be written.
        """
        self._path = Path(checkpoint, INGESTED_FILES)
        lines = self._path.read_bytes().split(b"\n") if self._path.is_file() else []
        self.stamps = dict(filter(None, map(_parse_line, lines)))
        is_torn = not lines or lines[-1] != b""
        if is_torn or len(lines) > 2 * len(self.stamps) + _SPARE:
            self._rewrite()

    def is_ingested(self, key: str, stamp: FileStamp) -> bool:
        """True if the file was ingested as it is now."""
        return self.stamps.get(key) == stamp

    def add(self, stamps: Mapping[str, FileStamp]) -> None:
        """Notes files by their keys; on the disk when it returns.

        Raises:
            CheckpointError: it cannot be written.
        """
        self.stamps.update(stamps)
        flush_to_disk()
        self._write(self._path, "ab", stamps)

    def _rewrite(self) -> None:
        """Writes one line per file: all of them, or none."""
        temporary = self._path.with_name(f".{self._path.name}.{os.getpid()}")
        self._write(temporary, "wb", self.stamps)
        temporary.replace(self._path)

    def _write(self, path: Path, mode: str, stamps: Mapping[str, FileStamp]) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open(mode) as file:
                file.writelines(json.dumps([key, *stamp]).encode() + b"\n" for key, stamp in stamps.items())
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise CheckpointError(f"a checkpoint's folder must be writable, got {path}: {error.strerror}") from error


def _parse_line(line: bytes) -> tuple[str, FileStamp] | None:
    with suppress(ValueError):
        match json.loads(line):
            case [str(key), int(size), int(modified)]:
                return key, FileStamp(size, modified)
    return None
