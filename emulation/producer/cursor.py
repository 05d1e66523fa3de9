"""The place an interrupted run goes on at."""

import json
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from emulation.producer.send_result import SendError
from emulation.producer.state_files import LineFile, open_alone, remove

_HEAD = b'{"order": '
_OTHERWISE = "--restart begins anew, --cursor FILE keeps another place"


@dataclass
class Cursor:
    """A file that says how many posts of an order are settled; one run has it at a time.

    Attributes:
        path: the file; None to keep none.
        order: which posts in which order, sent where; a cursor of another order is an error.
        settled: posts that are settled, all from the first one on.
        after: key of the last of them; None for none.
        empty: there was a file without a place in it.
    """

    path: Path | None
    order: str
    settled: int = 0
    after: int | None = None
    empty: bool = False
    _file: BinaryIO | None = None
    _lines: LineFile | None = None

    def load(self, *, restart: bool = False) -> None:
        """Takes the file, and reads it: its first line is the order, its last whole line the place.

        Args:
            restart: forget what is in it.

        Raises:
            SendError: another run has it, it is of another order, or no cursor at all.
        """
        if self.path is None:
            return
        there = self.path.exists() and not restart
        file = open_alone(self.path)
        try:
            file.seek(0)
            text = file.read() if there else b""
            first, *places = text.split(b"\n")
            # A kill, a full disk or a power cut may have come before there was any place: what follows is the start.
            if not places and _HEAD.startswith(first.strip(b"\0")[: len(_HEAD)]):
                self.empty = there
                file.truncate(0)
            else:
                self._read(first, places)
        except SendError:
            file.close()
            raise
        self._file, self._lines = file, LineFile(self.path, file)

    def _read(self, first: bytes, places: list[bytes]) -> None:
        try:
            order = json.loads(first)["order"]
        except (ValueError, KeyError, TypeError):
            raise SendError(f"cursor must be a file this command wrote, got {self.path}: {_OTHERWISE}") from None
        if order != self.order:
            raise SendError(f"cursor {self.path} is of {order}, got {self.order}: {_OTHERWISE}")
        for line in reversed(places):
            # The last one may be cut off.
            with suppress(ValueError, KeyError, TypeError):
                found = json.loads(line)
                self.settled, self.after = int(found["settled"]), found["after"]
                return

    def save(self) -> None:
        """Adds the place to the file: one short write, so that it can be done after each request.

        Raises:
            SendError: it cannot be written.
        """
        if self._file is None or self._lines is None:
            return
        line = json.dumps({"settled": self.settled, "after": self.after}).encode()
        if not os.fstat(self._file.fileno()).st_size:
            line = json.dumps({"order": self.order}).encode() + b"\n" + line
        self._lines.add(line)

    def close(self, *, done: bool) -> None:
        """Ends with the file; where everything is settled the next run begins anew."""
        if self.path is None or self._file is None:
            return
        if done or not os.fstat(self._file.fileno()).st_size:
            remove(self.path, self._file)
        self._file.close()
        self._file = None
