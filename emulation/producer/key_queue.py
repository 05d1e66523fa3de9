"""Queues of records that never have two records of one key in flight, so that versions of a post stay in order."""

from collections import deque
from dataclasses import dataclass, field

from emulation.source.source_records import SourceRecord


@dataclass
class KeyQueue:
    """Records of one kind that wait to be sent, and the keys in flight."""

    ready: deque[SourceRecord] = field(default_factory=deque)
    bytes: int = 0
    _blocked: dict[int | None, deque[SourceRecord]] = field(default_factory=dict)
    _keys: set[int | None] = field(default_factory=set)

    def add(self, record: SourceRecord) -> None:
        """Adds a record; it waits while an earlier one with its key is ready or in flight."""
        if record.key in self._keys:
            self._blocked.setdefault(record.key, deque()).append(record)
            return
        self._keys.add(record.key)
        self.ready.append(record)
        self.bytes += len(record.value)

    def complete(self, key: int | None) -> None:
        """Marks the key's record as acknowledged or failed; the next one with this key becomes ready."""
        self._keys.discard(key)
        blocked = self._blocked.get(key)
        if blocked:
            following = blocked.popleft()
            if not blocked:
                del self._blocked[key]
            self.add(following)

    def take(self, max_records: int, max_bytes: int) -> list[SourceRecord]:
        """Removes and returns the records of the next request."""
        batch: list[SourceRecord] = []
        size = 0
        while self.ready and len(batch) < max_records:
            size += len(self.ready[0].value)
            if batch and size > max_bytes:
                break
            batch.append(self.ready.popleft())
        self.bytes -= sum(len(record.value) for record in batch)
        return batch
