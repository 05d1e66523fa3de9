"""What became of what was sent: counts, the file of failed records, and the place an interrupted run goes on at.

A record stands in the failed file before the cursor passes it, so a kill at any moment loses nothing: what was on its
way is sent once more.
"""

import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

from emulation.producer.cursor import Cursor
from emulation.producer.send_result import Outgoing, SendError, one_line
from emulation.producer.state_files import LineFile

_REASON = 80


@dataclass
class Counts:
    """The numbers of a run.

    Attributes:
        sent: records of the source that were begun.
        acknowledged: of them, taken by the other side.
        failed: of them, given up; in the failed file.
        retried: how often a record was sent again.
        codes: requests, by status code or by what went wrong.
        reasons: failed records, by the start of the reason.
    """

    sent: int = 0
    acknowledged: int = 0
    failed: int = 0
    retried: int = 0
    codes: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)

    @property
    def open(self) -> int:
        """Records that are begun and not settled."""
        return self.sent - self.acknowledged - self.failed


class Ledger:
    """Keeps the counts, the failed file and the cursor of one run.

    Attributes:
        counts: the numbers so far.
        cursor: the place; all before it is settled.
        failed: the file of failed records.
        complete: set it when all that was to be sent is settled.
    """

    def __init__(self, cursor: Cursor, failed: Path) -> None:
        self.counts = Counts()
        self.cursor = cursor
        self.failed = failed
        # By number of the post: its key; how many of its records are open.
        self._keys: dict[int, int | None] = {}
        self._posts: Counter[int] = Counter()
        self._next = cursor.settled
        self._file: LineFile | None = None
        self.complete = False

    def __enter__(self) -> "Ledger":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        try:
            self.save()
        except SendError:
            # What ended the run tells more than that its place cannot be kept either.
            if kind is None:
                raise
        finally:
            self.cursor.close(done=kind is None and self.complete)
            if self._file is not None:
                self._file.close()

    @property
    def open(self) -> int:
        """Records that are begun and not settled."""
        return self.counts.open

    def began(self, record: Outgoing) -> None:
        """A record was taken from the source."""
        self.counts.sent += 1
        # A number is passed over where a post is gone from the source since it was drawn.
        while self._next <= record.post:
            self._keys[self._next] = record.key
            self._next += 1
        self._posts[record.post] += 1

    def taken(self, record: Outgoing) -> None:
        """The other side has it."""
        self.counts.acknowledged += 1
        self._settled(record)

    def refused(self, record: Outgoing, reason: str) -> None:
        """It is given up: into the failed file."""
        if self._file is None:
            self._file = LineFile(self.failed)
        head = json.dumps({"entity": record.entity.name, "key": record.key, "reason": reason}, ensure_ascii=False)
        self._file.add(head[:-1].encode() + b', "value": ' + record.value + b"}")
        self.counts.failed += 1
        self.counts.reasons[one_line(reason, _REASON)] += 1
        self._settled(record)

    def retried(self, records: int) -> None:
        """Records are sent once more."""
        self.counts.retried += records

    def answered(self, code: str) -> None:
        """A request is through."""
        self.counts.codes[code] += 1

    def _settled(self, record: Outgoing) -> None:
        self._posts[record.post] -= 1

    def save(self) -> None:
        """Moves the cursor over every post that is settled, up to the first one that is not."""
        moved = False
        while (post := self.cursor.settled) in self._keys and self._posts[post] == 0:
            key = self._keys.pop(post)
            del self._posts[post]
            # Rows without a key come last: behind them the place is still that of the last key.
            self.cursor.settled, moved = post + 1, True
            self.cursor.after = self.cursor.after if key is None else key
        if moved:
            self.cursor.save()
