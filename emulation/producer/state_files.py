"""Files that a run leaves for the next one."""

from pathlib import Path
from typing import BinaryIO

from emulation.emulation_errors import SendError


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
