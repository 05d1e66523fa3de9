"""Lists and checks landing files on this machine, without Spark.

Spark's own listing follows a link as often as it comes by it, so a folder that links back is read dozens of times, and
two such folders without an end. Here each folder and each file is looked at once, whatever paths lead to it.
"""

import gzip
import os
import re
import stat
import zlib
from collections import deque
from pathlib import Path

from pinterest_transforms.errors import LandingError
from pinterest_transforms.landing_files import FileStamp, Listing, is_hidden

_CHUNK = 1 << 20
# Where a path has one of these, Spark takes it apart, and a part of it with a colon for an address.
_PATTERN = re.compile(r"[\\*?\[\]{}]")


def list_folder(folder: str, topic: str) -> Listing:
    """Every file below a topic's folder; what the rule passes over is not counted.

    Real files and folders come before links to them, so a file has the same path in every run. A link to a folder
    above the topic's is not followed: everything below would be found again under other names.

    Raises:
        LandingError: a folder cannot be read.
    """
    found, home = Listing(topic), Path(folder).resolve()
    seen = {home, *home.parents}
    folders, links, file_links = deque([("", home)]), deque[str](), list[str]()
    while folders or links:
        below, real = folders.popleft() if folders else _target(folder, links.popleft())
        if below and real in seen:
            continue
        seen.add(real)
        for entry in _entries(Path(folder, below)):
            inside = f"{below}/{entry.name}" if below else entry.name
            if is_hidden(entry.name):
                continue
            if entry.is_symlink():
                (links if Path(entry.path).is_dir() else file_links).append(inside)
            elif entry.is_dir():
                folders.append((inside, real / entry.name))
            else:
                _add(found, folder, inside)
    _add_links(found, folder, file_links)
    return found


def _target(folder: str, below: str) -> tuple[str, Path]:
    return below, Path(folder, below).resolve()


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except (FileNotFoundError, NotADirectoryError):
        return []  # taken away since it was found
    except OSError as error:
        raise LandingError(f"a landing folder must be readable, got {folder}: {error.strerror}") from None


def _add(found: Listing, folder: str, below: str) -> None:
    path = Path(folder, below)
    try:
        below.encode()  # a name that is no text cannot be given to Java
        status = path.stat()
    except (OSError, UnicodeEncodeError):
        if path.is_symlink() or path.exists():
            found.add_other(below)  # else it was taken away since it was found
        return
    if stat.S_ISREG(status.st_mode):
        found.add(str(path), below, FileStamp(status.st_size, status.st_mtime_ns))
    else:
        found.add_other(below)


def _add_links(found: Listing, folder: str, links: list[str]) -> None:
    """Adds the files that links lead to and no other path does."""
    seen = {_identity(Path(path)) for path in found.records} if links else set()
    for below in links:
        identity = _identity(Path(folder, below))
        if identity is None or identity not in seen:
            seen.add(identity)
            _add(found, folder, below)


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def why_unusable(path: str, size: int, limit: int, *, local: bool) -> str:
    """Why a file cannot be taken, as a line that names it; empty if it can, as far as is known.

    What is packed on this machine (``local``) is unpacked once, up to the limit and no further: a small file may hold
    more than a disk does.
    """
    if size > limit:
        return f"a landing file must have at most {limit} bytes, got {size} in {path}: split it"
    if local and ":" in path and _PATTERN.search(path):
        return f"a landing file's path must have no colon beside one of \\*?[]{{}}, which Spark cannot read, got {path}"
    said = ""
    try:
        if local and path.endswith(".gz") and _holds_more(path, limit):
            said = f"a landing file must have at most {limit} bytes unpacked, got more in {path}: split it"
        elif local:
            Path(path).open("rb").close()
    except (EOFError, gzip.BadGzipFile, zlib.error):
        said = f"a landing file named .gz must be whole gzip, got {path}: land it again"
    except OSError as error:
        said = f"a landing file must be readable, got {path}: {error.strerror}"
    return said


def _holds_more(path: str, limit: int) -> bool:
    unpacked = 0
    with gzip.open(path) as content:
        while unpacked <= limit and (chunk := content.read(_CHUNK)):
            unpacked += len(chunk)
    return unpacked > limit
