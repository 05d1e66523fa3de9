"""Files that a sender leaves for its next run: where they are, and how they are written."""

import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from emulation.producer.send_result import SendError
from pinterest_transforms.file_lock import try_lock

_STATE = Path("build/emulation")


def failed_file(command: str) -> Path:
    """Where failed records go if nobody says another place."""
    return _STATE / f"{command}-failed.jsonl"


def cursor_file(command: str) -> Path:
    """Where the place of a run is kept if nobody says another one."""
    return _STATE / f"{command}-cursor.json"


class LineFile:
    """A file that whole lines are added to; one that was cut off, by a kill or a full disk, is ended first."""

    def __init__(self, path: Path, file: BinaryIO | None = None) -> None:
        """Opens it, in a folder that is made.

        Raises:
            SendError: it cannot be written.
        """
        self._path, self._file = path, file or _opened(path)
        size = os.fstat(self._file.fileno()).st_size
        self._cut_off = False
        if size:
            self._file.seek(-1, os.SEEK_END)
            self._cut_off = self._file.read(1) != b"\n"

    def add(self, line: bytes) -> None:
        """Adds a line.

        Raises:
            SendError: it cannot be written whole, as on a full disk.
        """
        data = (b"\n" if self._cut_off else b"") + line + b"\n"
        self._cut_off = True
        try:
            while data:
                data = data[self._file.write(data) :]
        except OSError as error:
            raise _not_writable(self._path, error) from None
        self._cut_off = False

    def close(self) -> None:
        """Closes it."""
        self._file.close()


def open_alone(path: Path) -> BinaryIO:
    """A file for this process alone, to read and to add to.

    Raises:
        SendError: another process has it, or it cannot be opened.
    """
    while True:
        file = _opened(path)
        is_free = True
        with suppress(OSError):  # some network drives have no locks
            is_free = try_lock(file.fileno())
        if not is_free:
            file.close()
            raise SendError(f"cursor {path} is in use by another run: --cursor FILE keeps another place")
        # Who had it may just have removed it.
        if path.exists() and os.path.samestat(path.stat(), os.fstat(file.fileno())):
            return file
        file.close()


def remove(path: Path, file: BinaryIO) -> None:
    """Removes a file that ``open_alone`` has opened, and closes it."""
    if sys.platform == "win32":
        file.close()  # it removes no file that is open
    path.unlink(missing_ok=True)
    file.close()


def _opened(path: Path) -> BinaryIO:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return path.open("a+b", buffering=0)
    except OSError as error:
        raise _not_writable(path, error) from None


def _not_writable(path: Path, error: OSError) -> SendError:
    return SendError(f"file {path} cannot be written: {error.strerror}")
