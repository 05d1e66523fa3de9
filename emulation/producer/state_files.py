"""Files that a run leaves for the next one: whole lines, and exclusive access."""

import os
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from emulation.emulation_errors import SendError
from pinterest_transforms.tables.locks import try_lock


def create_folder(path: Path) -> None:
    """Creates the folder of a file.

    Raises:
        SendError: the file cannot be written there.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _build_write_error(path, error) from None
    if path.is_dir():
        raise SendError(f"file {path} cannot be written: it is a folder")


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


def _open(path: Path) -> BinaryIO:
    create_folder(path)
    try:
        return path.open("a+b", buffering=0)
    except OSError as error:
        raise _build_write_error(path, error) from None


def _build_write_error(path: Path, error: OSError) -> SendError:
    return SendError(f"file {path} cannot be written: {error.strerror}")
