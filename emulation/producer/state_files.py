"""Files that a run leaves for the next one: their default paths, appending lines, and exclusive access."""

import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from emulation.emulation_errors import SendError
from pinterest_transforms.tables.locks import try_lock

_FOLDER = Path("build/emulation")


def get_failed_path(command: str) -> Path:
    """The default file of failed records."""
    return _FOLDER / f"{command}-failed.jsonl"


def get_cursor_path(command: str) -> Path:
    """The default cursor file."""
    return _FOLDER / f"{command}-cursor.json"


class LineFile:
    """Appends whole lines to a file; a truncated last line, left by a kill or a full disk, is terminated first."""

    def __init__(self, path: Path, file: BinaryIO | None = None) -> None:
        """Opens the file, and creates its folder.

        Raises:
            SendError: it cannot be written.
        """
        self._path, self._file = path, file or _open(path)
        size = os.fstat(self._file.fileno()).st_size
        self._truncated = False
        if size:
            self._file.seek(-1, os.SEEK_END)
            self._truncated = self._file.read(1) != b"\n"

    def append(self, line: bytes) -> None:
        """Appends a line.

        Raises:
            SendError: it cannot be written completely, as on a full disk.
        """
        data = (b"\n" if self._truncated else b"") + line + b"\n"
        self._truncated = True
        try:
            while data:
                data = data[self._file.write(data) :]
        except OSError as error:
            raise _build_write_error(self._path, error) from None
        self._truncated = False

    def close(self) -> None:
        """Closes the file."""
        self._file.close()


def open_exclusive(path: Path) -> BinaryIO:
    """Opens a file for reading and appending, locked for this process.

    Raises:
        SendError: another process has locked it, or it cannot be opened.
    """
    while True:
        file = _open(path)
        is_free = True
        with suppress(OSError):  # some network drives have no locks
            is_free = try_lock(file.fileno())
        if not is_free:
            file.close()
            raise SendError(f"cursor {path} is in use by another run: choose another one with --cursor FILE")
        # The process that had locked it may have removed it.
        if path.exists() and os.path.samestat(path.stat(), os.fstat(file.fileno())):
            return file
        file.close()


def remove_file(path: Path, file: BinaryIO) -> None:
    """Removes and closes a file of ``open_exclusive``."""
    if sys.platform == "win32":
        file.close()  # Windows removes no open file
    path.unlink(missing_ok=True)
    file.close()


def _open(path: Path) -> BinaryIO:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return path.open("a+b", buffering=0)
    except OSError as error:
        raise _build_write_error(path, error) from None


def _build_write_error(path: Path, error: OSError) -> SendError:
    return SendError(f"file {path} cannot be written: {error.strerror}")
