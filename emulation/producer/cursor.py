"""The cursor file, from which an interrupted run resumes."""

import json
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from emulation.emulation_errors import SendError
from emulation.producer.state_files import open_file, write_all
from emulation.source.source_records import MAX_KEY
from pinterest_transforms.tables.locks import try_lock

_START = b'{"settled": '
_WIDTH = len(str(MAX_KEY))
_REMEDY = "--restart starts over, --cursor FILE uses another file"


@dataclass
class Cursor:
    """Number of posts settled (acknowledged or failed), in a file that one run can open at a time.

    A cursor is valid for one source, URL, seed and row count.

    Attributes:
        path: the file; None to keep none.
        order: description of the posts, their order and the sink; another order is an error.
        settled: number of settled posts, without gaps from the first one.
        last_key: key of the last settled post; None for none.
        was_empty: the file existed without a position.
    """

    path: Path | None
    order: str
    settled: int = 0
    last_key: int | None = None
    was_empty: bool = False
    _file: BinaryIO | None = None

    def load(self, *, restart: bool = False) -> None:
        """Opens the file and reads it.

        Args:
            restart: ignore its content.

        Raises:
            SendError: another run has opened it, it has another order, or it is no cursor file.
        """
        if self.path is None:
            return
        if self.path.exists() and not self.path.is_file():
            raise SendError(f"cursor must be a file, got {self.path}")
        exists = self.path.exists() and not restart
        self._file = open_file(self.path, "r+b")
        with suppress(OSError):  # some network drives have no locks
            if not try_lock(self._file.fileno()):
                self._file.close()
                raise SendError(f"cursor {self.path} is in use by another run: choose another one with --cursor FILE")
        text = self._file.read().strip(b"\0") if exists else b""
        try:
            # A kill, full disk or power failure during the first write leaves a part of it.
            if _START.startswith(text[: len(_START)]) and not text.endswith(b"\n"):
                self.was_empty = exists
                self._file.truncate(0)
            else:
                self._read(text)
        except SendError:
            self._file.close()
            raise

    def _read(self, text: bytes) -> None:
        try:
            found = json.loads(text)
            order, self.settled, self.last_key = found["order"], int(found["settled"]), found["after"]
        except (ValueError, KeyError, TypeError):
            raise SendError(f"cursor must be a file this command wrote, got {self.path}: {_REMEDY}") from None
        if order != self.order:
            raise SendError(f"cursor {self.path} is for {order}, got {self.order}: {_REMEDY}")

    def save(self) -> None:
        """Writes the position in one short write, cheap enough after each request.

        It overwrites the previous one in place, at the start of the file, where a disk does not tear it.

        Raises:
            SendError: it cannot be written.
        """
        if self._file is not None:
            # All positions have one length, so that no end of a longer one stays.
            after = "null" if self.last_key is None else self.last_key
            text = (
                f'{{"settled": {self.settled:{_WIDTH}}, "after": {after:>{_WIDTH}}, "order": {json.dumps(self.order)}}}'
            )
            self._file.seek(0)
            write_all(self._file, text.encode() + b"\n")

    def close(self, *, complete: bool) -> None:
        """Closes the file; removes it after a complete run, so that the next one starts with the first post."""
        if self.path is None or self._file is None:
            return
        if complete or not self._file.seek(0, os.SEEK_END):
            self.path.unlink(missing_ok=True)
        self._file.close()
        self._file = None
