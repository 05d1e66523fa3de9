"""The cursor file, from which an interrupted run resumes."""

import json
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from emulation.emulation_errors import SendError
from emulation.producer.state_files import LineFile, open_exclusive

_HEADER = b'{"order": '
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
    _lines: LineFile | None = None

    def load(self, *, restart: bool = False) -> None:
        """Opens the file and reads it: the first line is the order, the last complete line the position.

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
        file = open_exclusive(self.path)
        try:
            file.seek(0)
            text = file.read() if exists else b""
            header, *positions = text.split(b"\n")
            # A kill, full disk or power failure before the first position leaves a part of the header.
            if not positions and _HEADER.startswith(header.strip(b"\0")[: len(_HEADER)]):
                self.was_empty = exists
                file.truncate(0)
            else:
                self._read(header, positions)
        except SendError:
            file.close()
            raise
        self._file, self._lines = file, LineFile(self.path, file)

    def _read(self, header: bytes, positions: list[bytes]) -> None:
        try:
            order = json.loads(header)["order"]
        except (ValueError, KeyError, TypeError):
            raise SendError(f"cursor must be a file this command wrote, got {self.path}: {_REMEDY}") from None
        if order != self.order:
            raise SendError(f"cursor {self.path} is for {order}, got {self.order}: {_REMEDY}")
        for line in reversed(positions):
            # The last line may be truncated.
            with suppress(ValueError, KeyError, TypeError):
                position = json.loads(line)
                self.settled, self.last_key = int(position["settled"]), position["after"]
                return

    def save(self) -> None:
        """Appends the position: one short write, cheap enough after each request.

        Raises:
            SendError: it cannot be written.
        """
        if self._file is None or self._lines is None:
            return
        line = json.dumps({"settled": self.settled, "after": self.last_key}).encode()
        if not os.fstat(self._file.fileno()).st_size:
            line = json.dumps({"order": self.order}).encode() + b"\n" + line
        self._lines.append(line)

    def close(self, *, complete: bool) -> None:
        """Closes the file; removes it after a complete run, so that the next one starts with the first post."""
        if self.path is None or self._file is None:
            return
        if complete or not os.fstat(self._file.fileno()).st_size:
            self.path.unlink(missing_ok=True)
        self._file.close()
        self._file = None
