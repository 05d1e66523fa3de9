"""Files that a run leaves for the next one."""

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
        raise SendError(f"file {path} cannot be written: {error.strerror}") from None
    if path.is_dir():
        raise SendError(f"file {path} cannot be written: it is a folder")


def open_file(path: Path, mode: str) -> BinaryIO:
    """Opens a file without a buffer, and creates it and its folder.

    Raises:
        SendError: it cannot be written.
    """
    create_folder(path)
    try:
        path.touch()
        return path.open(mode, buffering=0)  # type: ignore[return-value]
    except OSError as error:
        raise SendError(f"file {path} cannot be written: {error.strerror}") from None


def write_all(file: BinaryIO, data: bytes) -> None:
    """Writes all bytes.

    Raises:
        SendError: they cannot be written completely, as on a full disk.
    """
    try:
        while data:
            data = data[file.write(data) :]
    except OSError as error:
        raise SendError(f"file {file.name} cannot be written: {error.strerror}") from None


def open_exclusive(path: Path) -> BinaryIO:
    """Opens a file for reading and writing, locked for this process.

    Raises:
        SendError: another process has locked it, or it cannot be opened.
    """
    file = open_file(path, "r+b")
    with suppress(OSError):  # some network drives have no locks
        if not try_lock(file.fileno()):
            file.close()
            raise SendError(f"cursor {path} is in use by another run: choose another one with --cursor FILE")
    return file
